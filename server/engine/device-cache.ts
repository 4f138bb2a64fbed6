// Key/value rows of one model on the device. Banks never change (kernels/decoder/banks.ts), so a row is a place in a bank and a length:
// a fork is another name for the same place, going back is a smaller number, and a stored prefix keeps its bank alive. A forward reads one
// bank of exactly its rows and leaves a fresh one; `bankFor` gathers one where the rows do not lie so already. A bank goes when nobody
// names it. Knows no tokens and no requests. Owned by DeviceRows (device-rows.ts).
import { type Bank, type Banks, disposeBank, type Picked } from '../../kernels/decoder/banks.js';
import type { CacheRow, LayerShape, RowCopy, RowStore } from './row-store.js';

const SMALLEST_CAPACITY = 64;

/** Slots of a bank for rows of this length: doubled, so that a row that grows moves seldom, and few sizes of buffers are in use. */
export function bankCapacity(length: number): number {
  let capacity = SMALLEST_CAPACITY;
  while (capacity < length) capacity *= 2;
  return capacity;
}

/** A bank and how many name it. */
interface Held {
  readonly bank: Bank;
  readonly bytes: number;
  readonly names: Set<Named>;
}

/** Whoever names a place in a bank. */
interface Named {
  length: number;
  held: Held | null;
  index: number;
}

interface Row extends Named, CacheRow {
  length: number;
  isLive: boolean;
}

interface DeviceCopy extends RowCopy, Named {
  length: number;
}

/** What makes banks: kernels/decoder/banks.ts, or plain arrays in tests. */
export type BankMaker = Pick<Banks, 'empty' | 'gather' | 'itemBytes'>;

export class DeviceCache implements RowStore {
  readonly #banks: BankMaker;
  readonly #maxRows: number;
  readonly budgetBytes: number;
  readonly tokenBytes: number;
  readonly #rows = new Set<Row>();
  readonly #held = new Set<Held>();
  #nextId = 0;
  /** Slots behind a row's end may hold what is not finite: the next banks are gathered, which leaves it behind. */
  #isSoiled = false;

  constructor(layers: readonly LayerShape[], banks: BankMaker, limits: { maxRows: number; bytes: number }) {
    this.#banks = banks;
    this.#maxRows = limits.maxRows;
    // While a step runs, a bank and its successor are both there.
    this.budgetBytes = Math.floor(limits.bytes / 2);
    this.tokenBytes = layers.reduce((sum, { kvHeads, headDim }) => sum + 2 * kvHeads * headDim * banks.itemBytes, 0);
  }

  get rowsInUse(): number {
    return this.#rows.size;
  }

