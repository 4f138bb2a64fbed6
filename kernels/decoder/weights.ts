// Where the decoder builder gets its weights from. It asks for one tensor at a time, by name, as float32; it knows no file format.
// Implemented by server/models/safetensors.ts (and by plain maps in tests).

export interface TensorInfo {
  readonly shape: readonly number[];
  /** The stored type, in the file format's own spelling ("F32", "BF16"). */
  readonly dtype: string;
}

export interface TensorSource {
  has(name: string): boolean;
  info(name: string): TensorInfo;
  /** A fresh array, row-major. Throws when the tensor is missing or not finite. */
  readF32(name: string): Float32Array;
}
