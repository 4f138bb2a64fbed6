// The additive masks of one forward: 0 where a query may look, −∞ where not. Made on the host; one per distinct window.

/** New tokens of one sequence, beside those of others in the same row of a forward, and where its past lies in that row. */
export interface Segment {
  /** New tokens, at least one. */
  readonly count: number;
  /** Tokens of its past. */
  readonly past: number;
  /** By place in the past, the slot of its key; null: the slots 0, 1, 2, … */
  readonly slots: readonly number[] | null;
}

export interface MaskBatch {
  readonly rows: number;
  /** S: new tokens per row, padded. */
  readonly width: number;
  /** By row, in the order of its new tokens. */
  readonly segments: readonly (readonly Segment[])[];
  /** M */
  readonly pastCapacity: number;
}

/**
 * [B, copies·S, M + S]: the S lines of a row are repeated for every head of a group that is folded into the token axis. Query s of a
 * segment with past length p stands at position p + s and sees the positions j with p + s − window < j ≤ p + s of its own segment, of the
 * past those below p. Every query sees itself, also a padded one, so no softmax is empty; nobody sees padding.
 */
export function attentionMask(
  { rows, width, segments, pastCapacity }: MaskBatch,
  window: number | null,
  copies: number,
): Float32Array {
  const total = pastCapacity + width;
  const mask = new Float32Array(rows * copies * width * total).fill(-Infinity);
  for (let row = 0; row < rows; row++) {
    const base = row * copies * width * total;
    let column = 0;
    for (const { count, past, slots } of segments[row] ?? []) {
      const own = pastCapacity + column;
      for (let s = 0; s < count; s++) {
        const line = base + (column + s) * total;
        const first = window === null ? 0 : Math.max(0, past + s - window + 1);
        if (slots === null) mask.fill(0, line + first, line + Math.max(first, past));
        else for (let position = first; position < past; position++) mask[line + (slots[position] as number)] = 0;
        mask.fill(0, line + own + Math.max(0, first - past), line + own + s + 1);
      }
      column += count;
    }
    for (; column < width; column++) mask[base + column * total + pastCapacity + column] = 0;
    for (let copy = 1; copy < copies; copy++) mask.copyWithin(base + copy * width * total, base, base + width * total);
  }
  return mask;
}