  get tokensInUse(): number {
    return [...this.#rows].reduce((sum, { length }) => sum + length, 0);
  }

  get bytes(): number {
    return [...this.#held].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get longestRow(): number {
    const tokens = Math.floor(this.budgetBytes / this.tokenBytes);
    return tokens < SMALLEST_CAPACITY ? 0 : 2 ** Math.floor(Math.log2(tokens));
  }

  fits(rows: number, length: number): boolean {
    return rows <= this.#maxRows && rows * bankCapacity(length) * this.tokenBytes <= this.budgetBytes;
  }

  claim(): CacheRow {
    const row: Row = { id: this.#nextId++, length: 0, lane: {}, held: null, index: 0, isLive: true };
    this.#rows.add(row);
    return row;
  }

  fork(source: CacheRow, length = source.length): CacheRow {
    const from = this.#live(source);
    if (length > from.length) throw new RangeError(`cannot fork ${length} of ${from.length} tokens`);
    const copy = this.claim() as Row;
    name(copy, from.held, from.index, length);
    return copy;
  }

  truncate(row: CacheRow, length: number): void {
    const live = this.#live(row);
    if (length < 0 || length > live.length)
      throw new RangeError(`cannot truncate a row of ${live.length} tokens to ${length}`);
    live.length = length;
    if (length === 0) this.#drop(live);
  }

  release(row: CacheRow): void {
    const live = this.#live(row);
    live.isLive = false;
    this.#rows.delete(live);
    this.#drop(live);
  }

  /** Counts what the rows will need in banks of their own; what else names places (prefixes, forks) gives way by being gathered. */
  reserve(rows: readonly CacheRow[], added: readonly number[]): boolean {
    const growing = new Map(rows.map((row, r) => [row, row.length + (added[r] ?? 0)]));
    const longest = Math.max(0, ...growing.values());
    const idle = [...this.#rows].filter((row) => !growing.has(row));
    const slots =
      growing.size * bankCapacity(longest) +
      idle.reduce((sum, { length }) => sum + (length > 0 ? bankCapacity(length) : 0), 0);
    return slots * this.tokenBytes <= this.budgetBytes;
  }

  /** Names the same place: nothing is copied. */
  copyOut(row: CacheRow, length: number): RowCopy {
    const live = this.#live(row);
    if (length > live.length) throw new RangeError(`copyOut: ${length} of ${live.length} tokens`);
    const copy: DeviceCopy = {
      length,
      bytes: bankCapacity(length) * this.tokenBytes,
      held: null,
      index: 0,
      release: () => this.#drop(copy),
    };
    name(copy, live.held, live.index, length);
    return copy;
  }

  copyIn(row: CacheRow, copy: RowCopy, length: number): void {
    const live = this.#live(row);
    const from = copy as DeviceCopy;
    if (live.length !== 0) throw new Error('copyIn needs an empty row');
    // A copy that is no longer kept holds nothing: the row stays empty and computes it anew.
    if (from.held) name(live, from.held, from.index, length);
  }

  scrub(): void {
    this.#isSoiled = true;
  }

  /** In the order in which a forward should take them: as they lie. */
  ordered<T extends CacheRow>(rows: readonly T[]): T[] {
    const places = rows.map((row) => ({ row, ...this.#live(row) }));
    const banks = [...this.#held];
    return places
      .sort((a, b) => (a.held && b.held ? banks.indexOf(a.held) - banks.indexOf(b.held) || a.index - b.index : 0))
      .map(({ row }) => row);
  }

  /** A bank of exactly these rows in this order with room for `added` tokens each. `isOwn`: to be disposed of after the forward. */
  async bankFor(
    rows: readonly CacheRow[],
    added: readonly number[],
  ): Promise<{ readonly bank: Bank; readonly isOwn: boolean }> {
    const live = rows.map((row) => this.#live(row));
    const longest = live.reduce((most, { length }, r) => Math.max(most, length + (added[r] ?? 0)), 0);
    const capacity = bankCapacity(longest);
    const [first] = live;
    const held = first?.held ?? null;
    const isThere =
      held !== null &&
      !this.#isSoiled &&
      held.bank.rows === live.length &&
      held.bank.capacity >= longest &&
      held.bank.capacity <= 4 * capacity &&
      live.every((row, r) => row.held === held && row.index === r);
    if (isThere) return { bank: held.bank, isOwn: false };
    return { bank: await this.#gathered(live, capacity), isOwn: true };
  }

  /** After a forward: row r now lies in row r of this bank and has `added[r]` more tokens. */
  commit(rows: readonly CacheRow[], added: readonly number[], bank: Bank): void {
    const held: Held = { bank, bytes: bank.rows * bank.capacity * this.tokenBytes, names: new Set() };
    this.#held.add(held);
    rows.forEach((row, r) => {
      const live = this.#live(row);
      this.#drop(live);
      name(live, held, r, live.length + (added[r] ?? 0));
    });
    if (held.names.size === 0) this.#dispose(held);
  }

  /** Gives memory back where banks are kept for a few of their rows: these move to one of their own. Called before a forward. */
  async compact(): Promise<void> {
    if (this.bytes <= this.budgetBytes) {
      if (this.#isSoiled) await this.#clean();
      return;
    }
    const sparse = [...this.#held].filter(({ bank, names }) => placesOf(names).size * 2 <= bank.rows);
    await this.#move(sparse);
    if (this.#isSoiled) await this.#clean();
  }

  check(): void {
    for (const held of this.#held) {
      if (held.names.size === 0) throw new Error('cache: a bank that nobody names');
      for (const each of held.names) {
        if (each.held !== held) throw new Error('cache: a bank counts a row that lies elsewhere');
        if (each.index >= held.bank.rows || each.length > held.bank.capacity)
          throw new Error(`cache: a row of ${each.length} tokens lies outside its bank`);
      }
    }
    for (const row of this.#rows)
      if ((row.held === null) !== (row.length === 0))
        throw new Error(`cache: row ${row.id} has no tokens, or no place`);
  }

  /** Everything anew without what lies behind the ends. */
  async #clean(): Promise<void> {
    await this.#move([...this.#held]);
    this.#isSoiled = false;
  }

  async #move(from: readonly Held[]): Promise<void> {
    for (const held of from) {
      const names = [...held.names];
      const places = [...placesOf(held.names)];
      const lengths = places.map((place) =>
        names.reduce((most, { index, length }) => (index === place ? Math.max(most, length) : most), 0),
      );
      const rows = places.map((index, r): Named => ({ held, index, length: lengths[r] ?? 0 }));
      const bank = await this.#gathered(rows, bankCapacity(Math.max(...lengths)));
      const fresh: Held = { bank, bytes: bank.rows * bank.capacity * this.tokenBytes, names: new Set() };
      this.#held.add(fresh);
      for (const each of names) {
        const { length, index } = each;
        this.#drop(each);
        name(each, fresh, places.indexOf(index), length);
      }
    }
  }

  async #gathered(rows: readonly Named[], capacity: number): Promise<Bank> {
    const parts = new Map<Held, Picked>();
    rows.forEach(({ held, index, length }, r) => {
      if (!held || length === 0) return;
      const part = parts.get(held) ?? {
        bank: held.bank,
        index: new Int32Array(rows.length),
        lengths: new Int32Array(rows.length),
      };
      part.index[r] = index;
      part.lengths[r] = length;
      parts.set(held, part);
    });
    if (parts.size === 0) return this.#banks.empty(rows.length, capacity);
    return this.#banks.gather([...parts.values()], rows.length, capacity);
  }

  #live(row: CacheRow): Row {
    const live = row as Row;
    if (!live.isLive) throw new Error(`cache: row ${row.id} was released`);
    return live;
  }

  #drop(named: Named): void {
    const { held } = named;
    named.held = null;
    if (!held) return;
    held.names.delete(named);
    if (held.names.size === 0) this.#dispose(held);
  }

  #dispose(held: Held): void {
    this.#held.delete(held);
    disposeBank(held.bank);
  }
}

function name(named: Named, held: Held | null, index: number, length: number): void {
  named.length = length;
  named.index = index;
  named.held = length > 0 ? held : null;
  if (length > 0) held?.names.add(named);
}

function placesOf(names: ReadonlySet<Named>): ReadonlySet<number> {
  return new Set([...names].map(({ index }) => index));
}
