// How the matrices of an artifact are stored. Small data, kept beside the artifact.

export type WeightFormat =
  | { readonly kind: 'f32' }
  /** MatMulNBits: blocks along the columns, symmetric. */
  | { readonly kind: 'q8' | 'q4'; readonly blockSize: number }
  /** int8 per output channel, activations quantised per row. */
  | { readonly kind: 'w8a8' };
