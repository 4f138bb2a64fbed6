// Intervals for the scoreboard: the percentile bootstrap over tasks. What was measured on the same tasks is resampled together, so that a
// ratio of two models keeps the tasks' difficulty in common. Seeded: the same answers give the same interval.
import { Rng } from '../../models/pocket/world/rng.js';

/** Outcomes per task, by name (a model, an arm): all columns have one number per task, in the same order. */
export type Outcomes = Readonly<Record<string, readonly number[]>>;

export interface Estimate {
  readonly value: number;
  /** 95 %. An end is infinite where resamples have no number (0 ÷ 0). */
  readonly interval: readonly [low: number, high: number];
}

/** The mean of a column; `group` is 0 unless given. Throws RangeError for a column that is not there. */
export type Mean = (column: string, group?: number) => number;

const RESAMPLES = 2000;
const TAIL = 0.025;

/**
 * A statistic of the columns' means, with its percentile interval. `groups` are sets of tasks that were drawn independently of each
 * other. Throws RangeError when a group is empty or ragged.
 */
export function estimate(groups: readonly Outcomes[], statistic: (mean: Mean) => number, seed: number): Estimate {
  const sizes = groups.map(sizeOf);
  const value = statistic(
    meansOf(
      groups,
      sizes.map((size) => new Uint32Array(size).fill(1)),
    ),
  );
  const rng = new Rng(seed);
  const resampled = Array.from({ length: RESAMPLES }, () =>
    statistic(
      meansOf(
        groups,
        sizes.map((size) => drawn(size, rng)),
      ),
    ),
  );
  return { value, interval: [quantile(resampled, TAIL, -Infinity), quantile(resampled, 1 - TAIL, Infinity)] };
}

/** How often each task is drawn when as many are drawn as there are. */
function drawn(size: number, rng: Rng): Uint32Array {
  const times = new Uint32Array(size);
  for (let draw = 0; draw < size; draw++) {
    const task = rng.below(size);
    times[task] = (times[task] ?? 0) + 1;
  }
  return times;
}

function sizeOf(group: Outcomes): number {
  const sizes = Object.entries(group).map(([name, column]) => ({ name, size: column.length }));
  const [first] = sizes;
  const ragged = sizes.find(({ size }) => size !== first?.size);
  if (!first || first.size === 0) throw new RangeError('a figure needs at least one task');
  if (ragged) throw new RangeError(`"${ragged.name}" has ${ragged.size} outcomes, "${first.name}" has ${first.size}`);
  return first.size;
}

/** Means where each task counts so many times; a column is summed when it is asked for. */
function meansOf(groups: readonly Outcomes[], times: readonly Uint32Array[]): Mean {
  return (name, g = 0) => {
    const [column, weights] = [groups[g]?.[name], times[g]];
    if (!column || !weights) throw new RangeError(`nothing was measured of "${name}" in group ${g}`);
    let sum = 0;
    for (const [task, outcome] of column.entries()) sum += outcome * (weights[task] ?? 0);
    return sum / column.length;
  };
}

/** Linear between order statistics. `unknown` stands for what has no number: on either side it is the worst. */
function quantile(values: readonly number[], share: number, unknown: number): number {
  const sorted = values.map((value) => (Number.isNaN(value) ? unknown : value)).sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? NaN;
  const high = sorted[Math.ceil(at)] ?? NaN;
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}
