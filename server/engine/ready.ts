// Which positions of a run can be decided now: every view that is asked has its logits. Prompt positions and given tokens may be many at
// once, drawn ones are one, or as many as a block of drafts covers. Pure; called by the engine and by the drafter.
import { AppError } from '../errors.js';
import type { LogprobsParams } from '../wire/decode.js';
import { forcedNext } from './ask.js';
import type { ReadyRow } from './bound-row.js';
import { notFinite } from './not-finite.js';
import type { Run } from './run.js';
import type { Sequence } from './sequence.js';
import type { LogitsRef } from './view.js';

/** In the order of branches, then of positions. */
export function readyRows(run: Run): ReadyRow[] {
  return run.hungry.flatMap((sequence) => (sequence.ask ? askedRows(run, sequence) : promptRows(run, sequence)));
}

/** Prompt positions that are to be scored. The first generated token waits until the prompt is told. */
function promptRows(run: Run, sequence: Sequence): ReadyRow[] {
  const rows: ReadyRow[] = [];
  for (let position = run.positionOf(sequence); position < 0; position++) {
    const row = rowAt(run, sequence, position, { forcedId: run.promptTokenAt(position), tell: run.request.logprobs });
    if (row === null) break;
    rows.push(row);
  }
  return rows;
}

function askedRows(run: Run, sequence: Sequence): ReadyRow[] {
  const { ask, position: first, drafts } = sequence;
  if (ask?.kind === 'top') {
    const tell = { top: ask.top, full: false, prompt: false };
    const row = rowAt(run, sequence, first, { forcedId: null, tell, looksOnly: true });
    return row ? [row] : [];
  }
  if (!ask) return [];
  const isForced = forcedNext(ask) !== null;
  const isWanted = ask.options.logprobs ?? false;
  const tell = run.request.logprobs ?? (isWanted ? { top: 0, full: false, prompt: false } : null);
  const rows: ReadyRow[] = [];
  const last = first + drafts.length - (isForced ? 1 : 0);
  for (let position = first; position <= last; position++) {
    const forcedId = isForced ? (drafts[position - first] ?? null) : null;
    const row = rowAt(run, sequence, position, { forcedId, tell });
    if (row === null) break;
    rows.push(row);
  }
  return rows;
}

function rowAt(
  run: Run,
  sequence: Sequence,
  position: number,
  wish: { readonly forcedId: number | null; readonly tell: LogprobsParams | null; readonly looksOnly?: boolean },
): ReadyRow | null {
  const { distribution } = sequence.nature;
  const logits = logitsOf(run, sequence, position);
  if (logits === null) return null;
  // A draft has to be there too: the law of the token goes by way of it.
  const drafting = distribution === 0 ? (run.speculation?.viewOf(sequence) ?? null) : null;
  const draft = drafting?.logits(position) ?? null;
  if (drafting && !draft && wish.forcedId === null && !wish.looksOnly) return null;
  return {
    run,
    sequence,
    position,
    distribution: run.distributionAt(distribution),
    ahead: Math.max(0, position - sequence.position),
    logits,
    draft,
    looksOnly: false,
    ...wish,
  };
}

/** Of the views of the branch's distribution; null while one of them has not got that far. */
function logitsOf(run: Run, sequence: Sequence, position: number): LogitsRef[] | null {
  const views = run.views.byDistribution[sequence.nature.distribution] ?? [];
  const logits = views.flatMap((view) => sequence.view(view)?.logits(position) ?? []);
  return logits.length < views.length ? null : logits;
}

/** The position after the drafts, as the draft alone sees it; null while its logits are not there. */
export function draftRow(run: Run, sequence: Sequence): ReadyRow | null {
  const ahead = sequence.drafts.length;
  const position = sequence.position + ahead;
  const view = run.speculation?.viewOf(sequence) ?? null;
  const draft = view?.logits(position) ?? null;
  if (view && !draft) return null;
  return {
    run,
    sequence,
    position,
    distribution: run.distributionAt(0),
    forcedId: null,
    ahead,
    logits: [],
    draft,
    looksOnly: false,
    tell: null,
  };
}

/** Not even the first view's distribution can be drawn from. */
export function brokenAt(sequence: Sequence, position: number, ahead: number): AppError {
  if (position >= 0 && sequence.allowed(ahead)?.count === 0) return new AppError('constraint_stuck', { position });
  const [view] = sequence.views;
  return notFinite(view?.model.info, view ? view.promptIds.length + position : position);
}
