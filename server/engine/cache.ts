// Key/value rows of one model on the host: dense arrays [rows, kvHeads, capacity, headDim] per layer, which the runtime reads where
// they lie. A row is a handle whose slot may move; claim / append / fork / truncate / release, and arrange() to make the rows of a
// forward contiguous. Knows no tokens and no requests. Owned by one EngineModel.

/** Heads and their width in one layer. */
export interface LayerShape {
  readonly kvHeads: number;
  readonly headDim: number;
}

/** A claimed row. `length` counts the tokens whose keys and values it holds. */
export interface CacheRow {
  readonly id: number;
  readonly length: number;
}

/** The keys and values of one row's first tokens, kept apart from the rows in use. */
export interface RowCopy {
  readonly length: number;
  readonly bytes: number;
  /** It is not kept any more. */
  release(): void;
}

/** [kvHeads, length, headDim] per layer. */
interface HostCopy extends RowCopy {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** What the engine needs of a model's rows, wherever they lie. Every call is bookkeeping that takes effect at once. */
export interface RowStore {
  readonly rowsInUse: number;
  readonly tokensInUse: number;
  /** Allocated now. */
  readonly bytes: number;
  readonly budgetBytes: number;
  readonly tokenBytes: number;
  /** Tokens of one row that alone fills the budget. */
  readonly longestRow: number;
  fits(rows: number, length: number): boolean;
  claim(): CacheRow;
  fork(source: CacheRow, length?: number): CacheRow;
  truncate(row: CacheRow, length: number): void;
  release(row: CacheRow): void;
  reserve(rows: readonly CacheRow[], added: readonly number[]): boolean;
  copyOut(row: CacheRow, length: number): RowCopy;
  copyIn(row: CacheRow, copy: RowCopy, length: number): void;
  scrub(): void;
  check(): void;
}

/** What a forward of contiguous rows needs: views on the arrays, no copy. */
export interface CacheSlice {
  readonly capacity: number;
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

interface Row extends CacheRow {
  length: number;
  slot: number;
}

const FLOAT_BYTES = 4;

/** Rows that grow will grow on: without this a prompt that just fits is moved again for its first token. */
const HEADROOM = 16;

/** Capacities grow geometrically (at most 1.5×), so that appending costs amortised O(1) and padding stays below a third. */
export function capacityFor(length: number): number {
  let capacity = 64;
  while (capacity < length) capacity += capacity % 3 === 0 ? capacity / 3 : capacity / 2;
  return capacity;
}

export class RowCache implements RowStore {
  readonly #layers: readonly LayerShape[];
  readonly #maxRows: number;
  readonly budgetBytes: number;
  /** Bytes of keys and values of one token in one row, over all layers. */
  readonly tokenBytes: number;
  #slots: (Row | null)[] = [];
  #capacity = 0;
  #keys: Float32Array[];
  #values: Float32Array[];
  #nextId = 0;

  constructor(layers: readonly LayerShape[], limits: { maxRows: number; bytes: number }) {
    this.#layers = layers;
    this.#maxRows = limits.maxRows;
    this.budgetBytes = limits.bytes;
    this.tokenBytes = layers.reduce((sum, { kvHeads, headDim }) => sum + 2 * kvHeads * headDim * FLOAT_BYTES, 0);
    this.#keys = layers.map(() => new Float32Array(0));
    this.#values = layers.map(() => new Float32Array(0));
  }

  get rowsInUse(): number {
    return this.#slots.reduce((count, row) => count + (row ? 1 : 0), 0);
  }

  get tokensInUse(): number {
    return this.#slots.reduce((sum, row) => sum + (row?.length ?? 0), 0);
  }

  /** Bytes allocated now. */
  get bytes(): number {
    return this.#slots.length * this.#capacity * this.tokenBytes;
  }

  get longestRow(): number {
    return Math.floor(this.budgetBytes / this.tokenBytes);
  }

  /** Would `rows` rows of `length` tokens each fit the byte budget, if nothing else were there? */
  fits(rows: number, length: number): boolean {
    return rows <= this.#maxRows && rows * length * this.tokenBytes <= this.budgetBytes;
  }

