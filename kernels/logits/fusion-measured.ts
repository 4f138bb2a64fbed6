// Dynamic fusion by measuring every point that is looked at: right for any logits, rows with −∞ included, and several times as dear as
// fusion-moments.ts. Called by fusion.ts for rows that the quick way gave up.
import { FUSION_GRID } from '../../decoders/expr.js';
import type { GraphBuilder, Value } from '../graph.js';
import {
  Add,
  ArgMin,
  Cast,
  Clip,
  Concat,
  Div,
  GatherElements,
  LessOrEqual,
  Mod,
  Mul,
  ReduceMin,
  Reshape,
  Sub,
  Unsqueeze,
  Where,
} from '../ops.js';
import { type Problem, tilt } from './fusion-problem.js';
import {
  firstOf,
  type Found,
  isRay,
  LAST_STEP,
  lengthsAt,
  numbers,
  objective,
  type Proposal,
} from './fusion-search.js';

/** z and z′ at any steps, [R, rays, 1] all of them. */
type Measure = (steps: Value) => { readonly z: Value; readonly slope: Value };

/** The 21 points of the grid, and golden sections between the neighbours of the best one of each ray. */
export function searchByMeasuring(graph: GraphBuilder, problem: Problem, rays: readonly Value[]): Found {
  const measure = measureOf(problem, rays);
  const points = Array.from({ length: FUSION_GRID }, (_, point) =>
    measure(graph.constant('float32', [1, 1, 1], [point])),
  );
  const slope = Concat(
    points.map((point) => point.slope),
    2,
  );
  const raw = Concat(
    points.map((point) => point.z),
    2,
  );
  // The base's own normaliser is 0 but for rounding, which is no reason to move.
  const z = Sub(raw, firstOf(raw));
  const slopeAtZero = firstOf(slope);
  const objectiveAt = (steps: Value, at: ReturnType<Measure>): Value =>
    objective(lengthsAt(steps, at.z, at.slope, slopeAtZero), problem.target);
  const onGrid = objectiveAt(numbers(graph, 'float32', FUSION_GRID, [1, 1, FUSION_GRID]), { z, slope });
  const centre = Cast(ArgMin(onGrid, { axis: 2, keepdims: true }), 'float32');
  const [low, high] = [-1, 1].map((by) => Clip(Add(centre, by), { min: 0, max: LAST_STEP })) as [Value, Value];
  const steps = goldenSection((at) => objectiveAt(at, measure(at)), low, high);
  const reached = objectiveAt(steps, measure(steps));
  const ray = ArgMin(reached, { axis: 1, keepdims: true });
  return {
    onGrid: bestOfGrid(graph, onGrid, rays.length),
    between: {
      steps: Where(isRay(graph, rays.length, ray), steps, 0),
      objective: ReduceMin(reached, { axes: [1], keepdims: true }),
    },
    slopeAtZero,
  };
}

function bestOfGrid(graph: GraphBuilder, onGrid: Value, rays: number): Proposal {
  const flat = Reshape(onGrid, [0, 1, -1], ['R', 1, rays * FUSION_GRID]);
  const place = ArgMin(flat, { axis: 2, keepdims: true });
  return {
    steps: Where(isRay(graph, rays, Div(place, FUSION_GRID)), Cast(Mod(place, FUSION_GRID), 'float32'), 0),
    objective: GatherElements(flat, place, { axis: 2 }),
  };
}

/** All rays at once. */
function measureOf({ base }: Problem, rays: readonly Value[]): Measure {
  return (steps) => {
    const increments = Concat(
      rays.map((ray) => Unsqueeze(ray, [1])),
      1,
    );
    const { z, mean } = tilt(Add(Unsqueeze(base, [1]), Mul(increments, steps)), increments);
    return { z, slope: mean };
  };
}

/** Each narrows the interval by the golden ratio: 2 grid steps become 1e-5. */
const GOLDEN_ROUNDS = 25;

function goldenSection(objectiveAt: (at: Value) => Value, from: Value, to: Value): Value {
  const ratio = (Math.sqrt(5) - 1) / 2;
  const between = (low: Value, high: Value, share: number): Value => Add(low, Mul(Sub(high, low), share));
  let [low, high] = [from, to];
  let [left, right] = [between(low, high, 1 - ratio), between(low, high, ratio)];
  let [atLeft, atRight] = [objectiveAt(left), objectiveAt(right)];
  for (let round = 0; round < GOLDEN_ROUNDS; round++) {
    const isLeft = LessOrEqual(atLeft, atRight);
    [low, high] = [Where(isLeft, low, left), Where(isLeft, right, high)];
    const fresh = Where(isLeft, between(low, high, 1 - ratio), between(low, high, ratio));
    const atFresh = objectiveAt(fresh);
    [left, right] = [Where(isLeft, fresh, right), Where(isLeft, left, fresh)];
    [atLeft, atRight] = [Where(isLeft, atFresh, atRight), Where(isLeft, atLeft, atFresh)];
  }
  return between(low, high, 0.5);
}
