// Rows and their shares → the padded arrays of one forward: pure. Row r of the batch is row r of the cache slice.
import type { DecoderBatch } from '../../kernels/decoder/model.js';

/** One row of a forward: which tokens it takes in, and from which of them on logits are wanted. */
export interface BatchRow {
  /** New token ids, at least one. */
  readonly ids: readonly number[];
  readonly pastLength: number;
  /** Logits are wanted for ids[logitsFrom ..]; ids.length when for none. */
  readonly logitsFrom: number;
  readonly longRope: boolean;
  readonly wantsHidden?: boolean;
  /** The logits are looked at on the host, not by a kernel. */
  readonly wantsNumbers?: boolean;
}

/** A forward's arrays without its past. */
export type NewTokens = Omit<DecoderBatch, 'pastCapacity' | 'pastKeys' | 'pastValues' | 'images'>;

export function makeBatch(rows: readonly BatchRow[]): NewTokens {
  const width = rows.reduce((widest, row) => Math.max(widest, row.ids.length), 0);
  const ids = new Int32Array(rows.length * width);
  const positions = new Int32Array(rows.length * width);
  const logitSlots: number[] = [];
  rows.forEach((row, r) => {
    for (let s = 0; s < width; s++) {
      // Padding repeats the last token: any valid id will do, its outputs are never read.
      ids[r * width + s] = row.ids[Math.min(s, row.ids.length - 1)] ?? 0;
      positions[r * width + s] = row.pastLength + Math.min(s, row.ids.length - 1);
      if (s >= row.logitsFrom && s < row.ids.length) logitSlots.push(r * width + s);
    }
  });
  return {
    rows: rows.length,
    width,
    ids,
    positions,
    newLengths: Int32Array.from(rows, (row) => row.ids.length),
    pastLengths: Int32Array.from(rows, (row) => row.pastLength),
    logitSlots: Int32Array.from(logitSlots),
    wantsHidden: rows.some((row) => row.wantsHidden),
    longRope: rows.some((row) => row.longRope) ? rows.map((row) => row.longRope) : null,
  };
}
