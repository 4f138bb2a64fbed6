// Key/value rows of one model on the host: which row lies in which lane (lane.ts) of the arrays (lane-arrays.ts), when rows share a lane and
// when they part, how the arrays grow and shrink. claim / fork / append / truncate / release, and arrange() to make the lanes of a forward
// neighbours. Knows no tokens and no requests. Owned by HostRows (host-rows.ts).
import { free } from './free.js';
import { HostRow, Lane } from './lane.js';
import { type CacheSlice, LaneArrays, type NewTokens, type Source, type Tokens } from './lane-arrays.js';
import type { CacheRow, LayerShape, RowCopy, RowStore } from './row-store.js';

interface HostCopy extends RowCopy, Tokens {
  readonly length: number;
}

/** Lanes side by side, from `start` on; of each the rows that were asked for. */
export interface Arranged {
  readonly start: number;
  readonly lanes: readonly (readonly HostRow[])[];
}

/** Rows that grow will grow on: without this a prompt that just fits is moved again for its first token. */
const HEADROOM = 16;

/**
 * What attention over `slots` keys and values takes, in reads of one slot. One query reads them where they lie; for several the runtime packs
 * them first (half a read more), and then each query computes with all of them, five for the time of a read. Measured, docs/runtime.md.
 */
const attentionCost = (slots: number, queries: number): number => slots * (queries === 1 ? 1 : 1.5 + 0.2 * queries);

/** Rows part where together costs so much more than apart: parting copies them, which has to pay. */
const WORTH_PARTING = 1.25;

/** Capacities grow geometrically (at most 1.5×), so that appending costs amortised O(1) and padding stays below a third. */
export function capacityFor(length: number): number {
  let capacity = 64;
  while (capacity < length) capacity += capacity % 3 === 0 ? capacity / 3 : capacity / 2;
  return capacity;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, slot) => slot);

export class RowCache implements RowStore {
  readonly #arrays: LaneArrays;
  readonly #maxRows: number;
  readonly budgetBytes: number;
  readonly tokenBytes: number;
  /** By place in the arrays. */
  #lanes: (Lane | null)[] = [];
  #nextId = 0;

  constructor(layers: readonly LayerShape[], limits: { maxRows: number; bytes: number }) {
    this.#arrays = new LaneArrays(layers);
    this.#maxRows = limits.maxRows;
    this.budgetBytes = limits.bytes;
    this.tokenBytes = this.#arrays.tokenBytes;
  }

  get rowsInUse(): number {
    return this.#used.reduce((sum, { rows }) => sum + rows.size, 0);
  }

  get tokensInUse(): number {
    return this.#used.reduce((sum, { live }) => sum + live, 0);
  }

  get bytes(): number {
    return this.#arrays.bytes;
  }

  get longestRow(): number {
    return Math.floor(this.budgetBytes / this.tokenBytes);
  }

  fits(rows: number, length: number): boolean {
    return rows <= this.#maxRows && rows * length * this.tokenBytes <= this.budgetBytes;
  }

