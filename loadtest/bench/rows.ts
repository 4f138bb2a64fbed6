// The shape of one benchmark result and the arithmetic on repeated measurements. Every benchmark file returns Rows; main.ts prints them.
// Nothing here measures or judges by itself: `holds` is computed from the stated target, never by hand.
import { quantile } from '../measure.js';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** For the reader, e.g. "≤ 0.5"; null where the row only informs. */
  readonly target: string | null;
  readonly holds: boolean | null;
  /** Rows against another program: its name and ours ÷ peer (median over rounds of the same run). */
  readonly peer?: string;
  readonly ratio?: number;
  /** Anything that a reader needs to judge the figure: ranges, settings. */
  readonly note?: string;
}

export const informs = (name: string, value: number, unit: string, note?: string): Row => ({
  name,
  value: round(value),
  unit,
  target: null,
  holds: null,
  ...(note === undefined ? {} : { note }),
});

export const atMost = (name: string, value: number, unit: string, limit: number, note?: string): Row => ({
  ...informs(name, value, unit, note),
  target: `≤ ${limit}`,
  holds: value <= limit,
});

export const atLeast = (name: string, value: number, unit: string, limit: number, note?: string): Row => ({
  ...informs(name, value, unit, note),
  target: `≥ ${limit}`,
  holds: value >= limit,
});

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Four significant digits are more than these measurements carry. */
export const round = (x: number): number => (Number.isFinite(x) ? Number(x.toPrecision(4)) : x);

/**
 * Times several asynchronous actions in turn, round after round, so that whatever else the machine does hits all of them alike.
 * Returns the milliseconds of each round per action; the first round warms up and is dropped.
 */
export async function interleave(
  actions: Readonly<Record<string, () => Promise<unknown>>>,
  rounds: number,
): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = {};
  for (let round = 0; round <= rounds; round++) {
    for (const [name, action] of Object.entries(actions)) {
      const start = performance.now();
      await action();
      const ms = performance.now() - start;
      if (round > 0) (times[name] ??= []).push(ms);
    }
  }
  return times;
}
