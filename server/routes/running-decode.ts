// One decode of a websocket, from its body to its last frame: what its client says to it while it runs (cancel, credit, update) goes to the
// engine, and every way in which it can end is one frame. Knows no other decode; owned by a DecodeSession.
import type { FastifyBaseLogger } from 'fastify';
import type { JsonObject } from '../../decoders/spec.js';
import { distributionsOf } from '../../decoders/change.js';
import type { AppContext, ResolvedStrategy } from '../context.js';
import { AppError, type ErrorData } from '../errors.js';
import type { Channel } from '../plugins/channel.js';
import type { Metrics } from '../plugins/metrics.js';
import type { Charge } from '../plugins/token-quotas.js';
import type { ClientFrame, FrameType, Ref } from '../wire/client-frames.js';
import type { DecodeRequest } from '../wire/decode.js';
import { publicError } from '../wire/error-body.js';
import { errorFrame, failedFrame, startedFrame, updatedFrame } from '../wire/server-frames.js';
import { count, observe, run } from './answer.js';
import { FrameSink, type FrameListener, type FrameOutlet } from './frame-sink.js';
import type { ReadBody } from './prepare.js';

export interface DecodeServices {
  readonly context: AppContext;
  readonly metrics: Metrics;
  readonly channel: Channel;
  readonly requestId: string;
  readonly log: FastifyBaseLogger;
  /** Reserves tokens for whoever holds the connection. */
  readonly charge: (tokens: number) => Charge;
  /** Checks a body as its HTTP route would; what it ignores is listed. */
  readonly read: (
    body: Readonly<Record<string, unknown>>,
  ) => Promise<ReadBody & { readonly ignored: readonly string[] }>;
}

type Start = Extract<ClientFrame, { type: 'start' }>;
type CreditFrame = Extract<ClientFrame, { type: 'credit' }>;
type UpdateFrame = Extract<ClientFrame, { type: 'update' }>;

/** A change that the engine has, or has not yet acted on. */
interface Update {
  readonly ref: Ref | null;
  readonly strategy: ResolvedStrategy;
  /** By choice, over all prompts. */
  readonly positions: (number | null)[];
  readonly waiting: Set<number>;
}

/** While it runs: what it was made of, and where its frames come from. */
interface Running {
  readonly requests: readonly DecodeRequest[];
  readonly sink: FrameSink;
}

export class RunningDecode implements FrameListener, FrameOutlet {
  readonly #services: DecodeServices;
  readonly #start: Start;
  readonly #controller = new AbortController();
  readonly #cancelled: Promise<void>;
  /** Why it was cancelled from here. */
  #reason: AppError | null = null;
  #running: Running | null = null;
  /** What was said before the body had been read. */
  #early: (() => void)[] = [];
  #isBounded: boolean;
  /** As the next update finds it. */
  #strategy: ResolvedStrategy | null = null;
  #serial = 0;
  readonly #updates = new Map<number, Update>();
  #pauseTimer: NodeJS.Timeout | null = null;

  constructor(start: Start, services: DecodeServices) {
    this.#services = services;
    this.#start = start;
    this.#isBounded = start.credit !== null;
    const { signal } = this.#controller;
    this.#cancelled = new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  /** Settles after its last frame. Never rejects. */
  async serve(): Promise<void> {
    try {
      await this.#decode();
    } catch (error) {
      this.#failed(this.#reason ?? error);
    } finally {
      this.#clearPause();
    }
  }

  /** `failed`, with this reason, follows. */
  cancel(reason: AppError): void {
    this.#reason ??= reason;
    this.#controller.abort();
  }

  credit({ id, grant }: CreditFrame): void {
    this.#whenRunning('credit', id, null, ({ requests, sink }) => {
      if (grant.kind === 'add' && !this.#isBounded)
        throw new AppError('invalid_frame', {
          param: 'add',
          reason: 'the decode runs without credits; use set to bound it',
        });
      this.#isBounded = grant.kind === 'add' || grant.tokens !== null;
      sink.granted();
      this.#clearPause();
      for (const { requestId } of requests) this.#services.context.engine.grant(requestId, grant);
    });
  }

