// Dynamic logit fusion as nodes of a graph: one row's weights from the views of that row, no loop outside. Called by lower.ts; the naive
// twin and the objective are decoders/fusion.ts.
//
// The quick way proposes (fusion-moments.ts), the step that is taken is measured, and a row for which the two disagree is unsound and runs
// again by the careful way (fusion-measured.ts), as do rows in which −∞ may come.
import { expertSets } from '../../decoders/expr.js';
import type { FusionSearch } from '../../decoders/expr.js';
import type { GraphBuilder, Value } from '../graph.js';
import {
  Abs,
  Add,
  And,
  Cast,
  Concat,
  Div,
  Greater,
  GreaterOrEqual,
  Less,
  LessOrEqual,
  Mul,
  ReduceMax,
  ReduceMin,
  ReduceSum,
  Slice,
  Squeeze,
  Sub,
  Unsqueeze,
  Where,
} from '../ops.js';
import { searchByMeasuring } from './fusion-measured.js';
import { type MomentSearch, searchByMoments } from './fusion-moments.js';
import { type FusionMembers, type Problem, problemOf, rayOf, stepOf, tilt } from './fusion-problem.js';
import { type Found, LAST_STEP, objective, type Proposal } from './fusion-search.js';

export interface FusionOptions {
  /** [R, 1] each, one per expert. */
  readonly bounds: readonly Value[];
  readonly search: FusionSearch;
  /** Every point is computed on its own: right for any logits, and several times as dear. */
  readonly careful: boolean;
}

export interface Fusion {
  /** [R, V]: base + Σ aₜ·(expertₜ − reference), up to a shift of the row. */
  readonly scores: Value;
  /** [R, T]: aₜ. */
  readonly weights: Value;
  /** [R, T] int8: the bound is what stopped it. */
  readonly atBound: Value;
  /** [R, 1] bool: the quick way was right; null where it was not taken. */
  readonly sound: Value | null;
}

/** exp(±this) and everything between is a normal float32. */
const MAX_EXPONENT = 85;

export function fuse(graph: GraphBuilder, members: FusionMembers, { bounds, search, careful }: FusionOptions): Fusion {
  const problem = problemOf(members);
  const sets = expertSets(bounds.length, search);
  const rays = sets.map((set) => rayOf(problem, bounds, set));
  const quick = careful ? null : searchByMoments(graph, problem, rays);
  const found: Found = quick ?? searchByMeasuring(graph, problem, rays);
  const chosen = choose(found);
  const isActing = graph.constant(
    'float32',
    [1, sets.length, bounds.length],
    sets.flatMap((set) => bounds.map((_, expert) => (set.includes(expert) ? 1 : 0))),
  );
  // [R, T]: of each bound.
  const share = Div(ReduceSum(Mul(chosen.steps, isActing), { axes: [1], keepdims: false }), LAST_STEP);
  const weights = Mul(share, Concat(bounds, 1));
  const each = bounds.map((_, expert) =>
    bounds.length === 1 ? weights : Slice(weights, { axis: 1, start: expert, end: expert + 1 }),
  );
  const step = stepOf(problem.differences, each);
  const moved = Add(members.base, step);
  return {
    scores: members.forbidden ? Where(members.forbidden, -Infinity, moved) : moved,
    weights,
    atBound: Cast(And(GreaterOrEqual(share, 1), Greater(weights, 0)), 'int8'),
    sound: quick && And(isRepresentable(problem, quick), isTrue(problem, quick, chosen, step)),
  };
}

/** A point off the grid where that is better; what rounding alone could have gained is left alone. */
function choose({ onGrid, between }: Found): Proposal {
  const isBetter = Less(between.objective, Sub(Mul(onGrid.objective, 1 - 1e-6), 1e-12));
  return {
    steps: Where(isBetter, between.steps, onGrid.steps),
    objective: Where(isBetter, between.objective, onGrid.objective),
  };
}

/** [R, 1] bool: the objective of the step that was taken is what the search took it for. */
function isTrue(
  { base, target }: Problem,
  { slopeAtZero }: Found,
  { steps, objective: expected }: Proposal,
  step: Value,
): Value {
  // The same sum as the scores where nobody forbids a token: the runtime computes it once.
  const { z, mean } = tilt(Add(base, step), step);
  const baseMean = ReduceSum(Mul(steps, slopeAtZero), { axes: [1], keepdims: true });
  const [zs, means] = [Unsqueeze(z, [2]), Unsqueeze(mean, [2])];
  const reached = objective({ forward: Sub(means, zs), backward: Sub(zs, baseMean) }, target);
  return Squeeze(LessOrEqual(Abs(Sub(expected, reached)), Add(Mul(reached, 1e-3), 1e-5)), [2]);
}

/**
 * log(probs·growthᵏ) of a token is linear in k and its share's logarithm concave: a token that is lost on the way mattered nowhere, unless
 * the base itself gives it less than float32 holds.
 */
function isRepresentable({ base, forbidden }: Problem, { z }: MomentSearch): Value {
  const lowest = ReduceMin(forbidden ? Where(forbidden, 0, base) : base, { axes: [-1], keepdims: true });
  const extremes = { axes: [1, 2], keepdims: false } as const;
  const [low, high] = [ReduceMin(z, extremes), ReduceMax(z, extremes)].map((value) => Unsqueeze(value, [1])) as [
    Value,
    Value,
  ];
  return And(GreaterOrEqual(Add(lowest, low), -MAX_EXPONENT), LessOrEqual(high, MAX_EXPONENT));
}
