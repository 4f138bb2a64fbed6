// Prometheus metrics in a registry of their own: vLLM's names, so that existing dashboards work unedited, and ours (trimtab_). What
// belongs to one request is observed by routes/answer.ts; what belongs to the engine is read from its stats at scrape time.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AppContext } from '../context.js';
import type { FinishReason, Timings, Usage } from '../wire/decode.js';

const firstTokenEdges = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const interTokenEdges = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const requestEdges = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const tokenEdges = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];

/** One series per served model (or deployment); `engine` is vLLM's label, there is one engine per process. */
const labelNames = ['model_name', 'engine'] as const;
const engine = '0';
/** Where the engine counts all models together. */
const allModels = { model_name: 'all', engine };

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
  readonly #context: AppContext;
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
    this.#context = context;
    this.#delay.enable();
    this.#engineSeries();
    this.#delaySeries();
    this.#processSeries();
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

  /** A series that is read, not counted: `read` calls `set` for each label set. */
  #gauge(name: string, help: string, labels: readonly string[], read: (set: SetSeries) => void): void {
    new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      collect() {
        this.reset();
        read((values, value) => this.set(values, value));
      },
    });
  }

  /** The engine's counters are already sums: they are taken over as they are. */
  #taken(name: string, help: string, labels: readonly string[], read: (set: SetSeries) => void): void {
    new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      collect() {
        this.reset();
        read((values, value) => this.inc(values, value));
      },
    });
  }

  #engineSeries(): void {
    const stats = () => this.#context.engine.stats();
    const models = () => Object.entries(stats().models);
    const forwards = () => Object.entries(stats().forwards);
    const all = [...labelNames];

    this.#gauge('vllm:num_requests_running', 'Requests in the batch.', all, (set) => set(allModels, stats().running));
    this.#gauge('vllm:num_requests_waiting', 'Requests queued.', all, (set) => set(allModels, stats().waiting));
    this.#gauge('trimtab_admission_price', 'Rows × tokens that requests may come to, by state.', ['state'], (set) => {
      for (const state of ['running', 'waiting'] as const) set({ state }, stats().price[state]);
    });
    this.#gauge('trimtab_step_seconds', 'What one token of everything that runs takes, as learnt.', [], (set) =>
      set({}, stats().stepMs / 1000),
    );
    this.#gauge('vllm:kv_cache_usage_perc', 'Key/value cache in use; 1 is full.', all, (set) => {
      for (const [name, gauges] of models()) {
        const used = gauges.cacheCapacityBytes === 0 ? 0 : gauges.cacheBytes / gauges.cacheCapacityBytes;
        set({ model_name: name, engine }, used);
      }
    });
    this.#taken('vllm:num_preemptions_total', 'Requests evicted and recomputed.', all, (set) =>
      set(allModels, stats().preemptions),
    );
    this.#taken('vllm:prefix_cache_queries_total', 'Prompt tokens looked up in the prefix cache.', all, (set) =>
      set(allModels, stats().promptTokens),
    );
    this.#taken('vllm:prefix_cache_hits_total', 'Prompt tokens found in the prefix cache.', all, (set) =>
      set(allModels, stats().cachedPromptTokens),
    );
    this.#taken('vllm:spec_decode_num_drafts_total', 'Blocks of drafted tokens.', all, (set) =>
      set(allModels, stats().drafts.blocks),
    );
    this.#taken('vllm:spec_decode_num_draft_tokens_total', 'Tokens proposed by drafts.', all, (set) =>
      set(allModels, stats().drafts.drafted),
    );
    this.#taken('vllm:spec_decode_num_accepted_tokens_total', 'Proposed tokens that were emitted.', all, (set) =>
      set(allModels, stats().drafts.accepted),
    );
    this.#gauge('trimtab_cache_rows', 'Cache rows held.', ['model'], (set) => {
      for (const [model, gauges] of models()) set({ model }, gauges.cacheRows);
    });
    this.#gauge('trimtab_cache_bytes', 'Bytes of key/value cache held.', ['model'], (set) => {
      for (const [model, gauges] of models()) set({ model }, gauges.cacheBytes);
    });
    this.#gauge('trimtab_prefix_cache_bytes', 'Bytes of finished prompts kept for re-use.', ['model'], (set) => {
      for (const [model, gauges] of models()) set({ model }, gauges.prefixBytes);
    });
    this.#taken('trimtab_images_encoded_total', 'Images that a vision tower has looked at.', ['model'], (set) => {
      for (const [model, { images }] of models()) if (images) set({ model }, images.encoded);
    });
    this.#gauge('trimtab_image_cache_bytes', 'Bytes of what was computed of images.', ['model'], (set) => {
      for (const [model, { images }] of models()) if (images) set({ model }, images.cacheBytes);
    });
    this.#taken('trimtab_model_forward_seconds_total', 'Time spent in forwards.', ['model'], (set) => {
      for (const [model, work] of forwards()) set({ model }, work.seconds);
    });
    this.#taken('trimtab_model_forwards_total', 'Batched forwards.', ['model'], (set) => {
      for (const [model, work] of forwards()) set({ model }, work.count);
    });
    this.#taken('trimtab_model_rows_total', 'Decoder rows computed, over all forwards.', ['model'], (set) => {
      for (const [model, work] of forwards()) set({ model }, work.rows);
    });
    this.#gauge('trimtab_forwards_per_token', 'Batched forwards of all models by tokens generated.', [], (set) => {
      const count = forwards().reduce((sum, [, work]) => sum + work.count, 0);
      set({}, count / Math.max(1, stats().generatedTokens));
    });
    this.#taken('trimtab_fuse_seconds_total', 'Time spent combining logits and sampling.', [], (set) =>
      set({}, stats().fuseSeconds),
    );
    this.#taken('trimtab_device_upload_bytes_total', 'Bytes sent to the GPU.', [], (set) =>
      set({}, stats().traffic.uploaded),
    );
    this.#taken('trimtab_device_read_bytes_total', 'Bytes read back from the GPU, by cause.', ['cause'], (set) => {
      for (const [cause, bytes] of Object.entries(stats().traffic.read)) set({ cause }, bytes);
    });
    this.#taken('trimtab_nan_rows_total', 'Rows of logits without a finite value.', [], (set) =>
      set({}, stats().nanRows),
    );
  }

  #processSeries(): void {
    this.#gauge('process_resident_memory_bytes', 'Resident memory of the process.', [], (set) =>
      set({}, process.memoryUsage.rss()),
    );
    const { operations } = this.#context;
    if (!operations) return;
    this.#gauge('trimtab_model_loaded', '1 where the model is loaded, 0 where it could be.', ['model'], (set) => {
      for (const { name, info } of operations.models()) set({ model: name }, info === null ? 0 : 1);
    });
    this.#taken('trimtab_engine_replacements_total', 'Engines that took over from another.', [], (set) =>
      set({}, operations.counts.replacements),
    );
    this.#taken('trimtab_config_reloads_total', 'Configurations read again, by outcome.', ['outcome'], (set) => {
      const { reloads } = operations.counts;
      for (const outcome of ['taken', 'refused'] as const) set({ outcome }, reloads[outcome]);
    });
  }

  /** Since the previous scrape. The histogram counts whole timer intervals: its resolution is no delay. */
  #delaySeries(): void {
    this.#gauge(
      'trimtab_event_loop_delay_seconds',
      "Delay of the main thread's event loop since the previous scrape.",
      ['quantile'],
      (set) => {
        for (const quantile of [0.5, 0.99]) {
          const ns = this.#delay.count === 0 ? 0 : this.#delay.percentile(quantile * 100);
          set({ quantile: String(quantile) }, Math.max(0, ns / 1e9 - delayResolutionMs / 1000));
        }
        this.#delay.reset();
      },
    );
  }
}

const delayResolutionMs = 10;

/** Those that are ours and those that a client usually sends; it may send any. */
const closeCodes: ReadonlySet<number> = new Set([1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1013]);

type SetSeries = (labels: Record<string, string>, value: number) => void;
