// One loaded model in the engine: its decoder graph, its cache rows, its stored prefixes and its counters. forward() is the only
// place where the engine runs a decoder.
import { DecoderModel, type DecoderBatch, type DecoderOutput } from '../../kernels/decoder/model.js';
import { VisionModel } from '../../kernels/vision/model.js';
import { ensureArtifact } from '../models/artifacts.js';
import { loadTokenTable, type TokenTable } from '../models/tokenizer.js';
import { makeBatch, type BatchRow } from './batch.js';
import { RowCache, type CacheRow, type CacheSlice } from './cache.js';
import { ImageRows, type Vision } from './images.js';
import type { EngineSettings, LoadedModelInfo, ModelGauges, ModelSettings } from './messages.js';
import { PrefixStore } from './prefixes.js';
import type { LogitsBatch } from './view.js';

/** A tick should not keep an abort waiting longer than this: bounds the prefill chunk once the model's speed is known. */
const CHUNK_TARGET_MS = 150;
const RATE_MEMORY = 0.8;

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

export interface ForwardRow extends BatchRow {
  readonly row: CacheRow;
}

/** Tokens of one row that alone fills the cache budget: a longer context could be promised but never served. */
function longestRow(decoder: Decoder, cacheBytes: number): number {
  return Math.floor(cacheBytes / new RowCache(decoder.spec.layers, { maxRows: 1, bytes: cacheBytes }).tokenBytes);
}

export class EngineModel {
  readonly name: string;
  readonly cache: RowCache;
  readonly prefixes: PrefixStore;
  /** Null where it reads no pictures. */
  readonly images: ImageRows | null;
  readonly table: TokenTable;
  readonly info: LoadedModelInfo;
  readonly ropeSwitchLength: number | null;
  readonly forwards = { count: 0, rows: 0, seconds: 0 };
  readonly #decoder: Decoder;
  readonly #emptyPast: CacheSlice;
  #emptyRows = 0;
  /** Smoothed prefill speed in tokens per millisecond; null until measured. */
  #prefillRate: number | null = null;

  constructor(
    decoder: Decoder,
    table: TokenTable,
    info: LoadedModelInfo,
    settings: Pick<EngineSettings, 'maxRows' | 'cacheBytes' | 'prefixCacheBytes'> & {
      readonly imageCacheBytes?: number;
    },
    vision: Vision | null = null,
  ) {
    this.name = info.name;
    this.info = info;
    this.table = table;
    this.#decoder = decoder;
    const layers = decoder.spec.layers.map(({ kvHeads, headDim }) => ({ kvHeads, headDim }));
    this.cache = new RowCache(layers, { maxRows: settings.maxRows, bytes: settings.cacheBytes });
    this.prefixes = new PrefixStore(settings.prefixCacheBytes);
    this.images = vision && new ImageRows(vision, settings.imageCacheBytes ?? 0);
    this.ropeSwitchLength = decoder.spec.ropeSwitchLength;
    this.#emptyPast = {
      capacity: 1,
      keys: layers.map(() => new Float32Array(0)),
      values: layers.map(() => new Float32Array(0)),
    };
  }

  static async load(
    model: ModelSettings,
    settings: EngineSettings,
    onProgress: (stage: string, fraction: number) => void,
  ): Promise<EngineModel> {
    const started = performance.now();
    const artifact = await ensureArtifact({
      path: model.path,
      weights: model.weights,
      artifactDirectory: settings.artifactDirectory,
      onProgress,
    });
    onProgress('loading', 0);
    const decoder = await DecoderModel.load(artifact.directory, { threads: settings.threads });
    const seeing = decoder.spec.vision;
    const vision = seeing ? await VisionModel.load(artifact.directory, seeing, { threads: settings.threads }) : null;
    const table = loadTokenTable(model.path);
    const info: LoadedModelInfo = {
      name: model.name,
      kind: model.kind,
      family: decoder.spec.family,
      weights: model.weights,
      vocabSize: decoder.spec.vocabSize,
      contextLength: Math.min(
        model.contextLength ?? Infinity,
        decoder.spec.contextLength,
        longestRow(decoder, settings.cacheBytes),
      ),
      parameters: decoder.parameters,
      loadMs: performance.now() - started,
    };
    onProgress('ready', 1);
    return new EngineModel(decoder, table, info, settings, vision);
  }

  /** New tokens to compute per tick: the configured cap, or less where the model is slow. */
  tokenBudget(cap: number): number {
    return this.#prefillRate === null
      ? Math.min(cap, 64)
      : Math.max(16, Math.min(cap, Math.round(this.#prefillRate * CHUNK_TARGET_MS)));
  }

  /** Caches computed with other rope factors are not interchangeable. */
  regimeKey(longRope: boolean): number {
    return longRope ? 1 : 0;
  }

  /**
   * Takes in every row's new tokens and appends their keys and values. The caller has reserved room. Returns the wanted logits, row by
   * row in the order of `rows`, positions ascending.
   */
  async forward(
    rows: readonly ForwardRow[],
  ): Promise<{ logits: LogitsBatch; firstRow: ReadonlyMap<CacheRow, number> }> {
    const started = performance.now();
    const byRow = new Map(rows.map((row) => [row.row, row]));
    const arranged = this.cache.arrange(rows.map(({ row }) => row));
    const ordered = arranged.rows.map((row) => byRow.get(row) as ForwardRow);
    const fresh = ordered.every(({ pastLength }) => pastLength === 0);
    const past = fresh ? this.#nothingPast(ordered.length) : this.cache.slice(arranged.start, ordered.length);
    const batch = makeBatch(ordered, past);
    const images = this.images && (await this.images.take(batch.ids));
    const output = await this.#decoder.forward(images ? { ...batch, images } : batch);
    ordered.forEach(({ row, ids }, r) =>
      this.cache.append(row, output.newKeys, output.newValues, r, batch.width, ids.length),
    );
    const firstRow = new Map<CacheRow, number>();
    let next = 0;
    for (const { row, ids, logitsFrom } of ordered) {
      firstRow.set(row, next);
      next += ids.length - logitsFrom;
    }
    this.#count(rows.length, rows.length * batch.width, batch.width, performance.now() - started);
    // Of a classification head: its scores.
    const width = output.logits.dims.at(-1) ?? this.#decoder.spec.vocabSize;
    const { hidden } = output;
    const states = hidden && { data: hidden.data as Float32Array, width: hidden.dims.at(-1) ?? 0 };
    const logits = { data: output.logits.data as Float32Array, width, ...(states ? { hidden: states } : {}) };
    return { logits, firstRow };
  }

  gauges(): ModelGauges {
    return {
      cacheRows: this.cache.rowsInUse,
      cacheTokens: this.cache.tokensInUse,
      cacheBytes: this.cache.bytes,
      cacheCapacityBytes: this.cache.budgetBytes,
      prefixBytes: this.prefixes.bytes,
      prefixEntries: this.prefixes.size,
      ...(this.images ? { images: this.images.counters } : {}),
    };
  }

  async release(): Promise<void> {
    this.prefixes.clear();
    await this.images?.release();
    await this.#decoder.release();
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

  #count(rows: number, tokens: number, width: number, ms: number): void {
    this.forwards.count++;
    this.forwards.rows += rows;
    this.forwards.seconds += ms / 1000;
    if (width < 8) return;
    const rate = tokens / ms;
    this.#prefillRate = this.#prefillRate === null ? rate : RATE_MEMORY * this.#prefillRate + (1 - RATE_MEMORY) * rate;
  }
}
