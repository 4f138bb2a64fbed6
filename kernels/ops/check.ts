// Shared checks of the operator functions: each throws a GraphError that names the operator and what it was given.
import { broadcastShapes, shapeText } from '../dims.js';
import { type DType, GraphError, type Shape, type Value } from '../graph.js';

/** An operand: a value, or a number that becomes a scalar constant of the other operand's dtype. */
export type Operand = Value | number;

export const describe = (value: Value): string => `${value.name}: ${value.dtype} ${shapeText(value.shape)}`;

export function fail(op: string, problem: string, ...values: readonly Value[]): never {
  throw new GraphError(`${op}: ${problem}${values.length > 0 ? ` (${values.map(describe).join('; ')})` : ''}.`);
}

export function expectDtype(op: string, value: Value, allowed: readonly DType[]): void {
  if (!allowed.includes(value.dtype)) fail(op, `needs ${allowed.join(' or ')}`, value);
}

export function expectSameDtype(op: string, a: Value, b: Value): void {
  if (a.dtype !== b.dtype) fail(op, 'operands differ in dtype', a, b);
}

export function broadcast(op: string, ...values: readonly Value[]): Shape {
  return values.reduce<Shape>(
    (shape, value) =>
      broadcastShapes(shape, value.shape) ??
      fail(op, `cannot broadcast ${shapeText(shape)} with ${shapeText(value.shape)}`, ...values),
    [],
  );
}

/** The axis counted from the front. */
export function normaliseAxis(op: string, axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || result < 0 || result >= rank) fail(op, `axis ${axis} is outside rank ${rank}`);
  return result;
}

/** Both operands as values: a plain number takes the dtype of its partner. */
export function asValues(op: string, a: Operand, b: Operand): readonly [Value, Value] {
  if (typeof a === 'number') {
    if (typeof b === 'number') return fail(op, `both operands are plain numbers (${a}, ${b})`);
    return [b.graph.constant(b.dtype, [], [a]), b];
  }
  return [a, typeof b === 'number' ? a.graph.constant(a.dtype, [], [b]) : b];
}

export const only = (values: readonly Value[]): Value => {
  const [value] = values;
  if (!value) throw new GraphError('A node without output.');
  return value;
};

/** A list of whole numbers as an int64 constant: shapes, axes, starts, splits. */
export const int64s = (value: Value, numbers: readonly number[]): Value =>
  value.graph.constant('int64', [numbers.length], numbers);
