// direction: what a direction over several heads promises of the answer that wins (T21).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectClose } from '../../support/laws.js';
import { readSearch, scoresOf, type TableWorld } from '../../support/search-law.js';
import { randomTable } from '../../support/search-toy.js';

type Point = readonly [number, number];
const COUNT = 6;
const answers = Array.from({ length: COUNT }, (_, id) => [id]);

function worldOf(points: readonly (readonly number[])[], statistics: TableWorld['rewards'] | null = null): TableWorld {
  return {
    vocabSize: COUNT + 1,
    maxTokens: 2,
    models: { L: randomTable(1, COUNT + 1) },
    rewards: statistics ?? { rm: { heads: ['first', 'second'], statistics: null, read: ([id = 0]) => points[id]! } },
  };
}

const raw = { kind: 'direction', model: 'rm', standardise: false };
const scores = (points: readonly Point[], direction: unknown): readonly number[] =>
  scoresOf({ ...raw, direction }, answers, worldOf(points)).scores;
const winnerOf = (of: readonly number[]): number => of.indexOf(Math.max(...of));

const coordinate = fc.double({ min: -5, max: 5, noNaN: true });
const points = fc.array(fc.tuple(coordinate, coordinate), { minLength: COUNT, maxLength: COUNT });
const degrees = fc.integer({ min: -180, max: 180 });
const once = { numRuns: 30 };

describe('a direction', () => {
  it('along an axis is that head, exactly', () => {
    fc.assert(
      fc.property(points, (of) => {
        for (const along of [0, [1, 0], [7, 0], { first: 0.2 }])
          expect(scores(of, along)).toEqual(of.map(([first]) => first + 0));
        for (const along of [90, { second: 3 }]) expect(scores(of, along)).toEqual(of.map(([, second]) => second + 0));
      }),
      once,
    );
  });

  it('is the same whatever its length', () => {
    fc.assert(
      fc.property(
        points,
        coordinate,
        coordinate,
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        (of, x, y, scale) => {
          fc.pre(Math.hypot(x, y) > 1e-3);
          expectClose(scores(of, [scale * x, scale * y]), scores(of, [x, y]), 1e-10);
        },
      ),
      once,
    );
  });

  it('turned towards an axis never lowers what wins on it', () => {
    fc.assert(
      fc.property(points, degrees, degrees, (of, one, other) => {
        const [a, b] = [one, other].map((angle) => of[winnerOf(scores(of, angle))]!);
        const [v, w] = [one, other].map((angle) => [
          Math.cos((angle / 180) * Math.PI),
          Math.sin((angle / 180) * Math.PI),
        ]);
        const gain = (v![0]! - w![0]!) * (a![0] - b![0]) + (v![1]! - w![1]!) * (a![1] - b![1]);
        expect(gain).toBeGreaterThanOrEqual(-1e-9);
      }),
      once,
    );
  });

  it('has its winner on the hull of the answers', () => {
    fc.assert(
      fc.property(points, degrees, (of, angle) => {
        expect(isOnHull(of[winnerOf(scores(of, angle))]!, of)).toBe(true);
      }),
      once,
    );
    // The helper must be able to fail.
    expect(
      isOnHull(
        [0, 0],
        [
          [0, 0],
          [2, 0],
          [-1, 2],
          [-1, -2],
        ],
      ),
    ).toBe(false);
  });

  it('and rewards that are turned together leave the scores', () => {
    fc.assert(
      fc.property(points, degrees, degrees, (of, angle, turn) => {
        const [cos, sin] = [Math.cos((turn / 180) * Math.PI), Math.sin((turn / 180) * Math.PI)];
        const turned = of.map(([x, y]): Point => [cos * x - sin * y, sin * x + cos * y]);
        const sum = ((((angle + turn + 180) % 360) + 360) % 360) - 180;
        expectClose(scores(turned, sum), scores(of, angle), 1e-10);
      }),
      once,
    );
  });
});

describe('heads on one scale', () => {
  const statistics = [
    { mean: 1, deviation: 2 },
    { mean: -3, deviation: 0.5 },
    { mean: 0, deviation: 1 },
  ];
  const numbers = [
    [3, -3, NaN],
    [1, -2, NaN],
  ];
  const rm = {
    heads: ['helpful', 'verbosity', 'other'],
    statistics,
    read: ([id = 0]: readonly number[]) => numbers[id]!,
  };
  const world = worldOf([], { rm, bare: { ...rm, statistics: null } });
  const two = [[0], [1]];

  it('have mean 0 and deviation 1 over the calibration answers', () => {
    const at = (direction: unknown, more = {}): readonly number[] =>
      scoresOf({ kind: 'direction', model: 'rm', direction, ...more }, two, world).scores;
    expect(at({ helpful: 1 })).toEqual([1, 0]);
    expectClose(at({ helpful: 0.8, verbosity: -0.6 }), [0.8, -1.2], 1e-12);
    expectClose(at(-90, { axes: ['helpful', 'verbosity'] }), [-0, -2], 1e-12);
    expectClose(at([3, 4], { axes: ['verbosity', 'helpful'] }), [0.8, 1.2], 1e-12);
  });

  it('need the calibration, the axes and the heads', () => {
    const refused = (scorer: object): string => {
      try {
        readSearch({ method: 'best_of_n', inner: 'L', scorer: { kind: 'direction', ...scorer } }, world);
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused({ model: 'bare', direction: { helpful: 1 } })).toBe(
      'decoding.scorer.standardise: not allowed (got true). The configuration has no mean and deviation of the head "helpful". Have the operator give the model "reward": {"statistics": …}, or use "standardise": false where its heads have one scale.',
    );
    expect(refused({ model: 'bare', direction: { helpful: 1 }, standardise: false })).toBe('accepted');
    expect(refused({ model: 'rm', direction: 45 })).toContain('Degrees need two axes; here are 3');
    expect(refused({ model: 'rm', direction: 45, axes: ['helpful', 'verbose'] })).toContain(
      'scorer.axes: not allowed (got "verbose"). Did you mean "verbosity"?',
    );
    expect(refused({ model: 'rm', direction: 45, axes: ['helpful', 'helpful'] })).toContain('Name each head once');
    expect(refused({ model: 'rm', direction: { helpfulness: 1 } })).toContain('scorer.direction.helpfulness');
  });
});

/** Whether some line through the point leaves all points on one side: then they lie within half a turn, seen from it. */
function isOnHull([x, y]: Point, of: readonly Point[]): boolean {
  const angles = of
    .filter(([px, py]) => Math.hypot(px - x, py - y) > 1e-12)
    .map(([px, py]) => Math.atan2(py - y, px - x))
    .sort((a, b) => a - b);
  if (angles.length < 2) return true;
  const gaps = angles.map((angle, at) => (at === 0 ? angle - angles.at(-1)! + 2 * Math.PI : angle - angles[at - 1]!));
  return Math.max(...gaps) >= Math.PI - 1e-9;
}
