// Where a model's rows live and its forwards run: on the host (host-rows.ts) or on the device (device-rows.ts). All that the rest of the
// engine sees of the difference.
import type { BatchRow } from './batch.js';
import type { CacheRow, RowStore } from './row-store.js';
import type { LogitsBatch } from './view.js';

export interface ForwardRow extends BatchRow {
  readonly row: CacheRow;
}

export interface Forwarded {
  readonly logits: LogitsBatch;
  /** In the order of their logits. */
  readonly ordered: readonly ForwardRow[];
  /** New tokens computed, padding counted. */
  readonly tokens: number;
}

export interface RowPlace {
  readonly cache: RowStore;
  /** Takes in every row's new tokens and appends their keys and values. The caller has reserved room. */
  forward(rows: readonly ForwardRow[]): Promise<Forwarded>;
  release(): Promise<void>;
}
