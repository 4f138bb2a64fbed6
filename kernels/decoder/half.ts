// A decoder's graph of float32 in half precision: activations, matrices, keys and values in float16; in float32 what feeds an exponential
// (from the products of queries and keys to the softmax) and what ends in logits. Norms stay one operator: the runtime sums their squares in
// float32. The only place that knows which precision a value has; build.ts and its parts say the mathematics once.
import { elementsOf } from '../elements.js';
import { LARGEST_FLOAT16, toFloat16 } from '../float16.js';
import {
  type Constant,
  type DType,
  elementCount,
  type Graph,
  GraphBuilder,
  GraphError,
  type Node,
  type Value,
} from '../graph.js';
import { remembered } from '../memo.js';
import * as ops from '../ops.js';
import type { Device } from '../session.js';
import { UnsupportedConfigError } from './config.js';
import { smallTable } from './linear.js';
import { isCachePort, logitsOutput } from './ports.js';

/** The bits of infinity, without its sign. */
const INFINITE = 0x7c00;

type Precision = 'float32' | 'float16';

const products = new Set(['Gemm', 'MatMul', 'FusedMatMul', 'MatMulNBits']);

/** Operators that compute nothing: what comes in comes out. By the places of the operands that do. */
const movers: Readonly<Record<string, readonly number[] | 'all'>> = {
  Concat: 'all',
  Gather: [0],
  GatherElements: [0],
  Identity: [0],
  Reshape: [0],
  ScatterND: [0, 2],
  Slice: [0],
  Split: [0],
  Transpose: [0],
  Unsqueeze: [0],
  Where: [1, 2],
};

/** On the device the cache is float16 too; the CPU's keeps float32, whose host knows nothing else. */
export function halve(graph: Graph, device: Device): Graph {
  return new Halver(graph, device === 'webgpu').graph();
}

class Halver {
  readonly #old: Graph;
  readonly #g: GraphBuilder;
  readonly #hasHalfCache: boolean;
  readonly #producers: ReadonlyMap<string, Node>;
  /** Nodes that compute in float32. */
  readonly #exact = new Set<Node>();
  readonly #values = new Map<string, Value>();
  readonly #halved = new Map<() => Uint8Array, () => Uint8Array>();

  constructor(graph: Graph, hasHalfCache: boolean) {
    this.#old = graph;
    this.#g = new GraphBuilder(graph.name);
    this.#hasHalfCache = hasHalfCache;
    this.#producers = new Map(graph.nodes.flatMap((node) => node.outputs.map(({ name }) => [name, node] as const)));
  }

  graph(): Graph {
    this.#chooseExact();
    for (const input of this.#old.inputs) {
      const isHalf = this.#hasHalfCache && isCachePort(input.name);
      this.#values.set(input.name, this.#g.input(input.name, isHalf ? 'float16' : input.dtype, input.shape));
    }
    for (const node of this.#old.nodes) this.#node(node);
    for (const { name, dtype } of this.#old.outputs) {
      const isHalf = this.#hasHalfCache && isCachePort(name);
      this.#g.output(name, dtype === 'float32' ? this.#in(name, isHalf ? 'float16' : 'float32') : this.#value(name));
    }
    return this.#g.finish();
  }

  #chooseExact(): void {
    const wanted = [logitsOutput];
    for (const node of this.#old.nodes) {
      if (node.op === 'Softmax') wanted.push(...node.outputs.map(({ name }) => name));
      // Its scales are those of the head's product, which is exact: one copy of them serves both.
      if (node.op === 'GatherBlockQuantized') this.#exact.add(node);
    }
    for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
      const node = this.#producers.get(name);
      if (!node || this.#exact.has(node)) continue;
      const isProduct = products.has(node.op);
      if (isProduct && !this.#canStayExact(node)) continue;
      this.#exact.add(node);
      if (!isProduct) wanted.push(...node.inputs);
    }
  }

  /** A product of activations with weights that need no widening: quantised ones bring their own scales, and a small table is float32. */
  #canStayExact({ op, inputs }: Node): boolean {
    if (op === 'MatMulNBits') return true;
    const weight = this.#old.weights.find(({ name }) => name === inputs[1]);
    return weight !== undefined && elementCount(weight.shape) < smallTable;
  }

  #node(node: Node): void {
    const moved = movers[node.op];
    const precision = this.#exact.has(node) ? 'float32' : moved ? this.#common(node, moved) : 'float16';
    const inputs = node.inputs.map((name) => (name === '' ? null : this.#in(name, precision)));
    const outputs = node.outputs.map(({ name, dtype, shape }) => ({
      dtype: dtype === 'float32' && name !== '' ? precision : dtype,
      shape,
      omitted: name === '',
    }));
    const made = this.#g.node(node.op, inputs, outputs, node.attributes, node.domain);
    node.outputs.forEach(({ name }, i) => {
      const value = made[i];
      if (name !== '' && value) this.#values.set(name, value);
    });
  }

  /** float16 where one of what is moved is. */
  #common({ inputs }: Node, places: readonly number[] | 'all'): Precision {
    const moved = places === 'all' ? inputs : places.flatMap((i) => inputs[i] ?? []);
    return moved.some((name) => this.#value(name).dtype === 'float16') ? 'float16' : 'float32';
  }

  /** A number in this precision; anything else as it is. */
  #in(name: string, precision: Precision): Value {
    const constant = this.#old.constants.find((each) => each.name === name);
    if (constant?.dtype === 'float32') return this.#constant(constant, precision);
    const value = this.#value(name);
    return value.dtype === 'float32' || value.dtype === 'float16' ? ops.Cast(value, precision) : value;
  }

  #value(name: string): Value {
    return remembered(this.#values, name, () => this.#data(name));
  }

  /** Weights are stored as they are read: in float32 where an exact node does. */
  #data(name: string): Value {
    const constant = this.#old.constants.find((each) => each.name === name);
    if (constant) return this.#constant(constant, constant.dtype);
    const weight = this.#old.weights.find((each) => each.name === name);
    if (!weight) throw new GraphError(`${name} is not there yet.`);
    const isExact = this.#old.nodes.some((node) => this.#exact.has(node) && node.inputs.includes(name));
    const shape = weight.shape as readonly number[];
    if (weight.dtype !== 'float32' || isExact) return this.#g.weight(name, weight.dtype, shape, weight.produce);
    return this.#g.weight(name, 'float16', shape, this.#half(name, weight.produce));
  }

  #constant(constant: Constant, as: DType): Value {
    return this.#g.constant(as, constant.shape as readonly number[], elementsOf(constant));
  }

  /** Weights that share their bytes go on doing so. */
  #half(name: string, produce: () => Uint8Array): () => Uint8Array {
    return remembered(this.#halved, produce, () => () => halfBytes(name, produce()));
  }
}

function halfBytes(name: string, bytes: Uint8Array): Uint8Array {
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const halves = toFloat16(numbers);
  const at = halves.findIndex((half) => (half & 0x7fff) === INFINITE);
  if (at >= 0)
    throw new UnsupportedConfigError(
      `${name} holds ${numbers[at]}, and float16 ends at ${LARGEST_FLOAT16}: use the weights f32, q8 or q4`,
    );
  return new Uint8Array(halves.buffer);
}
