// ensemble: what the ways to aggregate promise (T22).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangeOf } from '../../../decoders/scorers/index.js';
import type { Scorer } from '../../../decoders/plan.js';
import { expectClose } from '../../support/laws.js';
import { readSearch, rewardTable, runSpec, scoresOf, type TableWorld } from '../../support/search-law.js';
import { randomTable } from '../../support/search-toy.js';

const AGGREGATES = ['mean', 'median', 'min', 'mean_minus_std', 'uncertainty_weighted'] as const;
type Aggregate = (typeof AGGREGATES)[number];

/** Members as lists of scores, one per answer. */
function worldOf(members: readonly (readonly number[])[]): TableWorld {
  const count = members[0]?.length ?? 1;
  return {
    vocabSize: count + 1,
    maxTokens: 2,
    models: { L: randomTable(3, count + 1) },
    rewards: Object.fromEntries(members.map((scores, k) => [`m${k}`, rewardTable(([id = 0]) => scores[id] ?? NaN)])),
  };
}

function scores(members: readonly (readonly number[])[], aggregate: Aggregate, more = {}): readonly number[] {
  const names = members.map((_, k) => `m${k}`);
  const answers = (members[0] ?? []).map((_, id) => [id]);
  return scoresOf({ kind: 'ensemble', members: names, aggregate, ...more }, answers, worldOf(members)).scores;
}

const raw = { centre: false };
const score = fc.double({ min: -10, max: 10, noNaN: true });
const member = fc.array(score, { minLength: 4, maxLength: 4 });
const several = fc.array(member, { minLength: 1, maxLength: 5 });
const once = { numRuns: 20 };
const orderOf = (of: readonly number[]): number[] => [...of.keys()].sort((a, b) => of[b]! - of[a]! || a - b);

describe('members that are alike', () => {
  it('are the single scorer, exactly', () => {
    fc.assert(
      fc.property(member, fc.integer({ min: 1, max: 7 }), (of, count) => {
        const alike = Array.from({ length: count }, () => of);
        for (const aggregate of AGGREGATES) {
          expect(scores(alike, aggregate, raw)).toEqual(of.map((each) => each + 0));
          // Centred they are the single scorer on another scale.
          const centred = scores(alike, aggregate, { centre: true });
          expect(centred).toEqual(scores([of], 'mean', { centre: true }));
          expect(of[orderOf(centred)[0]!]).toBeCloseTo(Math.max(...of), 9);
        }
      }),
      once,
    );
  });
});

describe('the aggregates', () => {
  it('are in the order that there is: min ≤ median ≤ max, min ≤ mean, mean − deviation ≤ mean', () => {
    fc.assert(
      fc.property(several, (members) => {
        const by = (aggregate: Aggregate, more = {}): readonly number[] =>
          scores(members, aggregate, { ...raw, ...more });
        const [mean, median, min] = [by('mean'), by('median'), by('min')];
        const [less, weighted] = [by('mean_minus_std'), by('uncertainty_weighted', { penalty: 0.7 })];
        mean.forEach((_, at) => {
          const most = Math.max(...members.map((each) => each[at]!));
          expect(min[at]!).toBe(Math.min(...members.map((each) => each[at]!)));
          expect(min[at]!).toBeLessThanOrEqual(median[at]!);
          expect(median[at]!).toBeLessThanOrEqual(most);
          expect(min[at]!).toBeLessThanOrEqual(mean[at]! + 1e-12);
          expect(less[at]!).toBeLessThanOrEqual(mean[at]!);
          const deviation = mean[at]! - less[at]!;
          expect(weighted[at]).toBeCloseTo(mean[at]! - 0.7 * deviation ** 2, 8);
        });
        expect(by('uncertainty_weighted', { penalty: 0 })).toEqual(mean);
        expectClose(scores([...members].reverse(), 'mean_minus_std', raw), less, 1e-10);
        expect(scores([...members].reverse(), 'median', raw)).toEqual(median);
      }),
      once,
    );
  });

  it('divide by the number of members: mean − deviation of two is their minimum, of one itself, of 0, 0, 3 below its minimum', () => {
    expect(scores([[1], [4]], 'mean_minus_std', raw)).toEqual([1]);
    expect(scores([[2.5]], 'mean_minus_std', raw)).toEqual([2.5]);
    expectClose(scores([[0], [0], [3]], 'mean_minus_std', raw), [1 - Math.SQRT2], 1e-12);
    expect(scores([[0], [0], [3]], 'uncertainty_weighted', { ...raw, penalty: 2 })).toEqual([1 - 2 * 2]);
    expect(scores([[1], [2], [9]], 'median', raw)).toEqual([2]);
    expect(scores([[1], [2], [9], [4]], 'median', raw)).toEqual([3]);
  });
});

