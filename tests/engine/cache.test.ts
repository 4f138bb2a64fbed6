import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capacityFor, RowCache } from '../../server/engine/cache.js';
import type { CacheRow } from '../../server/engine/row-store.js';

const LAYERS = [
  { kvHeads: 2, headDim: 3 },
  { kvHeads: 1, headDim: 4 },
];
const TOKEN_BYTES = (2 * 2 * 3 + 2 * 1 * 4) * 4;

/** The naive twin: each row as plain lists of per-token vectors. */
class Twin {
  readonly tokens: number[] = [];
}

/** Keys of a token are a function of its tag, so that reading back shows which token lies where. */
const fill = (tag: number, layer: number, head: number, dim: number, value: boolean): number =>
  tag * 1000 + layer * 100 + head * 10 + dim + (value ? 0.5 : 0);

function newTokens(
  tags: readonly (readonly number[])[],
  width: number,
): { keys: Float32Array[]; values: Float32Array[] } {
  const make = (value: boolean) =>
    LAYERS.map(({ kvHeads, headDim }, layer) => {
      const data = new Float32Array(tags.length * kvHeads * width * headDim).fill(-7);
      tags.forEach((row, b) =>
        row.forEach((tag, s) => {
          for (let head = 0; head < kvHeads; head++)
            for (let dim = 0; dim < headDim; dim++)
              data[((b * kvHeads + head) * width + s) * headDim + dim] = fill(tag, layer, head, dim, value);
        }),
      );
      return data;
    });
  return { keys: make(false), values: make(true) };
}

/** Appends `tags` to `row` the way the engine does: through arrange, in a batch with others. */
function append(cache: RowCache, row: CacheRow, tags: readonly number[]): boolean {
  if (!cache.reserve([row], [tags.length])) return false;
  const { keys, values } = newTokens([tags], tags.length);
  cache.append(row, { keys, values, width: tags.length }, 0, 0, tags.length);
  return true;
}

const count = (from: number, length: number): number[] => Array.from({ length }, (_, i) => from + i);

function contents(cache: RowCache, row: CacheRow): number[] {
  const { start, lanes } = cache.arrange([row]);
  const { keys, values, capacity } = cache.slice(start, 1);
  const tags: number[] = [];
  for (const token of lanes[0]![0]!.slots) {
    const tag = Math.floor((keys[0]?.[token * 3] ?? 0) / 1000);
    LAYERS.forEach(({ kvHeads, headDim }, layer) => {
      for (let head = 0; head < kvHeads; head++)
        for (let dim = 0; dim < headDim; dim++) {
          const at = (head * capacity + token) * headDim + dim;
          expect(keys[layer]?.[at]).toBe(Math.fround(fill(tag, layer, head, dim, false)));
          expect(values[layer]?.[at]).toBe(Math.fround(fill(tag, layer, head, dim, true)));
        }
    });
    tags.push(tag);
  }
  return tags;
}

