// Laws that more than one suite checks, as functions that throw where they are broken.
import { expect } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { rewrite } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { rowOf } from './arbitrary.js';
import type { Rows } from './arbitrary.js';

/** Element by element, infinities in the same places, NaN nowhere but in the same places. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what = 'rows',
): void {
  expect(actual.length, `${what}: length`).toBe(expected.length);
  for (let id = 0; id < expected.length; id++) {
    const [is, should] = [actual[id]!, expected[id]!];
    const same = Object.is(is, should) || is === should || Math.abs(is - should) <= tolerance;
    if (!same) expect.fail(`${what}: element ${id} is ${is}, expected ${should} ± ${tolerance}`);
  }
}

/** Probabilities are those of a distribution. */
export function expectDistribution(probs: ArrayLike<number>): void {
  let sum = 0;
  for (let id = 0; id < probs.length; id++) {
    expect(probs[id]).toBeGreaterThanOrEqual(0);
    sum += probs[id]!;
  }
  expect(sum).toBeCloseTo(1, 12);
}

/**
 * Whether a mask of `expr` hangs by a thread: nudging thresholds and logits by `epsilon` changes the scores by far
 * more. Two right computations in different arithmetic may then disagree, so a comparison leaves the case out. Exact
 * ties are tested where they can be exact.
 */
export function isFragile(expr: Scores, rows: Rows, epsilon: number): boolean {
  const before = evaluate(expr, rowOf(rows));
  return [1 - epsilon, 1 + epsilon].some((factor, side) => {
    const nudged = rewrite(expr, {
      logits: (node) => node,
      logprobs: (node) => node,
      mask: (mask) => {
        if (mask.kind === 'plausible') return { ...mask, ratio: mask.ratio * factor };
        return mask.mass === 1 ? mask : { ...mask, mass: mask.mass * factor };
      },
    });
    const jittered = new Map(
      [...rows].map(([key, row]) => [
        key,
        Float32Array.from(row, (score, id) => score + (((id + side) % 3) - 1) * epsilon * 10),
      ]),
    );
    return [evaluate(nudged, rowOf(rows)), evaluate(expr, rowOf(jittered))].some((after) =>
      after.some((score, id) => score !== before[id] && !(Math.abs(score - before[id]!) < 1e4 * epsilon)),
    );
  });
}
