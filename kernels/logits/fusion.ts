// Dynamic logit fusion as nodes of a graph: one row's weights from the views of that row, no loop outside. Called by lower.ts; the naive
// twin and the objective are decoders/fusion.ts, the search on small tensors is fusion-search.ts.
//
// Passes over the vocabulary are what costs. A grid of 21 points along a ray needs none but a product each: what one grid step multiplies
// the probabilities by is computed once, and two sums of the running product are z and E. That is right as long as float32 holds every
// factor that matters and the way between two points is short, which is checked on the side (`sound`); otherwise, and where −∞ may come in,
// each point is a softmax of its own, and the search goes on by softmaxes.
import { expertSets, FUSION_GRID } from '../../decoders/expr.js';
import type { FusionSearch } from '../../decoders/expr.js';
import type { GraphBuilder, Value } from '../graph.js';
import {
  Abs,
  Add,
  And,
  Cast,
  Concat,
  Div,
  Exp,
  ExpandTo,
  Greater,
  GreaterOrEqual,
  Less,
  LessOrEqual,
  Log,
  LogSoftmax,
  MatMul,
  Mul,
  Neg,
  ReduceMax,
  ReduceMin,
  ReduceSum,
  Shape,
  Slice,
  Squeeze,
  Sub,
  Unsqueeze,
  Where,
} from '../ops.js';
import {
  bestOfGrid,
  firstOf,
  type Lengths,
  type Measure,
  objective,
  type Profile,
  type Proposal,
  refineByInterpolation,
  refineByMeasure,
} from './fusion-search.js';
import { deepSoftmax } from './stage.js';

export interface FusionMembers {
  /** [R, V] log-probabilities. */
  readonly base: Value;
  readonly reference: Value;
  readonly experts: readonly Value[];
  /** [R, V] bool: what any member forbids; null where none can. */
  readonly forbidden: Value | null;
}

export interface FusionOptions {
  /** [R, 1] each, one per expert. */
  readonly bounds: readonly Value[];
  readonly search: FusionSearch;
  /** Every point is computed on its own: right for any logits, and several times as dear. */
  readonly careful: boolean;
}

export interface Fusion {
  /** [R, V]: base + Σ aₜ·(expertₜ − reference). */
  readonly scores: Value;
  /** [R, T]: aₜ. */
  readonly weights: Value;
  /** [R, T] int8: the bound is what stopped it. */
  readonly atBound: Value;
  /** [R, 1] bool: no factor left float32's range; null where that cannot happen. */
  readonly sound: Value | null;
}

const perRow = { axes: [-1], keepdims: true } as const;
/** Grid steps from 0 to the bound. */
const LAST = FUSION_GRID - 1;
/** exp(±this) and everything between is a normal float32. */
const MAX_EXPONENT = 85;

export function fuse(graph: GraphBuilder, members: FusionMembers, { bounds, search, careful }: FusionOptions): Fusion {
  const problem = problemOf(members);
  const sets = expertSets(bounds.length, search);
  const rays = sets.map((set) => rayOf(graph, problem, bounds, set));
  const measure = measureOf(problem, rays);
  const profile = profileOf(careful ? sampledBy(graph, measure) : byProducts(graph, problem, rays), rays.length);
  const isActing = graph.constant(
    'float32',
    [1, sets.length, bounds.length],
    sets.flatMap((set) => bounds.map((_, expert) => (set.includes(expert) ? 1 : 0))),
  );
  const shares = ({ steps }: Proposal): Value =>
    Div(ReduceSum(Mul(steps, isActing), { axes: [1], keepdims: false }), LAST);
  const onGrid = bestOfGrid(graph, profile, problem.target);
  const proposal = careful
    ? refineByMeasure(graph, profile, problem.target, measure)
    : refineByInterpolation(graph, profile, problem.target);
  const proposed = shares(proposal);
  const allBounds = Concat(bounds, 1);
  const reached = measuredObjective(problem, profile, proposal, Mul(proposed, allBounds));
  // What rounding alone could have gained is left alone.
  const worthwhile = Sub(Mul(onGrid.objective, 1 - 1e-6), 1e-12);
  const share = Where(Squeeze(Less(reached, worthwhile), [2]), proposed, shares(onGrid));
  const weights = Mul(share, allBounds);
  const moved = Add(members.base, stepOf(problem.rawDifferences, weights));
  return {
    scores: members.forbidden ? Where(members.forbidden, -Infinity, moved) : moved,
    weights,
    atBound: Cast(And(GreaterOrEqual(share, 1), Greater(weights, 0)), 'int8'),
    sound: careful ? null : And(isRepresentable(problem, profile), isTrue(proposal, reached)),
  };
}

