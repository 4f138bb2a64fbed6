// Keys and values on the device: a bank holds those of some rows at one capacity and never changes. What looks like a change (another
// order, a copy, more room) is a small graph that makes a new bank out of old ones. Knows no row's meaning: the engine's device cache
// (server/engine/device-cache.ts) says which rows are wanted and disposes of what nobody needs.
import { bytesPerElement, type Dim, type Graph, GraphBuilder, type Value } from '../graph.js';
import * as ops from '../ops.js';
import { encodeModel } from '../proto.js';
import type { Transfer } from '../webgpu/transfer.js';
import { createSession, type Feeds, type Fetches, releaseAll, type Session, Tensor, type Traffic } from '../session.js';
import { pastKeyInput, pastValueInput, presentKeyOutput, presentValueOutput, slotNumbersInput } from './ports.js';

export interface BankLayer {
  readonly kvHeads: number;
  readonly headDim: number;
}

/** What keys and values are stored as. */
export type BankDType = 'float32' | 'float16';

/** Per layer: keys [rows, kvHeads, headDim, capacity], values [rows, kvHeads, capacity, headDim]. */
export interface Bank {
  readonly rows: number;
  readonly capacity: number;
  readonly keys: readonly Tensor[];
  readonly values: readonly Tensor[];
}

/** Rows of one bank, at their places in a new one. */
export interface Picked {
  readonly bank: Bank;
  /** Per row of the new bank: which row of this one; anything where the length is 0. */
  readonly index: Int32Array;
  /** Per row of the new bank: how many of its tokens come from here; 0 for none. */
  readonly lengths: Int32Array;
}

export function disposeBank({ keys, values }: Bank): void {
  for (const tensor of [...keys, ...values]) tensor.dispose();
}

export class Banks {
  readonly #layers: readonly BankLayer[];
  readonly #dtype: BankDType;
  readonly #traffic: Traffic | undefined;
  readonly #transfer: Transfer;
  #empty: Promise<Session> | null = null;
  readonly #pick = new Map<boolean, Promise<Session>>();
  readonly #slotNumbers = new Map<number, Tensor>();

  constructor(layers: readonly BankLayer[], dtype: BankDType, transfer: Transfer, traffic?: Traffic) {
    this.#layers = layers;
    this.#dtype = dtype;
    this.#transfer = transfer;
    this.#traffic = traffic;
  }

