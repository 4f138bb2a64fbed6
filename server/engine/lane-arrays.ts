// Keys and values of all lanes of one model on the host: per layer a dense array [lanes, kvHeads, capacity, headDim] for keys and one for
// values, which the runtime reads where they lie. A lane is one row of these arrays, a slot a token's place in it. Only moves floats: who holds
// which slot is cache.ts's business.
import { free } from './free.js';
import { moveInto, moveWithin, runsOf } from './lane-moves.js';
import type { LayerShape } from './row-store.js';

/** Keys and values apart from the lanes: per layer [kvHeads, length, headDim]. */
export interface Tokens {
  readonly length: number;
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** What a forward over neighbouring lanes needs: views on the arrays, no copy. */
export interface CacheSlice {
  readonly capacity: number;
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** A forward's new keys or values: per layer [batch, kvHeads, width, headDim]. */
export interface NewTokens {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  readonly width: number;
}

/** Where the tokens of a lane come from when everything is laid out anew; they will lie in its first slots. */
export interface Source {
  readonly lane: number;
  readonly slots: readonly number[];
}

const FLOAT_BYTES = 4;
/** Memory that a model keeps for what comes next; beyond it what is not in use is given back. */
const KEPT_BYTES = 2 ** 28;

export class LaneArrays {
  readonly #layers: readonly LayerShape[];
  readonly tokenBytes: number;
  #lanes = 0;
  #capacity = 0;
  #keys: Float32Array[];
  #values: Float32Array[];

  constructor(layers: readonly LayerShape[]) {
    this.#layers = layers;
    this.tokenBytes = layers.reduce((sum, { kvHeads, headDim }) => sum + 2 * kvHeads * headDim * FLOAT_BYTES, 0);
    this.#keys = layers.map(() => new Float32Array(0));
    this.#values = layers.map(() => new Float32Array(0));
  }

  get lanes(): number {
    return this.#lanes;
  }

  /** Slots of each lane. */
  get capacity(): number {
    return this.#capacity;
  }

  get bytes(): number {
    return this.#lanes * this.#capacity * this.tokenBytes;
  }