/** [R, 1] bool: interpolation was not far off where it was measured; else each grid step is too long a way. */
function isTrue(proposal: Proposal, reached: Value): Value {
  const error = Abs(Sub(proposal.objective, reached));
  return Squeeze(LessOrEqual(error, Add(Mul(reached, 1e-3), 1e-6)), [2]);
}

/** What the solver works on: members without what is forbidden, and what tuning did to the small model. */
interface Problem {
  /** [R, V] log-probabilities; −∞ only where forbidden. */
  readonly base: Value;
  readonly probs: Value;
  readonly forbidden: Value | null;
  /** [R, V] per expert: expert − reference of normalised rows, 0 where forbidden. */
  readonly differences: readonly Value[];
  /** The same of the rows as they came. */
  readonly rawDifferences: readonly Value[];
  /** [R, 1, 1]: means over the experts. */
  readonly target: Lengths;
}

function problemOf({ base, reference, experts, forbidden }: FusionMembers): Problem {
  const allowed = (row: Value): Value => (forbidden ? LogSoftmax(Where(forbidden, -Infinity, row)) : row);
  const difference = (a: Value, b: Value): Value => (forbidden ? Where(forbidden, 0, Sub(a, b)) : Sub(a, b));
  const small = allowed(reference);
  const tuned = experts.map(allowed);
  const differences = tuned.map((expert) => difference(expert, small));
  const mean = (distances: readonly Value[]): Value =>
    Unsqueeze(
      Div(
        distances.reduce((a, b) => Add(a, b)),
        distances.length,
      ),
      [2],
    );
  const dot = (a: Value, b: Value): Value => ReduceSum(Mul(a, b), perRow);
  const smallProbs = Exp(small);
  const normalBase = allowed(base);
  return {
    base: normalBase,
    probs: Exp(normalBase),
    forbidden,
    differences,
    rawDifferences: forbidden ? experts.map((expert) => difference(expert, reference)) : differences,
    target: {
      forward: mean(tuned.map((expert, t) => dot(Exp(expert), differences[t] as Value))),
      backward: mean(differences.map((own) => Neg(dot(smallProbs, own)))),
    },
  };
}

/** [R, V]: what `pace` of one grid step adds to the scores. */
interface Ray {
  readonly direction: Value;
  /** [R, 1] */
  readonly pace: Value;
}

/** From no step to the bounds of these experts. */
function rayOf(graph: GraphBuilder, { differences }: Problem, bounds: readonly Value[], set: readonly number[]): Ray {
  const own = set.map((expert) => ({ difference: differences[expert] as Value, bound: bounds[expert] as Value }));
  const [first] = own;
  if (own.length === 1 && first) return { direction: first.difference, pace: Div(first.bound, LAST) };
  return {
    direction: own.map(({ difference, bound }) => Mul(difference, bound)).reduce((a, b) => Add(a, b)),
    pace: graph.constant('float32', [1, 1], [1 / LAST]),
  };
}

/** [R, rays, points] of each point's z and slope. */
function profileOf({ z, slope }: Pick<Profile, 'z' | 'slope'>, rays: number): Profile {
  // The base's own normaliser is 0 but for rounding, which is no reason to move.
  return { z: Sub(z, firstOf(z)), slope, rays, last: LAST };
}

