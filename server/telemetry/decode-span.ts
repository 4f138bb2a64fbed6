// The span of one answer, with GenAI attributes, and below it where its time went: queue, prefill, decode. Told of the request's life in the
// same words as the metrics. Never holds a prompt or an answer.
import { SpanKind, SpanStatusCode, trace, context, type Attributes } from '@opentelemetry/api';
import type { ResolvedStrategy } from '../context.js';
import type { RequestObserver } from '../plugins/metrics.js';
import type { DecodeRequest } from '../wire/decode.js';

export const tracerName = 'trimtab';

/** gen_ai.operation.name by the beginning of the reply's id. */
const operations: readonly (readonly [string, string])[] = [
  ['chatcmpl-', 'chat'],
  ['resp_', 'chat'],
  ['embd-', 'embeddings'],
];

function operationOf({ requestId, pooling }: DecodeRequest): string {
  if (pooling !== undefined) return 'embeddings';
  return operations.find(([prefix]) => requestId.startsWith(prefix))?.[1] ?? 'text_completion';
}

export function decodeSpan(strategy: ResolvedStrategy, requests: readonly DecodeRequest[]): RequestObserver {
  const first = requests[0]!;
  const operation = operationOf(first);
  const tracer = trace.getTracer(tracerName);
  const options = { kind: SpanKind.INTERNAL, attributes: attributesOf(operation, strategy, first) };
  const span = tracer.startSpan(`${operation} ${strategy.name}`, options);
  const startMs = performance.timeOrigin + performance.now();
  const within = trace.setSpan(context.active(), span);
  const finishReasons: string[] = [];
  let outputTokens = 0;
  let cachedTokens = 0;
  let firstMs: number | null = null;
  const part = (name: string, fromMs: number, ms: number): void =>
    tracer.startSpan(name, { startTime: new Date(fromMs), kind: SpanKind.INTERNAL }, within).end(new Date(fromMs + ms));
  const end = (): void => {
    span.setAttributes({
      'gen_ai.usage.output_tokens': outputTokens,
      ...(finishReasons.length > 0 ? { 'gen_ai.response.finish_reasons': finishReasons } : {}),
      ...(firstMs === null ? {} : { 'gen_ai.server.time_to_first_token': (firstMs - startMs) / 1000 }),
    });
    span.end();
  };
  const fail = (code: string): void => {
    span.setAttribute('error.type', code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    end();
  };
  return {
    output: (_choice, tokens) => {
      firstMs ??= performance.timeOrigin + performance.now();
      outputTokens += tokens;
    },
    finished: (reason) => finishReasons.push(reason),
    timed: ({ queuedMs, prefillMs, decodeMs }, usage) => {
      cachedTokens += usage.cachedTokens;
      part('queue', startMs, queuedMs);
      part('prefill', startMs + queuedMs, prefillMs);
      part('decode', startMs + queuedMs + prefillMs, decodeMs);
    },
    done: (promptTokens) => {
      span.setAttributes({
        'gen_ai.usage.input_tokens': promptTokens,
        'gen_ai.usage.cache_read.input_tokens': cachedTokens,
        'gen_ai.response.model': strategy.name,
      });
      end();
    },
    aborted: () => {
      span.setAttribute('trimtab.aborted', true);
      end();
    },
    refused: fail,
    failed: fail,
  };
}

function attributesOf(operation: string, strategy: ResolvedStrategy, request: DecodeRequest): Attributes {
  const { sampling, n, maxTokens, seed, requestId } = request;
  return {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': 'trimtab',
    'gen_ai.request.model': strategy.name,
    'gen_ai.response.id': requestId.replace(/-\d+$/, ''),
    'gen_ai.request.choice.count': n,
    'gen_ai.request.max_tokens': maxTokens,
    'gen_ai.request.seed': seed,
    'gen_ai.request.temperature': sampling.temperature,
    'gen_ai.request.top_p': sampling.topP,
    'gen_ai.request.top_k': sampling.topK,
    'gen_ai.request.presence_penalty': sampling.presencePenalty,
    'gen_ai.request.frequency_penalty': sampling.frequencyPenalty,
    // Not the formula: it may quote a prompt of the request.
    'trimtab.method': strategy.method,
    'trimtab.models': [...strategy.models],
  };
}

/** Tells both of everything. */
export function both(first: RequestObserver, second: RequestObserver): RequestObserver {
  return {
    output: (choice, tokens) => {
      first.output(choice, tokens);
      second.output(choice, tokens);
    },
    finished: (reason) => {
      first.finished(reason);
      second.finished(reason);
    },
    timed: (timings, usage) => {
      first.timed(timings, usage);
      second.timed(timings, usage);
    },
    done: (promptTokens) => {
      first.done(promptTokens);
      second.done(promptTokens);
    },
    aborted: () => {
      first.aborted();
      second.aborted();
    },
    refused: (code) => {
      first.refused(code);
      second.refused(code);
    },
    failed: (code) => {
      first.failed(code);
      second.failed(code);
    },
  };
}
