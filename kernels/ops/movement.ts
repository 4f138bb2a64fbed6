// Operators that move elements: shapes, slices, gathers, scatters. Named exactly as in ONNX.
import { addDims, divideDims, multiplyDims, shapeText } from '../dims.js';
import { type Dim, type Shape, type Value } from '../graph.js';
import { broadcast, expectDtype, expectSameDtype, fail, int64s, normaliseAxis, only } from './check.js';

/** `shape` as in ONNX: 0 copies the dimension, one −1 takes the rest. `named` gives the result's dimensions where the symbols cannot be derived. */
export function Reshape(x: Value, shape: readonly number[], named?: Shape): Value {
  if (shape.filter((dim) => dim === -1).length > 1) fail('Reshape', `two −1 in ${shapeText(shape)}`, x);
  const known: Dim[] = shape.map((dim, i) => {
    if (dim !== 0) return dim;
    return x.shape[i] ?? fail('Reshape', `0 at axis ${i} copies a dimension that is not there`, x);
  });
  const others = known.filter((dim) => dim !== -1);
  const rest = divideDims(x.shape, others);
  const inferred = known.map((dim) => (dim === -1 ? rest : dim));
  if (!named && (rest === null || (!known.includes(-1) && rest !== 1)))
    fail('Reshape', `${shapeText(shape)} does not hold ${multiplyDims(x.shape)} elements`, x);
  const result = named ?? (inferred as Dim[]);
  return only(x.graph.node('Reshape', [x, int64s(x, shape)], [{ dtype: x.dtype, shape: result }]));
}

/** Reshape to a shape that is itself a value: its dimensions must be named. */
export function ReshapeTo(x: Value, shape: Value, named: Shape): Value {
  expectDtype('Reshape', shape, ['int64']);
  return only(x.graph.node('Reshape', [x, shape], [{ dtype: x.dtype, shape: named }]));
}

export function Unsqueeze(x: Value, axes: readonly number[]): Value {
  const rank = x.shape.length + axes.length;
  const at = axes.map((axis) => normaliseAxis('Unsqueeze', axis, rank));
  const rest = [...x.shape];
  const shape = Array.from({ length: rank }, (_, i): Dim => (at.includes(i) ? 1 : (rest.shift() ?? 1)));
  return only(x.graph.node('Unsqueeze', [x, int64s(x, axes)], [{ dtype: x.dtype, shape }]));
}

export function Squeeze(x: Value, axes: readonly number[]): Value {
  const at = axes.map((axis) => normaliseAxis('Squeeze', axis, x.shape.length));
  for (const axis of at) if (x.shape[axis] !== 1) fail('Squeeze', `axis ${axis} is not 1`, x);
  const shape = x.shape.filter((_, i) => !at.includes(i));
  return only(x.graph.node('Squeeze', [x, int64s(x, axes)], [{ dtype: x.dtype, shape }]));
}

export function Transpose(x: Value, perm: readonly number[]): Value {
  if (perm.length !== x.shape.length || new Set(perm).size !== perm.length)
    fail('Transpose', `${shapeText(perm)} is no permutation`, x);
  const shape = perm.map((axis) => x.shape[normaliseAxis('Transpose', axis, x.shape.length)] ?? 1);
  return only(x.graph.node('Transpose', [x], [{ dtype: x.dtype, shape }], { perm: { ints: perm } }));
}

export function Concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (!first) return fail('Concat', 'nothing to concatenate');
  if (values.length === 1) return first;
  const at = normaliseAxis('Concat', axis, first.shape.length);
  for (const value of values) {
    expectSameDtype('Concat', first, value);
    if (value.shape.length !== first.shape.length || value.shape.some((dim, i) => i !== at && dim !== first.shape[i]))
      fail('Concat', `shapes differ outside axis ${at}`, first, value);
  }
  const shape = first.shape.map((dim, i) => (i === at ? addDims(values.map((value) => value.shape[at] ?? 0)) : dim));
  return only(first.graph.node('Concat', values, [{ dtype: first.dtype, shape }], { axis: { int: at } }));
}

