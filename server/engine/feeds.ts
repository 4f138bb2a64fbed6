// What every live view still has to take in, by model: the first half of a tick (engine.ts). Decides nothing; scheduler.ts makes forwards of it.
import type { EngineModel } from './model.js';
import type { Run } from './run.js';
import type { Work } from './scheduler.js';
import type { Sequence } from './sequence.js';
import type { View } from './view.js';

/** A view that has to take in tokens, with the run and the branch it belongs to; no branch where an answer is read for its score. */
export interface Feed {
  readonly run: Run;
  readonly sequence: Sequence | null;
  readonly view: View;
}

/** Prompt positions scored per tick and row: each holds a whole row of logits until it is decided. */
const SCORED_PER_TICK = 32;

export function feedsOf(
  runs: readonly Run[],
  models: ReadonlyMap<string, EngineModel>,
): ReadonlyMap<EngineModel, readonly Work<Feed>[]> {
  const feeds = new Map<EngineModel, Work<Feed>[]>([...models.values()].map((model) => [model, []]));
  const push = (item: Feed, pending: number, whole = false): void => {
    const { priority } = item.run.request;
    const lane = item.view.row?.lane;
    if (pending > 0 && lane)
      feeds.get(item.view.model)?.push({ item, pending, whole, priority, arrival: item.run.arrival, lane });
  };
  for (const run of runs) {
    for (const sequence of run.hungry) {
      const isBlock = sequence.drafts.length > 0 && sequence.isDrawing;
      for (const view of sequence.views) {
        const isScored = view.scoresPrompt || (sequence.drafts.length > 0 && !isBlock);
        push({ run, sequence, view }, isScored ? scorable(view) : view.pending, isBlock && !isScored);
      }
    }
    const pooled = run.pool?.view;
    if (pooled) push({ run, sequence: null, view: pooled }, pooled.scoresPrompt ? scorable(pooled) : pooled.pending);
    for (const { view } of run.reads?.fed ?? []) if (view) push({ run, sequence: null, view }, view.pending);
  }
  return feeds;
}

function scorable({ pending }: View): number {
  return Math.min(pending, SCORED_PER_TICK);
}

/** Its run goes on and has not lost its rows. */
export function isFed({ run, view }: Feed): boolean {
  return !run.cancelled && run.failure === null && view.row !== null;
}
