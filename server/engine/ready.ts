// Which positions of a run can be decided now: every view has its logits. Prompt positions may be many at once, generated ones are one,
// or as many as a block of drafts covers. Pure; called by the engine and by the drafter.
import { AppError } from '../errors.js';
import type { ReadyRow } from './fuse.js';
import type { Run } from './run.js';
import type { Sequence } from './sequence.js';

/** In the order of sequences, then of positions. */
export function readyRows(run: Run): ReadyRow[] {
  return run.live.flatMap((sequence) => {
    const ready: ReadyRow[] = [];
    const first = run.positionOf(sequence);
    const last = first < 0 ? 0 : first + sequence.drafts.length;
    for (let position = first; position <= last; position++) {
      const forcedId = run.forcedAt(position);
      // The first generated token waits until the prompt is told.
      if (forcedId === null && first < 0) break;
      const row = rowAt(run, sequence, position, forcedId);
      if (row === null) break;
      ready.push(row);
    }
    return ready;
  });
}

function rowAt(run: Run, sequence: Sequence, position: number, forcedId: number | null): ReadyRow | null {
  const logits = sequence.views.flatMap((view) => view.logits(position) ?? []);
  if (logits.length < sequence.views.length) return null;
  const draft = run.speculation?.viewOf(sequence)?.logits(position) ?? null;
  return {
    run,
    sequence,
    position,
    forcedId,
    ahead: Math.max(0, position - sequence.position),
    // A draft that is no member has the last view, which the distribution does not read.
    logits: run.speculation && run.speculation.extraModel.length > 0 ? logits.slice(0, -1) : logits,
    draft,
  };
}

/** The position after the drafts, as the draft alone sees it; null while its logits are not there. */
export function draftRow(run: Run, sequence: Sequence): ReadyRow | null {
  const ahead = sequence.drafts.length;
  const position = sequence.position + ahead;
  const view = run.speculation?.viewOf(sequence) ?? null;
  const draft = view?.logits(position) ?? null;
  if (view && !draft) return null;
  return { run, sequence, position, forcedId: null, ahead, logits: [], draft };
}

/** Not even the first view's distribution can be drawn from. */
export function brokenAt(sequence: Sequence, position: number): AppError {
  const [view] = sequence.views;
  return new AppError('nan_logits', {
    model: view?.model.name,
    position: view ? view.promptIds.length + position : position,
  });
}
