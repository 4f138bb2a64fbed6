// Matrix products, normalisations and rotary embedding: standard operators and onnxruntime's fused ones, named as they are there.
import { broadcastShapes, sameShape, shapeText } from '../dims.js';
import type { Shape, Value } from '../graph.js';
import { expectDtype, fail, normaliseAxis, only } from './check.js';

function productShape(op: string, a: Value, b: Value, transposeB: boolean): Shape {
  if (a.shape.length < 2 || b.shape.length < 2) return fail(op, 'needs two matrices', a, b);
  const rows = a.shape.at(-2) ?? 0;
  const [depth, columns] = transposeB ? [b.shape.at(-1), b.shape.at(-2)] : [b.shape.at(-2), b.shape.at(-1)];
  if (a.shape.at(-1) !== depth || columns === undefined) return fail(op, 'inner dimensions differ', a, b);
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return batch ? [...batch, rows, columns] : fail(op, 'batch dimensions differ', a, b);
}

export function MatMul(a: Value, b: Value): Value {
  expectDtype('MatMul', a, ['float32']);
  expectDtype('MatMul', b, ['float32']);
  return only(a.graph.node('MatMul', [a, b], [{ dtype: 'float32', shape: productShape('MatMul', a, b, false) }]));
}

/** a·b + c of matrices; transB reads b as [out, in]. */
export function Gemm(a: Value, b: Value, c: Value | null, { transB = false }: { transB?: boolean } = {}): Value {
  expectDtype('Gemm', a, ['float32']);
  const shape = productShape('Gemm', a, b, transB);
  if (shape.length !== 2) fail('Gemm', 'needs matrices', a, b);
  if (c && !broadcastShapes(shape, c.shape)) fail('Gemm', `the addend does not fit ${shapeText(shape)}`, c);
  return only(a.graph.node('Gemm', [a, b, c], [{ dtype: 'float32', shape }], transB ? { transB: { int: 1 } } : {}));
}

/** com.microsoft: alpha · a·b, b optionally transposed in its last two axes. */
export function FusedMatMul(
  a: Value,
  b: Value,
  { alpha = 1, transB = false }: { alpha?: number; transB?: boolean },
): Value {
  expectDtype('FusedMatMul', a, ['float32']);
  expectDtype('FusedMatMul', b, ['float32']);
  const shape = productShape('FusedMatMul', a, b, transB);
  const attributes = { alpha: { float: alpha }, transB: { int: transB ? 1 : 0 } };
  return only(a.graph.node('FusedMatMul', [a, b], [{ dtype: 'float32', shape }], attributes, 'com.microsoft'));
}

interface BlockFormat {
  readonly bits: 4 | 8;
  readonly blockSize: number;
}

/** com.microsoft: a·Bᵀ with B [rows, ceil(columns/block), block·bits/8] quantised in blocks along its columns, symmetric.
 * accuracy_level 4 quantises the activations to 8 bits per block and multiplies in integers. */
export function MatMulNBits(
  a: Value,
  b: Value,
  scales: Value,
  bias: Value | null,
  { bits, blockSize, rows, columns }: BlockFormat & { rows: number; columns: number },
): Value {
  expectDtype('MatMulNBits', a, ['float32']);
  expectDtype('MatMulNBits', b, ['uint8']);
  const blocks = Math.ceil(columns / blockSize);
  if (a.shape.at(-1) !== columns) fail('MatMulNBits', `the activations must have ${columns} columns`, a);
  if (!sameShape(b.shape, [rows, blocks, (blockSize * bits) / 8]))
    fail('MatMulNBits', `B must be [${rows}, ${blocks}, ${(blockSize * bits) / 8}]`, b);
  if (!sameShape(scales.shape, [rows * blocks]) && !sameShape(scales.shape, [rows, blocks]))
    fail('MatMulNBits', `scales must be [${rows * blocks}]`, scales);
  const attributes = {
    K: { int: columns },
    N: { int: rows },
    bits: { int: bits },
    block_size: { int: blockSize },
    accuracy_level: { int: 4 },
  };
  const output = { dtype: 'float32' as const, shape: [...a.shape.slice(0, -1), rows] };
  return only(a.graph.node('MatMulNBits', [a, b, scales, null, null, bias], [output], attributes, 'com.microsoft'));
}

/** com.microsoft: rows of a table quantised in blocks along its last axis. 4-bit tables are packed two to a byte. */
export function GatherBlockQuantized(
  data: Value,
  indices: Value,
  scales: Value,
  { bits, blockSize, columns, zeroPoints = null }: BlockFormat & { columns: number; zeroPoints?: Value | null },
): Value {
  expectDtype('GatherBlockQuantized', data, ['uint8']);
  expectDtype('GatherBlockQuantized', indices, ['int32', 'int64']);
  const attributes = {
    bits: { int: bits },
    block_size: { int: blockSize },
    gather_axis: { int: 0 },
    quantize_axis: { int: 1 },
  };
  const output = { dtype: 'float32' as const, shape: [...indices.shape, columns] };
  return only(
    data.graph.node('GatherBlockQuantized', [data, indices, scales, zeroPoints], [output], attributes, 'com.microsoft'),
  );
}

