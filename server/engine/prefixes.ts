// Finished prompts of one model, kept by bytes so that a later request that begins with the same tokens skips their prefill. Keys are
// exact token ids, never hashes alone. Knows nothing of rows in use; a hit is copied into a fresh row.
import { LRUCache } from 'lru-cache';
import type { RowCopy } from './row-store.js';

interface Entry {
  readonly ids: Int32Array;
  readonly regime: number;
  readonly copy: RowCopy;
}

export interface PrefixHit {
  readonly length: number;
  readonly copy: RowCopy;
}

/** Shorter prefixes cost more to look up and copy than to compute. */
const SHORTEST = 16;
const ID_BYTES = 4;

export class PrefixStore {
  readonly #entries: LRUCache<string, Entry> | null;

  constructor(maxBytes: number) {
    this.#entries =
      maxBytes > 0
        ? new LRUCache({
            maxSize: maxBytes,
            sizeCalculation: (entry) => entry.copy.bytes + entry.ids.length * ID_BYTES,
            dispose: (entry) => entry.copy.release(),
          })
        : null;
  }

  get bytes(): number {
    return this.#entries?.calculatedSize ?? 0;
  }

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  /**
   * The longest stored beginning of `ids`, at most `ids.length − 1` tokens so that the last token is always computed and gives logits.
   * `regime` tells apart caches that were computed with other rope factors.
   */
  find(ids: Int32Array, regime: number): PrefixHit | null {
    if (!this.#entries || ids.length <= SHORTEST) return null;
    let best: { key: string; length: number; copy: RowCopy } | null = null;
    for (const [key, entry] of this.#entries.entries()) {
      if (entry.regime !== regime) continue;
      const length = Math.min(commonPrefix(entry.ids, ids), ids.length - 1);
      if (length >= SHORTEST && length > (best?.length ?? 0)) best = { key, length, copy: entry.copy };
    }
    if (best) this.#entries.get(best.key); // marks it as used
    return best;
  }

  /** Is a prefix at least as long as `ids` stored already? */
  covers(ids: Int32Array, regime: number): boolean {
    if (!this.#entries) return true;
    if (ids.length < SHORTEST) return true;
    for (const entry of this.#entries.values())
      if (entry.regime === regime && entry.ids.length >= ids.length && commonPrefix(entry.ids, ids) === ids.length)
        return true;
    return false;
  }

  store(ids: Int32Array, regime: number, copy: RowCopy): void {
    if (!this.#entries) {
      copy.release();
      return;
    }
    // A longer entry replaces the beginnings of itself: they would never win a look-up again.
    for (const [key, entry] of this.#entries.entries())
      if (
        entry.regime === regime &&
        entry.ids.length <= ids.length &&
        commonPrefix(entry.ids, ids) === entry.ids.length
      )
        this.#entries.delete(key);
    this.#entries.set(`${regime}:${ids.join(',')}`, { ids, regime, copy });
  }

  clear(): void {
    this.#entries?.clear();
  }
}

function commonPrefix(a: Int32Array, b: Int32Array): number {
  const limit = Math.min(a.length, b.length);
  let i = 0;
  while (i < limit && a[i] === b[i]) i++;
  return i;
}
