// Rows and their shares → the padded arrays of one forward: pure. Row r of the batch is lane r of the cache slice.
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
  /** Of its last logits the host wants a few log-probabilities, and no kernel anything. */
  readonly asked?: AskedLogprobs | null;
}

export interface AskedLogprobs {
  readonly ids: readonly number[];
  /** Columns from here on are no tokens. */
  readonly vocabSize: number;
}

/** A forward's arrays without its past. */
export type NewTokens = Omit<DecoderBatch, 'pastCapacity' | 'pastKeys' | 'pastValues' | 'images'>;

/** Rows whose new tokens lie side by side in one row of the forward. `slotsOf`: where a row's past lies in it; null: in its first slots. */
export function makeBatch<R extends BatchRow>(
  lanes: readonly (readonly R[])[],
  slotsOf: (row: R) => readonly number[] | null,
): NewTokens {
  const widths = lanes.map((rows) => rows.reduce((sum, { ids }) => sum + ids.length, 0));
  const width = Math.max(...widths);
  const ids = new Int32Array(lanes.length * width);
  const positions = new Int32Array(lanes.length * width);
  const isLong = lanes.some((rows) => rows.some(({ longRope }) => longRope));
  const longRope = isLong ? Array.from({ length: lanes.length * width }, () => false) : null;
  const logitSlots: number[] = [];
  lanes.forEach((rows, lane) => {
    let at = lane * width;
    for (const row of rows)
      row.ids.forEach((id, i) => {
        ids[at] = id;
        positions[at] = row.pastLength + i;
        if (longRope) longRope[at] = row.longRope;
        if (i >= row.logitsFrom) logitSlots.push(at);
        at++;
      });
    // Padding repeats the last token: any valid id will do, its outputs are never read.
    const last = at - 1;
    for (; at < (lane + 1) * width; at++) {
      ids[at] = ids[last] ?? 0;
      positions[at] = positions[last] ?? 0;
      if (longRope) longRope[at] = longRope[last] ?? false;
    }
  });
  return {
    rows: lanes.length,
    width,
    ids,
    positions,
    segments: lanes.map((rows) =>
      rows.map((row) => ({ count: row.ids.length, past: row.pastLength, slots: slotsOf(row) })),
    ),
    logitSlots: Int32Array.from(logitSlots),
    wantsHidden: lanes.some((rows) => rows.some(({ wantsHidden }) => wantsHidden)),
    longRope,
  };
}
