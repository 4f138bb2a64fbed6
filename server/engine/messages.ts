// The closed protocol between the main thread and the engine thread: two unions, payload tied to kind. Text, ids and small arrays
// cross; tensors never do.
import type { ErrorData } from '../errors.js';
import type { EndpointSettings } from '../models/endpoints.js';
import type { WeightsName } from '../models/weight-format.js';
import type { Change, DecodeEvent, DecodeRequest, Grant } from '../wire/decode.js';

export type DeviceName = 'cpu' | 'webgpu' | 'auto';

/** How to load one model. Paths are absolute; the artifact is made (and cached) when it is missing. */
export interface ModelSettings {
  readonly name: string;
  readonly path: string;
  readonly weights: WeightsName;
  readonly kind: 'causal' | 'reward';
  /** auto: the GPU where there is one. */
  readonly device: DeviceName;
  /** Longest sequence to serve; the checkpoint's own limit when null. */
  readonly contextLength: number | null;
}

/** Read by the worker as its workerData. */
export interface EngineSettings {
  readonly models: readonly ModelSettings[];
  readonly artifactDirectory: string;
  /** Threads of the runtime's intra-op pool. */
  readonly threads: number;
  /** New tokens computed per tick over all rows of one model: bounds the time that an abort can wait. */
  readonly tokensPerTick: number;
  /** Rows that decode together, per model. */
  readonly maxRows: number;
  readonly maxWaiting: number;
  /** Longest step of everything that runs; more wait rather than make it longer. Left out or null: any. */
  readonly stepMs?: number | null;
  /** Longest estimated wait for room; null: any. */
  readonly waitMs?: number | null;
  /** Longest time that others may add to the one until the first token, as estimated; null: any. */
  readonly firstTokenMs?: number | null;
  /** Key/value cache bytes per model. */
  readonly cacheBytes: number;
  /** Bytes of finished prompts kept for re-use, per model. */
  readonly prefixCacheBytes: number;
  /** Bytes of pictures' features and rows kept for re-use, per model. */
  readonly imageCacheBytes?: number;
  /** Scoring endpoints by name. */
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
  /** A scorer that fails ends the request; otherwise the rest is decoded plainly. */
  readonly failsWithScorer: boolean;
}

export type ToEngine =
  | { readonly kind: 'submit'; readonly request: DecodeRequest }
  | { readonly kind: 'cancel'; readonly requestId: string }
  | { readonly kind: 'grant'; readonly requestId: string; readonly grant: Grant }
  | { readonly kind: 'change'; readonly requestId: string; readonly change: Change }
  | { readonly kind: 'shutdown' };

/** Facts of a loaded model that the main thread needs. */
export interface LoadedModelInfo {
  readonly name: string;
  readonly kind: 'causal' | 'reward';
  readonly family: string;
  readonly weights: string;
  readonly device: 'cpu' | 'webgpu';
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly parameters: number;
  readonly loadMs: number;
}

export interface ModelGauges {
  readonly cacheRows: number;
  readonly cacheTokens: number;
  readonly cacheBytes: number;
  readonly cacheCapacityBytes: number;
  readonly prefixBytes: number;
  readonly prefixEntries: number;
  /** Only of models that read pictures: those that the tower has looked at, those that were projected, and what is kept. */
  readonly images?: { readonly encoded: number; readonly projected: number; readonly cacheBytes: number };
}

/** Monotonic counters and current gauges of the engine; posted when they changed, at most every 100 ms, and when the engine goes idle. */
export interface EngineStats {
  readonly running: number;
  readonly waiting: number;
  /** Rows × tokens that these may come to, over all models. */
  readonly price: { readonly running: number; readonly waiting: number };
  /** What a tick takes with what runs; 0 when nothing does. */
  readonly stepMs: number;
  readonly ticks: number;
  readonly preemptions: number;
  readonly promptTokens: number;
  readonly cachedPromptTokens: number;
  readonly generatedTokens: number;
  readonly nanRows: number;
  readonly cancelled: number;
  readonly models: Readonly<Record<string, ModelGauges>>;
  /** Forwards and their summed seconds, by model. */
  readonly forwards: Readonly<
    Record<string, { readonly count: number; readonly rows: number; readonly seconds: number }>
  >;
  readonly fuseSeconds: number;
  readonly drafts: DraftCounters;
  readonly traffic: TrafficCounters;
}

/** Bytes that crossed the bus to and from the GPU, what came back by its cause. */
export interface TrafficCounters {
  readonly uploaded: number;
  readonly read: Readonly<Record<string, number>>;
}

/** Blocks given to the members, their tokens, and how many of these were emitted. */
export interface DraftCounters {
  readonly blocks: number;
  readonly drafted: number;
  readonly accepted: number;
}

/** Before the engine has said anything. */
export const noStats: EngineStats = {
  running: 0,
  waiting: 0,
  price: { running: 0, waiting: 0 },
  stepMs: 0,
  ticks: 0,
  preemptions: 0,
  promptTokens: 0,
  cachedPromptTokens: 0,
  generatedTokens: 0,
  nanRows: 0,
  cancelled: 0,
  models: {},
  forwards: {},
  fuseSeconds: 0,
  drafts: { blocks: 0, drafted: 0, accepted: 0 },
  traffic: { uploaded: 0, read: {} },
};

export interface EngineEvent {
  readonly requestId: string;
  readonly event: DecodeEvent;
}

export type FromEngine =
  | { readonly kind: 'progress'; readonly model: string; readonly stage: string; readonly fraction: number }
  | { readonly kind: 'ready'; readonly models: readonly LoadedModelInfo[] }
  | { readonly kind: 'failed'; readonly error: ErrorData }
  | { readonly kind: 'events'; readonly events: readonly EngineEvent[] }
  | { readonly kind: 'stats'; readonly stats: EngineStats }
  | { readonly kind: 'stopped' };
