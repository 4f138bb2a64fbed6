// Reductions, sorting and prefix sums, named exactly as in ONNX.
import type { Dim, Value } from '../graph.js';
import { expectDtype, fail, int64s, normaliseAxis, only } from './check.js';

interface ReduceOptions {
  readonly axes: readonly number[];
  readonly keepdims: boolean;
}

function reduce(op: string, x: Value, { axes, keepdims }: ReduceOptions): Value {
  expectDtype(op, x, ['float32', 'float64', 'int32', 'int64']);
  if (axes.length === 0) fail(op, 'no axes', x);
  const at = axes.map((axis) => normaliseAxis(op, axis, x.shape.length));
  const shape = keepdims
    ? x.shape.map((dim, i): Dim => (at.includes(i) ? 1 : dim))
    : x.shape.filter((_, i) => !at.includes(i));
  const attributes = { keepdims: { int: keepdims ? 1 : 0 } };
  return only(x.graph.node(op, [x, int64s(x, at)], [{ dtype: x.dtype, shape }], attributes));
}

export const ReduceMax = (x: Value, options: ReduceOptions): Value => reduce('ReduceMax', x, options);
export const ReduceMin = (x: Value, options: ReduceOptions): Value => reduce('ReduceMin', x, options);
export const ReduceSum = (x: Value, options: ReduceOptions): Value => reduce('ReduceSum', x, options);
export const ReduceMean = (x: Value, options: ReduceOptions): Value => reduce('ReduceMean', x, options);
export const ReduceLogSumExp = (x: Value, options: ReduceOptions): Value => reduce('ReduceLogSumExp', x, options);

interface ArgOptions {
  readonly axis: number;
  readonly keepdims: boolean;
}

function arg(op: string, x: Value, { axis, keepdims }: ArgOptions): Value {
  expectDtype(op, x, ['float32', 'int32', 'int8', 'uint8']);
  const at = normaliseAxis(op, axis, x.shape.length);
  const shape = keepdims ? x.shape.map((dim, i): Dim => (i === at ? 1 : dim)) : x.shape.filter((_, i) => i !== at);
  const attributes = { axis: { int: at }, keepdims: { int: keepdims ? 1 : 0 } };
  return only(x.graph.node(op, [x], [{ dtype: 'int64', shape }], attributes));
}

/** The index of the greatest element, the lowest one on ties. */
export const ArgMax = (x: Value, options: ArgOptions): Value => arg('ArgMax', x, options);
export const ArgMin = (x: Value, options: ArgOptions): Value => arg('ArgMin', x, options);

/** The k greatest elements, descending, lower index first on ties. k is a constant, or a [1] int64 value whose size is named by `dim`. */
export function TopK(
  x: Value,
  k: number | { readonly value: Value; readonly dim: Dim },
  { axis = -1 }: { axis?: number } = {},
): { readonly values: Value; readonly indices: Value } {
  expectDtype('TopK', x, ['float32', 'int32', 'int64']);
  const at = normaliseAxis('TopK', axis, x.shape.length);
  const dim = typeof k === 'number' ? k : k.dim;
  const count = typeof k === 'number' ? int64s(x, [k]) : k.value;
  expectDtype('TopK', count, ['int64']);
  const shape = x.shape.map((old, i) => (i === at ? dim : old));
  const outputs = [
    { dtype: x.dtype, shape },
    { dtype: 'int64' as const, shape },
  ];
  const [values, indices] = x.graph.node('TopK', [x, count], outputs, { axis: { int: at } });
  return values && indices ? { values, indices } : fail('TopK', 'two outputs expected');
}

export function CumSum(x: Value, { axis, exclusive = false }: { axis: number; exclusive?: boolean }): Value {
  expectDtype('CumSum', x, ['float32', 'float64', 'int32', 'int64']);
  const at = normaliseAxis('CumSum', axis, x.shape.length);
  const inputs = [x, x.graph.constant('int64', [], [at])];
  const attributes = exclusive ? { exclusive: { int: 1 } } : {};
  return only(x.graph.node('CumSum', inputs, [{ dtype: x.dtype, shape: x.shape }], attributes));
}

export function Softmax(x: Value, { axis = -1 }: { axis?: number } = {}): Value {
  expectDtype('Softmax', x, ['float32']);
  const at = normaliseAxis('Softmax', axis, x.shape.length);
  return only(x.graph.node('Softmax', [x], [{ dtype: x.dtype, shape: x.shape }], { axis: { int: at } }));
}

export function LogSoftmax(x: Value, { axis = -1 }: { axis?: number } = {}): Value {
  expectDtype('LogSoftmax', x, ['float32']);
  const at = normaliseAxis('LogSoftmax', axis, x.shape.length);
  return only(x.graph.node('LogSoftmax', [x], [{ dtype: x.dtype, shape: x.shape }], { axis: { int: at } }));
}
