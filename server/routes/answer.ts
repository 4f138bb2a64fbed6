// Runs the DecodeRequests of one HTTP request and answers it: as one body, or as a stream of server-sent events. Speaks to the dialect
// (chat, completions) only through ReplyFormat. Owns the way back: a client that goes away or stops reading cancels its requests.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AppContext } from '../context.js';
import { AppError } from '../errors.js';
import { errorBody, publicError } from '../plugins/errors.js';
import type { Metrics } from '../plugins/metrics.js';
import { SseStream } from '../plugins/sse.js';
import type { DecodeRequest } from '../wire/decode.js';
import { CollectingSink, StreamingSink, type Job, type Sink } from './sinks.js';

/** Aborted in the same turn of the event loop in which the client's connection closes. */
export function closedSignal(reply: FastifyReply): AbortController {
  const controller = new AbortController();
  if (reply.raw.destroyed) controller.abort();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller;
}

/** Runs all prompts side by side into one sink. The first failure cancels the others. */
async function run(job: Job, context: AppContext, controller: AbortController, sink: Sink): Promise<void> {
  const { signal } = controller;
  const one = async (request: DecodeRequest, prompt: number): Promise<void> => {
    if (signal.aborted) return;
    let ended = false;
    for await (const event of context.engine.submit(request, signal)) {
      if (signal.aborted) return;
      if (event.kind === 'failed') throw AppError.fromData(event.error);
      ended = event.kind === 'done';
      sink.event(prompt, event);
      const reader = sink.ready();
      if (reader !== null) await reader;
    }
    if (!ended && !signal.aborted) throw new AppError('engine_failed', { reason: 'the answer ended too early' });
  };
  try {
    await Promise.all(job.requests.map(one));
  } catch (error) {
    if (!signal.aborted) controller.abort();
    throw error;
  }
}

export async function answer(
  job: Job,
  request: FastifyRequest,
  reply: FastifyReply,
  { context, metrics, controller }: { context: AppContext; metrics: Metrics; controller: AbortController },
): Promise<object | undefined> {
  const model = job.strategy.name;
  const first = job.requests[0]!;
  const observer = metrics.observe(model, { n: first.n, maxTokens: first.maxTokens });
  const gone = (): boolean => reply.raw.destroyed && !reply.raw.writableFinished;

  const fail = (error: unknown): void => {
    const code = error instanceof AppError ? error.data.code : 'internal_error';
    if (gone() || code === 'cancelled') observer.aborted();
    else if (refusals.has(code)) metrics.rejected(model, code);
    else observer.failed(code);
  };

  if (!job.stream) {
    const sink = new CollectingSink(job, observer);
    try {
      await run(job, context, controller, sink);
    } catch (error) {
      fail(error);
      throw error;
    }
    if (gone()) {
      observer.aborted();
      // Nobody is there to be answered.
      reply.hijack();
      return undefined;
    }
    const usage = sink.totals.usage();
    observer.done(usage.prompt_tokens);
    return job.format.body(sink.choices, usage, sink.totals.decoding());
  }

  const { pingMs, writeTimeoutMs } = context.config;
  const sse = new SseStream(reply, {
    pingMs,
    writeTimeoutMs,
    onStalled: () => {
      request.log.warn({ seconds: writeTimeoutMs / 1000 }, 'a stream was cut because its reader took nothing');
      metrics.slowReader(model);
      controller.abort();
    },
  });
  const sink = new StreamingSink(job, observer, sse);
  // A refusal that comes at once is an HTTP status; after a ping's time of silence the stream opens and stays open.
  const opening = setTimeout(() => sink.open(), pingMs);
  try {
    await run(job, context, controller, sink);
    if (gone()) {
      observer.aborted();
      if (!sse.opened) reply.hijack();
    } else {
      observer.done(sink.totals.usage().prompt_tokens);
      sink.finish();
    }
  } catch (error) {
    fail(error);
    if (!sse.opened) throw error;
    if (gone()) return undefined;
    const data = publicError(error, request.id);
    if (data.status >= 500) request.log.error({ err: error }, 'request failed while it was streamed');
    sink.fail(errorBody(data));
  } finally {
    clearTimeout(opening);
  }
  return undefined;
}

/** Refused by the engine before anything was computed. */
const refusals: ReadonlySet<string> = new Set(['queue_full', 'cache_too_small', 'draining', 'not_ready']);