/** com.microsoft: (a − aZero)·aScale × (b − bZero)·bScale, a [.., in] and b [in, out] of bytes, bScale [out]. */
export function MatMulIntegerToFloat(
  a: Value,
  b: Value,
  aScale: Value,
  bScale: Value,
  aZeroPoint: Value | null,
  bZeroPoint: Value | null,
): Value {
  expectDtype('MatMulIntegerToFloat', a, ['uint8', 'int8']);
  expectDtype('MatMulIntegerToFloat', b, ['uint8', 'int8']);
  const shape = productShape('MatMulIntegerToFloat', a, b, false);
  return only(
    a.graph.node(
      'MatMulIntegerToFloat',
      [a, b, aScale, bScale, aZeroPoint, bZeroPoint],
      [{ dtype: 'float32', shape }],
      {},
      'com.microsoft',
    ),
  );
}

/** x / sqrt(mean(x²) + epsilon) · scale over the last axis: RMS norm. */
export function SimplifiedLayerNormalization(x: Value, scale: Value, { epsilon }: { epsilon: number }): Value {
  expectDtype('SimplifiedLayerNormalization', x, ['float32']);
  if (scale.shape.length !== 1 || scale.shape[0] !== x.shape.at(-1))
    fail('SimplifiedLayerNormalization', 'scale does not fit the last axis', x, scale);
  const attributes = { axis: { int: -1 }, epsilon: { float: epsilon }, stash_type: { int: 1 } };
  return only(
    x.graph.node('SimplifiedLayerNormalization', [x, scale], [{ dtype: x.dtype, shape: x.shape }], attributes),
  );
}

/** com.microsoft: sum = x + skip (+ bias), and the RMS norm of it; both are returned. */
export function SkipSimplifiedLayerNormalization(
  x: Value,
  skip: Value,
  scale: Value,
  { epsilon, bias = null }: { epsilon: number; bias?: Value | null },
): { readonly normalised: Value; readonly sum: Value } {
  return skipNormalisation('SkipSimplifiedLayerNormalization', [x, skip, scale, bias], epsilon);
}

export function LayerNormalization(
  x: Value,
  scale: Value,
  bias: Value | null,
  { epsilon }: { epsilon: number },
): Value {
  expectDtype('LayerNormalization', x, ['float32']);
  const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } };
  return only(x.graph.node('LayerNormalization', [x, scale, bias], [{ dtype: x.dtype, shape: x.shape }], attributes));
}

/** com.microsoft: sum = x + skip (+ bias), and the layer norm of it; both are returned. */
export function SkipLayerNormalization(
  x: Value,
  skip: Value,
  scale: Value,
  beta: Value,
  { epsilon, bias = null }: { epsilon: number; bias?: Value | null },
): { readonly normalised: Value; readonly sum: Value } {
  return skipNormalisation('SkipLayerNormalization', [x, skip, scale, beta, bias], epsilon);
}

function skipNormalisation(
  op: string,
  inputs: readonly [Value, Value, ...(Value | null)[]],
  epsilon: number,
): { readonly normalised: Value; readonly sum: Value } {
  const [x, skip] = inputs;
  expectDtype(op, x, ['float32']);
  if (!sameShape(x.shape, skip.shape) || x.shape.length < 2) fail(op, 'input and skip differ in shape', x, skip);
  const output = { dtype: x.dtype, shape: x.shape };
  // Outputs 1 and 2 are mean and variance, which inference never asks for; 3 is the sum.
  const unused = { dtype: x.dtype, shape: [], omitted: true };
  const outputs = [output, unused, unused, output];
  const [normalised, , , sum] = x.graph.node(op, inputs, outputs, { epsilon: { float: epsilon } }, 'com.microsoft');
  return normalised && sum ? { normalised, sum } : fail(op, 'four outputs expected');
}

/** com.microsoft: rotates pairs (i, i + rotary/2) of x [batch, heads, tokens, headDim] by rows `positions` of the tables [positions, rotary/2]. */
export function RotaryEmbedding(
  x: Value,
  positions: Value,
  cos: Value,
  sin: Value,
  { rotaryDim, heads }: { rotaryDim?: number; heads?: number } = {},
): Value {
  expectDtype('RotaryEmbedding', x, ['float32']);
  expectDtype('RotaryEmbedding', positions, ['int64']);
  normaliseAxis('RotaryEmbedding', -1, x.shape.length);
  const attributes = {
    interleaved: { int: 0 },
    ...(rotaryDim === undefined ? {} : { rotary_embedding_dim: { int: rotaryDim } }),
    ...(heads === undefined ? {} : { num_heads: { int: heads } }),
  };
  const output = { dtype: x.dtype, shape: x.shape };
  return only(x.graph.node('RotaryEmbedding', [x, positions, cos, sin], [output], attributes, 'com.microsoft'));
}
