// A request as the load driver records it.
import type { Trace } from '../../loadtest/measure.js';

/** Outputs of one token at these times. */
export const trace = (arrivalsMs: readonly number[], more: Partial<Trace> = {}): Trace => ({
  dueMs: 0,
  sentMs: 0,
  arrivalsMs,
  tokens: arrivalsMs.map(() => 1),
  endMs: arrivalsMs.at(-1) ?? 0,
  promptTokens: 4,
  finishReason: 'length',
  error: null,
  ...more,
});
