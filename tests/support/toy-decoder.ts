// A decoder whose logits are a hash of exactly the keys and values that lie in its cache row: if the engine feeds one token twice, mixes
// two rows up, forgets a rewind or reads beyond a row's length, every later token differs. Bitwise independent of batch mates and padding.
import type { DecoderBatch, DecoderOutput } from '../../kernels/decoder/model.js';
import type { Segment } from '../../kernels/decoder/masks.js';
import { Tensor } from '../../kernels/session.js';
import type { TokenTable } from '../../server/engine/detokenizer.js';
import { EngineModel, type Decoder } from '../../server/engine/model.js';

export const TOY_VOCAB = 24;
const LAYERS = [
  { kvHeads: 2, headDim: 2 },
  { kvHeads: 1, headDim: 3 },
];

export interface ToyOptions {
  readonly salt: number;
  /** Adds a little of another hash: a model that differs little from the one with the same salt and no tilt. */
  readonly tilt?: number | null;
  readonly ropeSwitchLength?: number | null;
  /** From this total length on, logits are NaN. */
  readonly nanFrom?: number;
  readonly onForward?: (batch: DecoderBatch) => void | Promise<void>;
}

/** The logits after a token sequence: the definition that the cached computation must reproduce. */
export function toyLogits(
  ids: readonly number[],
  salt: number,
  longRope = false,
  tilt: number | null = null,
): Float32Array {
  const own = hashedRow(ids, salt, longRope);
  const other = tilt === null ? null : hashedRow(ids, tilt, longRope);
  return other ? own.map((logit, v) => logit + 0.1 * other[v]!) : own;
}

function hashedRow(ids: readonly number[], salt: number, longRope: boolean): Float32Array {
  let hash = salt ^ (longRope ? 0x55555555 : 0);
  ids.forEach((id, position) => (hash = mix(hash ^ Math.imul(id + 1, 0x01000193) ^ Math.imul(position, 0x9e3779b1))));
  return Float32Array.from(
    { length: TOY_VOCAB },
    (_, v) => (mix(hash ^ Math.imul(v + 1, 0x85ebca6b)) / 2 ** 32) * 8 - 4,
  );
}

function mix(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

export class ToyDecoder implements Decoder {
  readonly spec;
  readonly #options: ToyOptions;

  constructor(options: ToyOptions) {
    this.#options = options;
    this.spec = { layers: LAYERS, vocabSize: TOY_VOCAB, ropeSwitchLength: options.ropeSwitchLength ?? null };
  }

  async forward(batch: DecoderBatch): Promise<DecoderOutput> {
    await this.#options.onForward?.(batch);
    const wanted = new Set(batch.logitSlots);
    const rows: Float32Array[] = [];
    for (let r = 0; r < batch.rows; r++) {
      let slot = r * batch.width;
      for (const segment of batch.segments[r] ?? []) {
        const ids = this.#past(batch, r, segment);
        for (let s = 0; s < segment.count; s++, slot++) {
          if (batch.positions[slot] !== ids.length)
            throw new Error(`position ${batch.positions[slot]} for token ${ids.length}`);
          ids.push(batch.ids[slot] ?? -1);
          if (!wanted.has(slot)) continue;
          const logits = toyLogits(ids, this.#options.salt, batch.longRope?.[slot] ?? false, this.#options.tilt);
          rows.push(ids.length >= (this.#options.nanFrom ?? Infinity) ? logits.fill(NaN) : logits);
        }
      }
    }
    const data = new Float32Array(rows.length * TOY_VOCAB);
    rows.forEach((row, i) => data.set(row, i * TOY_VOCAB));
    return {
      logits: new Tensor('float32', data, [rows.length, TOY_VOCAB]),
      // Its states are its logits: as telling, and known to the tests.
      ...(batch.wantsHidden ? { hidden: new Tensor('float32', data.slice(), [rows.length, TOY_VOCAB]) } : {}),
      newKeys: this.#tags(batch, 0),
      newValues: this.#tags(batch, 0.25),
    };
  }

  async release(): Promise<void> {}

  /** Reads a segment's tokens back from their keys and values, checking that every layer and head tells the same story. */
  #past(batch: DecoderBatch, r: number, { past, slots }: Segment): number[] {
    const ids: number[] = [];
    for (let place = 0; place < past; place++) {
      const token = slots === null ? place : slots[place]!;
      const seen = new Set<number>();
      LAYERS.forEach(({ kvHeads, headDim }, layer) => {
        for (let head = 0; head < kvHeads; head++) {
          const at = ((r * kvHeads + head) * batch.pastCapacity + token) * headDim;
          for (let dim = 0; dim < headDim; dim++) {
            seen.add(batch.pastKeys[layer]![at + dim]!);
            seen.add(batch.pastValues[layer]![at + dim]! - 0.25);
          }
        }
      });
      const [id] = seen;
      if (seen.size !== 1 || id === undefined)
        throw new Error(`row ${r}, token ${token}: the cache holds ${[...seen].join(' and ')}`);
      ids.push(id);
    }
    return ids;
  }

  #tags(batch: DecoderBatch, offset: number): Float32Array[] {
    return LAYERS.map(({ kvHeads, headDim }) => {
      const data = new Float32Array(batch.rows * kvHeads * batch.width * headDim).fill(-1);
      for (let r = 0; r < batch.rows; r++)
        for (let head = 0; head < kvHeads; head++)
          for (let s = 0; s < newIn(batch, r); s++) {
            const at = ((r * kvHeads + head) * batch.width + s) * headDim;
            data.fill(batch.ids[r * batch.width + s]! + offset, at, at + headDim);
          }
      return data;
    });
  }
}

const newIn = ({ segments }: DecoderBatch, r: number): number =>
  (segments[r] ?? []).reduce((sum, { count }) => sum + count, 0);

/** Token i prints as the letter i, the last one is the end token. */
export const toyTable: TokenTable = {
  size: TOY_VOCAB,
  bytesOf: (id) => new Uint8Array([97 + id]),
  isSpecial: (id) => id === TOY_VOCAB - 1,
  dropsLeadingSpace: false,
};

export interface ToyLimits {
  readonly maxRows?: number;
  readonly cacheBytes?: number;
  readonly prefixCacheBytes?: number;
}

export function toyModel(name: string, options: ToyOptions, limits: ToyLimits = {}): EngineModel {
  const info = {
    name,
    kind: 'causal' as const,
    family: 'toy',
    weights: 'f32',
    device: 'cpu' as const,
    vocabSize: TOY_VOCAB,
    contextLength: 4096,
    parameters: 0,
    loadMs: 0,
  };
  return EngineModel.onHost(new ToyDecoder(options), toyTable, info, {
    maxRows: limits.maxRows ?? 64,
    cacheBytes: limits.cacheBytes ?? 1 << 26,
    prefixCacheBytes: limits.prefixCacheBytes ?? 0,
  });
}
