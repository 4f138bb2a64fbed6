// Where on its rays a dynamic fusion is best, given what a few steps along each ray did: small tensors only, [R, rays, …].
// kernels/logits/fusion.ts makes the profile; decoders/fusion.ts has the objective and the naive twin.
//
// In units of one grid step, with u what one step adds to the scores and P the base: z(k) = log Σ P·exp(k·u), z′(k) = E[u] under
// P·exp(k·u), and so KL(P̃‖P) = k·z′ − z, KL(P‖P̃) = z − k·z′(0). Between three neighbours z is taken to be the polynomial of degree 5
// through their values and slopes; what that finds is a proposal, which fusion.ts measures before it believes it.
import type { GraphBuilder, Value } from '../graph.js';
import {
  Add,
  ArgMin,
  Cast,
  Clip,
  Div,
  Equal,
  GatherElements,
  Greater,
  LessOrEqual,
  Mod,
  Mul,
  Neg,
  ReduceMin,
  Reshape,
  Slice,
  Sub,
  Where,
} from '../ops.js';

/** What the rays of a fusion look like at the points 0, 1, …, `last` of the grid. */
export interface Profile {
  /** [R, rays, points]: z. */
  readonly z: Value;
  /** [R, rays, points]: z′. */
  readonly slope: Value;
  readonly rays: number;
  readonly last: number;
}

/** Two divergences of a step, or what they ought to be; of one shape. */
export interface Lengths {
  /** KL(P̃‖P) */
  readonly forward: Value;
  /** KL(P‖P̃) */
  readonly backward: Value;
}

export interface Proposal {
  /** [R, rays, 1]: how many grid steps along each ray; 0 along all but one. */
  readonly steps: Value;
  /** [R, 1, 1]: as far as the search knows. */
  readonly objective: Value;
}

/** (f − mean A)² + (g − mean B)²: the sum over all experts is that times their number, plus a constant. */
export function objective({ forward, backward }: Lengths, target: Lengths): Value {
  const [f, g] = [Sub(forward, target.forward), Sub(backward, target.backward)];
  return Add(Mul(f, f), Mul(g, g));
}

/** The best point of the grid; the earliest ray and the smallest step among equals. */
export function bestOfGrid(graph: GraphBuilder, profile: Profile, target: Lengths): Proposal {
  const points = profile.last + 1;
  const flat = Reshape(gridObjective(graph, profile, target), [0, 1, -1], ['R', 1, profile.rays * points]);
  const place = ArgMin(flat, { axis: 2, keepdims: true });
  return {
    steps: Where(isRay(graph, profile, Div(place, points)), Cast(Mod(place, points), 'float32'), 0),
    objective: GatherElements(flat, place, { axis: 2 }),
  };
}

/** A point off the grid, by interpolation around the best grid point of each ray. */
export function refineByInterpolation(graph: GraphBuilder, profile: Profile, target: Lengths): Proposal {
  const onGrid = ArgMin(gridObjective(graph, profile, target), { axis: 2, keepdims: true });
  const centre = Clip(onGrid, { min: 1, max: profile.last - 1 });
  const window = new Window(profile, centre, target);
  let t = Sub(Cast(onGrid, 'float32'), Cast(centre, 'float32'));
  for (const reach of [1, 1 / 16]) t = window.bestNear(graph, t, reach);
  for (let round = 0; round < NEWTON_ROUNDS; round++) t = window.newton(t);
  const reached = window.objectiveAt(t);
  const ray = ArgMin(reached, { axis: 1, keepdims: true });
  return {
    steps: Where(isRay(graph, profile, ray), window.stepsAt(t), 0),
    objective: ReduceMin(reached, { axes: [1], keepdims: true }),
  };
}

/** From a sixteenth of a sixteenth of a grid step to float32's last digits. */
const NEWTON_ROUNDS = 3;

/** z and z′ at any steps, [R, rays, 1] all of them. */
export type Measure = (steps: Value) => { readonly z: Value; readonly slope: Value };

