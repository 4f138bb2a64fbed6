import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { Forecast, Holders, refusalOf, tokensAhead } from '../../server/engine/estimate.js';

interface Holder {
  readonly rows: number;
  readonly steps: number;
}

function holdersOf(list: readonly Holder[]): Holders {
  const holders = new Holders();
  for (const { rows, steps } of list) holders.add(rows, steps);
  return holders;
}

const holders = (...pairs: readonly (readonly [rows: number, steps: number])[]): Holders =>
  holdersOf(pairs.map(([rows, steps]) => ({ rows, steps })));

describe('a forecast', () => {
  it.each([
    ['an empty engine', 4, [], [], 4, 0],
    ['rows that are left', 4, [[3, 9]], [], 1, 0],
    [
      'the first that ends is enough',
      3,
      [
        [1, 5],
        [1, 2],
        [1, 9],
      ],
      [],
      1,
      2,
    ],
    [
      'two have to end',
      3,
      [
        [1, 5],
        [1, 2],
        [1, 9],
      ],
      [],
      2,
      5,
    ],
    [
      'all have to end',
      3,
      [
        [1, 5],
        [1, 2],
        [1, 9],
      ],
      [],
      3,
      9,
    ],
    ['one that is ahead takes what is free', 3, [[2, 5]], [[1, 7]], 1, 5],
    [
      'one that is ahead takes the first row, mine is the second',
      2,
      [
        [1, 3],
        [1, 8],
      ],
      [[1, 4]],
      1,
      7,
    ],
    [
      'a wide one ahead is not overtaken',
      2,
      [
        [1, 3],
        [1, 8],
      ],
      [[2, 4]],
      1,
      12,
    ],
    [
      'those ahead end before those that run',
      2,
      [
        [1, 1],
        [1, 50],
      ],
      [
        [1, 2],
        [1, 2],
      ],
      1,
      5,
    ],
    ['what asks for more than there is gets all there is', 2, [[1, 6]], [], 5, 6],
    ['what ends now gives back now', 1, [[1, 0]], [], 1, 0],
  ] as const)('%s', (_, capacity, running, ahead, rows, expected) => {
    expect(new Forecast(capacity, holders(...running), holders(...ahead)).stepsUntil(rows)).toBe(expected);
  });

  it('agrees with a simulation, step by step, of everything small', () => {
    const holder = fc.record({ rows: fc.integer({ min: 1, max: 3 }), steps: fc.integer({ min: 0, max: 5 }) });
    fc.assert(
      fc.property(
        fc.array(holder, { maxLength: 4 }),
        fc.array(holder, { maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
        (running, ahead, rows) => {
          const capacity = Math.max(
            3,
            running.reduce((sum, one) => sum + one.rows, 0),
          );
          const whole = new Forecast(capacity, holdersOf(running), holdersOf(ahead));
          const grown = new Forecast(capacity, holdersOf(running), holdersOf([]));
          ahead.forEach((one, i) => {
            // To ask changes nothing.
            expect(grown.stepsUntil(rows)).toBe(simulated(capacity, running, ahead.slice(0, i), rows));
            grown.join(one.rows, one.steps);
          });
          for (const forecast of [whole, grown])
            expect(forecast.stepsUntil(rows)).toBe(simulated(capacity, running, ahead, rows));
        },
      ),
      { seed: 11, numRuns: 2000 },
    );
  });
});

function simulated(capacity: number, running: readonly Holder[], ahead: readonly Holder[], rows: number): number {
  let held = running.map((one) => ({ ...one }));
  const queue = [...ahead, { rows, steps: -1 }];
  for (let step = 0; ; step++) {
    for (;;) {
      held = held.filter(({ steps }) => steps > step);
      const used = held.reduce((sum, one) => sum + one.rows, 0);
      const [first] = queue;
      if (!first || used + first.rows > capacity) break;
      if (first.steps < 0) return step;
      queue.shift();
      held.push({ rows: first.rows, steps: step + first.steps });
    }
  }
}

describe('tokensAhead', () => {
  it('counts of every prompt what an equal share lets through', () => {
    expect([0, 3, 10, 500].map((pending) => tokensAhead(pending, 1, 10))).toEqual([0, 3, 10, 10]);
    expect(tokensAhead(0, 0, 10)).toBe(0);
    expect(tokensAhead(30, 3, 10)).toBe(30);
    expect(tokensAhead(45, 3, 10)).toBe(30);
  });
});

describe('refusalOf', () => {
  const patience = { waitMs: 50, firstTokenMs: 1000 };
  it.each([
    ['nothing to wait for', [0, 0, 0], null],
    ['at the limit', [50, 50, 0], null],
    ['room comes too late', [51, 0, 0], { limit: 'waitMs', limitMs: 50, waitMs: 51, retryAfterSeconds: 1 }],
    ['room comes late, but the request itself is slower', [300, 0, 300], null],
    ['and no slower', [301, 0, 300], { limit: 'waitMs', limitMs: 300, waitMs: 301, retryAfterSeconds: 1 }],
    ['prompts of others', [0, 1001, 0], { limit: 'firstTokenMs', limitMs: 1000, waitMs: 1001, retryAfterSeconds: 1 }],
    ['prompts of others, a long one of its own', [0, 4000, 4000], null],
    [
      'the time over the limit, in whole seconds',
      [4050.5, 0, 0],
      { limit: 'waitMs', limitMs: 50, waitMs: 4050.5, retryAfterSeconds: 5 },
    ],
  ] as const)('%s', (_, [roomMs, promptsMs, ownMs], expected) => {
    expect(refusalOf({ roomMs, promptsMs, ownMs }, patience)).toEqual(expected);
  });

  it('without limits nothing is refused', () => {
    expect(refusalOf({ roomMs: 1e9, promptsMs: 1e9, ownMs: 0 }, { waitMs: null, firstTokenMs: null })).toBeNull();
  });
});
