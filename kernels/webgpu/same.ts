// Operators that the device has: the same ones on legal operands, by way of floats where the device moves nothing else.
import type { DType, Node, Value } from '../graph.js';
import * as ops from '../ops.js';
import { legalDtype, type LegalValues } from './legal-values.js';
import { back } from './rewrites/rewrite.js';

/** Operands that say something about shapes: they stay int64, on the host. */
const hostOperands: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Squeeze: [1],
  Unsqueeze: [1],
  Split: [1],
  Slice: [1, 2, 3],
  Pad: [1, 3],
  TopK: [1],
  CumSum: [1],
  ReduceMax: [1],
  ReduceMin: [1],
  ReduceSum: [1],
  ReduceMean: [1],
};

/** Operators that move elements and on the device move floats only: other elements travel as floats, which hold them exactly. */
const floatMovers = new Set(['Slice', 'Concat', 'Gather', 'GatherElements', 'Pad', 'Expand', 'Transpose', 'Split']);

/** Those that do so with integers too, but not with bools. */
const numberMovers = new Set(['Squeeze', 'Unsqueeze', 'Reshape']);

/** The same operator on legal operands. */
export function same(node: Node, legal: LegalValues): void {
  const host = hostOperands[node.op] ?? [];
  const inputs = node.inputs.map((name, i) =>
    name === '' ? null : host.includes(i) ? legal.host(name) : legal.value(name),
  );
  const isBool = inputs[0]?.dtype === 'bool';
  const travels =
    (floatMovers.has(node.op) && (isBool || inputs[0]?.dtype === 'int32')) || (numberMovers.has(node.op) && isBool);
  const dtype = inputs[0]?.dtype ?? 'float32';
  // Of Gather and its kin only the first operand moves; of Concat all do.
  const moved = travels
    ? inputs.map((input, i) => (input && (i === 0 || node.op === 'Concat') ? ops.Cast(input, 'float32') : input))
    : inputs;
  const values = emit(node, legal, moved, travels ? 'float32' : null);
  node.outputs.forEach(({ name }, i) => {
    const value = values[i];
    if (value) legal.set(name, travels ? back(value, dtype) : value);
  });
  const [first] = node.inputs;
  const [output] = node.outputs;
  if (node.op === 'Squeeze' && first && output) legal.inherit(first, output.name);
}

export function emit(
  node: Node,
  legal: LegalValues,
  inputs: readonly (Value | null)[],
  dtype: DType | null,
): readonly Value[] {
  const outputs = node.outputs.map((output) => ({
    dtype: dtype ?? legalDtype(output.dtype),
    shape: output.shape,
    omitted: output.name === '',
  }));
  return legal.g.node(node.op, inputs, outputs, node.attributes, node.domain);
}
