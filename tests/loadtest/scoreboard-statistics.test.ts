// The scoreboard's statistics: intervals cover what they should, the same answers give the same interval, and a trend is told from chance.
import { describe, expect, test } from 'vitest';
import { estimate } from '../../loadtest/scoreboard/bootstrap.js';
import { atLeast, figure, rate } from '../../loadtest/scoreboard/figure.js';
import { trend } from '../../loadtest/scoreboard/trend.js';
import { Rng } from '../../models/pocket/world/rng.js';

const flips = (rng: Rng, share: number, count: number): number[] =>
  Array.from({ length: count }, () => Number(rng.chance(share)));
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('bootstrap', () => {
  test('95 % intervals cover a known share about 95 % of the time', () => {
    const rng = new Rng(5);
    const trials = 200;
    let covered = 0;
    for (let trial = 0; trial < trials; trial++) {
      const { interval } = estimate([{ a: flips(rng, 0.7, 100) }], (m) => m('a'), trial);
      if (interval[0] <= 0.7 && 0.7 <= interval[1]) covered++;
    }
    // binomial(200, 0.95): four deviations are 12
    expect(covered / trials).toBeGreaterThan(0.89);
    expect(covered / trials).toBeLessThan(1);
  });

  test('the interval of a mean has the width of the normal approximation', () => {
    const values = flips(new Rng(1), 0.4, 400);
    const { value, interval } = estimate([{ a: values }], (m) => m('a'), 3);
    const p = mean(values);
    expect(value).toBe(p);
    expect(interval[1] - interval[0]).toBeCloseTo(2 * 1.96 * Math.sqrt((p * (1 - p)) / 400), 1);
  });

  test('the same seed gives the same interval, another seed another one', () => {
    const values = flips(new Rng(1), 0.4, 50);
    const of = (seed: number) => estimate([{ a: values }], (m) => m('a') ** 2, seed);
    expect(of(7)).toEqual(of(7));
    expect(of(7).interval).not.toEqual(of(8).interval);
  });

  test('columns of one group are resampled together: a column against itself has no spread', () => {
    const values = flips(new Rng(1), 0.5, 60);
    const { interval } = estimate([{ a: values, b: values }], (m) => m('a') - m('b'), 1);
    expect(interval).toEqual([0, 0]);
    // In groups of their own they are not.
    const apart = estimate([{ a: values }, { b: values }], (m) => m('a', 0) - m('b', 1), 1);
    expect(apart.interval[0]).toBeLessThan(0);
    expect(apart.interval[1]).toBeGreaterThan(0);
  });

  test('a ratio of averages over groups', () => {
    const groups = [
      { own: [1, 1, 0, 0], tuned: [1, 1, 1, 1] },
      { own: [1, 1], tuned: [1, 0] },
    ];
    const { value } = estimate(groups, (m) => (m('own', 0) + m('own', 1)) / (m('tuned', 0) + m('tuned', 1)), 1);
    expect(value).toBe(1.5 / 1.5);
  });

  test('resamples without a number widen the interval to no end, and the figure says null', () => {
    const ratio = estimate([{ a: [0, 0, 1], b: [0, 0, 1] }], (m) => m('a') / m('b'), 1);
    expect(ratio).toEqual({ value: 1, interval: [-Infinity, Infinity] });
    expect(figure('m', 'f', ratio).interval).toBeNull();
    expect(figure('m', 'f', { value: NaN, interval: [NaN, NaN] })).toMatchObject({ value: null, interval: null });
    for (const value of [NaN, Infinity]) expect(atLeast(0.5)({ value, interval: [NaN, NaN] }).holds).toBe(false);
  });

  test('refuses no tasks, ragged columns and columns that were not measured', () => {
    expect(() => estimate([{ a: [] }], (m) => m('a'), 1)).toThrow('at least one task');
    expect(() => estimate([{ a: [1], b: [1, 2] }], (m) => m('a'), 1)).toThrow('"b" has 2 outcomes, "a" has 1');
    expect(() => estimate([{ a: [1] }], (m) => m('b'), 1)).toThrow('nothing was measured of "b"');
  });
});

describe('figures', () => {
  test('a rate has the other columns as baselines', () => {
    const made = rate('m', 'f', { own: [1, 0], other: [0, 0] }, 'own', 1, { target: atLeast(0.5) });
    expect(made).toMatchObject({ value: 0.5, baselines: { other: 0 }, target: '≥ 0.5', holds: true });
  });
});

describe('trend', () => {
  const stops = (shares: readonly number[], seed = 3, count = 300): number[][] => {
    const rng = new Rng(seed);
    return shares.map((share) => flips(rng, share, count));
  };

  test('a clear rise is one, and no fall', () => {
    const rising = stops([0.1, 0.3, 0.5, 0.7, 0.9]);
    expect(trend(rising, 1, 1).monotone).toBe(true);
    expect(trend(rising, -1, 1).monotone).toBe(false);
    expect(trend(rising, 1, 1).total.value).toBeCloseTo(0.8, 1);
  });

  test('a plateau within chance does not break a rise, a step back beyond chance does', () => {
    expect(trend(stops([0.2, 0.5, 0.8, 0.8, 0.8]), 1, 1).monotone).toBe(true);
    const back = trend(stops([0.2, 0.9, 0.5, 0.95]), 1, 1);
    expect(back.monotone).toBe(false);
    expect(back.smallestStep).toBeLessThan(-0.3);
  });

  test('no movement at all is no trend', () => {
    const [flat = []] = stops([0.5]);
    expect(trend([flat, flat, flat], 1, 1)).toMatchObject({ smallestStep: 0, monotone: false });
    expect(() => trend([flat], 1, 1)).toThrow('two stops');
  });
});
