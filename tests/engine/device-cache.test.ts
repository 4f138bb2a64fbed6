// Rows on the device as bookkeeping: over plain arrays in the place of banks, against one list of tokens per row. What the arrays stand for
// is held to the device in tests/gpu/banks.test.ts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disposeBank } from '../../kernels/decoder/banks.js';
import type { CacheRow, RowCopy } from '../../server/engine/row-store.js';
import { bankCapacity, DeviceCache } from '../../server/engine/device-cache.js';
import { PlainBanks } from '../support/plain-banks.js';

const LAYERS = [
  { kvHeads: 2, headDim: 3 },
  { kvHeads: 1, headDim: 4 },
];
const TOKEN_BYTES = (2 * 2 * 3 + 2 * 1 * 4) * 4;

interface Twin {
  readonly row: CacheRow;
  readonly tokens: number[];
}

function setUp(slots = 1 << 16, maxRows = 8): { banks: PlainBanks; cache: DeviceCache } {
  const banks = new PlainBanks(LAYERS);
  // Half of the bytes: a bank and its successor are both there during a step.
  return { banks, cache: new DeviceCache(LAYERS, banks, { maxRows, bytes: 2 * slots * TOKEN_BYTES }) };
}

const element = (tag: number, kind: string, layer: number, head: number, dim: number): number =>
  tag * 1000 + layer * 100 + head * 10 + dim + (kind === 'keys' ? 0 : 0.5);

/** A forward as the device does it: a bank of exactly these rows, and a fresh one with the new tokens. `junk`: what it leaves behind the ends. */
async function forward(
  { banks, cache }: { banks: PlainBanks; cache: DeviceCache },
  rows: readonly Twin[],
  fresh: readonly (readonly number[])[],
  junk = -7,
): Promise<void> {
  await cache.compact();
  const order = cache.ordered(rows.map(({ row }) => row));
  expect(new Set(order)).toEqual(new Set(rows.map(({ row }) => row)));
  const own = order.map((row) => rows.findIndex((twin) => twin.row === row));
  const added = own.map((r) => fresh[r]!.length);
  const { bank, isOwn } = await cache.bankFor(order, added);
  expect(bank.rows).toBe(rows.length);
  expect(banks.live.has(bank)).toBe(true);
  const next = banks.make(bank.rows, bank.capacity);
  banks.each((kind, layer, head, dim) =>
    order.forEach((row, r) => {
      expect(row.length + added[r]!).toBeLessThanOrEqual(bank.capacity);
      for (let slot = 0; slot < bank.capacity; slot++) {
        const tag = fresh[own[r]!]![slot - row.length];
        const past = slot < row.length ? banks.read(bank, kind, layer, [r, head, dim, slot]) : junk;
        banks.write(
          next,
          kind,
          layer,
          [r, head, dim, slot],
          tag === undefined ? past : element(tag, kind, layer, head, dim),
        );
      }
    }),
  );
  if (isOwn) disposeBank(bank);
  cache.commit(order, added, next);
  rows.forEach(({ tokens }, r) => tokens.push(...fresh[r]!));
}

/** What the row's place holds, read as a forward would get it. */
async function contents({ banks, cache }: { banks: PlainBanks; cache: DeviceCache }, row: CacheRow): Promise<number[]> {
  const { bank, isOwn } = await cache.bankFor([row], [0]);
  const tags: number[] = [];
  for (let slot = 0; slot < row.length; slot++) {
    const tag = Math.floor(banks.read(bank, 'keys', 0, [0, 0, 0, slot]) / 1000);
    banks.each((kind, layer, head, dim) =>
      expect(banks.read(bank, kind, layer, [0, head, dim, slot])).toBe(
        Math.fround(element(tag, kind, layer, head, dim)),
      ),
    );
    tags.push(tag);
  }
  if (isOwn) disposeBank(bank);
  return tags;
}