  claim(): CacheRow {
    return new HostRow(this.#nextId++, this.#newLane());
  }

  fork(source: CacheRow, length = source.length): CacheRow {
    const from = this.#live(source);
    if (length > from.length) throw new RangeError(`cannot fork ${length} of ${from.length} tokens`);
    const slots = from.slots.slice(0, length);
    const row = new HostRow(this.#nextId++, from.lane);
    from.lane.hold(slots);
    row.grow(slots);
    return row;
  }

  truncate(row: CacheRow, length: number): void {
    const live = this.#live(row);
    if (length < 0 || length > live.length)
      throw new RangeError(`cannot truncate a row of ${live.length} tokens to ${length}`);
    live.truncate(length);
  }

  release(row: CacheRow): void {
    const live = this.#live(row);
    live.truncate(0);
    live.isReleased = true;
    live.lane.rows.delete(live);
    if (live.lane.rows.size === 0) this.#lanes[live.lane.index] = null;
    this.#shrink();
  }

  reserve(rows: readonly CacheRow[], added: readonly number[]): boolean {
    const growing = new Map(rows.map((row, i) => [this.#live(row), added[i] ?? 0]));
    for (const lane of new Set([...growing.keys()].map((row) => row.lane))) this.#partIfCheaper(lane, growing);
    const grown = (lane: Lane): number => [...lane.rows].reduce((sum, row) => sum + (growing.get(row) ?? 0), 0);
    const longest = Math.max(0, ...this.#used.map((lane) => lane.live + grown(lane)));
    if (longest <= this.#arrays.capacity) return true;
    if (this.fits(this.#used.length, longest)) {
      this.#grow(this.#used, longest);
      return true;
    }
    // A lane of many rows may be longer than the budget has room for beside the others, where its rows are not.
    const every = this.#used.flatMap((lane) => [...lane.rows]);
    const longestRow = Math.max(...every.map((row) => row.length + (growing.get(row) ?? 0)));
    if (!this.fits(every.length, longestRow)) return false;
    this.#grow(every, longestRow);
    return true;
  }

  /** Moves lanes, if need be, so that those of these rows lie side by side. Steady batches move nothing. */
  arrange(rows: readonly CacheRow[]): Arranged {
    const wanted = new Map<Lane, HostRow[]>();
    for (const row of rows.map((each) => this.#live(each))) {
      const others = wanted.get(row.lane);
      if (others) others.push(row);
      else wanted.set(row.lane, [row]);
      if (row.lane.rows.size === 1 && row.dense < row.length) this.#straighten(row);
    }
    const start = this.#bestWindow(wanted);
    const end = start + wanted.size;
    const outside = [...wanted.keys()].filter(({ index }) => index < start || index >= end);
    for (let index = start; index < end; index++) {
      const occupant = this.#lanes[index] ?? null;
      if (occupant && wanted.has(occupant)) continue;
      const incoming = outside.pop();
      if (!incoming) throw new Error('arrange: a place in the window without a lane');
      this.#exchange(index, incoming.index);
    }
    const lanes = [...wanted].sort(([a], [b]) => a.index - b.index).map(([, members]) => members);
    return { start, lanes };
  }

  /** The arrays of `count` lanes from `start` on, without copying. */
  slice(start: number, count: number): CacheSlice {
    return this.#arrays.slice(start, count);
  }

  /** Appends `count` new tokens of a forward, which lie in row `batchRow` of it from `column` on. reserve() has made room. */
  append(row: CacheRow, fresh: NewTokens, batchRow: number, column: number, count: number): void {
    const live = this.#live(row);
    if (live.lane.live + count > this.#arrays.capacity)
      throw new RangeError(`append: ${live.lane.live} + ${count} tokens exceed the capacity ${this.#arrays.capacity}`);
    const slots = live.lane.take(count);
    this.#arrays.write(live.lane.index, slots, fresh, batchRow, column);
    live.grow(slots);
  }

  copyOut(row: CacheRow, length: number): RowCopy {
    const live = this.#live(row);
    if (length > live.length) throw new RangeError(`copyOut: ${length} of ${live.length} tokens`);
    const tokens = this.#arrays.read({ lane: live.lane.index, slots: live.slots.slice(0, length) });
    const copy: HostCopy = {
      ...tokens,
      bytes: length * this.tokenBytes,
      release: () => free([...tokens.keys, ...tokens.values]),
    };
    return copy;
  }

  copyIn(row: CacheRow, copy: RowCopy, length: number): void {
    const live = this.#live(row);
    if (live.length !== 0) throw new Error('copyIn needs an empty row');
    const slots = live.lane.take(length);
    this.#arrays.put(live.lane.index, slots, copy as HostCopy);
    live.grow(slots);
  }

  /**
   * Masked slots are multiplied by zero, and 0 · NaN is NaN: what a broken row left behind would spoil whoever gets its slots. Rare, so it
   * simply visits everything.
   */
  scrub(): void {
    this.#lanes.forEach((lane, index) => {
      const held = new Set([...(lane?.rows ?? [])].flatMap(({ slots }) => slots));
      for (let slot = 0; slot < this.#arrays.capacity; slot++)
        if (!held.has(slot)) this.#arrays.clear(index, slot, slot + 1);
    });
  }

  check(): void {
    if (this.#lanes.length !== this.#arrays.lanes)
      throw new Error(`cache: ${this.#lanes.length} lanes in arrays of ${this.#arrays.lanes}`);
    this.#lanes.forEach((lane, index) => {
      if (!lane) return;
      if (lane.index !== index) throw new Error(`cache: lane ${index} believes that it is lane ${lane.index}`);
      if (lane.rows.size === 0) throw new Error(`cache: nobody reads lane ${index}`);
      if (lane.end > this.#arrays.capacity)
        throw new Error(`cache: lane ${index} reaches to slot ${lane.end} of ${this.#arrays.capacity}`);
      lane.check();
    });
    this.#arrays.check();
  }

  get #used(): Lane[] {
    return this.#lanes.filter((lane) => lane !== null);
  }

  /** Slots that must not be lost, of the lane that has most. */
  get #end(): number {
    return this.#used.reduce((longest, { end }) => Math.max(longest, end), 0);
  }

  #live(row: CacheRow): HostRow {
    const live = row as HostRow;
    if (live.isReleased) throw new Error(`cache: row ${row.id} was released`);
    return live;
  }

  /** How many lanes of `length` tokens the budget holds. */
  #lanesWithin(length: number): number {
    return Math.floor(this.budgetBytes / (length * this.tokenBytes));
  }

  /**
   * The usual geometric capacity with room for what comes next. Where the budget does not hold it, half of what is left: with the bare need
   * each further token would move everything, and with all of it each further row would.
   */
  #affordable(lanes: number, length: number): number {
    const wanted = capacityFor(length + HEADROOM);
    const most = Math.floor(this.budgetBytes / (lanes * this.tokenBytes));
    return wanted <= most ? wanted : Math.max(length, (length + most) >> 1);
  }

  #newLane(): Lane {
    const lane = new Lane(this.#freePlace());
    this.#lanes[lane.index] = lane;
    return lane;
  }

  #freePlace(): number {
    const free = this.#lanes.indexOf(null);
    if (free >= 0) return free;
    const used = this.#lanes.length;
    const lanes = Math.min(Math.max(1, used * 2), Math.max(this.#maxRows, used + 1));
    const { capacity } = this.#arrays;
    if (lanes * capacity * this.tokenBytes <= this.budgetBytes) this.#layOut(this.#lanes, lanes, capacity);
    else {
      const end = this.#end;
      const some = Math.max(used + 1, Math.min(lanes, (used + this.#lanesWithin(Math.max(1, end))) >> 1));
      this.#layOut(this.#lanes, some, this.#affordable(some, end));
    }
    return used;
  }

  /** The rows of a lane that take part in a forward get lanes of their own where that makes it cheaper and the budget has room. */
  #partIfCheaper(lane: Lane, growing: ReadonlyMap<HostRow, number>): void {
    const rows = [...lane.rows].filter((row) => growing.has(row));
    if (rows.length < 2) return;
    const added = (row: HostRow): number => growing.get(row) ?? 0;
    const queries = rows.reduce((sum, row) => sum + added(row), 0);
    const together = attentionCost(lane.live + queries, queries);
    const apart = rows.reduce((sum, row) => sum + attentionCost(row.length + added(row), added(row)), 0);
    if (together <= WORTH_PARTING * apart) return;
    const leaving = rows.length < lane.rows.size ? rows : rows.slice(1);
    const lanes = this.#used.length + leaving.length;
    if (lanes * this.#arrays.capacity * this.tokenBytes > this.budgetBytes || lanes > this.#maxRows) return;
    for (const row of leaving) {
      const own = this.#newLane();
      this.#arrays.copy({ lane: lane.index, slots: row.slots }, own.index);
      row.moveTo(own);
    }
  }

  /** Room for `longest` tokens in each lane. Given rows, each gets a lane of its own. */
  #grow(wanted: readonly Lane[] | readonly HostRow[], longest: number): void {
    // Free places cost as much as lanes in use: they are given up where the budget would not hold them at the new length.
    const places = Math.max(wanted.length, Math.min(this.#lanes.length, this.#lanesWithin(longest)));
    const length = Math.max(longest, ...wanted.map((each) => (each instanceof Lane ? each.end : each.length)));
    this.#layOut(
      places < this.#lanes.length || wanted[0] instanceof HostRow ? wanted : this.#lanes,
      places,
      this.#affordable(places, length),
    );
  }

  /** Gives memory back when a quarter of the length, or none of the lanes, is in use. */
  #shrink(): void {
    if (this.#used.length === 0) {
      this.#layOut([], 0, 0);
      return;
    }
    const capacity = capacityFor(this.#end);
    if (capacity * 4 <= this.#arrays.capacity) this.#layOut(this.#lanes, this.#lanes.length, capacity * 2);
  }

  /** Fresh arrays, in which place i holds wanted[i]: a lane as it is, or a row in a lane of its own. */
  #layOut(wanted: readonly (Lane | HostRow | null)[], places: number, capacity: number): void {
    const sources = wanted.map((each): Source | null => {
      if (each instanceof Lane) return { lane: each.index, slots: upTo(each.end) };
      return each && { lane: each.lane.index, slots: [...each.slots] };
    });
    this.#arrays.layOut(places, capacity, sources);
    const lanes = wanted.map((each, index): Lane | null => {
      if (!(each instanceof HostRow)) return each;
      const own = new Lane(index);
      each.moveTo(own);
      return own;
    });
    while (lanes.length < places) lanes.push(null);
    lanes.forEach((lane, index) => {
      if (lane) lane.index = index;
    });
    this.#lanes = lanes;
  }

  /** A row that is alone with its lane moves to the first slots: what others left free there need not be read. */
  #straighten(row: HostRow): void {
    const from = row.dense;
    const tokens = this.#arrays.read({ lane: row.lane.index, slots: row.slots.slice(from) });
    row.truncate(from);
    const slots = row.lane.take(tokens.length);
    this.#arrays.put(row.lane.index, slots, tokens);
    row.grow(slots);
    free([...tokens.keys, ...tokens.values]);
  }

  /** The window of so many places that already holds most of these lanes. */
  #bestWindow(wanted: ReadonlyMap<Lane, unknown>): number {
    const inside = (index: number): number => {
      const lane = this.#lanes[index];
      return lane && wanted.has(lane) ? 1 : 0;
    };
    let count = 0;
    for (let index = 0; index < wanted.size; index++) count += inside(index);
    let best = { start: 0, count };
    for (let start = 1; start + wanted.size <= this.#lanes.length; start++) {
      count += inside(start + wanted.size - 1) - inside(start - 1);
      if (count > best.count) best = { start, count };
    }
    return best.start;
  }

  /** Swaps two places, the second of which holds a lane. */
  #exchange(a: number, b: number): void {
    const laneA = this.#lanes[a] ?? null;
    const laneB = this.#lanes[b] as Lane;
    if (laneA) this.#arrays.swap(a, b, Math.max(laneA.end, laneB.end));
    else this.#arrays.copy({ lane: b, slots: upTo(laneB.end) }, a);
    this.#lanes[a] = laneB;
    this.#lanes[b] = laneA;
    laneB.index = a;
    if (laneA) laneA.index = b;
  }
}