/** A point off the grid by measuring alone: golden sections between the neighbours of the best grid point of each ray. */
export function refineByMeasure(graph: GraphBuilder, profile: Profile, target: Lengths, measure: Measure): Proposal {
  const onGrid = Cast(ArgMin(gridObjective(graph, profile, target), { axis: 2, keepdims: true }), 'float32');
  const [low, high] = [-1, 1].map((by) => Clip(Add(onGrid, by), { min: 0, max: profile.last })) as [Value, Value];
  const objectiveAt = (at: Value): Value => {
    const { z, slope } = measure(at);
    return objective(lengthsAt(at, z, slope, firstOf(profile.slope)), target);
  };
  const steps = goldenSection(objectiveAt, low, high);
  const reached = objectiveAt(steps);
  const ray = ArgMin(reached, { axis: 1, keepdims: true });
  return {
    steps: Where(isRay(graph, profile, ray), steps, 0),
    objective: ReduceMin(reached, { axes: [1], keepdims: true }),
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

function gridObjective(graph: GraphBuilder, { z, slope, last }: Profile, target: Lengths): Value {
  const k = graph.constant(
    'float32',
    [1, 1, last + 1],
    Array.from({ length: last + 1 }, (_, point) => point),
  );
  return objective(lengthsAt(k, z, slope, firstOf(slope)), target);
}

function lengthsAt(k: Value, z: Value, slope: Value, slopeAtZero: Value): Lengths {
  return { forward: Sub(Mul(k, slope), z), backward: Sub(z, Mul(k, slopeAtZero)) };
}

/** [R, rays, 1]: at step 0. */
export const firstOf = (x: Value): Value => Slice(x, { axis: 2, start: 0, end: 1 });

/** [R, rays, 1] bool */
function isRay(graph: GraphBuilder, { rays }: Profile, ray: Value): Value {
  return Equal(
    graph.constant(
      'int64',
      [1, rays, 1],
      Array.from({ length: rays }, (_, index) => index),
    ),
    ray,
  );
}

/** z as a polynomial in t = k − centre, for t in [−1, 1]; on every ray at once. */
class Window {
  readonly #centre: Value;
  readonly #slopeAtZero: Value;
  readonly #target: Lengths;
  readonly #coefficients: readonly Value[];

  constructor({ z, slope }: Profile, centre: Value, target: Lengths) {
    this.#centre = Cast(centre, 'float32');
    this.#slopeAtZero = firstOf(slope);
    this.#target = target;
    const near = (x: Value, by: number): Value => GatherElements(x, Add(centre, by), { axis: 2 });
    const half = (x: Value): Value => Mul(x, 0.5);
    const [before, z0, after] = [near(z, -1), near(z, 0), near(z, 1)];
    const [slopeBefore, slope0, slopeAfter] = [near(slope, -1), near(slope, 0), near(slope, 1)];
    // Even powers from sums, odd ones from differences: c2 + c4 and 2·c2 + 4·c4, c3 + c5 and 3·c3 + 5·c5.
    const even = Sub(half(Add(after, before)), z0);
    const evenSlope = half(Sub(slopeAfter, slopeBefore));
    const odd = Sub(half(Sub(after, before)), slope0);
    const oddSlope = Sub(half(Add(slopeAfter, slopeBefore)), slope0);
    const c4 = Sub(half(evenSlope), even);
    const c5 = half(Sub(oddSlope, Mul(odd, 3)));
    this.#coefficients = [z0, slope0, Sub(even, c4), Sub(odd, c5), c4, c5];
  }

  /** Grid steps from the ray's start. */
  stepsAt(t: Value): Value {
    return Add(this.#centre, t);
  }

  objectiveAt(t: Value): Value {
    return objective(this.#lengths(t), this.#target);
  }

  /** The best of 33 points around `t` no farther than `reach` away. */
  bestNear(graph: GraphBuilder, t: Value, reach: number): Value {
    const offsets = Array.from({ length: 33 }, (_, index) => (reach * (index - 16)) / 16);
    const points = inside(Add(t, graph.constant('float32', [1, 1, offsets.length], offsets)));
    const best = ArgMin(this.objectiveAt(points), { axis: 2, keepdims: true });
    return GatherElements(points, best, { axis: 2 });
  }

  /** One step towards the zero of the objective's slope; none where the objective is not convex. */
  newton(t: Value): Value {
    const k = this.stepsAt(t);
    const { forward, backward } = this.#lengths(t);
    const [f, g] = [Sub(forward, this.#target.forward), Sub(backward, this.#target.backward)];
    const [slope, curvature, third] = [1, 2, 3].map((order) => this.#derivative(order, t)) as [Value, Value, Value];
    // f′ = k·z″, g′ = z′ − z′(0), f″ = z″ + k·z‴, g″ = z″
    const [df, dg] = [Mul(k, curvature), Sub(slope, this.#slopeAtZero)];
    const first = Add(Mul(f, df), Mul(g, dg));
    const bend = Add(Mul(f, Add(curvature, Mul(k, third))), Mul(g, curvature));
    const second = Add(Add(Mul(df, df), Mul(dg, dg)), bend);
    const isConvex = Greater(second, 0);
    const step = Clip(Neg(Div(first, Where(isConvex, second, 1))), { min: -1 / 256, max: 1 / 256 });
    return inside(Where(isConvex, Add(t, step), t));
  }

  #lengths(t: Value): Lengths {
    return lengthsAt(this.stepsAt(t), this.#derivative(0, t), this.#derivative(1, t), this.#slopeAtZero);
  }

  #derivative(order: number, t: Value): Value {
    const factor = (power: number): number =>
      Array.from({ length: order }, (_, index) => power - index).reduce((a, b) => a * b, 1);
    const terms = this.#coefficients.slice(order).map((c, index) => Mul(c, factor(index + order)));
    return terms.reduceRight((sum, term) => Add(Mul(sum, t), term));
  }
}

const inside = (t: Value): Value => Clip(t, { min: -1, max: 1 });
