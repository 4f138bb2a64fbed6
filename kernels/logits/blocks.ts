// A row of V numbers as a grid of √V blocks of √V: finding a place in it takes one cheap pass over the row and two
// searches of √V steps, where ArgMax and CumSum over the whole row are slow on a CPU. Used by the sampler; knows
// nothing of scores or tokens.
import type { Value } from '../graph.js';
import {
  Add,
  ArgMax,
  Cast,
  Clip,
  CumSum,
  Div,
  GatherElements,
  GatherND,
  LessOrEqual,
  Min,
  Mul,
  Pad,
  ReduceMax,
  ReduceSum,
  Reshape,
  Slice,
  Sub,
} from '../ops.js';

/** The largest uniform number that stays below 1 when it multiplies a float64 total. */
export const LAST_UNIFORM = 1 - 2 ** -52;
/** Above zero, so that what rounding leaves of an impossible token (below 1e-33 all together) is never reached. */
export const FIRST_UNIFORM = 2 ** -53;

interface Grid {
  readonly blocks: number;
  readonly size: number;
}

/** The divisor of `width` nearest to its root if that is near enough, else a grid with a padded last block. */
export function gridOf(width: number): Grid {
  const root = Math.max(1, Math.round(Math.sqrt(width)));
  for (let size = root; size >= 1 && root <= 4 * size; size--)
    if (width % size === 0) return { blocks: width / size, size };
  return { blocks: Math.ceil(width / root), size: root };
}

/** [R, V] → [R, blocks, size]; `filler` takes no part in what is looked for. */
function intoGrid(row: Value, width: number, filler: number): Value {
  const { blocks, size } = gridOf(width);
  const missing = blocks * size - width;
  const padded = missing > 0 ? Pad(row, { axis: 1, before: 0, after: missing, value: filler }) : row;
  return Reshape(padded, [0, blocks, size]);
}

/** [R, 1] int64: the place of the greatest element, the lowest one on ties. */
export function blockArgMax(row: Value, width: number): Value {
  const grid = intoGrid(row, width, -Infinity);
  const block = ArgMax(ReduceMax(grid, { axes: [2], keepdims: false }), { axis: 1, keepdims: true });
  const inside = ArgMax(GatherND(grid, block, { batchDims: 1 }), { axis: 1, keepdims: true });
  return Add(Mul(block, gridOf(width).size), inside);
}

export interface Draw {
  /** [R, 1] int64 */
  readonly place: Value;
  /** [R, 1] float64: the sum of all weights; NaN if one is NaN. */
  readonly total: Value;
}

/**
 * The first place whose cumulated weight exceeds uniform · total. Weights are float32 and not negative; sums of blocks
 * too, but what is cumulated is float64, so a place's share is off by float32 rounding of that share and not of
 * everything before it.
 */
export function blockDraw(weights: Value, uniform: Value, width: number): Draw {
  const grid = intoGrid(weights, width, 0);
  const sums = Cast(ReduceSum(grid, { axes: [2], keepdims: false }), 'float64');
  const cumulated = CumSum(sums, { axis: 1 });
  const total = lastOf(cumulated);
  const target = Mul(uniform, total);
  const block = countUpTo(cumulated, target, gridOf(width).blocks - 1);
  const ownSum = GatherElements(sums, block, { axis: 1 });
  const before = Sub(GatherElements(cumulated, block, { axis: 1 }), ownSum);
  // How far into the block, as a share of it: its float32 sum and its float64 one differ in the last digits.
  const share = Clip(Div(Sub(target, before), ownSum), { min: FIRST_UNIFORM, max: LAST_UNIFORM });
  const cumulatedInside = CumSum(Cast(GatherND(grid, block, { batchDims: 1 }), 'float64'), { axis: 1 });
  const inside = countUpTo(cumulatedInside, Mul(share, lastOf(cumulatedInside)), gridOf(width).size - 1);
  return { place: Add(Mul(block, gridOf(width).size), inside), total };
}

/**
 * [R, 1] int64: how many of the rising numbers do not exceed `target`, that is, the place of the first that does; the
 * last one if none does.
 */
export function countUpTo(rising: Value, target: Value, last: number | Value): Value {
  return Min(ReduceSum(Cast(LessOrEqual(rising, target), 'int64'), { axes: [1], keepdims: true }), last);
}

/** The last column, [R, 1]. */
export function lastOf(x: Value): Value {
  return Slice(x, { axis: 1, start: -1, end: 2 ** 31 - 1, named: 1 });
}
