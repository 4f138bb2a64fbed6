// What the two ways of solving a dynamic fusion share: where one is on its rays, and how good that is. Small tensors only, [R, rays, …].
// fusion-moments.ts is the quick way, fusion-measured.ts the careful one; decoders/fusion.ts has the objective and the naive twin.
//
// In units of one grid step, with u what one step adds to the scores and P the base: z(k) = log Σ P·exp(k·u), z′(k) = E[u] under
// P·exp(k·u), and so KL(P̃‖P) = k·z′ − z, KL(P‖P̃) = z − k·z′(0).
import { FUSION_GRID } from '../../decoders/expr.js';
import type { GraphBuilder, Value } from '../graph.js';
import { Add, Equal, Mul, Slice, Sub } from '../ops.js';

/** Grid steps from 0 to the bound. */
export const LAST_STEP = FUSION_GRID - 1;

/** Two divergences of a step, or what they ought to be; of one shape. */
export interface Lengths {
  /** KL(P̃‖P) */
  readonly forward: Value;
  /** KL(P‖P̃) */
  readonly backward: Value;
}

/** A point on the rays. */
export interface Proposal {
  /** [R, rays, 1]: how many grid steps along each ray; 0 along all but one. */
  readonly steps: Value;
  /** [R, 1, 1]: as far as the search knows. */
  readonly objective: Value;
}

/** What a search found. */
export interface Found {
  /** The best point of the published grid; the earliest ray and the smallest step among equals. */
  readonly onGrid: Proposal;
  /** A point off the grid. */
  readonly between: Proposal;
  /** [R, rays, 1]: z′(0) of each ray. */
  readonly slopeAtZero: Value;
}

/** (f − mean A)² + (g − mean B)²: the sum over all experts is that times their number, plus a constant. */
export function objective({ forward, backward }: Lengths, target: Lengths): Value {
  const [f, g] = [Sub(forward, target.forward), Sub(backward, target.backward)];
  return Add(Mul(f, f), Mul(g, g));
}

export function lengthsAt(k: Value, z: Value, slope: Value, slopeAtZero: Value): Lengths {
  return { forward: Sub(Mul(k, slope), z), backward: Sub(z, Mul(k, slopeAtZero)) };
}

/** [R, rays, 1]: at step 0. */
export const firstOf = (x: Value): Value => Slice(x, { axis: 2, start: 0, end: 1 });

/** [R, rays, 1] bool */
export function isRay(graph: GraphBuilder, rays: number, ray: Value): Value {
  return Equal(numbers(graph, 'int64', rays, [1, rays, 1]), ray);
}

/** 0, 1, …, count − 1. */
export function numbers(
  graph: GraphBuilder,
  dtype: 'float32' | 'int64',
  count: number,
  shape: readonly number[],
): Value {
  return graph.constant(
    dtype,
    shape,
    Array.from({ length: count }, (_, index) => index),
  );
}