describe('DeviceCache', () => {
  it('behaves like independent lists under random programs of forwards, forks, truncations, copies, scrubs and releases', async () => {
    const command = fc.record({
      op: fc.constantFrom(
        'claim',
        'forward',
        'forward',
        'fork',
        'truncate',
        'keep',
        'reuse',
        'forget',
        'scrub',
        'release',
      ),
      pick: fc.nat(255),
      size: fc.integer({ min: 1, max: 70 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (program) => {
        const all = setUp();
        const { banks, cache } = all;
        const rows: Twin[] = [];
        const kept: { copy: RowCopy; tokens: readonly number[] }[] = [];
        let nextTag = 1;
        for (const { op, pick, size } of program) {
          const chosen = rows[pick % Math.max(rows.length, 1)];
          if (op === 'claim' && rows.length < 8) rows.push({ row: cache.claim(), tokens: [] });
          else if (!chosen) continue;
          else if (op === 'forward') {
            const some = rows.filter((_, i) => (pick >> i) % 2 === 0);
            if (some.length === 0) continue;
            const fresh = some.map((_, i) => Array.from({ length: 1 + ((size + i) % size) }, () => nextTag++));
            expect(
              cache.reserve(
                some.map(({ row }) => row),
                fresh.map(({ length }) => length),
              ),
            ).toBe(true);
            await forward(all, some, fresh);
          } else if (op === 'fork' && rows.length < 8) {
            const length = pick % 3 === 0 ? size % (chosen.row.length + 1) : chosen.row.length;
            rows.push({ row: cache.fork(chosen.row, length), tokens: chosen.tokens.slice(0, length) });
          } else if (op === 'truncate') {
            const length = size % (chosen.row.length + 1);
            cache.truncate(chosen.row, length);
            chosen.tokens.length = length;
          } else if (op === 'keep')
            kept.push({ copy: cache.copyOut(chosen.row, chosen.row.length), tokens: [...chosen.tokens] });
          else if (op === 'reuse' && kept.length > 0 && rows.length < 8) {
            const { copy, tokens } = kept[pick % kept.length]!;
            const length = size % (copy.length + 1);
            const row = cache.claim();
            cache.copyIn(row, copy, length);
            rows.push({ row, tokens: tokens.slice(0, length) });
          } else if (op === 'forget') kept.splice(pick % Math.max(kept.length, 1), 1)[0]?.copy.release();
          else if (op === 'scrub') cache.scrub();
          else if (op === 'release') {
            cache.release(chosen.row);
            rows.splice(rows.indexOf(chosen), 1);
          }
          cache.check();
          for (const { row, tokens } of rows) expect(row.length).toBe(tokens.length);
          // Every bank that is there is counted, and no other.
          expect(cache.bytes).toBe(
            [...banks.live].reduce((sum, bank) => sum + bank.rows * bank.capacity * TOKEN_BYTES, 0),
          );
        }
        for (const { row, tokens } of rows) expect(await contents(all, row)).toEqual(tokens);
        rows.forEach(({ row }) => cache.release(row));
        kept.forEach(({ copy }) => copy.release());
        cache.check();
        expect([banks.live.size, cache.bytes, cache.rowsInUse]).toEqual([0, 0, 0]);
      }),
      { numRuns: 60 },
    );
  });

  it('rows that lie as a forward wants them are read where they lie, and grow by doubling', async () => {
    const all = setUp();
    const { banks, cache } = all;
    const rows = [1, 2, 3].map((): Twin => ({ row: cache.claim(), tokens: [] }));
    await forward(all, rows, [[1], [2], [3]]);
    const capacities: number[] = [];
    for (let step = 0; step < 200; step++) {
      await forward(all, rows, [[10 + step], [300 + step], [600 + step]]);
      capacities.push([...banks.live][0]!.capacity);
    }
    expect(banks.live.size).toBe(1);
    // 64 slots, then 128, then 256: a gathering each.
    expect([...new Set(capacities)]).toEqual([64, 128, 256]);
    expect(banks.gathers).toBe(2);
    expect([1, 64, 65, 129, 1000].map(bankCapacity)).toEqual([64, 64, 128, 256, 1024]);
  });

  it('a fork copies nothing until the two part, and truncating never does', async () => {
    const all = setUp();
    const { banks, cache } = all;
    const trunk: Twin = { row: cache.claim(), tokens: [] };
    await forward(all, [trunk], [[1, 2, 3, 4]]);
    const forks = [4, 2].map((length): Twin => ({
      row: cache.fork(trunk.row, length),
      tokens: trunk.tokens.slice(0, length),
    }));
    cache.truncate(trunk.row, 3);
    trunk.tokens.length = 3;
    expect([banks.live.size, banks.gathers]).toEqual([1, 0]);
    await forward(all, [trunk, ...forks], [[5], [6], [7]]);
    expect(banks.gathers).toBe(1);
    expect(await Promise.all([trunk, ...forks].map(({ row }) => contents(all, row)))).toEqual([
      [1, 2, 3, 5],
      [1, 2, 3, 4, 6],
      [1, 2, 7],
    ]);
    expect(() => cache.fork(trunk.row, 5)).toThrow('cannot fork 5 of 4');
    expect(() => cache.truncate(trunk.row, 5)).toThrow('cannot truncate');
  });

  it('says no where rows would need more than the budget, counted in doubled capacities', async () => {
    const all = setUp(256);
    const { cache } = all;
    expect(cache.longestRow).toBe(256);
    expect([cache.fits(1, 256), cache.fits(1, 257), cache.fits(2, 128), cache.fits(2, 129), cache.fits(9, 1)]).toEqual([
      true,
      false,
      true,
      false,
      false,
    ]);
    const [a, b] = [1, 2].map((): Twin => ({ row: cache.claim(), tokens: [] })) as [Twin, Twin];
    await forward(all, [a], [Array.from({ length: 100 }, (_, i) => i + 1)]);
    expect(cache.reserve([b.row], [128])).toBe(true);
    expect(cache.reserve([b.row], [129])).toBe(false);
    expect(cache.reserve([a.row, b.row], [28, 1])).toBe(true);
    expect(cache.reserve([a.row, b.row], [29, 1])).toBe(false);
    cache.release(a.row);
    expect(cache.reserve([b.row], [129])).toBe(true);
  });

  it('under pressure a bank that is kept for few of its rows gives the others back', async () => {
    const all = setUp(512);
    const { banks, cache } = all;
    const rows = Array.from({ length: 8 }, (): Twin => ({ row: cache.claim(), tokens: [] }));
    await forward(
      all,
      rows,
      rows.map((_, r) => [r + 1, r + 11]),
    );
    const copy = cache.copyOut(rows[5]!.row, 2);
    rows.forEach(({ row }) => cache.release(row));
    expect(cache.bytes).toBe(8 * 64 * TOKEN_BYTES);
    const long: Twin = { row: cache.claim(), tokens: [] };
    await forward(all, [long], [Array.from({ length: 65 }, (_, i) => i + 100)]);
    await forward(all, [long], [[999]]);
    // The copy lies in a bank of one row now, the long one in a bank of its own.
    expect(cache.bytes).toBe((64 + 128) * TOKEN_BYTES);
    const again: Twin = { row: cache.claim(), tokens: [6, 16] };
    cache.copyIn(again.row, copy, 2);
    copy.release();
    expect(await contents(all, again.row)).toEqual([6, 16]);
    expect(await contents(all, long.row)).toEqual(long.tokens);
    [again, long].forEach(({ row }) => cache.release(row));
    expect(banks.live.size).toBe(0);
  });

  it('what a scrub was asked for is gone from the next bank, and nothing else', async () => {
    const all = setUp();
    const { banks, cache } = all;
    const [a, b] = [1, 2].map((): Twin => ({ row: cache.claim(), tokens: [] })) as [Twin, Twin];
    await forward(all, [a, b], [[1, 2, 3], [4]], NaN);
    cache.scrub();
    const { bank, isOwn } = await cache.bankFor([a.row, b.row], [1, 1]);
    expect(isOwn).toBe(true);
    banks.each((kind, layer, head, dim) =>
      [3, 1].forEach((length, row) => {
        for (let slot = 0; slot < bank.capacity; slot++)
          expect(
            Number.isFinite(banks.read(bank, kind, layer, [row, head, dim, slot])),
            `row ${row}, slot ${slot} of ${length}`,
          ).toBe(true);
      }),
    );
    disposeBank(bank);
    await cache.compact();
    expect((await cache.bankFor([a.row, b.row], [1, 1])).isOwn).toBe(false);
    expect(await contents(all, a.row)).toEqual([1, 2, 3]);
  });

  it('refuses a released row', () => {
    const { cache } = setUp();
    const row = cache.claim();
    cache.release(row);
    expect(() => cache.release(row)).toThrow('was released');
    expect(() => cache.fork(row)).toThrow('was released');
  });
});
