import { describe, expect, it } from 'vitest';
import { uniform } from '../../decoders/random.js';

const draws = 65_536;

function chiSquare(values: readonly number[], bins: number): number {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) counts[Math.floor(value * bins)]! += 1;
  const expected = values.length / bins;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('uniform', () => {
  it('is a function of seed, choice and position alone', () => {
    const first = Array.from({ length: 100 }, (_, position) => uniform(7, 2, position));
    const backwards = Array.from({ length: 100 }, (_, index) => uniform(7, 2, 99 - index)).reverse();
    expect(backwards).toEqual(first);
  });

  it('keeps its values: a change would change every seeded answer', () => {
    expect([uniform(0, 0, 0), uniform(1, 0, 0), uniform(0, 1, 0), uniform(0, 0, 1), uniform(2 ** 32 - 1, 3, 4095)])
      .toMatchInlineSnapshot(`
      [
        0.1495784221572557,
        0.337943633313325,
        0.6564487174060809,
        0.11682044572723094,
        0.9256625302763001,
      ]
    `);
  });

  it('lies in [0, 1) and uses more than 32 bits', () => {
    const values = Array.from({ length: draws }, (_, position) => uniform(1234, 0, position));
    expect(Math.min(...values.slice(0, 10_000))).toBeGreaterThanOrEqual(0);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    expect(values.some((value) => (value * 2 ** 32) % 1 !== 0)).toBe(true);
    expect(new Set(values).size).toBe(draws);
  });

  // 255 degrees of freedom: mean 255, deviation 22.6. The inputs are fixed, so this cannot flicker; five deviations
  // leave no room for a bad hash.
  it.each([
    ['positions', (n: number) => uniform(42, 0, n)],
    ['seeds', (n: number) => uniform(n, 0, 0)],
    ['choices', (n: number) => uniform(42, n, 17)],
    ['seeds in steps of 2^16', (n: number) => uniform(n * 65_536, 0, 0)],
    ['seed and position together', (n: number) => uniform(n, 0, n)],
    ['seed against position', (n: number) => uniform(n, 0, draws - n)],
  ])('is uniform over %s', (_, at) => {
    const statistic = chiSquare(
      Array.from({ length: draws }, (_, n) => at(n)),
      256,
    );
    expect(statistic).toBeLessThan(255 + 5 * 22.6);
    expect(statistic).toBeGreaterThan(255 - 5 * 22.6);
  });

  it.each([
    ['the next position', (n: number) => [uniform(9, 0, n), uniform(9, 0, n + 1)]],
    ['the next seed', (n: number) => [uniform(n, 0, 5), uniform(n + 1, 0, 5)]],
    ['the next choice', (n: number) => [uniform(9, 0, n), uniform(9, 1, n)]],
    ['seed and choice exchanged', (n: number) => [uniform(n, 1, 5), uniform(1, n, 5)]],
  ])('does not depend on %s', (_, pair) => {
    let product = 0;
    for (let n = 2; n < draws; n++) {
      const [left, right] = pair(n) as [number, number];
      product += (left - 0.5) * (right - 0.5);
    }
    // The correlation's deviation is 1/√draws ≈ 0.004.
    expect(Math.abs((product / draws) * 12)).toBeLessThan(0.02);
  });

  it('flips half the high bits when one input bit flips', () => {
    for (const flip of [0, 1, 7, 15, 16, 30, 31]) {
      let flips = 0;
      for (let n = 0; n < 2000; n++) {
        const before = Math.floor(uniform(n, 0, 3) * 2 ** 32);
        const after = Math.floor(uniform(n ^ (1 << flip), 0, 3) * 2 ** 32);
        flips += ((before ^ after) >>> 0).toString(2).replaceAll('0', '').length;
      }
      expect(Math.abs(flips / 2000 - 16)).toBeLessThan(0.5);
    }
  });
});
