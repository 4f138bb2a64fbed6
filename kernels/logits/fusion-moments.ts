// Dynamic fusion in few passes over the vocabulary. Every second point of a grid of 21 along a ray is measured by its first four moments;
// in between, z is the polynomial of degree 7 through the values and three derivatives of both ends. What two grid steps multiply the
// probabilities by is computed once, so that a point costs a product and four sums. That is right as long as float32 holds every factor
// that matters and the way between two points is short, which fusion.ts checks: this only proposes.
//
// With u what one step adds to the scores and Mⱼ = E[uʲ] under P·exp(k·u): z′ = M₁, z″ = M₂ − M₁², z‴ = M₃ − 3·M₁·M₂ + 2·M₁³.
import type { GraphBuilder, Value } from '../graph.js';
import {
  Add,
  ArgMin,
  Clip,
  Concat,
  Div,
  Equal,
  Exp,
  ExpandTo,
  GatherElements,
  Greater,
  Log,
  MatMul,
  Mod,
  Mul,
  Neg,
  ReduceMin,
  ReduceSum,
  Reshape,
  Shape,
  Slice,
  Squeeze,
  Sub,
  Unsqueeze,
  Where,
  Cast,
} from '../ops.js';
import type { Problem } from './fusion-problem.js';
import { firstOf, type Found, isRay, LAST_STEP, lengthsAt, numbers, objective } from './fusion-search.js';

/** Grid steps between two measured points. */
const STRIDE = 2;
const INTERVALS = LAST_STEP / STRIDE;
const POINTS = INTERVALS + 1;
const DERIVATIVES = 4;
/** Points per grid step at which the polynomial is looked at. */
const DENSITY = 16;
/** Per interval, its right end left to the next one. */
const SAMPLES = STRIDE * DENSITY;
const PLACES = INTERVALS * SAMPLES + 1;
/** Tokens that are taken through all points before the next ones: as many as a core keeps close to itself, half of it for many rays. */
const AT_HAND = 8192;
const FEW_RAYS = 3;

export interface MomentSearch extends Found {
  /** [R, rays, points]: z at the measured points. */
  readonly z: Value;
}

export function searchByMoments(graph: GraphBuilder, { probs, target }: Problem, rays: readonly Value[]): MomentSearch {
  const together = Concat(
    rays.map((ray) => Unsqueeze(ray, [1])),
    1,
  );
  const sums = momentsOf(graph, Unsqueeze(probs, [1]), together);
  const { z, derivatives } = cumulants(sums);
  const slope = derivatives[0] as Value;
  const slopeAtZero = firstOf(slope);
  const dense = densely(graph, [z, ...derivatives], rays.length);
  const steps = Mul(numbers(graph, 'float32', PLACES, [1, 1, PLACES]), 1 / DENSITY);
  const lengths = lengthsAt(steps, dense.z, dense.slope, slopeAtZero);
  const all = objective(lengths, target);
  // f′ = k·z″, g′ = z′ − z′(0)
  const halfSlope = Add(
    Mul(Sub(lengths.forward, target.forward), Mul(steps, dense.curvature)),
    Mul(Sub(lengths.backward, target.backward), Sub(dense.slope, slopeAtZero)),
  );
  return {
    onGrid: bestOfGrid(graph, all, rays.length),
    between: bestBetween(graph, { all, halfSlope }, rays.length),
    slopeAtZero,
    z,
  };
}

/** [R, rays, 4, points]: Σ P·exp(k·u)·uʲ at every second grid point, from [R, 1, V] of P and [R, rays, V] of u. */
function momentsOf(graph: GraphBuilder, probs: Value, rays: Value): Value {
  const [, count, width] = rays.shape as readonly [unknown, number, number];
  const size = count <= FEW_RAYS ? AT_HAND : AT_HAND / 2;
  const parts = Math.ceil(width / size);
  const all = Array.from({ length: parts }, (_, part) => {
    const cut = { axis: 2, start: part * size, end: Math.min(width, (part + 1) * size) };
    const own = (x: Value): Value => (parts === 1 ? x : Slice(x, cut));
    return momentsOfPart(graph, own(probs), own(rays));
  });
  const joined = Reshape(Concat(all.flat(), 3), [0, count, DERIVATIVES, parts, POINTS]);
  return ReduceSum(joined, { axes: [3], keepdims: false });
}

/** [R, rays, 4, 1] per point. */
function momentsOfPart(graph: GraphBuilder, probs: Value, rays: Value): Value[] {
  const ones = ExpandTo(graph.constant('float32', [], [1]), Shape(rays), rays.shape);
  const squared = Mul(rays, rays);
  const powers = Concat(
    [ones, rays, squared, Mul(squared, rays)].map((power) => Unsqueeze(power, [2])),
    2,
  );
  const growth = Unsqueeze(Exp(Mul(rays, STRIDE)), [3]);
  const points: Value[] = [];
  let tilted = Unsqueeze(probs, [3]);
  for (let point = 0; point < POINTS; point++) {
    if (point > 0) tilted = Mul(tilted, growth);
    points.push(MatMul(powers, tilted));
  }
  return points;
}

/** z and its derivatives, [R, rays, points] each. */
function cumulants(sums: Value): { z: Value; derivatives: readonly Value[] } {
  const moment = (j: number): Value => Squeeze(Slice(sums, { axis: 2, start: j, end: j + 1 }), [2]);
  const total = moment(0);
  const [m1, m2, m3] = [1, 2, 3].map((j) => Div(moment(j), total)) as [Value, Value, Value];
  const z = Log(total);
  const square = Mul(m1, m1);
  const third = Add(m3, Mul(m1, Sub(Mul(square, 2), Mul(m2, 3))));
  // The base's own normaliser is 0 but for rounding, which is no reason to move.
  return { z: Sub(z, firstOf(z)), derivatives: [m1, Sub(m2, square), third] };
}

