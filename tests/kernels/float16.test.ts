// Half-precision numbers against arithmetic that is exact in float64: all 65 536 of them there and back, and rounding between neighbours.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromFloat16, LARGEST_FLOAT16, toFloat16 } from '../../kernels/float16.js';

const there = (x: number): number => toFloat16(Float32Array.of(x))[0]!;
const back = (half: number): number => fromFloat16(Uint16Array.of(half))[0]!;

it('every number comes back as it was', () => {
  const all = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);
  const isNaNHalf = (half: number): boolean => (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
  const numbers = fromFloat16(all);
  toFloat16(numbers).forEach((half, bits) => {
    if (isNaNHalf(bits)) expect(numbers[bits]).toBeNaN();
    else expect(half).toBe(bits);
  });
  expect(isNaNHalf(there(NaN))).toBe(true);
});

it('rounds to the nearest, between two to the even one, and ends at 65504', () => {
  for (let half = 0; half < 0x7bff; half++) {
    const [low, high] = [back(half), back(half + 1)];
    const middle = (low + high) / 2;
    const even = half % 2 === 0 ? half : half + 1;
    expect([there(middle), there(-middle)]).toEqual([even, even | 0x8000]);
    const gap = Math.fround(middle + (high - low) * 2 ** -10);
    expect(there(gap)).toBe(half + 1);
    expect(there(Math.fround(middle - (high - low) * 2 ** -10))).toBe(half);
  }
  expect(back(there(LARGEST_FLOAT16))).toBe(65504);
  expect([65519.99, 65520, -1e30, 1e-8, -2.9802322387695312e-8].map((x) => back(there(x)))).toEqual([
    65504,
    Infinity,
    -Infinity,
    0,
    -0,
  ]);
});

it('is off by at most half a step', () => {
  fc.assert(
    fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (x) => {
      expect(Math.abs(back(there(x)) - x)).toBeLessThanOrEqual(Math.max(Math.abs(x) * 2 ** -11, 2 ** -25));
    }),
  );
});
