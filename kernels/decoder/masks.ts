// The additive masks of one forward: 0 where a query may look, −∞ where not. Made on the host; one per distinct window.

export interface MaskBatch {
  readonly rows: number;
  /** S: new tokens per row, padded. */
  readonly width: number;
  readonly pastLengths: Int32Array;
  /** M */
  readonly pastCapacity: number;
}

/**
 * [B, copies·S, M + S]: the S lines of a row are repeated for every head of a group that is folded into the token axis. Query s of a
 * row with past length p stands at position p + s and sees the positions j with p + s − window < j ≤ p + s, of the past those below p.
 * Every query sees itself, also a padded one, so no softmax is empty; real queries never see padding because it comes after them.
 */
export function attentionMask(
  { rows, width, pastLengths, pastCapacity }: MaskBatch,
  window: number | null,
  copies: number,
): Float32Array {
  const total = pastCapacity + width;
  const mask = new Float32Array(rows * copies * width * total).fill(-Infinity);
  for (let row = 0; row < rows; row++) {
    const past = pastLengths[row] ?? 0;
    const base = row * copies * width * total;
    for (let s = 0; s < width; s++) {
      const line = base + s * total;
      const first = window === null ? 0 : Math.max(0, past + s - window + 1);
      if (first < past) mask.fill(0, line + first, line + past);
      mask.fill(0, line + pastCapacity + Math.max(0, first - past), line + pastCapacity + s + 1);
    }
    for (let copy = 1; copy < copies; copy++) mask.copyWithin(base + copy * width * total, base, base + width * total);
  }
  return mask;
}