  /** `count` lanes from `start` on. */
  slice(start: number, count: number): CacheSlice {
    const capacity = Math.max(this.#capacity, 1);
    const cut = (arrays: readonly Float32Array[]): Float32Array[] =>
      arrays.map((array, layer) => {
        const { kvHeads, headDim } = this.#layers[layer] as LayerShape;
        const stride = kvHeads * capacity * headDim;
        if (array.length === 0) return new Float32Array(count * stride);
        return array.subarray(start * stride, (start + count) * stride);
      });
    return { capacity, keys: cut(this.#keys), values: cut(this.#values) };
  }

  /**
   * So many lanes and slots; sources[i] fills lane i, null leaves it empty. Lanes that keep their places are moved within the memory that
   * there is: every page of fresh memory faults when it is first written, and all streams wait for it.
   */
  layOut(lanes: number, capacity: number, sources: readonly (Source | null)[]): void {
    const moves = sources.flatMap((source, to) =>
      source ? [{ lane: source.lane, to, runs: runsOf(source.slots), tokens: source.slots.length }] : [],
    );
    const stay = moves.every(({ lane, to }) => lane === to);
    const { heldBytes } = this;
    const move = (arrays: Float32Array[]): void =>
      this.#layers.forEach(({ kvHeads, headDim }, layer) => {
        const old = arrays[layer] as Float32Array;
        const { buffer } = old;
        const blocks = { kvHeads, headDim, before: this.#capacity, after: capacity };
        const length = lanes * kvHeads * capacity * headDim;
        const bytes = length * FLOAT_BYTES;
        const isEnough = bytes <= buffer.byteLength && (heldBytes <= KEPT_BYTES || 2 * bytes >= buffer.byteLength);
        if (stay && isEnough) {
          moveWithin(new Float32Array(buffer), blocks, lanes, moves);
          arrays[layer] = new Float32Array(buffer, 0, length);
        } else {
          const fresh = new Float32Array(length);
          moveInto(fresh, old, blocks, moves);
          arrays[layer] = fresh;
          free([old]);
        }
      });
    move(this.#keys);
    move(this.#values);
    this.#lanes = lanes;
    this.#capacity = capacity;
  }

  /** Memory that is held, in use or not. */
  get heldBytes(): number {
    return [...this.#keys, ...this.#values].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }

  /** Tokens of one lane into the first slots of another. */
  copy(from: Source, to: number): void {
    const runs = runsOf(from.slots);
    this.#eachHead((array, head, kvHeads, headDim) => {
      const source = (from.lane * kvHeads + head) * this.#capacity;
      const target = (to * kvHeads + head) * this.#capacity;
      for (const { at, slot, count } of runs)
        array.copyWithin((target + at) * headDim, (source + slot) * headDim, (source + slot + count) * headDim);
    });
  }

  /** What two lanes hold in their first `slots` slots changes places. */
  swap(a: number, b: number, slots: number): void {
    this.#eachHead((array, head, kvHeads, headDim) => {
      const size = slots * headDim;
      const first = (a * kvHeads + head) * this.#capacity * headDim;
      const second = (b * kvHeads + head) * this.#capacity * headDim;
      const held = array.slice(first, first + size);
      array.copyWithin(first, second, second + size);
      array.set(held, second);
    });
  }

  /** Takes row `batchRow` of a forward, from its column `column` on, into these slots. */
  write(lane: number, slots: readonly number[], fresh: NewTokens, batchRow: number, column: number): void {
    const runs = runsOf(slots);
    this.#layers.forEach(({ kvHeads, headDim }, layer) => {
      for (const [to, from] of [
        [this.#keys[layer], fresh.keys[layer]],
        [this.#values[layer], fresh.values[layer]],
      ] as const)
        for (let head = 0; head < kvHeads; head++) {
          const source = ((batchRow * kvHeads + head) * fresh.width + column) * headDim;
          const target = (lane * kvHeads + head) * this.#capacity;
          for (const { at, slot, count } of runs)
            copyFloats(
              from as Float32Array,
              source + at * headDim,
              to as Float32Array,
              (target + slot) * headDim,
              count * headDim,
            );
        }
    });
  }

  read({ lane, slots }: Source): Tokens {
    const runs = runsOf(slots);
    const { length } = slots;
    const take = (arrays: readonly Float32Array[]): Float32Array[] =>
      this.#layers.map(({ kvHeads, headDim }, layer) => {
        const copy = new Float32Array(kvHeads * length * headDim);
        for (let head = 0; head < kvHeads; head++) {
          const from = (lane * kvHeads + head) * this.#capacity;
          for (const { at, slot, count } of runs)
            copy.set(
              (arrays[layer] as Float32Array).subarray((from + slot) * headDim, (from + slot + count) * headDim),
              (head * length + at) * headDim,
            );
        }
        return copy;
      });
    return { length, keys: take(this.#keys), values: take(this.#values) };
  }

  /** The first of these tokens into as many slots. */
  put(lane: number, slots: readonly number[], { keys, values, length }: Tokens): void {
    this.write(lane, slots, { keys, values, width: length }, 0, 0);
  }

  /** Zeroes slots `from` to `to` of a lane. */
  clear(lane: number, from: number, to: number): void {
    this.#eachHead((array, head, kvHeads, headDim) => {
      const start = (lane * kvHeads + head) * this.#capacity;
      array.fill(0, (start + from) * headDim, (start + to) * headDim);
    });
  }

  /** Throws where an array has another size than it is said to have. */
  check(): void {
    this.#layers.forEach(({ kvHeads, headDim }, layer) => {
      const expected = this.#lanes * kvHeads * this.#capacity * headDim;
      for (const { length } of [this.#keys[layer], this.#values[layer]] as Float32Array[])
        if (length !== expected) throw new Error(`cache: layer ${layer} has ${length} floats instead of ${expected}`);
    });
  }

  #eachHead(visit: (array: Float32Array, head: number, kvHeads: number, headDim: number) => void): void {
    this.#layers.forEach(({ kvHeads, headDim }, layer) => {
      for (const arrays of [this.#keys, this.#values])
        for (let head = 0; head < kvHeads; head++) visit(arrays[layer] as Float32Array, head, kvHeads, headDim);
    });
  }
}

/** A view costs as much as copying some hundred floats: a decode step copies thousands of pieces of one head's width. */
const WORTH_A_VIEW = 512;

function copyFloats(from: Float32Array, source: number, to: Float32Array, target: number, count: number): void {
  if (count >= WORTH_A_VIEW) {
    to.set(from.subarray(source, source + count), target);
    return;
  }
  for (let i = 0; i < count; i++) to[target + i] = from[source + i] as number;
}
