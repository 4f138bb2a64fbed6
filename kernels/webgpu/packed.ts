// Small outputs of a legal graph as columns of one, because each output is a wait for the device. Knows no operator's meaning; packed by
// legalise.ts, unpacked by logits/compiled.ts.
import { type Graph, GraphError, type Value } from '../graph.js';
import * as ops from '../ops.js';
import type { LegalValues } from './legal-values.js';

export const packedOutput = 'packed';

/** Numbers of one output, or small whole numbers of several: the first one's place value is the highest. */
export type PackedOutput =
  | { readonly kind: 'numbers'; readonly name: string; readonly width: number }
  | { readonly kind: 'digits'; readonly digits: readonly Digit[]; readonly width: 1 };

export interface Carrier {
  readonly top: string;
  readonly id: string;
  readonly status: string;
}

export interface Digit {
  readonly name: string;
  /** 0 ≤ digit < values. */
  readonly values: number;
}

/** What is known of the outputs. */
export interface Outputs {
  /** By output, one whole number per row: how many values it has. They come back as digits of one number. */
  readonly values?: Readonly<Record<string, number>>;
  /** `top` [R, K] begins with `id` [R]: where `status` [R] is not 0, and all three else mean nothing, it comes as −status in all places. */
  readonly carrier?: Carrier | null;
}

/** Whole numbers that float32 tells apart. */
const WHOLE_FLOATS = 2 ** 24;

/** Wider outputs go alone. */
const WIDEST_PACKED = 64;

/** Declares the outputs: columns of `packed`, [R, sum of widths] float32, in the order of what is returned, and by themselves what is wide. */
export function pack(graph: Graph, legal: LegalValues, { values = {}, carrier = null }: Outputs): PackedOutput[] {
  const digits = carrier ? [] : digitsOf(graph, values);
  const packed: PackedOutput[] = [];
  const columns: Value[] = [];
  if (digits.length > 0) {
    packed.push({ kind: 'digits', digits, width: 1 });
    columns.push(inOne(digits, legal));
  }
  for (const { name, shape } of graph.outputs) {
    if (carrier ? [carrier.id, carrier.status].includes(name) : digits.some((digit) => digit.name === name)) continue;
    const value = name === carrier?.top ? carried(carrier, legal) : legal.value(name);
    const [rows, width = 1] = shape;
    if (rows === 'R' && shape.length <= 2 && typeof width === 'number' && width <= WIDEST_PACKED) {
      const column = shape.length === 1 ? ops.Unsqueeze(value, [1]) : value;
      packed.push({ kind: 'numbers', name, width });
      columns.push(ops.Cast(column, 'float32'));
    } else legal.g.output(name, value);
  }
  if (columns.length > 0) legal.g.output(packedOutput, ops.Concat(columns, 1));
  return packed;
}

function carried({ top, status }: Carrier, legal: LegalValues): Value {
  const row = ops.Unsqueeze(legal.value(status), [1]);
  return ops.Where(ops.Greater(row, 0), ops.Sub(0, row), legal.value(top));
}

/** [R, 1] */
function inOne(digits: readonly Digit[], legal: LegalValues): Value {
  const [first, ...rest] = digits.map(({ name, values }) => ({ value: legal.value(name), values }));
  if (!first) throw new GraphError('no digits');
  const whole = rest.reduce((sum, { value, values }) => ops.Add(ops.Mul(sum, values), value), first.value);
  return ops.Cast(ops.Unsqueeze(whole, [1]), 'float32');
}

/** The greatest range first: what breaks a row's token, which means nothing then, leaves the others readable. */
function digitsOf({ outputs }: Graph, values: Readonly<Record<string, number>>): Digit[] {
  const digits = outputs
    .flatMap(({ name, dtype, shape }) => {
      const count = values[name];
      return count !== undefined && dtype === 'int32' && shape.length === 1 ? [{ name, values: count }] : [];
    })
    .sort((a, b) => b.values - a.values);
  const range = digits.reduce((product, digit) => product * digit.values, 1);
  return digits.length > 1 && range <= WHOLE_FLOATS ? digits : [];
}
