// Runs the DecodeRequests of one HTTP request and answers it: as one body, or as a stream of server-sent events. Speaks to the dialect
// (chat, completions, responses) only through ReplyFormat. Owns the way back: a client that goes away or stops reading cancels its requests.
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import type { AppContext } from '../context.js';
import { AppError } from '../errors.js';
import type { Metrics, RequestObserver } from '../plugins/metrics.js';
import type { Charge } from '../plugins/token-quotas.js';
import { SseStream } from '../plugins/sse.js';
import { both, decodeSpan } from '../telemetry/decode-span.js';
import type { DecodeRequest } from '../wire/decode.js';
import { publicError } from '../wire/error-body.js';
import { CollectingSink } from './collecting-sink.js';
import type { Job, Outlet, Sink } from './sinks.js';
import { StreamingSink } from './streaming-sink.js';

/** Aborted in the same turn of the event loop in which the client's connection closes. */
export function closedSignal(reply: FastifyReply): AbortController {
  const controller = new AbortController();
  if (reply.raw.destroyed) controller.abort();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller;
}

/** Tokens that the requests may use at most. */
const priceOf = (requests: readonly DecodeRequest[]): number =>
  requests.reduce((sum, { promptIds, n, maxTokens }) => sum + (promptIds[0]?.length ?? 0) + n * maxTokens, 0);

/** Runs all prompts side by side into one sink. The first failure cancels the others. What they use is charged to the client's key. */
export async function run(
  { requests }: Pick<Job, 'requests'>,
  { context, controller, charge }: Pick<Exchange, 'context' | 'controller' | 'charge'>,
  sink: Sink,
): Promise<void> {
  const { signal } = controller;
  const charged = charge(priceOf(requests));
  const used = requests.map(() => 0);
  const one = async (request: DecodeRequest, prompt: number): Promise<void> => {
    if (signal.aborted) return;
    let ended = false;
    for await (const event of context.engine.submit(request, signal)) {
      if (signal.aborted) return;
      if (event.kind === 'failed') throw AppError.fromData(event.error);
      ended = event.kind === 'done';
      if (event.kind === 'done') used[prompt] = event.usage.promptTokens + event.usage.completionTokens;
      // Of one that does not reach its end, what was sent.
      else if (event.kind === 'delta')
        used[prompt] = (used[prompt] || (request.promptIds[0]?.length ?? 0)) + event.ids.length;
      sink.event(prompt, event);
      const reader = sink.ready();
      if (reader === null) continue;
      // What nobody takes is not decoded either: it would only wait here instead of there.
      context.engine.grant(request.requestId, { kind: 'hold', on: true });
      await reader;
      context.engine.grant(request.requestId, { kind: 'hold', on: false });
    }
    if (!ended && !signal.aborted) throw new AppError('engine_failed', { reason: 'the answer ended too early' });
  };
  try {
    await Promise.all(requests.map(one));
  } catch (error) {
    if (!signal.aborted) controller.abort();
    throw error;
  } finally {
    charged.settle(used.reduce((sum, tokens) => sum + tokens, 0));
  }
}

/** What every way of answering needs of its request. */
export interface Exchange {
  readonly context: AppContext;
  readonly metrics: Metrics;
  /** Aborted when the reader is gone or has stopped reading; aborting it cancels the request. */
  readonly controller: AbortController;
  readonly requestId: string;
  readonly log: FastifyBaseLogger;
  /** Nobody is there to be answered. */
  readonly gone: () => boolean;
  /** Reserves tokens for whoever asks. Throws where their key has none left. */
  readonly charge: (tokens: number) => Charge;
}

export function observe(
  { strategy, requests }: Pick<Job, 'strategy' | 'requests'>,
  { metrics }: Pick<Exchange, 'metrics'>,
): RequestObserver {
  const first = requests[0]!;
  const measured = metrics.observe(strategy.name, { n: first.n, maxTokens: first.maxTokens });
  return both(measured, decodeSpan(strategy, requests));
}

export function count(error: unknown, observer: RequestObserver, { gone }: Pick<Exchange, 'gone'>): void {
  const code = error instanceof AppError ? error.data.code : 'internal_error';
  if (gone() || code === 'cancelled') observer.aborted();
  else if (refusals.has(code)) observer.refused(code);
  else observer.failed(code);
}

/** The whole answer; undefined when nobody is there any more. */
async function collect(job: Job, exchange: Exchange): Promise<object | undefined> {
  const observer = observe(job, exchange);
  const sink = new CollectingSink(job, observer);
  try {
    await run(job, exchange, sink);
  } catch (error) {
    count(error, observer, exchange);
    throw error;
  }
  if (exchange.gone()) {
    observer.aborted();
    return undefined;
  }
  const usage = sink.totals.usage();
  observer.done(usage.prompt_tokens);
  const choices = job.choose?.(sink.choices) ?? sink.choices;
  return job.format.body(choices, usage, sink.totals.decoding());
}

/** Streams into an outlet. Throws what went wrong before the outlet was open; afterwards the stream itself says it. */
export async function stream(job: Job, outlet: Outlet, exchange: Exchange): Promise<void> {
  const { context, gone, log, requestId } = exchange;
  const observer = observe(job, exchange);
  const sink = new StreamingSink(job, observer, outlet);
  // A refusal that comes at once is an HTTP status; after a ping's time of silence the stream opens and stays open.
  const opening = setTimeout(() => sink.open(), context.config.pingMs);
  try {
    await run(job, exchange, sink);
    if (gone()) observer.aborted();
    else {
      observer.done(sink.totals.usage().prompt_tokens);
      sink.finish();
    }
  } catch (error) {
    count(error, observer, exchange);
    if (!outlet.opened) throw error;
    if (gone()) return;
    const data = publicError(error, requestId);
    if (data.status >= 500) log.error({ err: error }, 'request failed while it was streamed');
    sink.fail(data);
  } finally {
    clearTimeout(opening);
  }
}

/** Answers an HTTP request: as one body (returned), or as server-sent events. */
export async function answer(
  job: Job,
  request: FastifyRequest,
  reply: FastifyReply,
  { context, metrics, controller }: Pick<Exchange, 'context' | 'metrics' | 'controller'>,
): Promise<object | undefined> {
  const gone = (): boolean => reply.raw.destroyed && !reply.raw.writableFinished;
  const { id: requestId, log } = request;
  const charge = (tokens: number): Charge => request.server.charge(request, tokens, reply);
  const exchange: Exchange = { context, metrics, controller, requestId, log, gone, charge };
  if (!job.stream) {
    const body = await collect(job, exchange);
    if (body === undefined) reply.hijack();
    return body;
  }
  const { pingMs, writeTimeoutMs } = context.config;
  const sse = new SseStream(reply, {
    pingMs,
    writeTimeoutMs,
    onStalled: () => {
      log.warn({ seconds: writeTimeoutMs / 1000 }, 'a stream was cut because its reader took nothing');
      metrics.slowReader(job.strategy.name);
      controller.abort();
    },
  });
  await stream(job, sse, exchange);
  if (gone() && !sse.opened) reply.hijack();
  return undefined;
}

/** Refused before anything was computed. */
const refusals: ReadonlySet<string> = new Set([
  'queue_full',
  'overloaded',
  'cache_too_small',
  'draining',
  'not_ready',
  'token_quota_exceeded',
  'request_over_quota',
]);
