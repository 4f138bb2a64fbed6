// The operators that a graph may contain, as one line each: what goes in, what comes out, which attributes. Read by verify.ts. It is
// written against the operators' documentation, not derived from ops.ts: the two check each other.
//
// T, U: any element type, the same wherever the letter stands. I: int32 or int64. B, C: int8 or uint8. '?' may be omitted, '...' repeats.
import type { Attribute, Domain } from './graph.js';

type AttributeKind = Attribute extends infer A ? (A extends unknown ? keyof A : never) : never;

export interface Operator {
  readonly signature: string;
  readonly attributes: Readonly<Record<string, AttributeKind>>;
}

const op = (signature: string, attributes: Operator['attributes'] = {}): Operator => ({ signature, attributes });

const unary = op('T -> T');
const arithmetic = op('T, T -> T');
const comparison = op('T, T -> bool');
const logical = op('bool, bool -> bool');
const test = op('T -> bool');
const reduction = op('T, int64 -> T', { keepdims: 'int' });
const argument = op('T -> int64', { axis: 'int', keepdims: 'int' });
const alongAxis = op('T -> T', { axis: 'int' });

const standard: Readonly<Record<string, Operator>> = {
  Abs: unary,
  Add: arithmetic,
  And: logical,
  ArgMax: argument,
  ArgMin: argument,
  Cast: op('T -> U', { to: 'int' }),
  Ceil: unary,
  Clip: op('T, T?, T? -> T'),
  Concat: op('T... -> T', { axis: 'int' }),
  Cos: unary,
  CumSum: op('T, I -> T', { exclusive: 'int' }),
  Div: arithmetic,
  Equal: comparison,
  Erf: unary,
  Exp: unary,
  Expand: op('T, int64 -> T'),
  Floor: unary,
  Gather: op('T, I -> T', { axis: 'int' }),
  GatherElements: op('T, I -> T', { axis: 'int' }),
  GatherND: op('T, int64 -> T', { batch_dims: 'int' }),
  Gelu: op('T -> T', { approximate: 'string' }),
  Gemm: op('T, T, T? -> T', { transB: 'int' }),
  Greater: comparison,
  GreaterOrEqual: comparison,
  Identity: unary,
  IsInf: test,
  IsNaN: test,
  LayerNormalization: op('T, T, T? -> T', { axis: 'int', epsilon: 'float' }),
  Less: comparison,
  LessOrEqual: comparison,
  Log: unary,
  LogSoftmax: alongAxis,
  MatMul: arithmetic,
  Max: arithmetic,
  Min: arithmetic,
  Mod: op('T, T -> T', { fmod: 'int' }),
  Mul: arithmetic,
  Neg: unary,
  Not: op('bool -> bool'),
  Or: logical,
  Pad: op('T, int64, T, int64 -> T', { mode: 'string' }),
  Pow: arithmetic,
  QuantizeLinear: op('float32, float32, B -> B', { axis: 'int' }),
  Range: op('T, T, T -> T'),
  Reciprocal: unary,
  ReduceLogSumExp: reduction,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceSum: reduction,
  Relu: unary,
  Reshape: op('T, int64 -> T'),
  Round: unary,
  ScatterElements: op('T, I, T -> T', { axis: 'int', reduction: 'string' }),
  ScatterND: op('T, int64, T -> T', { reduction: 'string' }),
  Shape: op('T -> int64', { start: 'int', end: 'int' }),
  Sigmoid: unary,
  SimplifiedLayerNormalization: op('T, T -> T', { axis: 'int', epsilon: 'float', stash_type: 'int' }),
  Sin: unary,
  Slice: op('T, I, I, I -> T'),
  Softmax: alongAxis,
  Split: op('T, int64 -> T...', { axis: 'int' }),
  Sqrt: unary,
  Squeeze: op('T, int64 -> T'),
  Sub: arithmetic,
  Tanh: unary,
  TopK: op('T, int64 -> T, int64', { axis: 'int' }),
  Transpose: op('T -> T', { perm: 'ints' }),
  Unsqueeze: op('T, int64 -> T'),
  Where: op('bool, T, T -> T'),
  Xor: logical,
};

const microsoft: Readonly<Record<string, Operator>> = {
  FastGelu: op('T, T? -> T'),
  FusedMatMul: op('T, T -> T', { alpha: 'float', transB: 'int' }),
  GatherBlockQuantized: op('uint8, I, T, uint8? -> T', {
    bits: 'int',
    block_size: 'int',
    gather_axis: 'int',
    quantize_axis: 'int',
  }),
  MatMulIntegerToFloat: op('B, C, float32, float32, B?, C?, float32? -> float32'),
  MatMulNBits: op('T, uint8, T, uint8?, int32?, T? -> T', {
    K: 'int',
    N: 'int',
    bits: 'int',
    block_size: 'int',
    accuracy_level: 'int',
  }),
  QuickGelu: op('T -> T', { alpha: 'float' }),
  RotaryEmbedding: op('T, int64, T, T -> T', {
    interleaved: 'int',
    num_heads: 'int',
    rotary_embedding_dim: 'int',
  }),
  SkipLayerNormalization: op('T, T, T, T?, T? -> T, float32?, float32?, T?', { epsilon: 'float' }),
  SkipSimplifiedLayerNormalization: op('T, T, T, T? -> T, float32?, float32?, T?', { epsilon: 'float' }),
};

const domains: Readonly<Record<Domain, Readonly<Record<string, Operator>>>> = {
  '': standard,
  'com.microsoft': microsoft,
};

export const operatorOf = (domain: Domain, name: string): Operator | undefined => domains[domain][name];

interface Port {
  readonly type: string;
  readonly optional: boolean;
  readonly repeats: boolean;
}

export interface Ports {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

const parsed = new Map<string, Ports>();

export function portsOf({ signature }: Operator): Ports {
  const known = parsed.get(signature);
  if (known) return known;
  const [left = '', right = ''] = signature.split(' -> ');
  const side = (text: string): Port[] =>
    text.split(', ').map((port) => ({
      type: port.replace(/\?|\.\.\.$/, ''),
      optional: port.endsWith('?'),
      repeats: port.endsWith('...'),
    }));
  const ports = { inputs: side(left), outputs: side(right) };
  parsed.set(signature, ports);
  return ports;
}
