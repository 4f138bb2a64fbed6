// What the parts of the sampler share: how rows are to be sampled, what a part is given and what it answers, and two
// small idioms.
import type { GraphBuilder, Value } from '../graph.js';
import {
  Cast,
  GatherElements,
  Greater,
  GreaterOrEqual,
  Log,
  Max,
  Mul,
  ReduceMax,
  ReduceSum,
  Softmax,
  Sub,
} from '../ops.js';

const perRow = { axes: [-1], keepdims: true } as const;

/** What a row needs. */
export type SamplerClass = 'greedy' | 'full' | 'filtered';
/** How it is done: `nucleus` is for filtered rows that K sorted tokens did not cover. */
export type SamplerKind = SamplerClass | 'nucleus';

export interface SamplerVariant {
  readonly kind: SamplerKind;
  readonly edits: boolean;
  /** Some row has a mask. */
  readonly mask: boolean;
  /** Some row's temperature is not 1. A greedy row counts as 1. */
  readonly temperature: boolean;
  /** Some row has min_p. */
  readonly minP: boolean;
  /** `full` only: some row is greedy. */
  readonly greedyRows: boolean;
  /** `filtered` only: some row's top_p counts the mass of more tokens than were sorted. */
  readonly wholeMass: boolean;
  /** The log-probability of the chosen token; without it a greedy row needs no pass for the normaliser. */
  readonly logprob: boolean;
  /** Alternatives with their log-probabilities. */
  readonly top: boolean;
  /** Log-probabilities of the whole vocabulary. */
  readonly full: boolean;
}

export interface Stage {
  readonly scores: Value;
  /** [R, width] probabilities after temperature. */
  readonly tempered: Value;
  /** [R, 1]; null when it is 1 in every row. */
  readonly inverseTemperature: Value | null;
  readonly width: number;
  readonly variant: SamplerVariant;
  readonly preselection: () => Value;
}

export interface Choice {
  readonly id: Value;
  /** [R, 1] int64: some token of a probability far from zero. */
  readonly probable: Value;
  readonly drawn: Value;
  readonly covered: Value | null;
  /** [R, 1] int64: how many tokens could have been drawn. A pass of its own, for those who trace. */
  readonly kept: () => Value;
  /** [R, width] float32: what is drawn from, up to a factor per row. Passes of its own, for rows whose tokens come by way of a draft. */
  readonly weights: () => Value;
  /** The weights are probabilities: they sum to one. */
  readonly areProbs: boolean;
}

/** [R, width] bool: at least min_p times as probable as the best token. */
export function aboveMinP(graph: GraphBuilder, tempered: Value, best: Value): Value {
  return GreaterOrEqual(tempered, Mul(at(tempered, best), graph.input('min_p', 'float32', ['R', 1])));
}

/** The elements of a row at some places. */
export function at(row: Value, ids: Value): Value {
  return GatherElements(row, ids, { axis: 1 });
}

/**
 * The lowest score that counts, below the best of the row: exp of it, shared by any vocabulary, is a normal float32 and
 * far below what a uniform number can hit.
 */
const DEPTH = 70;

/**
 * Softmax of rows that may hold −∞ or fall far off: what lies too deep is lifted to where it still has no weight.
 * Otherwise its exponentials are denormal numbers, with which a processor is ten times as slow.
 */
export function deepSoftmax(scores: Value): { readonly probs: Value; readonly top: Value } {
  const top = ReduceMax(scores, perRow);
  return { probs: Softmax(Max(scores, Sub(top, DEPTH))), top };
}

/** log Σ exp of rows that may hold −∞; [R, 1]. */
export function normaliserOf(scores: Value): Value {
  const { probs, top } = deepSoftmax(scores);
  return Sub(top, Log(ReduceMax(probs, perRow)));
}

/** [R, 1] int64: tokens that nothing forbids. */
export function allowed(scores: Value): Value {
  return count(Greater(scores, -Infinity));
}

/** [R, 1] int64: how many elements of a row are true. */
export function count(isTrue: Value): Value {
  return ReduceSum(Cast(isTrue, 'int64'), perRow);
}
