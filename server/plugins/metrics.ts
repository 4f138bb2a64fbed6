// Prometheus metrics in a registry of their own: vLLM's names, so that existing dashboards work unedited, and ours (trimtab_). What
// belongs to one request is observed by routes/answer.ts; what is read at scrape time is in metrics-at-scrape.ts.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AppContext } from '../context.js';
import type { FinishReason, Timings, Usage } from '../wire/decode.js';
import { addEngineSeries, addProcessSeries, delayResolutionMs, engine, labelNames } from './metrics-at-scrape.js';

const firstTokenEdges = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const interTokenEdges = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const requestEdges = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const tokenEdges = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];

export type Outcome = FinishReason | 'abort' | 'error';

/** What one request reports while it is served. Times are taken here. */
export interface RequestObserver {
  /** Some output of a choice went out. */
  output(choice: number, tokens: number): void;
  finished(reason: FinishReason): void;
  /** Where the engine's time went, per prompt. */
  timed(timings: Timings, usage: Usage): void;
  done(promptTokens: number): void;
  aborted(): void;
  failed(code: string): void;
  /** The engine took no part of it. */
  refused(code: string): void;
}

export class Metrics {
  readonly registry = new Registry();
  readonly #delay = monitorEventLoopDelay({ resolution: delayResolutionMs });

