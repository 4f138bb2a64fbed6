// The engine without HTTP: starts its thread in this process and turns requests' events into the same traces that an HTTP client records,
// so that both can be compared by one measure. Used by the engine's benchmarks.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { EngineClient } from '../../server/engine/client.js';
import type { EngineSettings, ModelSettings } from '../../server/engine/messages.js';
import { greedySampling, type DecodeRequest } from '../../server/wire/decode.js';
import { logits, viewsOf, type Scores } from '../../decoders/expr.js';
import { promptIds, type PromptShape } from '../arrivals.js';
import { interTokenGaps, type Trace } from '../measure.js';
import { shapes, writeCheckpoint, type CheckpointKind, type ShapeName } from './checkpoint.js';
import { median } from './rows.js';
import { benchCache, type Weights } from './server.js';
import { firstTextId } from './tokenizer.js';

/** Folder of a random checkpoint of this shape; made on first use and kept. */
export async function checkpointOf(shape: ShapeName, seed = 0, kind: CheckpointKind = 'causal'): Promise<string> {
  const name = kind === 'causal' ? `${shape}-${seed}` : `${shape}-${kind}-${seed}`;
  const directory = path.join(benchCache, 'checkpoints', name);
  if (!existsSync(path.join(directory, 'model.safetensors')))
    await writeCheckpoint(shapes[shape], directory, seed, kind).catch(async (error: unknown) => {
      await rm(directory, { recursive: true, force: true });
      throw error;
    });
  return directory;
}

/** A made-up checkpoint. */
export interface BenchModel {
  readonly shape: ShapeName;
  /** A checkpoint of that shape that was made elsewhere; a random one is made where this is left out. */
  readonly path?: string | undefined;
  readonly weights: Weights;
  readonly seed?: number;
  readonly kind?: CheckpointKind;
  readonly contextLength?: number;
}

/** The checkpoint of a folder. */
export interface FolderModel extends Omit<BenchModel, 'shape' | 'seed'> {
  readonly folder: string;
}

export async function startEngine(models: Readonly<Record<string, BenchModel>>, threads = 2): Promise<EngineClient> {
  return EngineClient.start(await settingsOf(models, threads));
}

export async function settingsOf(
  models: Readonly<Record<string, BenchModel | FolderModel>>,
  threads = 2,
): Promise<EngineSettings> {
  const settings: ModelSettings[] = [];
  for (const [name, model] of Object.entries(models)) {
    const { weights, kind = 'causal', contextLength } = model;
    settings.push({
      name,
      path: 'folder' in model ? model.folder : await checkpointOf(model.shape, model.seed, kind),
      weights,
      kind,
      device: 'cpu',
      contextLength: contextLength ?? null,
    });
  }
  return { ...limits, models: settings, threads };
}

export const limits: Omit<EngineSettings, 'models' | 'threads'> = {
  artifactDirectory: path.join(benchCache, 'artifacts'),
  tokensPerTick: 2048,
  maxRows: 64,
  maxWaiting: 1024,
  cacheBytes: 2 ** 31,
  // a benchmark must not be answered from a store
  prefixCacheBytes: 0,
  endpoints: {},
  failsWithScorer: true,
};

export const plain = (model: string): Scores => logits(model);

export interface InProcessWork {
  readonly distribution: Scores;
  readonly prompt: PromptShape;
  readonly maxTokens: number;
  readonly vocabSize: number;
  /** What differs from a greedy request without anything else. */
  readonly more?: Partial<DecodeRequest>;
}

/** Prompts of a plain model in this shape. */
export const workOf = (
  shape: ShapeName,
  distribution: Scores,
  promptTokens: number,
  maxTokens: number,
): InProcessWork => ({
  distribution,
  prompt: { tokens: promptTokens, firstId: firstTextId, endId: shapes[shape].vocab },
  maxTokens,
  vocabSize: shapes[shape].vocab,
});

let requests = 0;

export function requestOf({ distribution, prompt, maxTokens, vocabSize, more }: InProcessWork): DecodeRequest {
  const ids = Int32Array.from(promptIds(prompt, 17, requests));
  const views = viewsOf(distribution);
  return {
    requestId: `bench-${requests++}`,
    distribution,
    promptIds: views.map(() => ids),
    tokenizer: views[0]?.model ?? '',
    vocabSize,
    n: 1,
    seed: requests,
    sampling: greedySampling,
    maxTokens,
    minTokens: 0,
    stop: [],
    includeStop: false,
    stopTokenIds: [],
    logprobs: null,
    priority: 0,
    ...more,
  };
}

export async function traceInProcess(engine: EngineClient, work: InProcessWork): Promise<Trace> {
  const sentMs = performance.now();
  const arrivalsMs: number[] = [];
  const tokens: number[] = [];
  let error: string | null = null;
  for await (const event of engine.submit(requestOf(work))) {
    if (event.kind === 'delta') {
      arrivalsMs.push(performance.now());
      tokens.push(event.ids.length || 1);
    } else if (event.kind === 'failed') error = JSON.stringify(event.error);
  }
  const endMs = performance.now();
  if (error !== null) throw new Error(`a benchmark request failed: ${error}`);
  return {
    dueMs: sentMs,
    sentMs,
    arrivalsMs,
    tokens,
    endMs,
    promptTokens: work.prompt.tokens,
    finishReason: 'length',
    error,
  };
}

export const runStreams = (engine: EngineClient, work: InProcessWork, streams: number): Promise<Trace[]> =>
  Promise.all(Array.from({ length: streams }, () => traceInProcess(engine, work)));

/** Milliseconds per step of these streams in lockstep: the median gap between a stream's outputs. */
export const stepMs = (traces: readonly Trace[]): number => median(traces.flatMap(interTokenGaps));
