// The main thread's side of the engine: the only owner of the worker. submit() gives an async iterable of events; breaking out of the
// loop, or aborting the signal, cancels the request in the engine. Knows no HTTP.
import { Worker } from 'node:worker_threads';
import { AppError } from '../errors.js';
import type { Change, DecodeEvent, DecodeRequest, Grant } from '../wire/decode.js';
import { noStats } from './messages.js';
import type { EngineEvent, EngineSettings, EngineStats, FromEngine, LoadedModelInfo, ToEngine } from './messages.js';

export type EngineState = 'starting' | 'ready' | 'draining' | 'failed';
export type Progress = (model: string, stage: string, fraction: number) => void;

/** Events of one request between the worker's messages and its reader. */
class Mailbox {
  readonly #events: DecodeEvent[] = [];
  #wake: (() => void) | null = null;

  push(event: DecodeEvent): void {
    this.#events.push(event);
    this.#wake?.();
  }

  async take(): Promise<DecodeEvent> {
    while (this.#events.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = null;
    return this.#events.shift() as DecodeEvent;
  }
}

/** A tick over hundreds of rows ends in hundreds of writes to sockets: in one turn of the event loop they would hold it up for 30 ms. */
const eventsPerTurn = 32;

export class EngineClient {
  readonly #worker: Worker;
  readonly #mailboxes = new Map<string, Mailbox>();
  /** Came from the engine and not handed out yet, in order. */
  readonly #arrived: EngineEvent[] = [];
  #state: EngineState = 'starting';
  #stats = noStats;
  #info: readonly LoadedModelInfo[] = [];
  #failure: AppError | null = null;
  /** Told to what is cut by `stop`. */
  #stopReason = new AppError('draining', {});
  #whenIdle: (() => void)[] = [];
  readonly #stopped: Promise<void>;
  /** Settles when the models are loaded, or with the AppError that kept them from it: `draining` where it was stopped meanwhile. */
  readonly loaded: Promise<void>;

