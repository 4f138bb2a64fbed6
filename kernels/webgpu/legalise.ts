// A logit kernel in operators that the WebGPU provider has. The provider knows float32, int32 and bool; of int64 only what the host says
// about shapes, and what TopK answers. So float64 becomes float32, int64 becomes int32, and operators that are missing are said in others.
// Small outputs are packed into one, because each one is a wait for the device. Knows nothing of distributions; called by logits/kernels.ts.
import { elementsOf } from '../elements.js';
import {
  type Attributes,
  type Constant,
  type Dim,
  type DType,
  type Graph,
  GraphBuilder,
  GraphError,
  type Node,
  type Value,
} from '../graph.js';
import { gridOf } from '../logits/blocks.js';
import * as ops from '../ops.js';

export interface LegalGraph {
  readonly graph: Graph;
  /** Columns of the output `packed`, [R, sum of widths] float32, in this order. */
  readonly packed: readonly PackedOutput[];
}

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

/** Whole numbers that float32 tells apart. */
const WHOLE_FLOATS = 2 ** 24;

export const packedOutput = 'packed';
/** An int64 input of the host's graph that takes part in arithmetic comes a second time under this name. */
export const int32Twin = (input: string): string => `${input}.int32`;

/** Two numbers of the host beside one that says how long an axis is: nothing, and what it lacks to a multiple of RUNNING. */
export const paddingTwin = (input: string): string => `${input}.padding`;
export const paddingFor = (length: number): number => (RUNNING - (length % RUNNING)) % RUNNING;

/** Numbers that a running sum goes through in one go, where an axis is long. */
const RUNNING = 256;

/** Wider outputs go alone. */
const WIDEST_PACKED = 64;

/**
 * A longer axis is reduced in two steps, √n numbers at a time: one after the other, as the device takes them, 128 256 probabilities of a flat
 * row sum to 1 with an error of 1e-4 (and one thread does all the work).
 */
const LONGEST_REDUCED = 512;

/** Stands for −∞ while elements are sorted; no score comes near it. */
const LOWEST = Math.fround(-3e38);

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
const legalDtype = (dtype: DType): DType => legalDtypes[dtype];

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

export interface Lengths {
  /** More elements than any axis has whose length only the host's inputs say. */
  readonly longest: number;
  /** By output, one whole number per row: how many values it has. They come back as digits of one number. */
  readonly values?: Readonly<Record<string, number>>;
  /** `top` [R, K] begins with `id` [R]: where `status` [R] is not 0, and all three else mean nothing, it comes as −status in all places. */
  readonly carrier?: Carrier | null;
  /** Such axes are long: the device's running sums look back at everything before each place, so theirs go in two steps. */
  readonly areLong: boolean;
}

export function legalise(graph: Graph, lengths: Lengths): LegalGraph {
  const legaliser = new Legaliser(graph, lengths);
  for (const node of graph.nodes) legaliser.node(node);
  return legaliser.finish();
}

class Legaliser {
  readonly #g: GraphBuilder;
  readonly #old: Graph;
  readonly #longest: number;
  readonly #areLong: boolean;
  readonly #digits: readonly Digit[];
  readonly #carrier: Carrier | null;
  readonly #constants: ReadonlyMap<string, Constant>;
  readonly #legal = new Map<string, Value>();
  /** Values that are int64 on the device too: shapes, and places that TopK found. */
  readonly #raw = new Map<string, Value>();
  /** Of a scalar that is an input of the host in other words: which one. */
  readonly #origins = new Map<string, string>();

  constructor(graph: Graph, { longest, areLong, values = {}, carrier = null }: Lengths) {
    this.#g = new GraphBuilder(graph.name);
    this.#old = graph;
    this.#longest = longest;
    this.#areLong = areLong;
    this.#carrier = carrier;
    this.#digits = carrier ? [] : digitsOf(graph, values);
    this.#constants = new Map(graph.constants.map((constant) => [constant.name, constant]));
  }