describe('RowCache', () => {
  it('behaves like independent lists under random programs of claim, append, fork, truncate, arrange, copy and release', () => {
    const command = fc.record({
      op: fc.constantFrom('claim', 'append', 'fork', 'truncate', 'arrange', 'copy', 'release'),
      pick: fc.nat(100),
      size: fc.integer({ min: 1, max: 90 }),
    });
    fc.assert(
      fc.property(fc.array(command, { minLength: 5, maxLength: 60 }), (program) => {
        const cache = new RowCache(LAYERS, { maxRows: 8, bytes: 1 << 30 });
        const rows: { row: CacheRow; twin: Twin }[] = [];
        let nextTag = 1;
        for (const { op, pick, size } of program) {
          const chosen = rows[pick % Math.max(rows.length, 1)];
          if (op === 'claim' && rows.length < 8) rows.push({ row: cache.claim(), twin: new Twin() });
          else if (!chosen) continue;
          else if (op === 'append') {
            const tags = Array.from({ length: size }, () => nextTag++ % 9000);
            expect(append(cache, chosen.row, tags)).toBe(true);
            chosen.twin.tokens.push(...tags);
          } else if (op === 'fork' && rows.length < 8) {
            const twin = new Twin();
            twin.tokens.push(...chosen.twin.tokens);
            rows.push({ row: cache.fork(chosen.row), twin });
          } else if (op === 'truncate') {
            const length = size % (chosen.row.length + 1);
            cache.truncate(chosen.row, length);
            chosen.twin.tokens.length = length;
          } else if (op === 'arrange') {
            const some = rows.filter((_, i) => (pick >> (i % 6)) % 2 === 0).map(({ row }) => row);
            if (some.length > 0) expect(new Set(cache.arrange(some).lanes.flat())).toEqual(new Set(some));
          } else if (op === 'copy' && rows.length < 8) {
            const copy = cache.copyOut(chosen.row, chosen.row.length);
            const row = cache.claim();
            expect(cache.reserve([row], [copy.length])).toBe(true);
            const length = size % (copy.length + 1);
            cache.copyIn(row, copy, length);
            const twin = new Twin();
            twin.tokens.push(...chosen.twin.tokens.slice(0, length));
            rows.push({ row, twin });
          } else if (op === 'release') {
            cache.release(chosen.row);
            rows.splice(rows.indexOf(chosen), 1);
          }
          cache.check();
        }
        for (const { row, twin } of rows) expect(contents(cache, row)).toEqual(twin.tokens);
        expect(cache.rowsInUse).toBe(rows.length);
        rows.forEach(({ row }) => cache.release(row));
        expect(cache.bytes).toBe(0);
        cache.check();
      }),
      { numRuns: 60 },
    );
  });

  it('appends the right rows of a ragged batch', () => {
    const cache = new RowCache(LAYERS, { maxRows: 4, bytes: 1 << 20 });
    const [a, b] = [cache.claim(), cache.claim()];
    cache.reserve([a, b], [3, 1]);
    const { keys, values } = newTokens([[1, 2, 3], [4]], 3);
    cache.append(a, { keys, values, width: 3 }, 0, 0, 3);
    cache.append(b, { keys, values, width: 3 }, 1, 0, 1);
    expect(contents(cache, a)).toEqual([1, 2, 3]);
    expect(contents(cache, b)).toEqual([4]);
  });

  it('keeps within its byte budget and says when it cannot', () => {
    const cache = new RowCache(LAYERS, { maxRows: 4, bytes: TOKEN_BYTES * 100 });
    const [a, b] = [cache.claim(), cache.claim()];
    expect(cache.fits(1, 100)).toBe(true);
    expect(cache.fits(1, 101)).toBe(false);
    expect(cache.fits(5, 1)).toBe(false);
    expect(
      append(
        cache,
        a,
        Array.from({ length: 50 }, (_, i) => i + 1),
      ),
    ).toBe(true);
    expect(cache.bytes).toBeLessThanOrEqual(TOKEN_BYTES * 100);
    expect(append(cache, b, [1])).toBe(true);
    expect(append(cache, a, [51])).toBe(false); // two rows of 51 tokens are more than 100
    expect(contents(cache, a)).toHaveLength(50);
    cache.release(b);
    expect(append(cache, a, [51])).toBe(true);
    cache.check();
  });

  it('keeps within its byte budget when one row of many outlives the others and grows', () => {
    const cache = new RowCache(LAYERS, { maxRows: 16, bytes: TOKEN_BYTES * 1000 });
    const rows = Array.from({ length: 8 }, () => cache.claim());
    rows.forEach((row, i) => append(cache, row, [i + 1]));
    const survivor = rows[5]!;
    rows.filter((row) => row !== survivor).forEach((row) => cache.release(row));
    const more = Array.from({ length: 400 }, (_, i) => 100 + i);
    expect(append(cache, survivor, more)).toBe(true);
    expect(cache.bytes).toBeLessThanOrEqual(cache.budgetBytes);
    expect(contents(cache, survivor)).toEqual([6, ...more]);
    cache.check();
    expect(append(cache, cache.claim(), [7])).toBe(true);
    expect(cache.bytes).toBeLessThanOrEqual(cache.budgetBytes);
    expect(contents(cache, survivor)).toEqual([6, ...more]);
  });

  it('close to its budget, tokens and rows that come one by one seldom move everything', () => {
    const cache = new RowCache(LAYERS, { maxRows: 128, bytes: TOKEN_BYTES * 2500 });
    const arrays = new Set<ArrayBufferLike>();
    const note = (): void => void arrays.add(cache.slice(0, 1).keys[0]!.buffer);
    const rows = Array.from({ length: 8 }, () => cache.claim());
    for (let token = 1; token <= 300; token++)
      for (const row of rows) {
        expect(append(cache, row, [token])).toBe(true);
        note();
      }
    expect(arrays.size).toBeLessThan(20);
    arrays.clear();
    for (const row of rows) cache.release(row);
    for (let at = 0; at < 100; at++) {
      const row = cache.claim();
      for (let token = 1; token <= 24; token++) expect(append(cache, row, [token])).toBe(true);
      note();
    }
    expect(arrays.size).toBeLessThan(20);
    expect(cache.bytes).toBeLessThanOrEqual(cache.budgetBytes);
    cache.check();
  });

  it('moves nothing when the rows of a batch already lie side by side', () => {
    const cache = new RowCache(LAYERS, { maxRows: 8, bytes: 1 << 20 });
    const rows = Array.from({ length: 4 }, () => cache.claim());
    rows.forEach((row, i) => append(cache, row, [i + 1]));
    expect(cache.arrange([rows[2]!, rows[1]!])).toEqual({ start: 1, lanes: [[rows[1]], [rows[2]]] });
    expect(cache.arrange(rows)).toEqual({ start: 0, lanes: rows.map((row) => [row]) });
  });

  it('scrubs what dead rows left behind and nothing else', () => {
    const cache = new RowCache(LAYERS, { maxRows: 4, bytes: 1 << 20 });
    const [a, b] = [cache.claim(), cache.claim()];
    append(cache, a, [1, 2, 3]);
    append(cache, b, [4, 5]);
    cache.truncate(a, 1);
    cache.release(b);
    cache.scrub();
    expect(contents(cache, a)).toEqual([1]);
    const { keys, values } = cache.slice(0, 2);
    const nonZero = (array: Float32Array) => array.filter((x) => x !== 0).length;
    expect(keys.map(nonZero)).toEqual([6, 4]);
    expect(values.map(nonZero)).toEqual([6, 4]);
  });

  it('refuses a released row', () => {
    const cache = new RowCache(LAYERS, { maxRows: 2, bytes: 1 << 20 });
    const row = cache.claim();
    cache.release(row);
    expect(() => cache.release(row)).toThrow(/was released/);
    expect(() => cache.truncate(row, 0)).toThrow(/was released/);
  });

  it('grows geometrically', () => {
    expect([1, 64, 65, 97, 129, 200, 1000].map(capacityFor)).toEqual([64, 64, 96, 128, 192, 256, 1024]);
  });

  it('keeps what forked rows have in common once, and copies nothing for a fork', () => {
    const cache = new RowCache(LAYERS, { maxRows: 16, bytes: 1 << 20 });
    const trunk = cache.claim();
    append(cache, trunk, count(1, 100));
    const before = cache.bytes;
    const forks = Array.from({ length: 8 }, () => cache.fork(trunk));
    forks.forEach((row, i) => append(cache, row, [200 + i]));
    expect(cache.tokensInUse).toBe(108);
    expect(cache.bytes).toBe(before);
    expect(cache.arrange([trunk, ...forks]).lanes).toEqual([[trunk, ...forks]]);
    forks.forEach((row, i) => expect(contents(cache, row)).toEqual([...count(1, 100), 200 + i]));
    cache.truncate(forks[0]!, 50);
    append(cache, forks[0]!, [300]);
    expect(contents(cache, forks[0]!)).toEqual([...count(1, 50), 300]);
    expect(contents(cache, trunk)).toEqual(count(1, 100));
    cache.check();
  });

  it('a row that is left alone with its lane lies in its first slots again', () => {
    const cache = new RowCache(LAYERS, { maxRows: 16, bytes: 1 << 20 });
    const trunk = cache.claim();
    append(cache, trunk, count(1, 40));
    const [first, winner] = [cache.fork(trunk), cache.fork(trunk)];
    append(cache, first, [100, 101]);
    append(cache, winner, [200, 201]);
    cache.release(trunk);
    cache.release(first);
    const [[row]] = cache.arrange([winner]).lanes as unknown as [[{ slots: number[]; dense: number }]];
    expect(row.slots).toEqual(count(0, 42));
    expect(row.dense).toBe(42);
    expect(contents(cache, winner)).toEqual([...count(1, 40), 200, 201]);
    cache.check();
  });

  it('rows part before a forward that would cost more together, and those that take no part stay', () => {
    const cache = new RowCache(LAYERS, { maxRows: 16, bytes: 1 << 20 });
    const trunk = cache.claim();
    append(cache, trunk, count(1, 40));
    const readings = Array.from({ length: 4 }, () => cache.fork(trunk));
    const step = (added: number): boolean => {
      const isRoom = cache.reserve(
        readings,
        readings.map(() => added),
      );
      expect(isRoom).toBe(true);
      return readings.every(({ lane }) => lane === trunk.lane);
    };
    expect(step(1)).toBe(true);
    // 4 × 40 queries look at 200 slots each, and apart at 80.
    expect(step(40)).toBe(false);
    expect(new Set(readings.map(({ lane }) => lane)).size).toBe(4);
    expect(readings.some(({ lane }) => lane === trunk.lane)).toBe(false);
    readings.forEach((row, i) => append(cache, row, count(100 * (i + 1), 40)));
    readings.forEach((row, i) => expect(contents(cache, row)).toEqual([...count(1, 40), ...count(100 * (i + 1), 40)]));
    expect(contents(cache, trunk)).toEqual(count(1, 40));
    cache.check();
  });

  it('decoding branches part when their own tokens outweigh what they share', () => {
    const cache = new RowCache(LAYERS, { maxRows: 16, bytes: 1 << 20 });
    const trunk = cache.claim();
    append(cache, trunk, count(1, 40));
    const branches = [trunk, cache.fork(trunk), cache.fork(trunk)];
    let steps = 0;
    for (; branches[1]!.lane === trunk.lane; steps++) {
      const { keys, values } = newTokens([branches.map((_, b) => 100 * (b + 1) + steps)], 3);
      expect(cache.reserve(branches, [1, 1, 1])).toBe(true);
      const { lanes } = cache.arrange(branches);
      if (lanes.length === 1) branches.forEach((row, b) => cache.append(row, { keys, values, width: 3 }, 0, b, 1));
    }
    // (1.5 + 0.2 · 3) · (40 + 3t) > 1.25 · 3 · (40 + t) from t = 26 on
    expect(steps).toBe(26);
    branches.forEach((row, b) =>
      expect(contents(cache, row)).toEqual([...count(1, 40), ...count(100 * (b + 1), row.length - 40)]),
    );
    cache.check();
  });

  it('rows that admission has priced get their tokens, whatever their lanes hold', () => {
    const cache = new RowCache(LAYERS, { maxRows: 8, bytes: TOKEN_BYTES * 8 * 150 });
    expect(cache.fits(8, 150)).toBe(true);
    const alone = cache.claim();
    append(cache, alone, count(1, 100));
    const trunk = cache.claim();
    append(cache, trunk, count(1000, 90));
    const forks = Array.from({ length: 6 }, () => cache.fork(trunk));
    const rows = [alone, trunk, ...forks];
    for (let token = 0; token < 50; token++)
      rows.forEach((row, r) => {
        expect(append(cache, row, [2000 + 100 * r + token])).toBe(true);
        expect(cache.bytes).toBeLessThanOrEqual(cache.budgetBytes);
        cache.check();
      });
    rows.forEach((row, r) =>
      expect(contents(cache, row)).toEqual([
        ...(r === 0 ? count(1, 100) : count(1000, 90)),
        ...count(2000 + 100 * r, 50),
      ]),
    );
  });
});