/** Parts of given sizes. */
export function Split(x: Value, sizes: readonly number[], axis: number): readonly Value[] {
  const at = normaliseAxis('Split', axis, x.shape.length);
  if (typeof x.shape[at] === 'number' && addDims(sizes) !== x.shape[at])
    fail('Split', `${shapeText(sizes)} does not sum to axis ${at}`, x);
  const outputs = sizes.map((size) => ({ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === at ? size : dim)) }));
  return x.graph.node('Split', [x, int64s(x, sizes)], outputs, { axis: { int: at } });
}

/** Parts whose sizes are a value at run time; `dims` names them. */
export function SplitBy(x: Value, sizes: Value, axis: number, dims: Shape): readonly Value[] {
  expectDtype('Split', sizes, ['int64']);
  const at = normaliseAxis('Split', axis, x.shape.length);
  const outputs = dims.map((size) => ({ dtype: x.dtype, shape: x.shape.map((dim, i) => (i === at ? size : dim)) }));
  return x.graph.node('Split', [x, sizes], outputs, { axis: { int: at } });
}

/** x[..., start:end, ...] along one axis. Negative bounds count from the end; `named` gives a dimension that cannot be derived. */
export function Slice(
  x: Value,
  { axis, start, end, named }: { axis: number; start: number; end: number; named?: Dim },
): Value {
  const at = normaliseAxis('Slice', axis, x.shape.length);
  const size = x.shape[at] ?? 0;
  const from = (bound: number, limit: number): number =>
    Math.min(limit, Math.max(0, bound < 0 ? bound + limit : bound));
  let dim = named;
  if (dim === undefined) {
    if (typeof size === 'number') dim = Math.max(0, from(end, size) - from(start, size));
    else if (start < 0 === end < 0 && Math.abs(end) < 2 ** 31) dim = Math.max(0, end - start);
    else return fail('Slice', `the length of [${start}:${end}] along the symbol ${size} must be named`, x);
  }
  const shape = x.shape.map((old, i) => (i === at ? dim : old));
  const inputs = [x, int64s(x, [start]), int64s(x, [end]), int64s(x, [at])];
  return only(x.graph.node('Slice', inputs, [{ dtype: x.dtype, shape }]));
}

/** data[..., indices, ...]: the axis is replaced by the shape of `indices`. */
export function Gather(data: Value, indices: Value, { axis = 0 }: { axis?: number } = {}): Value {
  expectDtype('Gather', indices, ['int32', 'int64']);
  const at = normaliseAxis('Gather', axis, data.shape.length);
  const shape = [...data.shape.slice(0, at), ...indices.shape, ...data.shape.slice(at + 1)];
  return only(data.graph.node('Gather', [data, indices], [{ dtype: data.dtype, shape }], { axis: { int: at } }));
}

/** out[i][j] = data[i][indices[i][j]] for the axis. */
export function GatherElements(data: Value, indices: Value, { axis }: { axis: number }): Value {
  expectDtype('GatherElements', indices, ['int32', 'int64']);
  if (data.shape.length !== indices.shape.length) fail('GatherElements', 'ranks differ', data, indices);
  const at = normaliseAxis('GatherElements', axis, data.shape.length);
  const output = { dtype: data.dtype, shape: indices.shape };
  return only(data.graph.node('GatherElements', [data, indices], [output], { axis: { int: at } }));
}

/** The slices that the last axis of `indices` points at. */
export function GatherND(data: Value, indices: Value, { batchDims = 0 }: { batchDims?: number } = {}): Value {
  expectDtype('GatherND', indices, ['int64']);
  const depth = indices.shape.at(-1);
  if (typeof depth !== 'number') return fail('GatherND', 'the last axis of the indices must be a number', indices);
  const shape = [...indices.shape.slice(0, -1), ...data.shape.slice(batchDims + depth)];
  return only(
    data.graph.node('GatherND', [data, indices], [{ dtype: data.dtype, shape }], { batch_dims: { int: batchDims } }),
  );
}

