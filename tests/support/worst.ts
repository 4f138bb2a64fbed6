// How far a matrix of logits or hidden states is from its golden one.
import { expect } from 'vitest';

/** The largest difference of two matrices of one shape; NaN where one is not a number. */
export function worst(actual: readonly (readonly number[])[], expected: readonly (readonly number[])[]): number {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  actual.forEach((row, i) =>
    row.forEach((value, j) => {
      const difference = Math.abs(value - expected[i]![j]!);
      // NaN must not pass as "not larger".
      if (!(difference <= largest)) largest = difference;
    }),
  );
  return largest;
}
