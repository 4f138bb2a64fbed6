// The values of a graph, by their names there, as the device may have them: what takes part in arithmetic in legal types, and what says shapes
// and places in int64. Inputs and constants are made when something first reads them. Knows no rewrite; the state of the pass in legalise.ts.
import { elementsOf } from '../elements.js';
import {
  type Constant,
  type Dim,
  type DType,
  type Graph,
  GraphBuilder,
  GraphError,
  type Node,
  type Value,
} from '../graph.js';
import { remembered } from '../memo.js';
import * as ops from '../ops.js';

/** An int64 input of the host's graph that takes part in arithmetic comes a second time under this name. */
export const int32Twin = (input: string): string => `${input}.int32`;

/** The largest float32 below 1. */
export const LAST_FLOAT32_UNIFORM = 1 - 2 ** -24;

const legalDtypes: Readonly<Record<DType, DType>> = {
  float32: 'float32',
  float16: 'float16',
  float64: 'float32',
  int8: 'int32',
  int32: 'int32',
  int64: 'int32',
  uint8: 'uint8',
  bool: 'bool',
};
export const legalDtype = (dtype: DType): DType => legalDtypes[dtype];

/** What is known of axes whose length only the host's inputs say. */
export interface Axes {
  /** More elements than any has. */
  readonly longest: number;
  /** They are long: the device's running sums look back at everything before each place, so theirs go in two steps. */
  readonly areLong: boolean;
}

export class LegalValues {
  /** Of the legal graph. */
  readonly g: GraphBuilder;
  readonly axes: Axes;
  readonly #old: Graph;
  readonly #constants: ReadonlyMap<string, Constant>;
  readonly #legal = new Map<string, Value>();
  /** Values that are int64 on the device too: shapes, and places that TopK found. */
  readonly #raw = new Map<string, Value>();
  /** Of a scalar that is an input of the host in other words: which one. */
  readonly #origins = new Map<string, string>();

  constructor(graph: Graph, axes: Axes) {
    this.g = new GraphBuilder(graph.name);
    this.axes = axes;
    this.#old = graph;
    this.#constants = new Map(graph.constants.map((constant) => [constant.name, constant]));
  }

  /** What a rewrite has made of a value. */
  set(name: string, value: Value): void {
    this.#legal.set(name, value);
  }

  /** Of a value that stays int64. */
  setRaw(name: string, value: Value): void {
    this.#raw.set(name, value);
  }

  /** An operand that takes part in arithmetic. */
  in(node: Node, i: number): Value {
    return this.value(node.inputs[i] ?? '');
  }

  /** An operand that says places: as TopK found them, or as int32. */
  index(node: Node, i: number): Value {
    const name = node.inputs[i] ?? '';
    return this.#raw.get(name) ?? this.value(name);
  }

  value(name: string): Value {
    return remembered(this.#legal, name, () => this.#make(name));
  }

  /** What the host says of shapes. */
  host(name: string): Value {
    const raw = this.#raw.get(name);
    if (raw) return raw;
    const constant = this.#constants.get(name);
    if (constant) return this.g.constant('int64', constant.shape as readonly number[], numbersOf(constant));
    const input = this.#old.inputs.find((each) => each.name === name);
    if (!input) throw new GraphError(`${name}: a shape that the device would compute.`);
    return this.g.input(name, 'int64', input.shape);
  }

  /** The numbers of an operand that the graph itself says. */
  known(node: Node, i: number, what: string): readonly number[] {
    const constant = this.#constants.get(node.inputs[i] ?? '');
    if (!constant) throw new GraphError(`${node.op}: the device needs ${what}.`);
    return numbersOf(constant);
  }

  /** The input of the host that says how long an axis of this name is. */
  lengthOf(dim: Dim | undefined): string | null {
    const sorted = this.#old.nodes.find(({ op, outputs }) => op === 'TopK' && outputs[0]?.shape.at(-1) === dim);
    const said = sorted?.inputs[1];
    return typeof dim === 'string' && this.#old.inputs.some(({ name }) => name === said) ? (said ?? null) : null;
  }

  /** The input of the host that a scalar is, in other words. */
  originOf(name: string): string | undefined {
    return this.#origins.get(name);
  }

  /** A value that is another one in other words. */
  inherit(from: string, to: string): void {
    const isInput = this.#old.inputs.some(({ name }) => name === from);
    const origin = this.#origins.get(from) ?? (isInput ? from : undefined);
    if (origin !== undefined) this.#origins.set(to, origin);
  }

  /** 0, 1, … as floats along one axis. */
  iota(shape: readonly number[], axis: number): Value {
    return this.g.constant(
      'float32',
      shape,
      Float32Array.from({ length: shape[axis] ?? 0 }, (_, i) => i),
    );
  }

  #make(name: string): Value {
    const raw = this.#raw.get(name);
    if (raw) return this.#counted(raw);
    const constant = this.#constants.get(name);
    if (constant) {
      const dtype = legalDtype(constant.dtype);
      return this.g.constant(dtype, constant.shape as readonly number[], numbersOf(constant));
    }
    const input = this.#old.inputs.find((each) => each.name === name);
    if (!input) throw new GraphError(`${name} is not there yet.`);
    return input.dtype === 'int64'
      ? this.g.input(int32Twin(name), 'int32', input.shape)
      : this.g.input(name, legalDtype(input.dtype), input.shape);
  }

  /** The device computes with no int64: places are looked up in a list of all of them. */
  #counted(places: Value): Value {
    const source = this.#sourceOf(places);
    const width = source.shape.at(-1);
    if (typeof width !== 'number') throw new GraphError('TopK: the device needs an axis of known length.');
    const row = this.iota([...source.shape.slice(1).map(() => 1), width], source.shape.length - 1);
    const all = ops.ExpandTo(row, ops.Shape(source), source.shape);
    return ops.Cast(ops.GatherElements(all, places, { axis: -1 }), 'int32');
  }

  #sourceOf(places: Value): Value {
    for (const node of this.#old.nodes) {
      const [, indices] = node.outputs;
      if (node.op === 'TopK' && indices && this.#raw.get(indices.name) === places) return this.in(node, 0);
    }
    throw new GraphError(`${places.name}: no TopK found it.`);
  }
}

/** A float64 just below 1 stays below 1. */
function numbersOf(constant: Constant): number[] {
  const elements = elementsOf(constant);
  if (constant.dtype !== 'float64') return elements;
  return elements.map((x) => (x < 1 && Math.fround(x) === 1 ? LAST_FLOAT32_UNIFORM : x));
}