type Reduction = 'none' | 'add' | 'mul' | 'max' | 'min';

const reductionOf = (reduction: Reduction): { reduction?: { string: string } } =>
  reduction === 'none' ? {} : { reduction: { string: reduction } };

/** A copy of `data` with out[i][indices[i][j]] = updates[i][j]. Equal indices must carry equal updates unless a reduction is given. */
export function ScatterElements(
  data: Value,
  indices: Value,
  updates: Value,
  { axis, reduction = 'none' }: { axis: number; reduction?: Reduction },
): Value {
  expectDtype('ScatterElements', indices, ['int32', 'int64']);
  expectSameDtype('ScatterElements', data, updates);
  if (shapeText(indices.shape) !== shapeText(updates.shape))
    fail('ScatterElements', 'indices and updates differ in shape', indices, updates);
  const at = normaliseAxis('ScatterElements', axis, data.shape.length);
  const attributes = { axis: { int: at }, ...reductionOf(reduction) };
  const output = { dtype: data.dtype, shape: data.shape };
  return only(data.graph.node('ScatterElements', [data, indices, updates], [output], attributes));
}

export function ScatterND(
  data: Value,
  indices: Value,
  updates: Value,
  { reduction = 'none' }: { reduction?: Reduction } = {},
): Value {
  expectDtype('ScatterND', indices, ['int64']);
  expectSameDtype('ScatterND', data, updates);
  const output = { dtype: data.dtype, shape: data.shape };
  return only(data.graph.node('ScatterND', [data, indices, updates], [output], reductionOf(reduction)));
}

/** Broadcast to `shape` by ONNX's rules; every dimension must be a number or already that of x. */
export function Expand(x: Value, shape: readonly number[]): Value {
  const target = int64s(x, shape);
  return only(
    x.graph.node('Expand', [x, target], [{ dtype: x.dtype, shape: broadcast('Expand', x, { ...x, shape }) }]),
  );
}

/** Expand to a shape that is itself a value: its dimensions must be named. */
export function ExpandTo(x: Value, shape: Value, named: Shape): Value {
  expectDtype('Expand', shape, ['int64']);
  return only(x.graph.node('Expand', [x, shape], [{ dtype: x.dtype, shape: named }]));
}

/** start, start+delta, … below limit; scalars. `dim` names the length. */
export function Range(start: Value, limit: Value, delta: Value, dim: Dim): Value {
  for (const value of [start, limit, delta]) {
    expectSameDtype('Range', start, value);
    if (value.shape.length !== 0) fail('Range', 'needs scalars', value);
  }
  return only(start.graph.node('Range', [start, limit, delta], [{ dtype: start.dtype, shape: [dim] }]));
}

/** The dimensions start ≤ axis < end as an int64 vector. */
export function Shape(x: Value, { start = 0, end = x.shape.length }: { start?: number; end?: number } = {}): Value {
  const from = start < 0 ? start + x.shape.length : start;
  const to = end < 0 ? end + x.shape.length : end;
  if (from > to) fail('Shape', `no dimensions in [${start}, ${end})`, x);
  const attributes = { start: { int: from }, end: { int: to } };
  return only(x.graph.node('Shape', [x], [{ dtype: 'int64', shape: [to - from] }], attributes));
}

/** Constant padding along one axis. */
export function Pad(
  x: Value,
  { axis, before, after, value }: { axis: number; before: number; after: number; value: number },
): Value {
  const at = normaliseAxis('Pad', axis, x.shape.length);
  const shape = x.shape.map((dim, i) => (i === at ? addDims([dim, before + after]) : dim));
  const inputs = [x, int64s(x, [before, after]), x.graph.constant(x.dtype, [], [value]), int64s(x, [at])];
  return only(x.graph.node('Pad', inputs, [{ dtype: x.dtype, shape }], { mode: { string: 'constant' } }));
}
