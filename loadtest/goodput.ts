// Goodput: completed requests per second that meet every limit at once. Limits are milliseconds, by vLLM's names. Pure.
import { timePerOutputToken, timeToFirstToken, type Trace } from './measure.js';

export const limitNames = ['ttft', 'tpot', 'e2el'] as const;
export type LimitName = (typeof limitNames)[number];
export type Limits = Readonly<Partial<Record<LimitName, number>>>;

const measures: Readonly<Record<LimitName, (trace: Trace) => number>> = {
  ttft: timeToFirstToken,
  // One token has no time per further token: it meets any limit.
  tpot: (trace) => (trace.tokens.reduce((a, b) => a + b, 0) > 1 ? timePerOutputToken(trace) : 0),
  e2el: (trace) => trace.endMs - trace.dueMs,
};

export function meets(trace: Trace, limits: Limits): boolean {
  if (trace.error !== null || trace.arrivalsMs.length === 0) return false;
  return limitNames.every((name) => measures[name](trace) <= (limits[name] ?? Infinity));
}

/** Per second of the whole run; null without limits. */
export function goodput(traces: readonly Trace[], limits: Limits): number | null {
  if (limitNames.every((name) => limits[name] === undefined)) return null;
  const seconds =
    (Math.max(...traces.map(({ endMs }) => endMs)) - Math.min(...traces.map(({ sentMs }) => sentMs))) / 1000;
  return traces.filter((trace) => meets(trace, limits)).length / seconds;
}
