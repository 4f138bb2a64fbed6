// The builder of an ONNX graph: values know dtype and symbolic shape, equal constants and equal nodes are shared, weights are
// promises of bytes (they are produced one at a time while the model is written). It knows no operator: those live in ops.ts.
// Used by kernels/decoder and kernels/logits; proto.ts turns the finished Graph into bytes, verify.ts checks it, print.ts shows it.
import { createHash } from 'node:crypto';
import type { Dim, Shape } from './dims.js';
import { shapeText } from './dims.js';
import { bytesOfElements, type Elements } from './elements.js';
import { remembered } from './memo.js';

export type { Dim, Shape } from './dims.js';

export type DType = 'float32' | 'float16' | 'float64' | 'uint8' | 'int8' | 'int32' | 'int64' | 'bool';

export const bytesPerElement: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  float64: 8,
  uint8: 1,
  int8: 1,
  int32: 4,
  int64: 8,
  bool: 1,
};

/** A mistake in the construction of a graph. The message names the operator and the shapes. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}

export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly graph: GraphBuilder;
}

/** ONNX keeps integer and float attributes apart, JavaScript does not: the tag says which one is meant. */
export type Attribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly string: string };

export type Attributes = Readonly<Record<string, Attribute>>;

/** '' is the standard operator set; the other one is onnxruntime's own. */
export type Domain = '' | 'com.microsoft';

export interface Info {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface Node {
  readonly op: string;
  readonly domain: Domain;
  /** '' stands for an omitted optional input. */
  readonly inputs: readonly string[];
  /** A name of '' stands for an optional output that nobody asked for. */
  readonly outputs: readonly Info[];
  readonly attributes: Attributes;
}

/** Small data that lies in the model file itself. */
export interface Constant extends Info {
  readonly bytes: Uint8Array;
}

/** Large data in the file beside the model. `produce` is called once, while that file is written. */
export interface Weight extends Info {
  readonly produce: () => Uint8Array;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly Info[];
  readonly outputs: readonly Info[];
  readonly constants: readonly Constant[];
  readonly weights: readonly Weight[];
  readonly nodes: readonly Node[];
}

/** The number of elements, all dimensions being numbers. */
export function elementCount(shape: Shape): number {
  return shape.reduce<number>((count, dim) => {
    if (typeof dim !== 'number') throw new GraphError(`The shape ${shapeText(shape)} must be concrete here.`);
    return count * dim;
  }, 1);
}

export class GraphBuilder {
  readonly #name: string;
  readonly #inputs = new Map<string, Info>();
  readonly #outputs: { name: string; value: Value }[] = [];
  readonly #constants = new Map<string, Value & { bytes: Uint8Array }>();
  readonly #weights = new Map<string, Weight & { value: Value }>();
  readonly #nodes: Node[] = [];
  readonly #shared = new Map<string, readonly Value[]>();
  readonly #taken = new Set<string>();
  readonly #counts = new Map<string, number>();
  #finished = false;

  constructor(name: string) {
    this.#name = name;
  }

  /** Asked for again in the same words, it is the same input. */
  input(name: string, dtype: DType, shape: Shape): Value {
    const known = this.#inputs.get(name);
    if (known?.dtype === dtype && shapeText(known.shape) === shapeText(shape)) return { ...known, graph: this };
    this.#claim(name);
    this.#inputs.set(name, { name, dtype, shape });
    return { name, dtype, shape, graph: this };
  }