  /** An empty row. Admission has priced it. */
  claim(): CacheRow {
    const row: Row = { id: this.#nextId++, length: 0, slot: this.#freeSlot() };
    this.#slots[row.slot] = row;
    return row;
  }

  /** A copy of `source`, or of its first `length` tokens, that shares nothing with it. */
  fork(source: CacheRow, length = source.length): CacheRow {
    const from = this.#live(source);
    if (length > from.length) throw new RangeError(`cannot fork ${length} of ${from.length} tokens`);
    const copy = this.claim() as Row;
    this.#copySlot(from.slot, copy.slot, length);
    copy.length = length;
    return copy;
  }

  truncate(row: CacheRow, length: number): void {
    const live = this.#live(row);
    if (length < 0 || length > live.length)
      throw new RangeError(`cannot truncate a row of ${live.length} tokens to ${length}`);
    live.length = length;
  }

  release(row: CacheRow): void {
    const live = this.#live(row);
    this.#slots[live.slot] = null;
    live.slot = -1;
    this.#shrink();
  }

  /** Makes room for `added` more tokens in each of `rows`; false when that would pass the byte budget. */
  reserve(rows: readonly CacheRow[], added: readonly number[]): boolean {
    let longest = this.#longest();
    rows.forEach((row, i) => (longest = Math.max(longest, row.length + (added[i] ?? 0))));
    if (longest <= this.#capacity) return true;
    if (!this.fits(this.rowsInUse, longest)) return false;
    // Free slots cost as much as live rows: they are given up where the budget would not hold them at the new length.
    const slots = Math.max(this.rowsInUse, Math.min(this.#slots.length, this.#slotsWithin(longest)));
    this.#relayout(slots, this.#affordable(slots, longest));
    return true;
  }

  /** Moves rows, if need be, so that they lie side by side; returns them in slot order. Steady batches move nothing. */
  arrange(rows: readonly CacheRow[]): { start: number; rows: CacheRow[] } {
    const members = new Set(rows.map((row) => this.#live(row)));
    const start = this.#bestWindow(members);
    const outside = [...members].filter((row) => row.slot < start || row.slot >= start + members.size);
    for (let slot = start; slot < start + members.size; slot++) {
      const occupant = this.#slots[slot] ?? null;
      if (occupant && members.has(occupant)) continue;
      const incoming = outside.pop();
      if (!incoming) throw new Error('arrange: a window slot without a member');
      this.#exchange(slot, incoming.slot);
    }
    return { start, rows: [...members].sort((a, b) => a.slot - b.slot) };
  }

  /** The arrays of `count` rows from slot `start`, without copying. */
  slice(start: number, count: number): CacheSlice {
    const capacity = Math.max(this.#capacity, 1);
    const cut = (arrays: readonly Float32Array[]) =>
      arrays.map((array, layer) => {
        const stride = this.#rowStride(layer, capacity);
        return array.length === 0
          ? new Float32Array(count * stride)
          : array.subarray(start * stride, (start + count) * stride);
      });
    return { capacity, keys: cut(this.#keys), values: cut(this.#values) };
  }

  /**
   * Appends the first `count` new tokens of batch row `batchRow`. `newKeys[layer]` is [batch, kvHeads, width, headDim], as a forward
   * returns it. reserve() has made room.
   */
  append(
    row: CacheRow,
    newKeys: readonly Float32Array[],
    newValues: readonly Float32Array[],
    batchRow: number,
    width: number,
    count: number,
  ): void {
    const live = this.#live(row);
    if (live.length + count > this.#capacity)
      throw new RangeError(`append: ${live.length} + ${count} tokens exceed the capacity ${this.#capacity}`);
    this.#layers.forEach(({ kvHeads, headDim }, layer) => {
      const keys = this.#keys[layer] as Float32Array;
      const values = this.#values[layer] as Float32Array;
      const fromKeys = newKeys[layer] as Float32Array;
      const fromValues = newValues[layer] as Float32Array;
      for (let head = 0; head < kvHeads; head++) {
        const source = (batchRow * kvHeads + head) * width * headDim;
        const target = ((live.slot * kvHeads + head) * this.#capacity + live.length) * headDim;
        copyFloats(fromKeys, source, keys, target, count * headDim);
        copyFloats(fromValues, source, values, target, count * headDim);
      }
    });
    live.length += count;
  }

  /** A copy of the row's first `length` tokens that lives outside the cache. */
  copyOut(row: CacheRow, length: number): RowCopy {
    const live = this.#live(row);
    if (length > live.length) throw new RangeError(`copyOut: ${length} of ${live.length} tokens`);
    const take = (arrays: readonly Float32Array[]) =>
      this.#layers.map(({ kvHeads, headDim }, layer) => {
        const copy = new Float32Array(kvHeads * length * headDim);
        for (let head = 0; head < kvHeads; head++) {
          const from = (live.slot * kvHeads + head) * this.#capacity * headDim;
          copy.set((arrays[layer] as Float32Array).subarray(from, from + length * headDim), head * length * headDim);
        }
        return copy;
      });
    const copy: HostCopy = {
      length,
      bytes: length * this.tokenBytes,
      keys: take(this.#keys),
      values: take(this.#values),
      release: () => undefined,
    };
    return copy;
  }

  /** Fills an empty row with the first `length` tokens of a copy. reserve() has made room. */
  copyIn(row: CacheRow, copy: RowCopy, length: number): void {
    const live = this.#live(row);
    if (live.length !== 0) throw new Error('copyIn needs an empty row');
    const { keys, values } = copy as HostCopy;
    const put = (arrays: readonly Float32Array[], from: readonly Float32Array[]) =>
      this.#layers.forEach(({ kvHeads, headDim }, layer) => {
        for (let head = 0; head < kvHeads; head++) {
          const source = head * copy.length * headDim;
          const target = (live.slot * kvHeads + head) * this.#capacity * headDim;
          (arrays[layer] as Float32Array).set(
            (from[layer] as Float32Array).subarray(source, source + length * headDim),
            target,
          );
        }
      });
    put(this.#keys, keys);
    put(this.#values, values);
    live.length = length;
  }

  /**
   * Overwrites everything that is not a live token. Masked slots are multiplied by zero, and 0 · NaN is NaN: what a broken row left
   * behind would spoil whoever gets its slot. Rare, so it simply visits everything.
   */
  scrub(): void {
    this.#slots.forEach((row, slot) =>
      this.#layers.forEach(({ kvHeads, headDim }, layer) => {
        for (let head = 0; head < kvHeads; head++) {
          const start = (slot * kvHeads + head) * this.#capacity;
          for (const arrays of [this.#keys, this.#values])
            (arrays[layer] as Float32Array).fill(
              0,
              (start + (row?.length ?? 0)) * headDim,
              (start + this.#capacity) * headDim,
            );
        }
      }),
    );
  }

  /** Throws when an invariant is broken; called when the engine is idle and by tests. */
  check(): void {
    const seen = new Set<number>();
    this.#slots.forEach((row, slot) => {
      if (!row) return;
      if (row.slot !== slot)
        throw new Error(`cache: row ${row.id} believes it is in slot ${row.slot}, but lies in ${slot}`);
      if (row.length > this.#capacity)
        throw new Error(`cache: row ${row.id} holds ${row.length} tokens of ${this.#capacity}`);
      if (seen.has(row.id)) throw new Error(`cache: row ${row.id} lies in two slots`);
      seen.add(row.id);
    });
    this.#layers.forEach((_, layer) => {
      const expected = this.#slots.length * this.#rowStride(layer, this.#capacity);
      for (const arrays of [this.#keys, this.#values]) {
        const actual = (arrays[layer] as Float32Array).length;
        if (actual !== expected) throw new Error(`cache: layer ${layer} has ${actual} floats instead of ${expected}`);
      }
    });
  }

  #live(row: CacheRow): Row {
    const live = row as Row;
    if (this.#slots[live.slot] !== live) throw new Error(`cache: row ${row.id} was released`);
    return live;
  }

  #longest(): number {
    return this.#slots.reduce((longest, row) => Math.max(longest, row?.length ?? 0), 0);
  }

  #rowStride(layer: number, capacity: number): number {
    const { kvHeads, headDim } = this.#layers[layer] as LayerShape;
    return kvHeads * capacity * headDim;
  }

  /** How many rows of `length` tokens the budget holds. */
  #slotsWithin(length: number): number {
    return Math.floor(this.budgetBytes / (length * this.tokenBytes));
  }

  /**
   * The usual geometric capacity with room for what comes next. Where the budget does not hold it, half of what is left: with the bare need
   * each further token would move everything, and with all of it each further row would.
   */
  #affordable(rows: number, length: number): number {
    const wanted = capacityFor(length + HEADROOM);
    const most = Math.floor(this.budgetBytes / (rows * this.tokenBytes));
    return wanted <= most ? wanted : Math.max(length, (length + most) >> 1);
  }

  #freeSlot(): number {
    const free = this.#slots.indexOf(null);
    if (free >= 0) return free;
    const used = this.#slots.length;
    const rows = Math.min(Math.max(1, used * 2), Math.max(this.#maxRows, used + 1));
    if (rows * this.#capacity * this.tokenBytes <= this.budgetBytes) this.#relayout(rows, this.#capacity);
    else {
      const longest = this.#longest();
      const some = Math.max(used + 1, Math.min(rows, (used + this.#slotsWithin(Math.max(1, longest))) >> 1));
      this.#relayout(some, this.#affordable(some, longest));
    }
    return used;
  }

  /** Gives memory back when a quarter of the length, or none of the rows, is in use. */
  #shrink(): void {
    if (this.rowsInUse === 0) {
      this.#relayout(0, 0);
      return;
    }
    const capacity = capacityFor(this.#longest());
    if (capacity * 4 <= this.#capacity) this.#relayout(this.#slots.length, capacity * 2);
  }

  /** Moves everything to arrays of `rows` slots, which hold at least the live rows. Fewer slots than before: rows move together. */
  #relayout(rows: number, capacity: number): void {
    const live = this.#slots.filter((row) => row !== null);
    const slots: (Row | null)[] = rows < this.#slots.length ? live : [...this.#slots];
    while (slots.length < rows) slots.push(null);
    const move = (arrays: Float32Array[]) =>
      this.#layers.forEach(({ kvHeads, headDim }, layer) => {
        const old = arrays[layer] as Float32Array;
        const fresh = new Float32Array(rows * kvHeads * capacity * headDim);
        slots.forEach((row, slot) => {
          if (!row) return;
          for (let head = 0; head < kvHeads; head++) {
            const from = (row.slot * kvHeads + head) * this.#capacity * headDim;
            fresh.set(old.subarray(from, from + row.length * headDim), (slot * kvHeads + head) * capacity * headDim);
          }
        });
        arrays[layer] = fresh;
      });
    move(this.#keys);
    move(this.#values);
    slots.forEach((row, slot) => {
      if (row) row.slot = slot;
    });
    this.#slots = slots;
    this.#capacity = capacity;
  }

  /** The window of |members| slots that already holds most of them. */
  #bestWindow(members: ReadonlySet<Row>): number {
    const inside = (slot: number) => {
      const row = this.#slots[slot];
      return row && members.has(row) ? 1 : 0;
    };
    let count = 0;
    for (let slot = 0; slot < members.size; slot++) count += inside(slot);
    let best = { start: 0, count };
    for (let start = 1; start + members.size <= this.#slots.length; start++) {
      count += inside(start + members.size - 1) - inside(start - 1);
      if (count > best.count) best = { start, count };
    }
    return best.start;
  }

  /** Swaps two slots; either may be free. */
  #exchange(a: number, b: number): void {
    const rowA = this.#slots[a] ?? null;
    const rowB = this.#slots[b] ?? null;
    if (rowA && rowB) this.#swapSlots(a, b, Math.max(rowA.length, rowB.length));
    else if (rowB) this.#copySlot(b, a, rowB.length);
    else if (rowA) this.#copySlot(a, b, rowA.length);
    this.#slots[a] = rowB;
    this.#slots[b] = rowA;
    if (rowA) rowA.slot = b;
    if (rowB) rowB.slot = a;
  }

  #copySlot(from: number, to: number, length: number): void {
    this.#eachHead(from, to, length, (array, source, target, size) => array.copyWithin(target, source, source + size));
  }

  #swapSlots(a: number, b: number, length: number): void {
    this.#eachHead(a, b, length, (array, source, target, size) => {
      const held = array.slice(target, target + size);
      array.copyWithin(target, source, source + size);
      array.set(held, source);
    });
  }

  #eachHead(
    a: number,
    b: number,
    length: number,
    visit: (array: Float32Array, from: number, to: number, size: number) => void,
  ): void {
    this.#layers.forEach(({ kvHeads, headDim }, layer) => {
      const stride = this.#capacity * headDim;
      for (const arrays of [this.#keys, this.#values])
        for (let head = 0; head < kvHeads; head++)
          visit(
            arrays[layer] as Float32Array,
            (a * kvHeads + head) * stride,
            (b * kvHeads + head) * stride,
            length * headDim,
          );
    });
  }
}

/** A view costs as much as copying some hundred floats: a decode step copies thousands of pieces of one head's width. */
const WORTH_A_VIEW = 512;

function copyFloats(from: Float32Array, source: number, to: Float32Array, target: number, count: number): void {
  if (count >= WORTH_A_VIEW) {
    to.set(from.subarray(source, source + count), target);
    return;
  }
  for (let i = 0; i < count; i++) to[target + i] = from[source + i] as number;
}
