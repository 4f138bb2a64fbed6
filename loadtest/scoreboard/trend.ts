// Whether a rate goes one way while a dial is turned, measured on the same tasks at every stop of the dial.
import { estimate, type Estimate } from './bootstrap.js';
import type { Target } from './figure.js';

export interface Trend {
  /** From the first stop to the last, counted in the wanted direction. */
  readonly total: Estimate;
  /** The smallest step in the wanted direction; negative where some step goes back. */
  readonly smallestStep: number;
  /** The total is above nothing, and no step goes back by more than chance explains: its own interval reaches 0. */
  readonly monotone: boolean;
}

/** `stops` are the outcomes per task at each stop; `direction` is 1 for a rise, −1 for a fall. Throws RangeError below two stops. */
export function trend(stops: readonly (readonly number[])[], direction: 1 | -1, seed: number): Trend {
  const columns = Object.fromEntries(stops.map((stop, index) => [String(index), stop]));
  const rise = (from: number, to: number): Estimate =>
    estimate([columns], (mean) => direction * (mean(String(to)) - mean(String(from))), seed);
  const steps = stops.slice(1).map((_, index) => rise(index, index + 1));
  if (steps.length === 0) throw new RangeError(`a trend needs two stops or more, not ${stops.length}`);
  const total = rise(0, stops.length - 1);
  return {
    total,
    smallestStep: Math.min(...steps.map(({ value }) => value)),
    monotone: total.interval[0] > 0 && steps.every(({ interval }) => interval[1] >= 0),
  };
}

export const isMonotone =
  ({ monotone }: Trend): Target =>
  () => ({ text: 'monotone', holds: monotone });
