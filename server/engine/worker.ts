// The engine thread's entry: loads the models, then takes in messages, ticks, and posts what happened. When idle it checks the cache's
// invariants and waits for a message. The only place where engine and thread meet.
import { setImmediate as yieldToMessages } from 'node:timers/promises';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { runSearch } from '../../decoders/searches/index.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { Engine } from './engine.js';
import type { EngineSettings, FromEngine, ToEngine } from './messages.js';
import { askEndpoints } from '../models/endpoints.js';
import { sourceText } from '../models/source-text.js';
import { Constraints } from './constraint.js';
import { adapters, explained, fatal, type GpuDevice, openGpu, refuseModel } from './device.js';
import { keepFreed } from './free.js';
import { MixedKernels } from './mixed-kernels.js';
import { EngineModel } from './model.js';
import { ReadCache } from './reads.js';

const STATS_INTERVAL_MS = 100;

const port = parentPort;
if (!port) throw new Error('worker.ts runs as a worker thread only');
const post = (message: FromEngine, transfer: readonly ArrayBuffer[] = []): void => port.postMessage(message, transfer);

const settings = workerData as EngineSettings;
let engine: Engine | null = null;
let wake: (() => void) | null = null;
let stopping = false;

// Taken in where they arrive, also between the forwards of a tick: a cancelled request takes part in no further forward.
port.on('message', (message: ToEngine) => {
  receive(message);
  wake?.();
});

/** Converting a model keeps this thread busy for minutes; a shutdown must not wait for it. */
function stopWhereAsked(): void {
  for (let next = receiveMessageOnPort(port!); next; next = receiveMessageOnPort(port!))
    receive(next.message as ToEngine);
  if (stopping) throw new AppError('draining', {});
}

/** The GPU, if a model wants it and it is there. A model that insists on it gets an error where it is not. */
async function gpuFor(models: EngineSettings['models']): Promise<GpuDevice | null> {
  if (models.every(({ device }) => device === 'cpu')) return null;
  const found = await adapters();
  const { available, problem } = found;
  const insists = models.some(({ device }) => device === 'webgpu');
  if (!available && insists) throw new AppError('device_missing', { reason: problem });
  for (const { name, device } of models)
    if (device === 'auto')
      post({ kind: 'progress', model: name, stage: available ? 'on the GPU' : 'on the CPU', fraction: 0 });
  return available ? openGpu(found) : null;
}

async function loadModels(models: Map<string, EngineModel>, gpu: GpuDevice | null): Promise<void> {
  // All of them first: converting one takes minutes.
  for (const model of settings.models) refuseModel(model, model.device === 'cpu' ? null : gpu);
  for (const model of settings.models) {
    const onProgress = (stage: string, fraction: number): void => {
      // What is ready is kept, for it has to be released.
      if (stage !== 'ready') stopWhereAsked();
      post({ kind: 'progress', model: model.name, stage, fraction });
    };
    models.set(model.name, await EngineModel.load(model, settings, model.device === 'cpu' ? null : gpu, onProgress));
  }
}

/** Nothing but a shutdown comes before the models are loaded: the client refuses requests until then. */
function receive(message: ToEngine): void {
  switch (message.kind) {
    case 'submit': {
      engine?.submit(message.request);
      const events = engine?.takeRefusals() ?? [];
      if (events.length > 0) post({ kind: 'events', events });
      break;
    }
    case 'cancel':
      engine?.cancel(message.requestId);
      break;
    case 'grant':
      engine?.grant(message.requestId, message.grant);
      break;
    case 'change':
      engine?.change(message.requestId, message.change);
      break;
    case 'shutdown':
      stopping = true;
      break;
    default:
      message satisfies never;
  }
}

/** A failure as whoever waits for an answer hears of it. */
function told(error: unknown): AppError {
  const cause = explained(error);
  return cause instanceof AppError ? cause : new AppError('engine_failed', { reason: reasonOf(cause) }, { cause });
}

/**
 * One tick, its failure contained: a bug ends the requests that run with a clear error, not the process. Throws where the device has
 * failed: everything on it went with it, and with this thread's own failure its requests end, in whose place another thread starts.
 */
async function step(engine: Engine): Promise<void> {
  const events = await engine.tick().catch((error: unknown) => {
    console.error('engine tick failed:', error);
    const end = gpu && fatal(error);
    if (end) throw end;
    return engine.abort(told(error));
  });
  if (events.length === 0) return;
  const transfer = events.flatMap(({ event }) =>
    event.kind === 'delta' ? event.tokens.flatMap(({ full }) => (full ? [full.buffer as ArrayBuffer] : [])) : [],
  );
  post({ kind: 'events', events }, transfer);
}

async function serve(engine: Engine): Promise<void> {
  let statsAt = 0;
  while (!stopping) {
    if (engine.idle) {
      engine.check();
      post({ kind: 'stats', stats: engine.stats() });
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = null;
      // What an idle engine starts is told at once: figures must not show it idle while it streams.
      statsAt = 0;
      continue;
    }
    const { waits } = engine;
    if (waits) {
      // Nobody would tell it later: figures of what stands still are told now.
      post({ kind: 'stats', stats: engine.stats() });
      await Promise.race([...waits, new Promise<void>((resolve) => (wake = resolve))]);
      wake = null;
    }
    await step(engine);
    if (performance.now() - statsAt > STATS_INTERVAL_MS) {
      statsAt = performance.now();
      post({ kind: 'stats', stats: engine.stats() });
    }
    // A tick without a forward never leaves this thread's event loop turn: let messages in.
    await yieldToMessages();
  }
}

const models = new Map<string, EngineModel>();
// One thread: a logit kernel is a dozen short passes, and waiting for a second thread at each costs more than it saves (measured:
// equal when the machine is idle, several times slower when it is not).
const kernels = new LogitKernels({ threads: 1 });
let gpu: GpuDevice | null = null;
keepFreed();
try {
  gpu = await gpuFor(settings.models);
  await loadModels(models, gpu);
  const constraints = new Constraints();
  for (const { info, table } of models.values()) if (info.kind === 'causal') constraints.prepare(table);
  engine = new Engine(models, new MixedKernels(kernels, gpu), settings, {
    search: runSearch,
    text: sourceText(settings.models),
    askEndpoint: askEndpoints(settings.endpoints),
    known: new ReadCache(),
    constraints,
    failsWithScorer: settings.failsWithScorer,
    traffic: gpu?.traffic,
  });
  post({ kind: 'ready', models: [...models.values()].map(({ info }) => info) });
  await serve(engine);
  await release();
  post({ kind: 'stopped' });
} catch (error) {
  if (!stopping) post({ kind: 'failed', error: told(error).data });
} finally {
  await release();
  port.close();
}

/** A GPU that was lost stays lost for the whole process as long as one session of it is left: whatever failed, all of them go. */
async function release(): Promise<void> {
  const owners = [...models.values(), kernels, ...(gpu ? [gpu.kernels, gpu.transfer] : [])];
  models.clear();
  gpu = null;
  for (const owner of owners)
    await owner.release().catch((error: unknown) => console.error('engine thread: not released:', error));
}
