// One model's forwards on the CPU: the decoder reads the cache where it lies and gives the new tokens' keys and values, which are appended.
// The counterpart of device-rows.ts; EngineModel owns one of the two.
import type { DecoderBatch, DecoderOutput } from '../../kernels/decoder/model.js';
import { makeBatch } from './batch.js';
import { RowCache } from './cache.js';
import { free } from './free.js';
import { HeldLogits } from './held-logits.js';
import type { ImageRows } from './images.js';
import type { HostRow } from './lane.js';
import type { CacheSlice } from './lane-arrays.js';
import type { Forwarded, ForwardRow, RowPlace } from './place.js';

/** What the engine needs of a decoder: a DecoderModel, or a toy in tests. */
export interface Decoder {
  readonly spec: {
    readonly layers: readonly { readonly kvHeads: number; readonly headDim: number }[];
    readonly vocabSize: number;
    readonly ropeSwitchLength: number | null;
  };
  forward(batch: DecoderBatch): Promise<DecoderOutput>;
  release(): Promise<void>;
}

export class HostRows implements RowPlace {
  readonly cache: RowCache;
  readonly #decoder: Decoder;
  readonly #emptyPast: CacheSlice;
  readonly #images: ImageRows | null;
  #emptyRows = 0;

  constructor(
    decoder: Decoder,
    limits: { readonly maxRows: number; readonly cacheBytes: number },
    images: ImageRows | null = null,
  ) {
    this.#decoder = decoder;
    this.#images = images;
    const layers = decoder.spec.layers.map(({ kvHeads, headDim }) => ({ kvHeads, headDim }));
    this.cache = new RowCache(layers, { maxRows: limits.maxRows, bytes: limits.cacheBytes });
    this.#emptyPast = {
      capacity: 1,
      keys: layers.map(() => new Float32Array(0)),
      values: layers.map(() => new Float32Array(0)),
    };
  }

  async forward(rows: readonly ForwardRow[]): Promise<Forwarded> {
    const byRow = new Map(rows.map((row) => [row.row, row]));
    const { start, lanes } = this.cache.arrange(rows.map(({ row }) => row));
    const side = lanes.map((members) => members.map((row) => ({ ...(byRow.get(row) as ForwardRow), row })));
    const ordered = side.flat();
    const fresh = ordered.every(({ pastLength }) => pastLength === 0);
    const past = fresh ? this.#nothingPast(lanes.length) : this.cache.slice(start, lanes.length);
    const batch = {
      ...makeBatch(side, ({ row }) => slotsOf(row)),
      pastCapacity: past.capacity,
      pastKeys: past.keys,
      pastValues: past.values,
    };
    const images = this.#images && (await this.#images.take(batch.ids));
    const output = await this.#decoder.forward(images ? { ...batch, images } : batch);
    const made = { keys: output.newKeys, values: output.newValues, width: batch.width };
    side.forEach((members, lane) => {
      let column = 0;
      for (const { row, ids } of members) {
        this.cache.append(row, made, lane, column, ids.length);
        column += ids.length;
      }
    });
    free([...output.newKeys, ...output.newValues]);
    // Of a classification head: its scores.
    const width = output.logits.dims.at(-1) ?? this.#decoder.spec.vocabSize;
    const { hidden } = output;
    const states = hidden && { data: hidden.data as Float32Array, width: hidden.dims.at(-1) ?? 0 };
    return {
      logits: new HeldLogits(
        { data: output.logits.data as Float32Array, width, ...(states ? { hidden: states } : {}) },
        (data) => free([data]),
      ),
      ordered,
      tokens: batch.rows * batch.width,
    };
  }

  release(): Promise<void> {
    return this.#decoder.release();
  }

  /** Prefill from nothing need not read the cache's (masked) capacity: one masked slot is enough. */
  #nothingPast(rows: number): CacheSlice {
    if (rows > this.#emptyRows) {
      const sizes = this.#decoder.spec.layers.map(({ kvHeads, headDim }) => rows * kvHeads * headDim);
      (this.#emptyPast.keys as Float32Array[]).splice(0, sizes.length, ...sizes.map((size) => new Float32Array(size)));
      (this.#emptyPast.values as Float32Array[]).splice(
        0,
        sizes.length,
        ...sizes.map((size) => new Float32Array(size)),
      );
      this.#emptyRows = rows;
    }
    const cut = (arrays: readonly Float32Array[]) =>
      arrays.map((array) => array.subarray(0, (array.length / this.#emptyRows) * rows));
    return { capacity: 1, keys: cut(this.#emptyPast.keys), values: cut(this.#emptyPast.values) };
  }
}

/** Null where they are the first slots of the lane: a mask of one stretch. */
const slotsOf = ({ slots, dense }: HostRow): readonly number[] | null => (dense === slots.length ? null : slots);