  readonly #success = this.#counter('vllm:request_success_total', 'Finished requests by reason.', ['finished_reason']);
  readonly #promptTokens = this.#counter('vllm:prompt_tokens_total', 'Prompt tokens of finished requests.');
  readonly #generationTokens = this.#counter('vllm:generation_tokens_total', 'Tokens generated.');
  readonly #rejections = this.#counter('vllm:admission_rejections_total', 'Requests refused, by reason.', ['reason']);
  readonly #corrupted = this.#counter(
    'vllm:corrupted_requests_total',
    'Requests that met logits without a finite value.',
  );
  readonly #aborted = this.#counter(
    'trimtab_aborted_requests_total',
    'Requests whose client went away or stopped reading.',
  );
  readonly #slowReaders = this.#counter('trimtab_slow_readers_total', 'Streams cut because nothing was read.');
  readonly #websockets = new Gauge({
    name: 'trimtab_websocket_connections',
    help: 'Open websockets.',
    registers: [this.registry],
  });
  readonly #websocketMessages = new Counter({
    name: 'trimtab_websocket_messages_total',
    help: 'Websocket messages by direction (in, out) and type.',
    labelNames: ['direction', 'type'],
    registers: [this.registry],
  });
  readonly #websocketCloses = new Counter({
    name: 'trimtab_websocket_closes_total',
    help: 'Websockets closed, by close code.',
    labelNames: ['code'],
    registers: [this.registry],
  });
  readonly #firstToken = this.#histogram(
    'vllm:time_to_first_token_seconds',
    'From the request to the first text of any choice.',
    firstTokenEdges,
  );
  readonly #interToken = this.#histogram(
    'vllm:inter_token_latency_seconds',
    'Gap between consecutive outputs of one choice.',
    interTokenEdges,
  );
  readonly #perToken = this.#histogram(
    'vllm:request_time_per_output_token_seconds',
    'Per request: time after the first output by further tokens of all choices.',
    interTokenEdges,
  );
  readonly #latency = this.#histogram('vllm:e2e_request_latency_seconds', 'From request to end.', requestEdges);
  readonly #queue = this.#histogram('vllm:request_queue_time_seconds', 'Waiting for rows.', requestEdges);
  readonly #prefill = this.#histogram('vllm:request_prefill_time_seconds', 'Admitted to first token.', requestEdges);
  readonly #decode = this.#histogram('vllm:request_decode_time_seconds', 'First to last token.', requestEdges);
  readonly #inference = this.#histogram('vllm:request_inference_time_seconds', 'Admitted to last token.', requestEdges);
  readonly #computed = this.#histogram(
    'vllm:request_prefill_kv_computed_tokens',
    'Prompt tokens computed, not found in the prefix cache.',
    tokenEdges,
  );
  readonly #requestPrompt = this.#histogram('vllm:request_prompt_tokens', 'Prompt tokens per request.', tokenEdges);
  readonly #requestGeneration = this.#histogram(
    'vllm:request_generation_tokens',
    'Tokens generated per request, all choices together.',
    tokenEdges,
  );
  readonly #requestN = this.#histogram('vllm:request_params_n', 'n per request.', [1, 2, 5, 10, 20]);
  readonly #requestMax = this.#histogram('vllm:request_params_max_tokens', 'max_tokens per request.', tokenEdges);

  constructor(context: AppContext) {
    this.#delay.enable();
    addEngineSeries(this.registry, context);
    addProcessSeries(this.registry, context, this.#delay);
  }

  close(): void {
    this.#delay.disable();
  }

  slowReader(model: string): void {
    this.#slowReaders.inc({ model_name: model, engine });
  }

  websockets(open: number): void {
    this.#websockets.set(open);
  }

  /** `type` is one of a fixed set: a client must not be able to make series. */
  websocketMessage(direction: 'in' | 'out', type: string): void {
    this.#websocketMessages.inc({ direction, type });
  }

  websocketClosed(code: number): void {
    this.#websocketCloses.inc({ code: closeCodes.has(code) ? String(code) : 'other' });
  }

  /** A request that never began. */
  rejected(model: string, reason: string): void {
    this.#rejections.inc({ model_name: model, engine, reason });
  }

  observe(model: string, parameters: { readonly n: number; readonly maxTokens: number }): RequestObserver {
    const labels = { model_name: model, engine };
    const startMs = performance.now();
    const lastMs = new Map<number, number>();
    let firstMs: number | null = null;
    let generated = 0;
    this.#requestN.observe(labels, parameters.n);
    this.#requestMax.observe(labels, parameters.maxTokens);
    return {
      output: (choice, tokens) => {
        const nowMs = performance.now();
        const previousMs = lastMs.get(choice);
        if (previousMs !== undefined) this.#interToken.observe(labels, (nowMs - previousMs) / 1000);
        if (firstMs === null) this.#firstToken.observe(labels, (nowMs - startMs) / 1000);
        firstMs ??= nowMs;
        lastMs.set(choice, nowMs);
        generated += tokens;
        this.#generationTokens.inc(labels, tokens);
      },
      finished: (reason) => this.#success.inc({ ...labels, finished_reason: reason }),
      timed: ({ queuedMs, prefillMs, decodeMs }, { promptTokens, cachedTokens }) => {
        this.#queue.observe(labels, queuedMs / 1000);
        this.#prefill.observe(labels, prefillMs / 1000);
        this.#decode.observe(labels, decodeMs / 1000);
        this.#inference.observe(labels, (prefillMs + decodeMs) / 1000);
        this.#computed.observe(labels, promptTokens - cachedTokens);
      },
      done: (promptTokens) => {
        const nowMs = performance.now();
        this.#promptTokens.inc(labels, promptTokens);
        this.#latency.observe(labels, (nowMs - startMs) / 1000);
        this.#requestPrompt.observe(labels, promptTokens);
        this.#requestGeneration.observe(labels, generated);
        if (firstMs !== null && generated > 1) {
          this.#perToken.observe(labels, (nowMs - firstMs) / 1000 / (generated - 1));
        }
      },
      aborted: () => {
        this.#aborted.inc(labels);
        this.#success.inc({ ...labels, finished_reason: 'abort' });
      },
      refused: (code) => this.rejected(model, code),
      failed: (code) => {
        if (code === 'nan_logits' || code === 'float16_overflow') this.#corrupted.inc(labels);
        this.#success.inc({ ...labels, finished_reason: 'error' });
      },
    };
  }

  #counter(name: string, help: string, extra: readonly string[] = []): Counter {
    return new Counter({ name, help, labelNames: [...labelNames, ...extra], registers: [this.registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, labelNames: [...labelNames], registers: [this.registry] });
  }
}

/** Those that are ours and those that a client usually sends; it may send any. */
const closeCodes: ReadonlySet<number> = new Set([1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1013]);
