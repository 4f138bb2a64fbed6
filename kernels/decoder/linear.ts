// Matrix products and embedding tables in every weight format. The only place that knows formats; blocks and heads ask for "x times
// this matrix". Activations are [tokens, columns] everywhere.
import type { GraphBuilder, Value } from '../graph.js';
import { remembered } from '../memo.js';
import * as ops from '../ops.js';
import type { WeightFormat } from './format.js';
import { slotZeroPointsInput, zeroPointsInput } from './ports.js';
import { type QuantizedBlocks, quantizeBlocks, quantizeChannels } from './quantize.js';
import { bytesOf, type Matrix } from './tensors.js';

/** Tables with fewer elements stay float32: they cost no time, and small vocabularies feel rounding most. */
export const smallTable = 1 << 22;

/** Block size of what w8a8 keeps in blocks: the embedding table and the first layer. */
const blockBesideChannels = 64;

/** A matrix below this stays in the cache of one core at 8 bits. */
const smallProjection = 1 << 18;

/** Matrices that small take their scales from few weights: bytes cost them nothing, and they forgive little. */
const smallBlock = 16;

/** From this on a matrix of the first layer costs more time at 8 bits than its rounding is worth: those of a model of a billion weights. */
const largeMatrix = 1 << 22;

/** Both results of one quantisation, which the writer asks for one after the other: kept until both are taken. */
function taken<A, B>(make: () => { readonly first: A; readonly second: B }): { first: () => A; second: () => B } {
  let made: { readonly first: A; readonly second: B } | null = null;
  let pending = 0;
  const take = (): { readonly first: A; readonly second: B } => {
    if (made === null || pending === 0) {
      made = make();
      pending = 2;
    }
    const result = made;
    if (--pending === 0) made = null;
    return result;
  };
  return { first: () => take().first, second: () => take().second };
}

export class Linear {
  readonly #g: GraphBuilder;
  readonly #format: WeightFormat;
  /** A tied matrix is quantised once and seen twice: the same functions give the same place in the file. */
  readonly #blocks = new Map<Matrix, { data: () => Uint8Array; scales: () => Uint8Array }>();
  readonly #floats = new Map<Matrix, () => Uint8Array>();

  readonly #zeros = new Map<string, Value>();

  constructor(g: GraphBuilder, format: WeightFormat) {
    this.#g = g;
    this.#format = format;
  }

  vector(name: string, length: number, read: () => Float32Array): Value {
    return this.#g.weight(name, 'float32', [length], () => bytesOf(read()));
  }

  /** x [tokens, columns] · matrixᵀ (+ bias). */
  apply(
    x: Value,
    matrix: Matrix,
    bias: (() => Float32Array) | null = null,
    format: WeightFormat = this.#formatOf(matrix),
  ): Value {
    const { name, rows } = matrix;
    const addend = bias ? this.vector(`${name}.bias`, rows, bias) : null;
    switch (format.kind) {
      case 'f32':
      case 'f16':
        return ops.Gemm(x, this.#float(matrix), addend, { transB: true });
      case 'q8':
        return this.#nBits(x, matrix, addend, 8, format.blockSize);
      case 'q4':
        return this.#nBits(x, matrix, addend, 4, format.blockSize);
      case 'w8a8':
        return this.#channels(x, matrix, addend, format.unsigned ?? false);
      default:
        return format satisfies never;
    }
  }

  /**
   * The first layer is delicate: rounding there goes through all the others, and the inputs of its feed-forward part have outliers. It
   * is one layer of many, so at q4 it keeps 8 bits, and at w8a8 blocks of its own scales. At 4 bits attention matrices that are too
   * small to cost time keep 8 as well, and at both so do the small products down, whose inputs have outliers in every layer. Small
   * matrices take their scales from few weights. Large ones, which have the redundancy to forgive it, get what was asked in every layer:
   * in the 1.24B shape the first layer's other half would be 4 % of the bytes that a step of one row reads. Divergences: docs/decisions.md, D42.
   */
  #formatOf({ name, rows, columns }: Matrix): WeightFormat {
    const format = this.#format;
    const isFirst = name.startsWith('layer.0.');
    const isSmall = rows * columns < smallProjection;
    const isSmallDown = isSmall && name.endsWith('.mlp.down');
    const blocks = (kind: 'q8' | 'q4', blockSize: number): WeightFormat => ({
      kind,
      blockSize: isSmall ? Math.min(blockSize, smallBlock) : blockSize,
    });
    switch (format.kind) {
      case 'f32':
      case 'f16':
        return format;
      case 'q8':
        return blocks('q8', format.blockSize);
      case 'q4': {
        const isSmallAttention = isSmall && name.includes('.attention.');
        const isDelicate = isFirst && rows * columns < largeMatrix;
        return blocks(isDelicate || isSmallAttention || isSmallDown ? 'q8' : 'q4', format.blockSize);
      }
      case 'w8a8':
        return isFirst || isSmallDown ? blocks('q8', blockBesideChannels) : format;
      default:
        return format satisfies never;
    }
  }