/** z, z′ and z″ at all places, [R, rays, PLACES]: what the ends of an interval say, times the polynomials of Hermite's interpolation. */
function densely(
  graph: GraphBuilder,
  data: readonly Value[],
  rays: number,
): { z: Value; slope: Value; curvature: Value } {
  const side = (x: Value, start: number): Value => Unsqueeze(Slice(x, { axis: 2, start, end: start + INTERVALS }), [3]);
  const ends = Concat([...data.map((x) => side(x, 0)), ...data.map((x) => side(x, 1))], 3);
  const inside = MatMul(ends, graph.constant('float32', [2 * DERIVATIVES, 3 * SAMPLES], hermite()));
  const joined = (order: number): Value =>
    Concat(
      [
        Reshape(
          Slice(inside, { axis: 3, start: order * SAMPLES, end: (order + 1) * SAMPLES }),
          [0, rays, PLACES - 1],
          ['R', rays, PLACES - 1],
        ),
        Slice(data[order] as Value, { axis: 2, start: INTERVALS, end: INTERVALS + 1 }),
      ],
      2,
    );
  return { z: joined(0), slope: joined(1), curvature: joined(2) };
}

/**
 * Row by row: z, z′, z″, z‴ at the left end, then at the right one; columns: what each adds to z, then to z′ and z″, at the places of an interval.
 * With t in [0, 1] along an interval of length h, the left end's share of its j-th derivative is hʲ·tʲ/j!·(1 − t)⁴·Σₛ C(3 + s, s)·tˢ, s up to
 * 3 − j; the right end's is the mirror image.
 */
function hermite(): number[] {
  const binomial = [1, 4, 10, 20];
  const factorial = [1, 1, 2, 6];
  const rows = Array.from({ length: DERIVATIVES }, (_, j) => {
    // Coefficients of t⁰ … t⁷.
    const sum = Array.from({ length: DERIVATIVES }, (_, s) => (s <= 3 - j ? (binomial[s] ?? 0) : 0));
    const product = Array.from({ length: 8 }, () => 0);
    const falling = [1, -4, 6, -4, 1];
    sum.forEach((a, s) =>
      falling.forEach((b, f) => s + f + j < 8 && (product[s + f + j] = (product[s + f + j] ?? 0) + a * b)),
    );
    return product.map((c) => (c * STRIDE ** j) / (factorial[j] ?? 1));
  });
  const at = (coefficients: readonly number[], t: number): number =>
    coefficients.reduceRight((sum, c) => sum * t + c, 0);
  const slopeOf = (coefficients: readonly number[]): number[] =>
    coefficients.slice(1).map((c, power) => (c * (power + 1)) / STRIDE);
  const places = Array.from({ length: SAMPLES }, (_, sample) => sample / SAMPLES);
  const orders = (row: readonly number[]): readonly (readonly number[])[] => [row, slopeOf(row), slopeOf(slopeOf(row))];
  const left = rows.map((row) => orders(row).flatMap((own) => places.map((t) => at(own, t))));
  const right = rows.map((row, j) =>
    orders(row).flatMap((own, order) => places.map((t) => (-1) ** (j + order) * at(own, 1 - t))),
  );
  return [...left, ...right].flat();
}

function bestOfGrid(graph: GraphBuilder, all: Value, rays: number): Found['onGrid'] {
  const isGrid = Equal(Mod(numbers(graph, 'int64', PLACES, [1, 1, PLACES]), DENSITY), 0);
  const flat = Reshape(Where(isGrid, all, Infinity), [0, 1, -1], ['R', 1, rays * PLACES]);
  const place = ArgMin(flat, { axis: 2, keepdims: true });
  const steps = Mul(Cast(Mod(place, PLACES), 'float32'), 1 / DENSITY);
  return {
    steps: Where(isRay(graph, rays, Div(place, PLACES)), steps, 0),
    objective: GatherElements(flat, place, { axis: 2 }),
  };
}

/**
 * Where the objective's slope, a line between the best place of each ray and its neighbours, is zero; of the best ray. The slope is known
 * to more digits than what little the objective itself changes there.
 */
function bestBetween(
  graph: GraphBuilder,
  { all, halfSlope }: { readonly all: Value; readonly halfSlope: Value },
  rays: number,
): Found['between'] {
  const place = ArgMin(all, { axis: 2, keepdims: true });
  const centre = Clip(place, { min: 1, max: PLACES - 2 });
  const [before, here, after] = [-1, 0, 1].map((by) => GatherElements(halfSlope, Add(centre, by), { axis: 2 })) as [
    Value,
    Value,
    Value,
  ];
  const rise = Where(Greater(here, 0), Sub(here, before), Sub(after, here));
  const isRising = Greater(rise, 0);
  const zero = Clip(Div(Neg(here), Where(isRising, rise, 1)), { min: -1, max: 1 });
  const shift = Where(isRising, zero, Sub(Cast(place, 'float32'), Cast(centre, 'float32')));
  // The slope goes from `here` to 0 along the shift.
  const value = Add(GatherElements(all, centre, { axis: 2 }), Mul(Mul(shift, here), 1 / DENSITY));
  const ray = ArgMin(value, { axis: 1, keepdims: true });
  return {
    steps: Where(isRay(graph, rays, ray), Mul(Add(Cast(centre, 'float32'), shift), 1 / DENSITY), 0),
    objective: ReduceMin(value, { axes: [1], keepdims: true }),
  };
}
