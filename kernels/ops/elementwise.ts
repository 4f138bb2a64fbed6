// Element-wise operators, named exactly as in ONNX. Plain numbers may stand for scalar constants.
import type { DType, Value } from '../graph.js';
import { asValues, broadcast, expectDtype, expectSameDtype, fail, only, type Operand } from './check.js';

const numeric: readonly DType[] = ['float32', 'float16', 'float64', 'int32', 'int64', 'int8', 'uint8'];
const floats: readonly DType[] = ['float32', 'float16', 'float64'];

function binary(op: string, a: Operand, b: Operand, dtype?: DType, attributes = {}): Value {
  const [left, right] = asValues(op, a, b);
  expectSameDtype(op, left, right);
  const shape = broadcast(op, left, right);
  return only(left.graph.node(op, [left, right], [{ dtype: dtype ?? left.dtype, shape }], attributes));
}

function arithmetic(op: string, a: Operand, b: Operand, attributes = {}): Value {
  for (const operand of [a, b]) if (typeof operand !== 'number') expectDtype(op, operand, numeric);
  return binary(op, a, b, undefined, attributes);
}

function unary(
  op: string,
  x: Value,
  allowed: readonly DType[],
  dtype: DType = x.dtype,
  domain: '' | 'com.microsoft' = '',
): Value {
  expectDtype(op, x, allowed);
  return only(x.graph.node(op, [x], [{ dtype, shape: x.shape }], {}, domain));
}

function logical(op: string, a: Value, b: Value): Value {
  expectDtype(op, a, ['bool']);
  return binary(op, a, b, 'bool');
}

export const Add = (a: Operand, b: Operand): Value => arithmetic('Add', a, b);
export const Sub = (a: Operand, b: Operand): Value => arithmetic('Sub', a, b);
export const Mul = (a: Operand, b: Operand): Value => arithmetic('Mul', a, b);
export const Div = (a: Operand, b: Operand): Value => arithmetic('Div', a, b);
export const Pow = (a: Operand, b: Operand): Value => arithmetic('Pow', a, b);
export const Max = (a: Operand, b: Operand): Value => arithmetic('Max', a, b);
export const Min = (a: Operand, b: Operand): Value => arithmetic('Min', a, b);

/** Integers: the sign of the divisor (Python). Floats: the sign of the dividend (C's fmod), the only form ONNX allows. */
export function Mod(a: Operand, b: Operand): Value {
  const isFloat = [a, b].some(
    (operand) => typeof operand !== 'number' && (operand.dtype === 'float32' || operand.dtype === 'float64'),
  );
  return arithmetic('Mod', a, b, isFloat ? { fmod: { int: 1 } } : {});
}

export const Greater = (a: Operand, b: Operand): Value => binary('Greater', a, b, 'bool');
export const GreaterOrEqual = (a: Operand, b: Operand): Value => binary('GreaterOrEqual', a, b, 'bool');
export const Less = (a: Operand, b: Operand): Value => binary('Less', a, b, 'bool');
export const LessOrEqual = (a: Operand, b: Operand): Value => binary('LessOrEqual', a, b, 'bool');
export const Equal = (a: Operand, b: Operand): Value => binary('Equal', a, b, 'bool');

export const And = (a: Value, b: Value): Value => logical('And', a, b);
export const Or = (a: Value, b: Value): Value => logical('Or', a, b);
export const Xor = (a: Value, b: Value): Value => logical('Xor', a, b);
export const Not = (x: Value): Value => unary('Not', x, ['bool']);

export const IsNaN = (x: Value): Value => unary('IsNaN', x, floats, 'bool');
export const IsInf = (x: Value): Value => unary('IsInf', x, floats, 'bool');

