// The elements of small data as bytes, and back: one place that knows how each element type lies in memory. Called by graph.ts and by whoever
// reads a graph's constants.
import { fromFloat16, toFloat16 } from './float16.js';
import type { DType } from './graph.js';

export type Elements = readonly number[] | readonly bigint[] | Float32Array | Int32Array | Uint8Array | Int8Array;

export function bytesOfElements(dtype: DType, data: Elements): Uint8Array {
  const typed = typedElements(dtype, data as readonly number[]);
  return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
}

function typedElements(
  dtype: DType,
  data: readonly number[],
): Float32Array | Float64Array | Uint16Array | Int32Array | BigInt64Array | Uint8Array | Int8Array {
  switch (dtype) {
    case 'float32':
      return Float32Array.from(data);
    case 'float16':
      return toFloat16(Float32Array.from(data));
    case 'float64':
      return Float64Array.from(data);
    case 'int32':
      return Int32Array.from(data);
    case 'int64':
      return BigInt64Array.from(Array.from(data, (x) => BigInt(x)));
    case 'uint8':
    case 'bool':
      return Uint8Array.from(data);
    case 'int8':
      return Int8Array.from(data);
    default:
      return dtype satisfies never;
  }
}

export function elementsOf({ dtype, bytes }: { readonly dtype: DType; readonly bytes: Uint8Array }): number[] {
  const { buffer } = bytes.slice();
  switch (dtype) {
    case 'float32':
      return [...new Float32Array(buffer)];
    case 'float16':
      return [...fromFloat16(new Uint16Array(buffer))];
    case 'float64':
      return [...new Float64Array(buffer)];
    case 'int32':
      return [...new Int32Array(buffer)];
    case 'int64':
      return Array.from(new BigInt64Array(buffer), Number);
    case 'int8':
      return [...new Int8Array(buffer)];
    case 'uint8':
    case 'bool':
      return [...new Uint8Array(buffer)];
    default:
      return dtype satisfies never;
  }
}
