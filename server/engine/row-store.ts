// What the engine needs of a model's key/value rows, wherever they lie: cache.ts keeps them on the host, device-cache.ts on the device.
// A row is a handle for a sequence of tokens whose keys and values are kept.

/** Heads and their width in one layer. */
export interface LayerShape {
  readonly kvHeads: number;
  readonly headDim: number;
}

/** A claimed row. `length` counts the tokens whose keys and values it holds. */
export interface CacheRow {
  readonly id: number;
  readonly length: number;
  /** Rows of one lane hold their common tokens once, and go into a forward as one row of it. Changes as rows are forked and parted. */
  readonly lane: object;
}

/** The keys and values of one row's first tokens, kept apart from the rows in use. */
export interface RowCopy {
  readonly length: number;
  readonly bytes: number;
  /** It is not kept any more. */
  release(): void;
}

/** Every call is bookkeeping that takes effect at once. */
export interface RowStore {
  readonly rowsInUse: number;
  /** What rows share counts once. */
  readonly tokensInUse: number;
  /** Allocated now. */
  readonly bytes: number;
  readonly budgetBytes: number;
  /** Bytes of keys and values of one token in one row, over all layers. */
  readonly tokenBytes: number;
  /** Tokens of one row that alone fills the budget. */
  readonly longestRow: number;
  /** Would `rows` rows of `length` tokens each fit the byte budget, if nothing else were there and they shared nothing? */
  fits(rows: number, length: number): boolean;
  /** An empty row. Admission has priced it. */
  claim(): CacheRow;
  /** A row that begins with the first `length` tokens of `source`; what becomes of one is nothing to the other. */
  fork(source: CacheRow, length?: number): CacheRow;
  truncate(row: CacheRow, length: number): void;
  release(row: CacheRow): void;
  /** Makes room for `added` more tokens in each of `rows`; false when that would pass the byte budget. */
  reserve(rows: readonly CacheRow[], added: readonly number[]): boolean;
  /** A copy of the row's first `length` tokens that lives outside the rows in use. */
  copyOut(row: CacheRow, length: number): RowCopy;
  /** Fills an empty row with the first `length` tokens of a copy. reserve() has made room. */
  copyIn(row: CacheRow, copy: RowCopy, length: number): void;
  /** Overwrites everything that is not a live token. */
  scrub(): void;
  /** Throws when an invariant is broken; called when the engine is idle and by tests. */
  check(): void;
}