  finish(): LegalGraph {
    const packed: PackedOutput[] = [];
    const columns: Value[] = [];
    if (this.#digits.length > 0) {
      packed.push({ kind: 'digits', digits: this.#digits, width: 1 });
      columns.push(this.#inOne(this.#digits));
    }
    for (const { name, shape } of this.#old.outputs) {
      const carrier = this.#carrier;
      if (carrier ? [carrier.id, carrier.status].includes(name) : this.#digits.some((digit) => digit.name === name))
        continue;
      const value = name === carrier?.top ? this.#carried(carrier) : this.#value(name);
      const [rows, width = 1] = shape;
      if (rows === 'R' && shape.length <= 2 && typeof width === 'number' && width <= WIDEST_PACKED) {
        const column = shape.length === 1 ? ops.Unsqueeze(value, [1]) : value;
        packed.push({ kind: 'numbers', name, width });
        columns.push(ops.Cast(column, 'float32'));
      } else this.#g.output(name, value);
    }
    if (columns.length > 0) this.#g.output(packedOutput, ops.Concat(columns, 1));
    return { graph: this.#g.finish(), packed };
  }

  #carried({ top, status }: Carrier): Value {
    const row = ops.Unsqueeze(this.#value(status), [1]);
    return ops.Where(ops.Greater(row, 0), ops.Sub(0, row), this.#value(top));
  }

  /** [R, 1] */
  #inOne(digits: readonly Digit[]): Value {
    const [first, ...rest] = digits.map(({ name, values }) => ({ value: this.#value(name), values }));
    if (!first) throw new GraphError('no digits');
    const whole = rest.reduce((sum, { value, values }) => ops.Add(ops.Mul(sum, values), value), first.value);
    return ops.Cast(ops.Unsqueeze(whole, [1]), 'float32');
  }

  node(node: Node): void {
    const rewrite = this.#rewrites[node.op];
    const [output] = node.outputs;
    if (rewrite && output) this.#legal.set(output.name, rewrite(node));
    else if (node.op === 'TopK') this.#topK(node);
    else if (node.op === 'Shape' && output)
      this.#raw.set(output.name, this.#emit(node, [this.#in(node, 0)], 'int64')[0] as Value);
    else this.#same(node);
  }

  /** The same operator on legal operands. */
  #same(node: Node): void {
    const host = hostOperands[node.op] ?? [];
    const inputs = node.inputs.map((name, i) =>
      name === '' ? null : host.includes(i) ? this.#host(name) : this.#value(name),
    );
    const isBool = inputs[0]?.dtype === 'bool';
    const travels =
      (floatMovers.has(node.op) && (isBool || inputs[0]?.dtype === 'int32')) || (numberMovers.has(node.op) && isBool);
    const dtype = inputs[0]?.dtype ?? 'float32';
    // Of Gather and its kin only the first operand moves; of Concat all do.
    const moved = travels
      ? inputs.map((input, i) => (input && (i === 0 || node.op === 'Concat') ? ops.Cast(input, 'float32') : input))
      : inputs;
    const values = this.#emit(node, moved, travels ? 'float32' : null);
    node.outputs.forEach(({ name }, i) => {
      const value = values[i];
      if (value) this.#legal.set(name, travels ? this.#back(value, dtype) : value);
    });
    const [first] = node.inputs;
    const [output] = node.outputs;
    if (node.op === 'Squeeze' && first && output) this.#inherit(first, output.name);
  }

  #back(value: Value, dtype: DType): Value {
    return dtype === 'bool' ? ops.Greater(value, 0) : ops.Cast(value, dtype);
  }

  #emit(node: Node, inputs: readonly (Value | null)[], dtype: DType | null): readonly Value[] {
    const outputs = node.outputs.map((output) => ({
      dtype: dtype ?? legalDtype(output.dtype),
      shape: output.shape,
      omitted: output.name === '',
    }));
    return this.#g.node(node.op, inputs, outputs, node.attributes, node.domain);
  }

  readonly #rewrites: Readonly<Record<string, (node: Node) => Value>> = {
    Or: (node) => ops.Not(ops.And(ops.Not(this.#in(node, 0)), ops.Not(this.#in(node, 1)))),
    IsNaN: (node) => {
      const x = this.#in(node, 0);
      return ops.Not(ops.Equal(x, x));
    },
    // A device's logarithm of 0 is some large negative number.
    Log: (node) => {
      const x = this.#in(node, 0);
      return ops.Where(ops.Equal(x, 0), -Infinity, ops.Log(x));
    },
    LogSoftmax: (node) => {
      const x = this.#in(node, 0);
      const axes = { axes: [axisOf(node)], keepdims: true };
      const below = ops.Sub(x, inTwo('ReduceMax', x, axes));
      return ops.Sub(below, ops.Log(inTwo('ReduceSum', ops.Exp(below), axes)));
    },
    CumSum: (node) => this.#cumulated(node),
    ReduceMax: (node) => this.#reduced('ReduceMax', node),
    ReduceMin: (node) => this.#reduced('ReduceMin', node),
    ReduceSum: (node) => this.#reduced('ReduceSum', node),
    Cast: (node) => {
      const [output] = node.outputs;
      this.#inherit(node.inputs[0] ?? '', output?.name ?? '');
      return ops.Cast(this.#in(node, 0), legalDtype(output?.dtype ?? 'float32'));
    },
    Neg: (node) => ops.Sub(this.#scalar(this.#in(node, 0).dtype, 0), this.#in(node, 0)),
    Clip: (node) => {
      const [low, high] = [node.inputs[1] ?? '', node.inputs[2] ?? ''];
      const above = low === '' ? this.#in(node, 0) : ops.Max(this.#in(node, 0), this.#value(low));
      return high === '' ? above : ops.Min(above, this.#value(high));
    },
    // Of numbers that are not negative.
    Mod: (node) => {
      const [x, by] = [this.#in(node, 0), this.#in(node, 1)];
      return ops.Sub(x, ops.Mul(ops.Div(x, by), by));
    },
    ArgMax: (node) => this.#place(node, 'ReduceMax'),
    ArgMin: (node) => this.#place(node, 'ReduceMin'),
    Range: (node) => {
      const origin = this.#origins.get(node.inputs[1] ?? '');
      if (origin === undefined) throw new GraphError('Range: the device needs a length that the host says.');
      const all = this.#iota([this.#longest], 0);
      const inputs = [all, this.#g.constant('int64', [1], [0]), this.#host(origin), null];
      const shape = node.outputs[0]?.shape ?? [];
      return ops.Cast(this.#g.node('Slice', inputs, [{ dtype: 'float32', shape }])[0] as Value, 'int32');
    },
    // [R, n, m] by [R, 1]: row r's slice.
    GatherND: (node) => {
      const [data, place] = [this.#in(node, 0), this.#in(node, 1)];
      const width = data.shape[2];
      if (typeof width !== 'number') throw new GraphError('GatherND: the device needs a last axis of known length.');
      const everywhere = ops.Add(
        ops.Unsqueeze(place, [2]),
        this.#g.constant('int32', [1, 1, width], new Int32Array(width)),
      );
      return ops.Squeeze(ops.GatherElements(data, everywhere, { axis: 1 }), [1]);
    },
    GatherElements: (node) => {
      const data = this.#in(node, 0);
      const at = { axis: axisOf(node) };
      if (data.dtype === 'float32') return ops.GatherElements(data, this.#index(node, 1), at);
      return this.#back(ops.GatherElements(ops.Cast(data, 'float32'), this.#index(node, 1), at), data.dtype);
    },
    ScatterElements: (node) => {
      const [data, updates] = [this.#in(node, 0), this.#in(node, 2)];
      const at = { axis: axisOf(node) };
      const index = this.#index(node, 1);
      if (data.dtype === 'float32') return ops.ScatterElements(data, index, updates, at);
      const floats = ops.ScatterElements(ops.Cast(data, 'float32'), index, ops.Cast(updates, 'float32'), at);
      return this.#back(floats, data.dtype);
    },
  };

  #cumulated(node: Node): Value {
    const x = this.#in(node, 0);
    const [axis = 0] = numbersOf(
      this.#constants.get(node.inputs[1] ?? '') ?? fail('CumSum: the device needs a known axis.'),
    );
    const { exclusive: flag } = node.attributes;
    const exclusive = flag !== undefined && 'int' in flag && flag.int === 1;
    const length = this.#areLong ? this.#lengthOf(x.shape[axis]) : null;
    if (length === null || axis !== x.shape.length - 1 || axis !== 1) return ops.CumSum(x, { axis, exclusive });
    const rows = x.shape[0] ?? 'R';
    const [padded, blocks] = [`${length} padded`, `${length} blocks`];
    const zero = this.#g.constant('float32', [], [0]);
    const at = this.#g.constant('int64', [1], [axis]);
    const padding = this.#g.input(paddingTwin(length), 'int64', [2]);
    const made = (op: string, inputs: readonly Value[], shape: readonly Dim[], attributes: Attributes = {}): Value =>
      this.#g.node(op, inputs, [{ dtype: 'float32', shape }], attributes)[0] as Value;
    const whole = made('Pad', [x, padding, zero, at], [rows, padded], { mode: { string: 'constant' } });
    const grid = ops.Reshape(whole, [0, -1, RUNNING], [rows, blocks, RUNNING]);
    const before = ops.CumSum(ops.ReduceSum(grid, { axes: [2], keepdims: false }), { axis: 1, exclusive: true });
    const running = ops.Add(ops.CumSum(grid, { axis: 2, exclusive }), ops.Unsqueeze(before, [2]));
    const flat = ops.Reshape(running, [0, -1], [rows, padded]);
    return made('Slice', [flat, this.#g.constant('int64', [1], [0]), this.#host(length), at], x.shape);
  }

  /** The input of the host that says how long an axis of this name is. */
  #lengthOf(dim: Dim | undefined): string | null {
    const sorted = this.#old.nodes.find(({ op, outputs }) => op === 'TopK' && outputs[0]?.shape.at(-1) === dim);
    const said = sorted?.inputs[1];
    return typeof dim === 'string' && this.#old.inputs.some(({ name }) => name === said) ? (said ?? null) : null;
  }

  #reduced(op: Reduction, node: Node): Value {
    const axes = numbersOf(
      this.#constants.get(node.inputs[1] ?? '') ?? fail(`${node.op}: the device needs axes that are known.`),
    );
    return inTwo(op, this.#in(node, 0), { axes, keepdims: keepsDims(node) });
  }

  /** The first place of the extreme element. */
  #place(node: Node, reduce: Reduction): Value {
    const x = this.#in(node, 0);
    const axis = axisOf(node);
    const length = x.shape[axis];
    if (typeof length !== 'number') throw new GraphError(`${node.op}: the device needs an axis of known length.`);
    const iota = this.#iota(
      x.shape.map((_, i) => (i === axis ? length : 1)),
      axis,
    );
    const best = inTwo(reduce, x, { axes: [axis], keepdims: true });
    const places = ops.Where(ops.Equal(x, best), iota, length - 1);
    return ops.Cast(inTwo('ReduceMin', places, { axes: [axis], keepdims: keepsDims(node) }), 'int32');
  }

  #topK(node: Node): void {
    const x = this.#in(node, 0);
    // The device fills up with its lowest number, which −∞ would lose against.
    const floats = ops.Max(ops.Cast(x, 'float32'), LOWEST);
    const [values, indices] = node.outputs;
    const dim = values?.shape.at(-1) ?? 'K';
    const found = ops.TopK(floats, { value: this.#host(node.inputs[1] ?? ''), dim }, { axis: axisOf(node) });
    const exact = ops.Where(ops.Equal(found.values, LOWEST), -Infinity, found.values);
    if (values) this.#legal.set(values.name, x.dtype === 'float32' ? exact : ops.Cast(found.values, x.dtype));
    if (indices) this.#raw.set(indices.name, found.indices);
  }

  #in(node: Node, i: number): Value {
    return this.#value(node.inputs[i] ?? '');
  }

  /** An operand that says places: as TopK found them, or as int32. */
  #index(node: Node, i: number): Value {
    const name = node.inputs[i] ?? '';
    return this.#raw.get(name) ?? this.#value(name);
  }

  /** What takes part in arithmetic. */
  #value(name: string): Value {
    const known = this.#legal.get(name);
    if (known) return known;
    const made = this.#make(name);
    this.#legal.set(name, made);
    return made;
  }

  #make(name: string): Value {
    const raw = this.#raw.get(name);
    if (raw) return this.#counted(raw);
    const constant = this.#constants.get(name);
    if (constant) {
      const dtype = legalDtype(constant.dtype);
      return this.#g.constant(dtype, constant.shape as readonly number[], numbersOf(constant));
    }
    const input = this.#old.inputs.find((each) => each.name === name);
    if (!input) throw new GraphError(`${name} is not there yet.`);
    return input.dtype === 'int64'
      ? this.#g.input(int32Twin(name), 'int32', input.shape)
      : this.#g.input(name, legalDtype(input.dtype), input.shape);
  }

  /** The device computes with no int64: places are looked up in a list of all of them. */
  #counted(places: Value): Value {
    const source = this.#sourceOf(places);
    const width = source.shape.at(-1);
    if (typeof width !== 'number') throw new GraphError('TopK: the device needs an axis of known length.');
    const row = this.#iota([...source.shape.slice(1).map(() => 1), width], source.shape.length - 1);
    const all = ops.ExpandTo(row, ops.Shape(source), source.shape);
    return ops.Cast(ops.GatherElements(all, places, { axis: -1 }), 'int32');
  }

  #sourceOf(places: Value): Value {
    for (const node of this.#old.nodes) {
      const [, indices] = node.outputs;
      if (node.op === 'TopK' && indices && this.#raw.get(indices.name) === places) return this.#in(node, 0);
    }
    throw new GraphError(`${places.name}: no TopK found it.`);
  }

  /** What the host says of shapes. */
  #host(name: string): Value {
    const raw = this.#raw.get(name);
    if (raw) return raw;
    const constant = this.#constants.get(name);
    if (constant) return this.#g.constant('int64', constant.shape as readonly number[], numbersOf(constant));
    const input = this.#old.inputs.find((each) => each.name === name);
    if (!input) throw new GraphError(`${name}: a shape that the device would compute.`);
    return this.#g.input(name, 'int64', input.shape);
  }

  #inherit(from: string, to: string): void {
    const isInput = this.#old.inputs.some(({ name }) => name === from);
    const origin = this.#origins.get(from) ?? (isInput ? from : undefined);
    if (origin !== undefined) this.#origins.set(to, origin);
  }

  #scalar(dtype: DType, value: number): Value {
    return this.#g.constant(dtype, [], [value]);
  }

  /** 0, 1, … as floats along one axis. */
  #iota(shape: readonly number[], axis: number): Value {
    return this.#g.constant(
      'float32',
      shape,
      Float32Array.from({ length: shape[axis] ?? 0 }, (_, i) => i),
    );
  }
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

type Reduction = 'ReduceMax' | 'ReduceMin' | 'ReduceSum';

/** What changes nothing in a reduction. */
const neutral: Readonly<Record<Reduction, number>> = { ReduceMax: -Infinity, ReduceMin: Infinity, ReduceSum: 0 };

/** The reduction, in two steps where it goes along a long last axis. */
function inTwo(
  op: Reduction,
  x: Value,
  options: { readonly axes: readonly number[]; readonly keepdims: boolean },
): Value {
  const last = x.shape.length - 1;
  const length = x.shape[last];
  const [axis = last, ...more] = options.axes;
  const isLong = typeof length === 'number' && length > LONGEST_REDUCED && more.length === 0;
  if (!isLong || (axis !== last && axis !== -1) || x.dtype !== 'float32') return ops[op](x, options);
  const { blocks, size } = gridOf(length);
  const missing = blocks * size - length;
  const padded = missing > 0 ? ops.Pad(x, { axis: last, before: 0, after: missing, value: neutral[op] }) : x;
  const before = x.shape.slice(0, -1);
  const grid = ops.Reshape(padded, [...before.map(() => 0), blocks, size], [...before, blocks, size]);
  const ofBlocks = ops[op](grid, { axes: [last + 1], keepdims: false });
  return ops[op](ofBlocks, { axes: [last], keepdims: options.keepdims });
}

function keepsDims({ attributes }: Node): boolean {
  const { keepdims } = attributes;
  return keepdims !== undefined && 'int' in keepdims && keepdims.int === 1;
}

function fail(problem: string): never {
  throw new GraphError(problem);
}

function axisOf({ op, attributes }: Node): number {
  const { axis } = attributes;
  if (!axis || !('int' in axis)) throw new GraphError(`${op} has no axis.`);
  return axis.int;
}

/** A float64 just below 1 stays below 1. */
function numbersOf(constant: Constant): number[] {
  const elements = elementsOf(constant);
  if (constant.dtype !== 'float64') return elements;
  return elements.map((x) => (x < 1 && Math.fround(x) === 1 ? LAST_FLOAT32_UNIFORM : x));
}