/** Both sums of a point in one matrix product: [1; direction] · probs·growthᵏ. */
function byProducts(graph: GraphBuilder, { probs }: Problem, rays: readonly Ray[]): Pick<Profile, 'z' | 'slope'> {
  const profiles = rays.map(({ direction, pace }) => {
    const ones = ExpandTo(graph.constant('float32', [], [1]), Shape(direction), direction.shape);
    const summands = Concat([Unsqueeze(ones, [1]), Unsqueeze(direction, [1])], 1);
    const growth = Exp(Mul(direction, pace));
    let tilted = probs;
    const sums: Value[] = [];
    for (let point = 0; point <= LAST; point++) {
      if (point > 0) tilted = Mul(tilted, growth);
      sums.push(MatMul(summands, Unsqueeze(tilted, [2])));
    }
    const all = Concat(sums, 2);
    const total = Slice(all, { axis: 1, start: 0, end: 1 });
    const mean = Div(Slice(all, { axis: 1, start: 1, end: 2 }), total);
    return { z: Log(total), slope: Mul(mean, Unsqueeze(pace, [2])) };
  });
  return {
    z: Concat(
      profiles.map(({ z }) => z),
      1,
    ),
    slope: Concat(
      profiles.map(({ slope }) => slope),
      1,
    ),
  };
}

/** Every point of the grid by a softmax. */
function sampledBy(graph: GraphBuilder, measure: Measure): Pick<Profile, 'z' | 'slope'> {
  const points = Array.from({ length: FUSION_GRID }, (_, point) =>
    measure(graph.constant('float32', [1, 1, 1], [point])),
  );
  return {
    z: Concat(
      points.map(({ z }) => z),
      2,
    ),
    slope: Concat(
      points.map(({ slope }) => slope),
      2,
    ),
  };
}

/** All rays at once. */
function measureOf({ base }: Problem, rays: readonly Ray[]): Measure {
  return (steps) => {
    const increments = Concat(
      rays.map(({ direction, pace }) => Unsqueeze(Mul(direction, pace), [1])),
      1,
    );
    const { z, mean } = tilt(Unsqueeze(base, [1]), Mul(increments, steps), increments);
    return { z, slope: mean };
  };
}

/** z = log Σ exp(base + step), and the mean of `of` under what that normalises; sums go over the last axis. */
function tilt(base: Value, step: Value, of: Value): { z: Value; mean: Value } {
  const { probs, top } = deepSoftmax(Add(base, step));
  return {
    z: Sub(top, Log(ReduceMax(probs, perRow))),
    mean: ReduceSum(Mul(probs, of), perRow),
  };
}

/** [R, 1, 1]: the objective of a proposal, not as interpolated. */
function measuredObjective(
  { base, differences, target }: Problem,
  { slope }: Profile,
  { steps }: Proposal,
  weights: Value,
): Value {
  const step = stepOf(differences, weights);
  const { z, mean } = tilt(base, step, step);
  const baseMean = ReduceSum(Mul(steps, firstOf(slope)), { axes: [1], keepdims: true });
  const [zs, means] = [Unsqueeze(z, [2]), Unsqueeze(mean, [2])];
  return objective({ forward: Sub(means, zs), backward: Sub(zs, baseMean) }, target);
}

/** Σ aₜ·differenceₜ */
function stepOf(differences: readonly Value[], weights: Value): Value {
  const weight = (expert: number): Value =>
    differences.length === 1 ? weights : Slice(weights, { axis: 1, start: expert, end: expert + 1 });
  return differences.map((own, expert) => Mul(own, weight(expert))).reduce((a, b) => Add(a, b));
}

/**
 * log(probs·growthᵏ) of a token is linear in k and its share's logarithm concave: a token that is lost on the way mattered nowhere, unless
 * the base itself gives it less than float32 holds.
 */
function isRepresentable({ base, forbidden }: Problem, { z }: Profile): Value {
  const lowest = ReduceMin(forbidden ? Where(forbidden, 0, base) : base, perRow);
  const extremes = { axes: [1, 2], keepdims: false } as const;
  const [low, high] = [ReduceMin(z, extremes), ReduceMax(z, extremes)].map((value) => Unsqueeze(value, [1])) as [
    Value,
    Value,
  ];
  return And(GreaterOrEqual(Add(lowest, low), -MAX_EXPONENT), LessOrEqual(high, MAX_EXPONENT));
}
