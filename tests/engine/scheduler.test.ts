import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schedule, type Work } from '../../server/engine/scheduler.js';

const work = (item: string, pending: number, arrival: number, priority = 0, lane: object = {}): Work<string> => ({
  item,
  pending,
  arrival,
  priority,
  lane,
});
const total = (plan: ReturnType<typeof schedule<string>>) => plan.flat().reduce((sum, { count }) => sum + count, 0);

describe('schedule', () => {
  it('puts all decoding rows into one forward, before any prompt', () => {
    const plan = schedule([work('p', 100, 0), work('a', 1, 1), work('b', 1, 2)], { tokens: 64, rows: 8 });
    expect(plan[0]).toEqual([
      { item: 'a', count: 1 },
      { item: 'b', count: 1 },
    ]);
    expect(plan[1]).toEqual([{ item: 'p', count: 62 }]);
  });

  it('gives a short prompt its whole share although a long one came first', () => {
    const plan = schedule([work('long', 4000, 0), work('short', 20, 1)], { tokens: 256, rows: 8 });
    expect(plan.flat()).toContainEqual({ item: 'short', count: 20 });
    expect(plan.flat()).toContainEqual({ item: 'long', count: 236 });
  });

  it('leaves prompts a part of the budget however many rows decode', () => {
    const rows = Array.from({ length: 64 }, (_, i) => work(`d${i}`, 1, i));
    const plan = schedule([...rows, work('p', 500, 99)], { tokens: 64, rows: 64 });
    expect(plan.flat().find(({ item }) => item === 'p')?.count).toBe(16);
  });

  it('prefers priority, then arrival, when not everything fits', () => {
    const plan = schedule([work('late', 300, 2), work('first', 300, 1), work('urgent', 300, 3, -1)], {
      tokens: 16,
      rows: 8,
    });
    expect(plan.flat()).toEqual([{ item: 'urgent', count: 16 }]);
  });

  it('splits prompts of very different length into forwards, so that padding stays below a forward', () => {
    const plan = schedule([work('a', 200, 0), work('b', 3, 1), work('c', 3, 2), work('d', 190, 3)], {
      tokens: 1000,
      rows: 8,
    });
    for (const group of plan) {
      const width = Math.max(...group.map(({ count }) => count));
      expect(group.reduce((sum, { count }) => sum + width - count, 0)).toBeLessThanOrEqual(Math.max(32, width));
    }
    expect(total(plan)).toBe(396);
  });

  it('rows of one lane are not padded to each other: they are as wide as all of them', () => {
    const [lane, other] = [{}, {}];
    const branches = Array.from({ length: 40 }, (_, i) => work(`b${i}`, 1, i, 0, lane));
    const pair = [work('p', 1, 41, 0, other), work('q', 1, 42, 0, other)];
    const plan = schedule([...branches, ...pair, work('r', 1, 43)], { tokens: 256, rows: 64 });
    expect(plan.map((forward) => forward.length)).toEqual([42, 1]);
    const readings = [work('x', 60, 0, 0, lane), work('y', 10, 1, 0, lane), work('z', 70, 2)];
    expect(schedule(readings, { tokens: 256, rows: 64 }).map((forward) => forward.map(({ item }) => item))).toEqual([
      ['x', 'y', 'z'],
    ]);
  });

  it('never exceeds pending, budget or rows, never starves: every plan serves the oldest of the most urgent (random)', () => {
    const arbitrary = fc.array(
      fc.record({
        pending: fc.integer({ min: 0, max: 300 }),
        priority: fc.integer({ min: -1, max: 1 }),
        arrival: fc.nat(50),
      }),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(
        arbitrary,
        fc.integer({ min: 16, max: 400 }),
        fc.integer({ min: 1, max: 16 }),
        (items, tokens, rows) => {
          const lanes = [{}, {}, {}];
          const all = items.map((w, i) => ({ ...w, item: String(i), lane: lanes[w.arrival % 5] ?? {} }));
          const plan = schedule(all, { tokens, rows });
          const seen = new Set<string>();
          for (const group of plan) {
            expect(new Set(group.map(({ item }) => all[Number(item)]!.lane)).size).toBeLessThanOrEqual(rows);
            for (const { item, count } of group) {
              expect(seen.has(item)).toBe(false);
              seen.add(item);
              expect(count).toBeGreaterThan(0);
              expect(count).toBeLessThanOrEqual(all[Number(item)]!.pending);
            }
          }
          const decoding = Math.min(all.filter(({ pending }) => pending === 1).length, rows);
          expect(total(plan)).toBeLessThanOrEqual(
            decoding + Math.max(tokens - decoding, Math.max(16, Math.floor(tokens / 4))),
          );
          const prompts = all
            .filter(({ pending }) => pending > 1)
            .sort((a, b) => a.priority - b.priority || a.arrival - b.arrival);
          if (prompts[0]) expect(seen.has(prompts[0].item)).toBe(true);
        },
      ),
    );
  });
});