describe('centring', () => {
  const shifted = fc.tuple(several, fc.array(score, { minLength: 5, maxLength: 5 }), fc.constantFrom(1, 0.01, 30));

  it('takes out each member’s constant and scale', () => {
    fc.assert(
      fc.property(shifted, ([members, constants, scale]) => {
        // What hardly differs is all rounding.
        fc.pre(members.every((each) => Math.max(...each) - Math.min(...each) > 0.1));
        const moved = members.map((each, k) => each.map((value) => (k === 0 ? scale : 1) * value + constants[k]!));
        for (const aggregate of AGGREGATES) {
          const more = { centre: true };
          expectClose(scores(moved, aggregate, more), scores(members, aggregate, more), 1e-6);
        }
      }),
      once,
    );
  });

  it('is needed for all but the mean, and is the rule for them', () => {
    // The second member likes everything 5 more: nothing has changed, but the minimum now hears the first one alone.
    const members = [
      [0, 1],
      [2, -1],
    ];
    const moved = [members[0]!, [7, 4]];
    expect(orderOf(scores(members, 'mean'))).toEqual(orderOf(scores(moved, 'mean')));
    expect(scores(members, 'mean')).toEqual([1, 0]);
    expect(orderOf(scores(members, 'min', raw))).not.toEqual(orderOf(scores(moved, 'min', raw)));
    for (const aggregate of ['median', 'min', 'mean_minus_std', 'uncertainty_weighted'] as const)
      expect(scores(moved, aggregate)).toEqual(scores(moved, aggregate, { centre: true }));
    expect(scores(moved, 'mean')).toEqual(scores(moved, 'mean', raw));
  });

  it('is refused where an answer is judged by itself: there it would be 0, whatever the answer', () => {
    const world = worldOf([[0], [0]]);
    const ensemble = { kind: 'ensemble', members: ['m0', 'm1'] };
    const asked = (scorer: object) => [
      { method: 'rain', inner: 'L', judge: scorer },
      { method: 'rejection', inner: 'L', scorer, most: 1 },
    ];
    const nested = { ...ensemble, members: [{ ...ensemble, aggregate: 'min' }, 'm1'] };
    for (const scorer of [{ ...ensemble, aggregate: 'min' }, { ...ensemble, centre: true }, nested])
      for (const spec of asked(scorer))
        expect(() => readSearch(spec, world)).toThrow(/^decoding\.(judge|scorer): not allowed .*"centre": false/);
    for (const scorer of [ensemble, { ...ensemble, aggregate: 'min', centre: false }])
      for (const spec of asked(scorer)) expect(() => readSearch(spec, world)).not.toThrow();
  });
  it('leaves a lone answer and answers that are all alike at 0', () => {
    expect(scores([[3], [9]], 'min')).toEqual([0]);
    expect(
      scores(
        [
          [3, 3],
          [1, 2],
        ],
        'mean',
        { centre: true },
      ),
    ).toEqual([-0.5, 0.5]);
  });
});