export const Neg = (x: Value): Value => unary('Neg', x, ['float32', 'float64', 'int32', 'int64', 'int8']);
export const Abs = (x: Value): Value => unary('Abs', x, numeric);
export const Exp = (x: Value): Value => unary('Exp', x, floats);
export const Log = (x: Value): Value => unary('Log', x, floats);
export const Sqrt = (x: Value): Value => unary('Sqrt', x, floats);
export const Reciprocal = (x: Value): Value => unary('Reciprocal', x, floats);
export const Floor = (x: Value): Value => unary('Floor', x, floats);
export const Ceil = (x: Value): Value => unary('Ceil', x, floats);
export const Round = (x: Value): Value => unary('Round', x, floats);
export const Sigmoid = (x: Value): Value => unary('Sigmoid', x, floats);
export const Tanh = (x: Value): Value => unary('Tanh', x, floats);
export const Relu = (x: Value): Value => unary('Relu', x, floats);
export const Erf = (x: Value): Value => unary('Erf', x, floats);
export const Cos = (x: Value): Value => unary('Cos', x, floats);
export const Sin = (x: Value): Value => unary('Sin', x, floats);

/** The exact GELU, or its tanh approximation (gelu_new and gelu_pytorch_tanh are both that). */
export function Gelu(x: Value, { approximate }: { approximate: 'none' | 'tanh' }): Value {
  expectDtype('Gelu', x, floats);
  return only(
    x.graph.node('Gelu', [x], [{ dtype: x.dtype, shape: x.shape }], { approximate: { string: approximate } }),
  );
}

/** com.microsoft: x · sigmoid(alpha · x). With alpha 1 it is SiLU. */
export function QuickGelu(x: Value, { alpha }: { alpha: number }): Value {
  expectDtype('QuickGelu', x, floats);
  return only(
    x.graph.node('QuickGelu', [x], [{ dtype: x.dtype, shape: x.shape }], { alpha: { float: alpha } }, 'com.microsoft'),
  );
}

/** com.microsoft: tanh-approximated GELU of x + bias in one pass. */
export function FastGelu(x: Value, bias: Value | null = null): Value {
  expectDtype('FastGelu', x, floats);
  return only(x.graph.node('FastGelu', [x, bias], [{ dtype: x.dtype, shape: x.shape }], {}, 'com.microsoft'));
}

export function Clip(x: Value, { min, max }: { min?: number; max?: number }): Value {
  expectDtype('Clip', x, numeric);
  const bound = (limit: number | undefined): Value | null =>
    limit === undefined ? null : x.graph.constant(x.dtype, [], [limit]);
  return only(x.graph.node('Clip', [x, bound(min), bound(max)], [{ dtype: x.dtype, shape: x.shape }]));
}

export function Where(condition: Value, then: Operand, otherwise: Operand): Value {
  expectDtype('Where', condition, ['bool']);
  const [a, b] = asValues('Where', then, otherwise);
  expectSameDtype('Where', a, b);
  const shape = broadcast('Where', condition, a, b);
  return only(condition.graph.node('Where', [condition, a, b], [{ dtype: a.dtype, shape }]));
}

const elementTypes: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};

export function Cast(x: Value, dtype: DType): Value {
  if (x.dtype === dtype) return x;
  return only(x.graph.node('Cast', [x], [{ dtype, shape: x.shape }], { to: { int: elementTypes[dtype] } }));
}

/** saturate(round(x / scale) + zeroPoint), with one scale for all, or one per index of `axis`. */
export function QuantizeLinear(x: Value, scale: Value, zeroPoint: Value, { axis }: { axis: number }): Value {
  expectDtype('QuantizeLinear', x, floats);
  expectDtype('QuantizeLinear', zeroPoint, ['uint8', 'int8']);
  if (scale.shape.length > 1) fail('QuantizeLinear', 'scale must be a scalar or a vector', x, scale);
  return only(
    x.graph.node('QuantizeLinear', [x, scale, zeroPoint], [{ dtype: zeroPoint.dtype, shape: x.shape }], {
      axis: { int: axis },
    }),
  );
}
