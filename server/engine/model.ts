// One loaded model in the engine: its decoder graph, its cache rows, its stored prefixes and its counters. forward() is the only
// place where the engine runs a decoder.
import { DecoderModel } from '../../kernels/decoder/model.js';
import type { DecoderSpec } from '../../kernels/decoder/spec.js';
import { VisionModel } from '../../kernels/vision/model.js';
import { ensureArtifact } from '../models/artifacts.js';
import { loadTokenTable, type TokenTable } from '../models/tokenizer.js';
import { type GpuDevice, loadOnDevice, refuseModel } from './device.js';
import { HostRows, type Decoder } from './host-rows.js';
import { ImageRows, type Vision } from './images.js';
import type { EngineSettings, LoadedModelInfo, ModelGauges, ModelSettings } from './messages.js';
import type { ForwardRow, RowPlace } from './place.js';
import { PrefixStore } from './prefixes.js';
import type { CacheRow, RowStore } from './row-store.js';
import type { LogitsBatch } from './view.js';

/** A tick should not keep an abort waiting longer than this: bounds the prefill chunk once the model's speed is known. */
const CHUNK_TARGET_MS = 150;
const RATE_MEMORY = 0.8;

export type { Decoder } from './host-rows.js';
export type { ForwardRow } from './place.js';

export class EngineModel {
  readonly name: string;
  readonly cache: RowStore;
  readonly prefixes: PrefixStore;
  /** Null where it reads no pictures. */
  readonly images: ImageRows | null;
  readonly table: TokenTable;
  readonly info: LoadedModelInfo;
  readonly ropeSwitchLength: number | null;
  readonly forwards = { count: 0, rows: 0, seconds: 0 };
  readonly #place: RowPlace;
  /** Smoothed prefill speed in tokens per millisecond; null until measured. */
  #prefillRate: number | null = null;

  constructor(
    place: RowPlace,
    ropeSwitchLength: number | null,
    table: TokenTable,
    info: LoadedModelInfo,
    settings: Pick<EngineSettings, 'prefixCacheBytes'>,
    images: ImageRows | null = null,
  ) {
    this.name = info.name;
    this.info = info;
    this.table = table;
    this.#place = place;
    this.cache = place.cache;
    this.prefixes = new PrefixStore(settings.prefixCacheBytes);
    this.images = images;
    this.ropeSwitchLength = ropeSwitchLength;
  }

  /** A decoder on the CPU. */
  static onHost(
    decoder: Decoder,
    table: TokenTable,
    info: LoadedModelInfo,
    settings: Pick<EngineSettings, 'maxRows' | 'cacheBytes' | 'prefixCacheBytes'> & {
      readonly imageCacheBytes?: number;
    },
    vision: Vision | null = null,
  ): EngineModel {
    const images = vision && new ImageRows(vision, settings.imageCacheBytes ?? 0);
    const place = new HostRows(decoder, settings, images);
    return new EngineModel(place, decoder.spec.ropeSwitchLength, table, info, settings, images);
  }

  /** `gpu`: for models whose device it is. */
  static async load(
    model: ModelSettings,
    settings: EngineSettings,
    gpu: GpuDevice | null,
    onProgress: (stage: string, fraction: number) => void,
  ): Promise<EngineModel> {
    const started = performance.now();
    const device = gpu ? 'webgpu' : 'cpu';
    refuseModel(model, gpu);
    const artifact = await ensureArtifact({
      path: model.path,
      weights: model.weights,
      device,
      artifactDirectory: settings.artifactDirectory,
      onProgress,
    });
    onProgress('loading', 0);
    const decoder = gpu
      ? await loadOnDevice(artifact.directory, model, settings, gpu)
      : await loadOnHost(artifact.directory, settings);
    const { spec, parameters, place, images } = decoder;
    const table = loadTokenTable(model.path);
    const info: LoadedModelInfo = {
      name: model.name,
      kind: model.kind,
      family: spec.family,
      weights: model.weights,
      device,
      vocabSize: spec.vocabSize,
      contextLength: Math.min(model.contextLength ?? Infinity, spec.contextLength, place.cache.longestRow),
      parameters,
      loadMs: performance.now() - started,
    };
    onProgress('ready', 1);
    return new EngineModel(place, spec.ropeSwitchLength, table, info, settings, images);
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
   * row in the order of `rows`, positions ascending, and how many tokens were computed for that, padding counted.
   */
  async forward(
    rows: readonly ForwardRow[],
  ): Promise<{ logits: LogitsBatch; firstRow: ReadonlyMap<CacheRow, number>; tokens: number }> {
    const started = performance.now();
    const { logits, ordered, tokens } = await this.#place.forward(rows);
    const firstRow = new Map<CacheRow, number>();
    let next = 0;
    for (const { row, ids, logitsFrom } of ordered) {
      firstRow.set(row, next);
      next += ids.length - logitsFrom;
    }
    this.#count(rows, tokens, performance.now() - started);
    return { logits, firstRow, tokens };
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
    await this.#place.release();
  }

  #count(rows: readonly ForwardRow[], tokens: number, ms: number): void {
    this.forwards.count++;
    this.forwards.rows += rows.length;
    this.forwards.seconds += ms / 1000;
    if (rows.every(({ ids }) => ids.length < 8)) return;
    const rate = tokens / ms;
    this.#prefillRate = this.#prefillRate === null ? rate : RATE_MEMORY * this.#prefillRate + (1 - RATE_MEMORY) * rate;
  }
}

/** A model's parts, wherever it was loaded. */
export interface LoadedPlace {
  readonly spec: DecoderSpec;
  readonly parameters: number;
  readonly place: RowPlace;
  readonly images: ImageRows | null;
}

async function loadOnHost(directory: string, settings: EngineSettings): Promise<LoadedPlace> {
  const decoder = await DecoderModel.load(directory, { threads: settings.threads });
  const { spec, parameters } = decoder;
  const vision = spec.vision ? await VisionModel.load(directory, spec.vision, { threads: settings.threads }) : null;
  const images = vision && new ImageRows(vision, settings.imageCacheBytes ?? 0);
  return { spec, parameters, place: new HostRows(decoder, settings, images), images };
}