describe('a member that gives no number', () => {
  it('never makes a winner, and does not touch the other answers', () => {
    for (const aggregate of AGGREGATES)
      for (const centre of [true, false]) {
        const broken = scores(
          [
            [1, NaN, 2, 0],
            [0, 9, 1, -1],
          ],
          aggregate,
          { centre },
        );
        expect(broken[1]).toBeNaN();
        expect([0, 2, 3].map((at) => Number.isFinite(broken[at]))).toEqual([true, true, true]);
        expect(Math.max(...broken.filter((each) => !Number.isNaN(each)))).toBe(broken[2]);
      }
    const broken = worldOf([
      [1, NaN, 2, 0],
      [0, 9, 1, -1],
    ]);
    const spec = { method: 'best_of_n', inner: 'L', n: 6, scorer: { kind: 'ensemble', members: ['m0', 'm1'] } };
    let isTempted = false;
    for (let seed = 0; seed < 30; seed++) {
      const { tokens, traces } = runSpec(spec, broken, { seed });
      const firsts = (traces[0]!['candidates'] as { tokens: number[] }[]).map((each) => each.tokens[0]!);
      if (firsts.every((id) => id === 1 || id === 4)) continue;
      isTempted ||= firsts.includes(1);
      expect(tokens[0]).not.toBe(1);
    }
    expect(isTempted).toBe(true);
  });
});

it('what a member forbids (−∞) is forbidden, and of the median what half of them forbid', () => {
  const members = [
    [1, -Infinity, -Infinity, 0],
    [0, 9, -Infinity, -1],
    [0, 9, 2, -1],
  ];
  const barred = (aggregate: Aggregate, of = members): number[] => {
    const found = scores(of, aggregate, raw);
    expect(found.some(Number.isNaN)).toBe(false);
    return [...found.keys()].filter((at) => found[at] === -Infinity);
  };
  for (const aggregate of AGGREGATES) expect(barred(aggregate)).toEqual(aggregate === 'median' ? [2] : [1, 2]);
  expect(barred('median', members.slice(0, 2))).toEqual([1, 2]);
});

describe('bounds', () => {
  const scorerOf = (scorer: unknown): Scorer => {
    const { plan } = readSearch({ method: 'best_of_n', inner: 'L', scorer }, worldOf([[0], [0]]));
    return (plan.values as { scorer: Scorer }).scorer;
  };
  const members = [
    { kind: 'reward', model: 'm0', range: [-1, 5] },
    { kind: 'reward', model: 'm1', range: [1, 2] },
  ];
  it('are those of the members’ bounds, where scores are not centred', () => {
    const range = (more: object): unknown => rangeOf(scorerOf({ kind: 'ensemble', members, ...more }));
    expect(range({})).toEqual([0, 3.5]);
    expect(range({ aggregate: 'min', centre: false })).toEqual([-1, 2]);
    expect(range({ aggregate: 'median', centre: false })).toEqual([0, 3.5]);
    expect(range({ aggregate: 'min' })).toBeNull();
    expect(range({ aggregate: 'mean_minus_std', centre: false })).toBeNull();
    expect(range({ members: [members[0], 'm1'] })).toBeNull();
    expect(range({ members: [{ kind: 'ensemble', members }, members[1]] })).toEqual([0.5, 2.75]);
  });
  it('a spec that does not hold is refused', () => {
    const refused = (more: object): string => {
      try {
        scorerOf({ kind: 'ensemble', members: ['m0'], ...more });
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused({ penalty: 1 })).toContain('scorer.penalty: not allowed (got 1). It belongs to "aggregate"');
    expect(refused({ members: [] })).toContain('Give 1 to 8');
    expect(refused({ members: ['m0', 'm7'] })).toContain('decoding.scorer.members[1]: unknown name (got "m7")');
    expect(refused({ aggregate: 'avg' })).toContain('Use one of "mean"');
  });
});
