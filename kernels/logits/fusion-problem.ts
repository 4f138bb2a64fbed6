// What a dynamic fusion has to solve, from the members of its rows: passes over the vocabulary that both ways of solving it need.
import type { Value } from '../graph.js';
import { Add, Div, Exp, Log, LogSoftmax, Mul, Neg, ReduceMax, ReduceSum, Sub, Unsqueeze, Where } from '../ops.js';
import { LAST_STEP, type Lengths } from './fusion-search.js';
import { deepSoftmax } from './stage.js';

export interface FusionMembers {
  /** [R, V] log-probabilities. */
  readonly base: Value;
  readonly reference: Value;
  readonly experts: readonly Value[];
  /** [R, V] bool: what any member forbids; null where none can. */
  readonly forbidden: Value | null;
}

/** Members without what is forbidden, and what tuning did to the small model. */
export interface Problem {
  /** [R, V] log-probabilities; −∞ only where forbidden. */
  readonly base: Value;
  readonly probs: Value;
  readonly forbidden: Value | null;
  /**
   * [R, V] per expert: expert − reference of normalised rows, less the mean under the base. A shift of a row changes no probability, and
   * divergences are what is left when large sums cancel: without their common part float32 has digits left for them.
   */
  readonly differences: readonly Value[];
  /** [R, 1, 1]: means over the experts. */
  readonly target: Lengths;
}

export function problemOf({ base, reference, experts, forbidden }: FusionMembers): Problem {
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
  const smallProbs = Exp(small);
  const normalBase = allowed(base);
  const probs = Exp(normalBase);
  return {
    base: normalBase,
    probs,
    forbidden,
    differences: differences.map((own) => Sub(own, dot(probs, own))),
    target: {
      forward: mean(tuned.map((expert, t) => dot(Exp(expert), differences[t] as Value))),
      backward: mean(differences.map((own) => Neg(dot(smallProbs, own)))),
    },
  };
}

/** [R, V]: what one grid step adds to the scores on the way from no step to the bounds of these experts, [R, 1] each. */
export function rayOf({ differences }: Problem, bounds: readonly Value[], set: readonly number[]): Value {
  return set
    .map((expert) => Mul(differences[expert] as Value, Div(bounds[expert] as Value, LAST_STEP)))
    .reduce((a, b) => Add(a, b));
}

/** z = log Σ exp(moved), and the mean of `of` under what that normalises; sums go over the last axis. */
export function tilt(moved: Value, of: Value): { z: Value; mean: Value } {
  const { probs, top } = deepSoftmax(moved);
  return { z: Sub(top, Log(ReduceMax(probs, { axes: [-1], keepdims: true }))), mean: dot(probs, of) };
}

/** Σ aₜ·differenceₜ; `weights`: [R, 1] each. */
export function stepOf(differences: readonly Value[], weights: readonly Value[]): Value {
  return differences.map((own, expert) => Mul(own, weights[expert] as Value)).reduce((a, b) => Add(a, b));
}

/** Over the last axis. Not a matrix product: of a row and a column that has no fast path, and takes three times as long. */
function dot(a: Value, b: Value): Value {
  return ReduceSum(Mul(a, b), { axes: [-1], keepdims: true });
}