  /** Small data. Equal constants are one. */
  constant(dtype: DType, shape: readonly number[], data: Elements): Value {
    const count = elementCount(shape);
    if (data.length !== count)
      throw new GraphError(`constant ${dtype} ${shapeText(shape)} needs ${count} elements, got ${data.length}.`);
    const bytes = bytesOfElements(dtype, data);
    const digest =
      bytes.length <= 64
        ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
        : createHash('sha256').update(bytes).digest('hex');
    const key = `${dtype} ${shape.join('x')} ${digest}`;
    return remembered(this.#constants, key, () => ({ name: this.#fresh('const'), dtype, shape, graph: this, bytes }));
  }

  /** Large data, stored beside the model. Asking twice for one name gives one value; `produce` of the first call stands. */
  weight(name: string, dtype: DType, shape: readonly number[], produce: () => Uint8Array): Value {
    const known = this.#weights.get(name);
    if (known) {
      if (known.dtype !== dtype || shapeText(known.shape) !== shapeText(shape))
        throw new GraphError(
          `weight ${name} is ${known.dtype} ${shapeText(known.shape)}, asked again as ${dtype} ${shapeText(shape)}.`,
        );
      return known.value;
    }
    this.#claim(name);
    const value: Value = { name, dtype, shape, graph: this };
    this.#weights.set(name, { name, dtype, shape, produce, value });
    return value;
  }

  /** Adds a node, or returns the outputs of an equal one that exists. Operators in ops.ts call this with checked arguments. */
  node(
    op: string,
    inputs: readonly (Value | null)[],
    outputs: readonly { readonly dtype: DType; readonly shape: Shape; readonly omitted?: boolean }[],
    attributes: Attributes = {},
    domain: Domain = '',
  ): readonly Value[] {
    if (this.#finished) throw new GraphError(`${op}: the graph ${this.#name} is already finished.`);
    for (const input of inputs)
      if (input && input.graph !== this) throw new GraphError(`${op}: ${input.name} belongs to another graph.`);
      else if (input?.name === '') throw new GraphError(`${op}: an output that was omitted cannot be an input.`);
    const names = inputs.map((input) => input?.name ?? '');
    while (names.at(-1) === '') names.pop();
    const key = JSON.stringify([domain, op, names, Object.entries(attributes).sort(), outputs.length]);
    const known = this.#shared.get(key);
    if (known) return known;
    const values = outputs.map(({ dtype, shape, omitted }): Value => ({
      name: omitted ? '' : this.#fresh(op),
      dtype,
      shape,
      graph: this,
    }));
    this.#nodes.push({
      op,
      domain,
      inputs: names,
      outputs: values.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
      attributes,
    });
    this.#shared.set(key, values);
    return values;
  }

  /** Declares `value` as the model's output `name`. A value may be one output only. */
  output(name: string, value: Value): void {
    if (value.graph !== this) throw new GraphError(`output ${name}: ${value.name} belongs to another graph.`);
    this.#claim(name);
    this.#outputs.push({ name, value });
  }

  /** The finished graph: what no output needs is dropped, outputs carry their public names. */
  finish(): Graph {
    if (this.#outputs.length === 0) throw new GraphError(`The graph ${this.#name} has no output.`);
    this.#finished = true;
    const producers = new Set(this.#nodes.flatMap((node) => node.outputs.map((output) => output.name)));
    // A node output can be renamed; an input, constant or weight (or a value that is output twice) needs an Identity.
    const renamed = new Map<string, string>();
    const copies: Node[] = [];
    for (const { name, value } of this.#outputs) {
      if (producers.has(value.name) && !renamed.has(value.name)) renamed.set(value.name, name);
      else
        copies.push({
          op: 'Identity',
          domain: '',
          inputs: [renamed.get(value.name) ?? value.name],
          outputs: [{ name, dtype: value.dtype, shape: value.shape }],
          attributes: {},
        });
    }
    const publicName = (name: string): string => renamed.get(name) ?? name;
    const live = new Set<string>([...renamed.keys(), ...copies.flatMap((node) => node.inputs)]);
    const kept: Node[] = [];
    for (const node of this.#nodes.toReversed()) {
      if (!node.outputs.some((output) => live.has(output.name))) continue;
      for (const input of node.inputs) if (input !== '') live.add(input);
      kept.push({
        ...node,
        inputs: node.inputs.map(publicName),
        outputs: node.outputs.map((output) => ({ ...output, name: publicName(output.name) })),
      });
    }
    return {
      name: this.#name,
      inputs: [...this.#inputs.values()],
      outputs: this.#outputs.map(({ name, value }) => ({ name, dtype: value.dtype, shape: value.shape })),
      constants: [...this.#constants.values()]
        .filter((constant) => live.has(constant.name))
        .map(({ name, dtype, shape, bytes }) => ({ name, dtype, shape, bytes })),
      weights: [...this.#weights.values()]
        .filter((weight) => live.has(weight.name))
        .map(({ name, dtype, shape, produce }) => ({ name, dtype, shape, produce })),
      nodes: [...kept.reverse(), ...copies],
    };
  }

  #claim(name: string): void {
    if (name === '') throw new GraphError('A value needs a name.');
    if (this.#taken.has(name)) throw new GraphError(`The name ${name} is taken in graph ${this.#name}.`);
    this.#taken.add(name);
  }

  #fresh(stem: string): string {
    let name: string;
    do {
      const count = this.#counts.get(stem) ?? 0;
      this.#counts.set(stem, count + 1);
      name = `${stem}_${count}`;
    } while (this.#taken.has(name));
    this.#taken.add(name);
    return name;
  }
}

/** What the operators share: the dimension of a value along a possibly negative axis. */
export function dimAt(value: Value, axis: number): Dim {
  const dim = value.shape[axis < 0 ? value.shape.length + axis : axis];
  if (dim === undefined) throw new GraphError(`${value.name} ${shapeText(value.shape)} has no axis ${axis}.`);
  return dim;
}