  /** Bytes of a number in it. */
  get itemBytes(): number {
    return bytesPerElement[this.#dtype];
  }

  /** [1, 1, 1, capacity]: 0, 1, …; the same for every step, so it is sent once per capacity. */
  async slotNumbers(capacity: number): Promise<Tensor> {
    const known = this.#slotNumbers.get(capacity);
    if (known) return known;
    const numbers = Int32Array.from({ length: capacity }, (_, slot) => slot);
    const made = await this.#transfer.toDevice(numbers, [1, 1, 1, capacity]);
    this.#slotNumbers.set(capacity, made);
    return made;
  }

  /** A bank of nothing. */
  async empty(rows: number, capacity: number): Promise<Bank> {
    this.#empty ??= this.#session(emptyGraph(this.#layers, this.#dtype));
    const feeds: Record<string, Tensor> = {};
    for (const { kvHeads, headDim } of this.#layers) {
      feeds[shapeName('keys', kvHeads, headDim)] = int64s([rows, kvHeads, headDim, capacity]);
      feeds[shapeName('values', kvHeads, headDim)] = int64s([rows, kvHeads, capacity, headDim]);
    }
    return this.#bankOf(await (await this.#empty).run(feeds), rows, capacity);
  }

  /** A new bank from rows of others. What lies behind a row's length is zero in it. */
  async gather(parts: readonly Picked[], rows: number, capacity: number): Promise<Bank> {
    let made: Bank | null = parts.length === 1 ? null : await this.empty(rows, capacity);
    for (const part of parts) {
      const before: Bank | null = made;
      made = await this.#add(before, part, rows, capacity);
      if (before) disposeBank(before);
    }
    return made ?? this.empty(rows, capacity);
  }

  async release(): Promise<void> {
    for (const tensor of this.#slotNumbers.values()) tensor.dispose();
    this.#slotNumbers.clear();
    await releaseAll([this.#empty, ...this.#pick.values()]);
  }

  async #add(base: Bank | null, { bank, index, lengths }: Picked, rows: number, capacity: number): Promise<Bank> {
    const hasBase = base !== null;
    const session = this.#pick.get(hasBase) ?? this.#session(pickGraph(this.#layers, this.#dtype, hasBase));
    this.#pick.set(hasBase, session);
    const kept = Math.min(bank.capacity, capacity);
    const feeds: Record<string, Tensor> = {
      index: new Tensor('int32', index, [rows]),
      lengths: new Tensor('int32', lengths, [rows, 1, 1, 1]),
      kept: int64s([kept]),
      grown: int64s([0, capacity - kept]),
      [slotNumbersInput]: await this.slotNumbers(capacity),
      ...bankFeeds(bank),
    };
    if (base)
      base.keys.forEach((keys, layer) => {
        feeds[baseName('keys', layer)] = keys;
        feeds[baseName('values', layer)] = base.values[layer] as Tensor;
      });
    return this.#bankOf(await (await session).run(feeds), rows, capacity);
  }

  #bankOf(results: Fetches, rows: number, capacity: number): Bank {
    return bankFrom(results, this.#layers.length, rows, capacity);
  }

  #session(graph: Graph): Promise<Session> {
    const { bytes } = encodeModel(graph, null);
    const resident = graph.outputs.map(({ name }) => name);
    const { device } = this.#transfer;
    return createSession(bytes, { threads: 1, device, quickly: true, resident, traffic: this.#traffic });
  }
}

/** The inputs of a graph that reads a bank. */
export function bankFeeds({ keys, values }: Bank): Feeds {
  const feeds: Record<string, Tensor> = {};
  keys.forEach((tensor, layer) => {
    feeds[pastKeyInput(layer)] = tensor;
    feeds[pastValueInput(layer)] = values[layer] as Tensor;
  });
  return feeds;
}

export function bankFrom(results: Fetches, layers: number, rows: number, capacity: number): Bank {
  const take = (name: (layer: number) => string): Tensor[] =>
    Array.from({ length: layers }, (_, layer) => {
      const tensor = results[name(layer)];
      if (!tensor) throw new Error(`no output ${name(layer)}`);
      return tensor;
    });
  return { rows, capacity, keys: take(presentKeyOutput), values: take(presentValueOutput) };
}

const shapeName = (kind: string, kvHeads: number, headDim: number): string => `${kind}_shape.${kvHeads}.${headDim}`;
const baseName = (kind: string, layer: number): string => `base_${kind}.${layer}`;

export const int64s = (numbers: readonly number[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(numbers, BigInt), [numbers.length]);

function emptyGraph(layers: readonly BankLayer[], dtype: BankDType): Graph {
  const g = new GraphBuilder('empty bank');
  const zero = g.constant(dtype, [], [0]);
  layers.forEach(({ kvHeads, headDim }, layer) => {
    const shaped = (kind: string, shape: readonly Dim[]): Value =>
      ops.ExpandTo(zero, g.input(shapeName(kind, kvHeads, headDim), 'int64', [4]), shape);
    g.output(presentKeyOutput(layer), shaped('keys', ['B', kvHeads, headDim, 'M']));
    g.output(presentValueOutput(layer), shaped('values', ['B', kvHeads, 'M', headDim]));
  });
  return g.finish();
}

function pickGraph(layers: readonly BankLayer[], dtype: BankDType, hasBase: boolean): Graph {
  const g = new GraphBuilder('pick from a bank');
  const index = g.input('index', 'int32', ['B']);
  const isKept = ops.Less(
    g.input(slotNumbersInput, 'int32', [1, 1, 1, 'M']),
    g.input('lengths', 'int32', ['B', 1, 1, 1]),
  );
  const picked = (source: Value, axis: number, shape: readonly Dim[]): Value => {
    const rows = ops.Gather(source, index);
    const axes = g.constant('int64', [1], [axis]);
    const start = g.constant('int64', [1], [0]);
    const cut = g.node('Slice', [rows, start, g.input('kept', 'int64', [1]), axes], [{ dtype, shape }])[0] as Value;
    const zero = g.constant(dtype, [], [0]);
    const inputs = [cut, g.input('grown', 'int64', [2]), zero, axes];
    return g.node('Pad', inputs, [{ dtype, shape }], { mode: { string: 'constant' } })[0] as Value;
  };
  layers.forEach(({ kvHeads, headDim }, layer) => {
    const keyShape = ['B', kvHeads, headDim, 'M'];
    const valueShape = ['B', kvHeads, 'M', headDim];
    const base = (kind: string, shape: readonly Dim[]): Value | number =>
      hasBase ? g.input(baseName(kind, layer), dtype, shape) : 0;
    const keys = g.input(pastKeyInput(layer), dtype, ['P', kvHeads, headDim, 'K']);
    const values = g.input(pastValueInput(layer), dtype, ['P', kvHeads, 'K', headDim]);
    g.output(presentKeyOutput(layer), ops.Where(isKept, picked(keys, 3, keyShape), base('keys', keyShape)));
    g.output(
      presentValueOutput(layer),
      ops.Where(
        ops.Reshape(isKept, [0, 1, -1, 1], ['B', 1, 'M', 1]),
        picked(values, 2, valueShape),
        base('values', valueShape),
      ),
    );
  });
  return g.finish();
}