  /** Rows `ids` of the table, in float32. */
  gather(table: Matrix, ids: Value): Value {
    const { kind } = this.#format;
    if (kind === 'f32' || kind === 'f16' || table.rows * table.columns < smallTable)
      return ops.Gather(this.#float(table), ids);
    const bits = kind === 'q4' ? 4 : 8;
    const blockSize = kind === 'w8a8' ? blockBesideChannels : this.#format.blockSize;
    const blocks = Math.ceil(table.columns / blockSize);
    // The bytes are those of MatMulNBits, whose last block is padded: gather whole blocks, cut the padding off.
    const columns = blocks * blockSize;
    const { data, scales } = this.#quantized(table, bits, blockSize);
    const g = this.#g;
    const rows = ops.GatherBlockQuantized(
      g.weight(`${table.name}.rows`, 'uint8', [table.rows, (columns * bits) / 8], data),
      ids,
      g.weight(`${table.name}.row_scales`, 'float32', [table.rows, blocks], scales),
      { bits, blockSize, columns },
    );
    return columns === table.columns ? rows : ops.Slice(rows, { axis: 1, start: 0, end: table.columns });
  }

  /** The head's product: small vocabularies keep 8 bits where the rest has 4. */
  head(x: Value, matrix: Matrix): Value {
    const format = this.#format;
    const small = matrix.rows * matrix.columns < smallTable;
    return this.apply(x, matrix, null, format.kind === 'q4' && small ? { ...format, kind: 'q8' } : format);
  }

  #float(matrix: Matrix): Value {
    const produce = remembered(this.#floats, matrix, () => () => bytesOf(matrix.read()));
    return this.#g.weight(`${matrix.name}.weight`, 'float32', [matrix.rows, matrix.columns], produce);
  }

  #quantized(matrix: Matrix, bits: 4 | 8, blockSize: number): { data: () => Uint8Array; scales: () => Uint8Array } {
    return remembered(this.#blocks, matrix, () => {
      const { rows, columns } = matrix;
      const both = taken(() => {
        const { data, scales }: QuantizedBlocks = quantizeBlocks(matrix.read(), rows, columns, bits, blockSize);
        return { first: data, second: bytesOf(scales) };
      });
      return { data: both.first, scales: both.second };
    });
  }

  #nBits(x: Value, matrix: Matrix, bias: Value | null, bits: 4 | 8, blockSize: number): Value {
    const { name, rows, columns } = matrix;
    const blocks = Math.ceil(columns / blockSize);
    const { data, scales } = this.#quantized(matrix, bits, blockSize);
    const b = this.#g.weight(`${name}.blocks`, 'uint8', [rows, blocks, (blockSize * bits) / 8], data);
    const s = this.#g.weight(`${name}.scales`, 'float32', [rows * blocks], scales);
    return ops.MatMulNBits(x, b, s, bias, { bits, blockSize, rows, columns });
  }

  /** The zero point of every row, 128: QuantizeLinear wants a vector as long as the scales', so the host feeds one. */
  #zeroPoints(x: Value): Value {
    const [rows] = x.shape;
    const name = rows === 'N' ? zeroPointsInput : slotZeroPointsInput;
    return remembered(this.#zeros, name, () => this.#g.input(name, 'uint8', [rows ?? 'N']));
  }

  /** Every row of x gets its own scale, so a row's result does not depend on its batch mates: x ≈ (q − 128) · max|row| / 127. */
  #channels(x: Value, matrix: Matrix, bias: Value | null, unsigned: boolean): Value {
    const g = this.#g;
    const { name, rows, columns } = matrix;
    const both = taken(() => {
      const { data, scales } = quantizeChannels(matrix.read(), rows, columns);
      return { first: unsigned ? around128(data) : bytesOf(data), second: bytesOf(scales) };
    });
    const b = g.weight(`${name}.channels`, unsigned ? 'uint8' : 'int8', [columns, rows], both.first);
    const bScales = g.weight(`${name}.scales`, 'float32', [rows], both.second);
    const largest = ops.ReduceMax(ops.Abs(x), { axes: [1], keepdims: false });
    // A row of zeros has scale 0: whatever its NaN quotients round to is multiplied by 0 at the end.
    const scale = ops.Mul(largest, 1 / 127);
    const quantized = ops.QuantizeLinear(x, scale, this.#zeroPoints(x), { axis: 0 });
    const one = g.constant('float32', [], [1]);
    const zero = g.constant('uint8', [], [128]);
    const product = ops.Mul(
      ops.MatMulIntegerToFloat(quantized, b, one, bScales, zero, unsigned ? zero : null),
      ops.Unsqueeze(scale, [1]),
    );
    return bias ? ops.Add(product, bias) : product;
  }
}

/** The same numbers as unsigned bytes with the zero point 128. */
function around128(data: Int8Array): Uint8Array {
  return Uint8Array.from(data, (value) => value + 128);
}
