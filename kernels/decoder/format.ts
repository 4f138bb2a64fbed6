// How the matrices of an artifact are stored, and in which precision its graph computes. Small data, kept beside the artifact.

export type WeightFormat =
  | { readonly kind: 'f32' }
  /** float16 throughout (half.ts). */
  | { readonly kind: 'f16' }
  /** MatMulNBits: blocks along the columns, symmetric. */
  | { readonly kind: 'q8' | 'q4'; readonly blockSize: number; readonly activations?: 'f16' }
  /**
   * int8 per output channel, activations quantised per row. x64 without VNNI adds two products of a byte and a signed byte in 16 bits and cuts what
   * is too large off; there the same weights are kept as unsigned bytes around 128, whose products the runtime adds in 32.
   */
  | { readonly kind: 'w8a8'; readonly unsigned?: true };

/** Are activations, keys and values float16? */
export const isHalf = (format: WeightFormat): boolean =>
  format.kind === 'f16' || ('activations' in format && format.activations === 'f16');
