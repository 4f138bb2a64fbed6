// Laws that more than one suite checks, as functions that throw where they are broken.
import { expect } from 'vitest';

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
