// The part of the sampler that leaves tokens out by rank or mass: top_k, top_p, min_p. Sorting a vocabulary costs far
// more than passing over it, so only K tokens are ever sorted; a row for which that was not enough says so (`covered`)
// and is run again another way.
import type { GraphBuilder, Value } from '../graph.js';
import {
  Add,
  And,
  Cast,
  CumSum,
  Div,
  Exp,
  GatherElements,
  Greater,
  GreaterOrEqual,
  Less,
  LessOrEqual,
  Log,
  Mul,
  Neg,
  Not,
  Or,
  Range,
  Reciprocal,
  ReduceSum,
  ScatterElements,
  Slice,
  Squeeze,
  Sub,
  TopK,
  Where,
} from '../ops.js';
import { blockArgMax, blockDraw, countUpTo, lastOf } from './blocks.js';
import { aboveMinP, at, type Choice, count, type Stage } from './stage.js';

const perRow = { axes: [1], keepdims: true } as const;

/** The K best tokens, sorted. Greedy rows come as top_k 1. */
export function chooseFromTop(
  graph: GraphBuilder,
  { scores, tempered, inverseTemperature, variant, preselection }: Stage,
): Choice {
  const k = preselection();
  const top = TopK(scores, { value: k, dim: 'K' });
  const best = Slice(top.indices, { axis: 1, start: 0, end: 1, named: 1 });
  const aboveBest = Sub(top.values, Slice(top.values, { axis: 1, start: 0, end: 1, named: 1 }));
  const relative = Exp(inverseTemperature ? Mul(aboveBest, inverseTemperature) : aboveBest);
  // top_k
  const size = Cast(Squeeze(k, [0]), 'int32');
  const rank = Range(graph.constant('int32', [], [0]), size, graph.constant('int32', [], [1]), 'K');
  const topK = graph.input('top_k', 'int32', ['R', 1]);
  const within = Cast(Where(Less(rank, topK), relative, 0), 'float64');
  // top_p: a token stays while the mass before it is below top_p, of what top_k kept.
  const topP = graph.input('top_p', 'float64', ['R', 1]);
  const before = CumSum(within, { axis: 1, exclusive: true });
  const sorted = Add(lastOf(before), lastOf(within));
  const holdsTopK = LessOrEqual(topK, size);
  const one = graph.constant('float32', [], [1]);
  const mass = variant.wholeMass ? Where(holdsTopK, sorted, Cast(Div(one, at(tempered, best)), 'float64')) : sorted;
  const limit = Mul(topP, mass);
  const covered = Or(holdsTopK, And(Less(topP, 1), GreaterOrEqual(sorted, limit)));
  const inMass = Or(Or(Less(before, limit), GreaterOrEqual(topP, 1)), Less(rank, graph.constant('int32', [], [1])));
  // min_p: the best token has the relative probability 1.
  const kept = variant.minP ? And(inMass, GreaterOrEqual(relative, graph.input('min_p', 'float32', ['R', 1]))) : inMass;
  // Back into rising ids, and draw.
  const byId = TopK(Neg(top.indices), { value: k, dim: 'K' });
  const weights = GatherElements(Where(kept, within, 0), byId.indices, { axis: 1 });
  const cumulated = CumSum(weights, { axis: 1 });
  const total = lastOf(cumulated);
  const target = Mul(graph.input('uniform', 'float64', ['R', 1]), total);
  const place = countUpTo(cumulated, target, Sub(k, 1));
  const id = Neg(GatherElements(byId.values, place, { axis: 1 }));
  const survives = (): Value => And(And(kept, Less(rank, topK)), Greater(top.values, -Infinity));
  return {
    id,
    probable: best,
    drawn: Greater(total, 0),
    covered,
    kept: () => count(survives()),
    weights: () =>
      // A row of zeros, for what was not looked at.
      ScatterElements(Sub(tempered, tempered), top.indices, Cast(Where(kept, within, 0), 'float32'), { axis: 1 }),
    areProbs: false,
  };
}

/**
 * Halvings of the interval that holds the threshold: 15 nats and more shrink to thousandths, which few of even 100 000
 * tokens share.
 */
const HALVINGS = 12;

/**
 * top_p (without top_k) when the nucleus is wide. The score at which the mass is reached is bracketed by bisection, one
 * masked sum a step; only the tokens inside the last bracket are sorted.
 */
export function chooseFromNucleus(
  graph: GraphBuilder,
  { scores, tempered, inverseTemperature, width, variant, preselection }: Stage,
): Choice {
  const best = blockArgMax(scores, width);
  const top = at(scores, best);
  const massFrom = (threshold: Value): Value =>
    ReduceSum(Where(GreaterOrEqual(scores, threshold), tempered, 0), perRow);
  const limit = Cast(graph.input('top_p', 'float64', ['R', 1]), 'float32');
  // Tokens of probability below (1 − top_p) / V hold less than 1 − top_p together: the threshold lies above that
  // probability's score. `nucleus_floor` is that probability's logarithm; one score unit is 1 / temperature of it.
  const belowBest = Sub(graph.input('nucleus_floor', 'float32', ['R', 1]), Log(at(tempered, best)));
  const floor = inverseTemperature ? Mul(belowBest, Reciprocal(inverseTemperature)) : belowBest;
  let low = Sub(Add(top, floor), 0.001);
  let high = Add(top, 1);
  for (let step = 0; step < HALVINGS; step++) {
    const middle = Mul(Add(low, high), 0.5);
    const reaches = GreaterOrEqual(massFrom(middle), limit);
    low = Where(reaches, middle, low);
    high = Where(reaches, high, middle);
  }
  const isAbove = GreaterOrEqual(scores, high);
  const above = Cast(massFrom(high), 'float64');
  const isInside = And(GreaterOrEqual(scores, low), Not(isAbove));
  const inside = TopK(Where(isInside, scores, -Infinity), { value: preselection(), dim: 'K' });
  const isCandidate = Greater(inside.values, -Infinity);
  const probs = at(tempered, inside.indices);
  const candidates = Cast(Where(isCandidate, probs, 0), 'float64');
  const before = Add(above, CumSum(candidates, { axis: 1, exclusive: true }));
  const limit64 = Cast(limit, 'float64');
  const kept = And(isCandidate, Less(before, limit64));
  const reached = Add(lastOf(before), lastOf(candidates));
  const outside = Where(isAbove, tempered, 0);
  // Where the bracket holds fewer than K tokens, the rest of the K are strangers that keep what they have.
  const filled = Where(isCandidate, Where(kept, probs, 0), at(outside, inside.indices));
  let weights = ScatterElements(outside, inside.indices, filled, { axis: 1 });
  if (variant.minP) weights = Where(aboveMinP(graph, tempered, best), weights, 0);
  const { place, total } = blockDraw(weights, graph.input('uniform', 'float64', ['R', 1]), width);
  return {
    id: place,
    probable: best,
    drawn: Greater(total, 0),
    covered: And(Less(above, limit64), GreaterOrEqual(reached, limit64)),
    kept: () => count(Greater(weights, 0)),
    weights: () => weights,
    areProbs: false,
  };
}