  update({ id, decoding, ref }: UpdateFrame): void {
    this.#whenRunning('update', id, ref, ({ requests }) => {
      const strategy = this.#changed(decoding);
      this.#strategy = strategy;
      const serial = ++this.#serial;
      const choices = requests.reduce((sum, { n }) => sum + n, 0);
      const positions = Array.from({ length: choices }, () => null);
      this.#updates.set(serial, { ref, strategy, positions, waiting: new Set(requests.keys()) });
      const change = { serial, distributions: distributionsOf(strategy) };
      for (const { requestId } of requests) this.#services.context.engine.change(requestId, change);
    });
  }

  // ---- what the sink tells

  paused(): void {
    const { pauseMs } = this.#services.context.config.websocket;
    this.#clearPause();
    this.#pauseTimer = setTimeout(
      () => this.cancel(new AppError('paused_too_long', { seconds: pauseMs / 1000 })),
      pauseMs,
    );
    this.#pauseTimer.unref();
  }

  resumed(): void {
    this.#clearPause();
  }

  changed(prompt: number, serial: number, positions: readonly (number | null)[]): void {
    const update = this.#updates.get(serial);
    if (!update || !this.#running) return;
    positions.forEach((position, choice) => (update.positions[prompt * positions.length + choice] = position));
    this.#running.sink.strategy = update.strategy;
    this.#settle(serial, update, prompt);
  }

  /** What this prompt had not acted on will never act on it. */
  ended(prompt: number): void {
    for (const [serial, update] of this.#updates) this.#settle(serial, update, prompt);
  }

  send(type: Parameters<FrameOutlet['send']>[0], frame: string): void {
    this.#services.channel.send(type, frame);
  }

  drained(): Promise<void> | null {
    const drained = this.#services.channel.drained();
    return drained && Promise.race([drained, this.#cancelled]);
  }

  async #decode(): Promise<void> {
    const { context, metrics, channel, charge } = this.#services;
    const { id, body, credit, notices } = this.#start;
    const read = await this.#services.read(body);
    const { signal } = this.#controller;
    if (signal.aborted) throw this.#reason ?? new AppError('cancelled', {});
    const requests = read.requests.map((request) => ({ ...request, credit, notices }));
    const job = { strategy: read.strategy, requests };
    const observer = observe(job, { metrics });
    const sink = new FrameSink(id, read, requests, { observer, outlet: this, listener: this });
    this.#strategy = read.strategy;
    this.send('started', startedFrame(id, describe(read, requests)));
    sink.open();
    const running = { requests, sink };
    try {
      const done = run(job, { context, controller: this.#controller, charge }, sink);
      // The engine has it now: what was said to it meanwhile finds it there.
      this.#running = running;
      for (const say of this.#early.splice(0)) say();
      await done;
      if (signal.aborted) throw this.#reason ?? new AppError('cancelled', {});
      observer.done(sink.totals.usage().prompt_tokens);
      sink.finish();
    } catch (error) {
      count(this.#reason ?? error, observer, { gone: () => !channel.isOpen });
      throw error;
    } finally {
      this.#running = null;
    }
  }

  /** Now, or as soon as its body has been read. */
  #whenRunning(request: FrameType, id: string, ref: Ref | null, act: (running: Running) => void): void {
    const say = (): void => {
      try {
        if (!this.#running || this.#controller.signal.aborted)
          throw new AppError('decode_not_found', { param: 'id', id });
        act(this.#running);
      } catch (error) {
        this.#refuse(request, ref, error);
      }
    };
    if (this.#strategy === null) this.#early.push(say);
    else say();
  }

  #changed(decoding: JsonObject): ResolvedStrategy {
    if (!this.#strategy) throw new Error('a decode that runs has a strategy');
    return this.#services.context.catalog.change(this.#strategy, decoding);
  }

  #settle(serial: number, { ref, strategy, positions, waiting }: Update, prompt: number): void {
    waiting.delete(prompt);
    if (waiting.size > 0) return;
    this.#updates.delete(serial);
    if (positions.every((position) => position === null)) {
      this.#refuse('update', ref, new AppError('decode_not_found', { param: 'id', id: this.#start.id }));
      return;
    }
    const { formula, parameters } = strategy;
    this.send('updated', updatedFrame(this.#start.id, ref, { positions, formula, parameters }));
  }

  #refuse(request: FrameType, ref: Ref | null, error: unknown): void {
    this.send('error', errorFrame({ id: this.#start.id, ref, request }, this.#public(error)));
  }

  #failed(error: unknown): void {
    const unheard = new AppError('decode_not_found', { param: 'id', id: this.#start.id });
    for (const { ref } of this.#updates.values()) this.#refuse('update', ref, unheard);
    this.#updates.clear();
    for (const say of this.#early.splice(0)) say();
    this.send('failed', failedFrame(this.#start.id, this.#public(error)));
  }

  #public(error: unknown): ErrorData {
    const { log, requestId } = this.#services;
    const data = publicError(error, requestId);
    if (data.status >= 500 && data.status !== 503) log.error({ err: error }, 'a decode of a websocket failed');
    return data;
  }

  #clearPause(): void {
    if (this.#pauseTimer !== null) clearTimeout(this.#pauseTimer);
    this.#pauseTimer = null;
  }
}

function describe(
  { head, strategy, ignored }: ReadBody & { readonly ignored: readonly string[] },
  requests: readonly DecodeRequest[],
): object {
  const { method, formula, parameters, models } = strategy;
  return {
    reply: head.id,
    model: head.model,
    created: head.created,
    system_fingerprint: head.fingerprint,
    choices: requests.reduce((sum, { n }) => sum + n, 0),
    decoding: { method, ...(formula === undefined ? {} : { formula }), parameters, models },
    ...(ignored.length > 0 ? { ignored } : {}),
  };
}