  /** Starts the thread, which loads the models. */
  constructor(settings: EngineSettings, onProgress: Progress = () => undefined) {
    const worker = new Worker(workerUrl(), { workerData: settings });
    this.#worker = worker;
    this.#stopped = new Promise((resolve) => worker.once('exit', () => resolve()));
    this.loaded = new Promise((resolve, reject) => {
      worker.on('message', (message: FromEngine) => this.#receive(message, onProgress, resolve));
      worker.on('error', (cause) => {
        console.error('engine thread failed:', cause);
        this.#fail(new AppError('engine_failed', { reason: cause.message }, { cause }));
      });
      worker.on('exit', (code) => {
        if (this.#state !== 'draining')
          this.#fail(new AppError('engine_failed', { reason: `its thread ended with code ${code}` }));
        reject(this.#failure ?? new AppError('draining', {}));
      });
    });
    // Whoever waits for it hears of it; nobody has to.
    this.loaded.catch(() => undefined);
  }

  /** With its models loaded; rejects with the AppError that stopped it. */
  static async start(settings: EngineSettings, onProgress?: Progress): Promise<EngineClient> {
    const client = new EngineClient(settings, onProgress);
    await client.loaded;
    return client;
  }

  get state(): EngineState {
    return this.#state;
  }

  get info(): readonly LoadedModelInfo[] {
    return this.#info;
  }

  /** What stopped it. */
  get failure(): AppError | null {
    return this.#failure;
  }

  /** The engine's latest figures; at most about 100 ms old. */
  stats(): EngineStats {
    return this.#stats;
  }

  /** Events of one request; the last is `done` or `failed`. Single consumption. */
  async *submit(request: DecodeRequest, signal?: AbortSignal): AsyncGenerator<DecodeEvent, void, undefined> {
    if (this.#state === 'draining') throw new AppError('draining', {});
    if (this.#state !== 'ready') throw this.#failure ?? new AppError('engine_failed', { reason: 'it is not ready' });
    const mailbox = new Mailbox();
    const cancelled = (): void => mailbox.push({ kind: 'failed', error: new AppError('cancelled', {}).data });
    let ended = false;
    this.#mailboxes.set(request.requestId, mailbox);
    signal?.addEventListener('abort', cancelled, { once: true });
    try {
      if (signal?.aborted) return;
      this.#post({ kind: 'submit', request });
      while (!ended) {
        const event = await mailbox.take();
        ended = event.kind === 'done' || (event.kind === 'failed' && event.error.code !== 'cancelled');
        yield event;
        if (event.kind === 'failed') return;
      }
    } finally {
      signal?.removeEventListener('abort', cancelled);
      this.#mailboxes.delete(request.requestId);
      if (this.#mailboxes.size === 0) for (const settle of this.#whenIdle.splice(0)) settle();
      if (!ended) this.#post({ kind: 'cancel', requestId: request.requestId });
    }
  }

  /** Lets a request go on, or makes it wait; nothing where it has ended. */
  grant(requestId: string, grant: Grant): void {
    if (this.#mailboxes.has(requestId)) this.#post({ kind: 'grant', requestId, grant });
  }

  /** Other scalars from the next token on, answered by `changed` unless the request ends before; nothing where it has ended. */
  change(requestId: string, change: Change): void {
    if (this.#mailboxes.has(requestId)) this.#post({ kind: 'change', requestId, change });
  }

  /** Refuses new requests from now on; those that run go on. */
  drain(): void {
    if (this.#state === 'ready') this.#state = 'draining';
  }

  /** Requests that have not ended. */
  get inFlight(): number {
    return this.#mailboxes.size;
  }

  /** Settles when nothing is in flight. */
  async idle(): Promise<void> {
    if (this.#mailboxes.size > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** Settles when the thread has ended, whatever the reason; `state` tells it. */
  get ended(): Promise<void> {
    return this.#stopped;
  }

  /**
   * Ends the thread, before its models are loaded too; what still runs fails. The thread ends by itself: one that is ended from outside
   * while it is in native code takes the process with it.
   */
  async stop(reason?: AppError): Promise<void> {
    this.#stopReason = reason ?? this.#stopReason;
    if (this.#state !== 'failed') {
      this.#state = 'draining';
      this.#post({ kind: 'shutdown' });
    }
    await this.#stopped;
  }

  #post(message: ToEngine): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromEngine, onProgress: Progress, ready: () => void): void {
    switch (message.kind) {
      case 'progress':
        onProgress(message.model, message.stage, message.fraction);
        break;
      case 'ready':
        this.#info = message.models;
        if (this.#state === 'starting') this.#state = 'ready';
        ready();
        break;
      case 'events':
        this.#arrived.push(...message.events);
        if (this.#arrived.length === message.events.length) this.#handOut();
        break;
      case 'stats':
        this.#stats = message.stats;
        break;
      case 'failed':
        this.#fail(AppError.fromData(message.error));
        break;
      case 'stopped':
        this.#endAll(this.#stopReason);
        break;
      default:
        message satisfies never;
    }
  }

  readonly #handOut = (): void => {
    for (const { requestId, event } of this.#arrived.splice(0, eventsPerTurn))
      this.#mailboxes.get(requestId)?.push(event);
    if (this.#arrived.length > 0) setImmediate(this.#handOut);
  };

  #fail(error: AppError): void {
    this.#failure ??= error;
    this.#state = 'failed';
    this.#endAll(error);
  }

  #endAll(error: AppError): void {
    while (this.#arrived.length > 0) this.#handOut();
    for (const mailbox of this.#mailboxes.values()) mailbox.push({ kind: 'failed', error: error.data });
  }
}

/** Worker threads run compiled code: sources (under a test runner) use the build beside them. */
function workerUrl(): URL {
  return new URL(
    import.meta.url.endsWith('.ts') ? '../../dist/server/engine/worker.js' : './worker.js',
    import.meta.url,
  );
}
