// A logit kernel's graph as something to run, on either device: feeds in, numbers by name out. What the device wants otherwise (other
// number types, small outputs packed into one) ends here. Called by kernels.ts.
import type { Graph } from '../graph.js';
import { encodeModel } from '../proto.js';
import { createSession, type Device, type Feeds, Tensor, type Traffic } from '../session.js';
import { namingOperators } from '../webgpu/lacking.js';
import { int32Twin, LAST_FLOAT32_UNIFORM } from '../webgpu/legal-values.js';
import { legalise, type Lengths } from '../webgpu/legalise.js';
import { type Carrier, type Digit, packedOutput, type PackedOutput } from '../webgpu/packed.js';
import { paddingFor, paddingTwin } from '../webgpu/rewrites/running-sum.js';

export type Numbers = Float32Array | Int32Array | Int8Array;

export interface CompiledKernel {
  run(feeds: Feeds): Promise<ReadonlyMap<string, Numbers>>;
  release(): Promise<void>;
}

export interface KernelPlace {
  readonly threads: number;
  readonly device: Device;
  readonly traffic?: Traffic | undefined;
}

export async function compileKernel(graph: Graph, place: KernelPlace, lengths: Lengths): Promise<CompiledKernel> {
  const legal = place.device === 'webgpu' ? legalise(graph, lengths) : { graph, packed: [] };
  const { bytes } = encodeModel(legal.graph, null);
  const session = await createSession(bytes, { ...place, quickly: true, cause: 'decision' }).catch(
    async (error: unknown) => {
      throw await namingOperators(error, legal.graph);
    },
  );
  return {
    async run(feeds) {
      const results = await session.run(place.device === 'webgpu' ? deviceFeeds(feeds, session.inputNames) : feeds);
      const outputs = new Map<string, Numbers>();
      for (const [name, { data }] of Object.entries(results))
        if (name === packedOutput) unpack(data as Float32Array, legal.packed, outputs);
        else outputs.set(name, data as Numbers);
      const carrying = lengths.carrier && results[lengths.carrier.top];
      if (place.device === 'webgpu' && carrying) takeOut(outputs, lengths.carrier, carrying.dims[0] ?? 0);
      return outputs;
    },
    release: () => session.release(),
  };
}

function unpack(data: Float32Array, packed: readonly PackedOutput[], into: Map<string, Numbers>): void {
  const width = packed.reduce((sum, output) => sum + output.width, 0);
  const rows = data.length / width;
  let column = 0;
  for (const output of packed) {
    const own = output.width;
    const numbers = new Float32Array(rows * own);
    for (let row = 0; row < rows; row++)
      numbers.set(data.subarray(row * width + column, row * width + column + own), row * own);
    if (output.kind === 'numbers') into.set(output.name, numbers);
    else spell(numbers, output.digits, into);
    column += own;
  }
}

/** A row's status and its id, out of what carries them. */
function takeOut(outputs: Map<string, Numbers>, { top, id, status }: Carrier, rows: number): void {
  const carried = outputs.get(top) ?? new Int32Array(0);
  const width = carried.length / rows;
  const firsts = Int32Array.from({ length: rows }, (_, row) => carried[row * width] ?? 0);
  outputs.set(id, firsts);
  outputs.set(
    status,
    firsts.map((first) => Math.max(0, -first)),
  );
}

/** What is left when all digits but the first are taken is the first, whatever it is. */
function spell(numbers: Float32Array, digits: readonly Digit[], into: Map<string, Numbers>): void {
  const rest = Float64Array.from(numbers);
  for (const { name, values } of digits.slice(1).toReversed())
    into.set(
      name,
      Int32Array.from(rest, (number, row) => {
        rest[row] = Math.floor(number / values);
        return number - values * Math.floor(number / values);
      }),
    );
  const [first] = digits;
  if (first) into.set(first.name, Int32Array.from(rest));
}

function deviceFeeds(feeds: Feeds, names: readonly string[]): Feeds {
  const fed: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(feeds)) {
    if (names.includes(int32Twin(name)))
      fed[int32Twin(name)] = new Tensor('int32', Int32Array.from(tensor.data as BigInt64Array, Number), tensor.dims);
    if (names.includes(paddingTwin(name)))
      fed[paddingTwin(name)] = int64s([0, paddingFor(Number((tensor.data as BigInt64Array)[0] ?? 0n))]);
    if (names.includes(name)) fed[name] = tensor.type === 'float64' ? inFloats(tensor) : tensor;
  }
  return fed;
}

const int64s = (numbers: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(numbers, BigInt), [numbers.length]);

/** A number below 1 stays below 1. */
function inFloats({ data, dims }: Tensor): Tensor {
  const floats = Float32Array.from(data as Float64Array, (x) =>
    x < 1 && Math.fround(x) === 1 ? LAST_FLOAT32_UNIFORM : x,
  );
  return new Tensor('float32', floats, dims);
}
