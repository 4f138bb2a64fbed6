// Series that are read when somebody scrapes: the engine's stats, the process, and the main thread's delay. Called by metrics.ts.
import type { IntervalHistogram } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { AppContext } from '../context.js';

/** One series per served model (or deployment); `engine` is vLLM's label, there is one engine per process. */
export const labelNames = ['model_name', 'engine'] as const;
export const engine = '0';
/** Where the engine counts all models together. */
const allModels = { model_name: 'all', engine };

export const delayResolutionMs = 10;

type SetSeries = (labels: Record<string, string>, value: number) => void;
/** `read` calls `set` for each label set. */
type AddSeries = (name: string, help: string, labels: readonly string[], read: (set: SetSeries) => void) => void;

interface Series {
  /** What goes up and down. */
  readonly gauge: AddSeries;
  /** The engine's counters are already sums: they are taken over as they are. */
  readonly taken: AddSeries;
}

function seriesOf(registry: Registry): Series {
  const add =
    (Kind: typeof Gauge | typeof Counter): AddSeries =>
    (name, help, labels, read) => {
      new Kind({
        name,
        help,
        labelNames: [...labels],
        registers: [registry],
        collect(this: Gauge | Counter) {
          this.reset();
          // From 0, so that it is the value itself.
          read((values, value) => this.inc(values, value));
        },
      });
    };
  return { gauge: add(Gauge), taken: add(Counter) };
}

export function addEngineSeries(registry: Registry, context: AppContext): void {
  const { gauge, taken } = seriesOf(registry);
  const stats = () => context.engine.stats();
  const models = () => Object.entries(stats().models);
  const forwards = () => Object.entries(stats().forwards);
  const all = [...labelNames];

  gauge('vllm:num_requests_running', 'Requests in the batch.', all, (set) => set(allModels, stats().running));
  gauge('vllm:num_requests_waiting', 'Requests queued.', all, (set) => set(allModels, stats().waiting));
  gauge('trimtab_admission_price', 'Rows × tokens that requests may come to, by state.', ['state'], (set) => {
    for (const state of ['running', 'waiting'] as const) set({ state }, stats().price[state]);
  });
  gauge('trimtab_step_seconds', 'What one token of everything that runs takes, as learnt.', [], (set) =>
    set({}, stats().stepMs / 1000),
  );
  gauge('vllm:kv_cache_usage_perc', 'Key/value cache in use; 1 is full.', all, (set) => {
    for (const [name, gauges] of models()) {
      const used = gauges.cacheCapacityBytes === 0 ? 0 : gauges.cacheBytes / gauges.cacheCapacityBytes;
      set({ model_name: name, engine }, used);
    }
  });
  taken('vllm:num_preemptions_total', 'Requests evicted and recomputed.', all, (set) =>
    set(allModels, stats().preemptions),
  );
  taken('vllm:prefix_cache_queries_total', 'Prompt tokens looked up in the prefix cache.', all, (set) =>
    set(allModels, stats().promptTokens),
  );
  taken('vllm:prefix_cache_hits_total', 'Prompt tokens found in the prefix cache.', all, (set) =>
    set(allModels, stats().cachedPromptTokens),
  );
  taken('vllm:spec_decode_num_drafts_total', 'Blocks of drafted tokens.', all, (set) =>
    set(allModels, stats().drafts.blocks),
  );
  taken('vllm:spec_decode_num_draft_tokens_total', 'Tokens proposed by drafts.', all, (set) =>
    set(allModels, stats().drafts.drafted),
  );
  taken('vllm:spec_decode_num_accepted_tokens_total', 'Proposed tokens that were emitted.', all, (set) =>
    set(allModels, stats().drafts.accepted),
  );
  gauge('trimtab_cache_rows', 'Cache rows held.', ['model'], (set) => {
    for (const [model, gauges] of models()) set({ model }, gauges.cacheRows);
  });
  gauge('trimtab_cache_bytes', 'Bytes of key/value cache held.', ['model'], (set) => {
    for (const [model, gauges] of models()) set({ model }, gauges.cacheBytes);
  });
  gauge('trimtab_prefix_cache_bytes', 'Bytes of finished prompts kept for re-use.', ['model'], (set) => {
    for (const [model, gauges] of models()) set({ model }, gauges.prefixBytes);
  });
  taken('trimtab_images_encoded_total', 'Images that a vision tower has looked at.', ['model'], (set) => {
    for (const [model, { images }] of models()) if (images) set({ model }, images.encoded);
  });
  gauge('trimtab_image_cache_bytes', 'Bytes of what was computed of images.', ['model'], (set) => {
    for (const [model, { images }] of models()) if (images) set({ model }, images.cacheBytes);
  });
  taken('trimtab_model_forward_seconds_total', 'Time spent in forwards.', ['model'], (set) => {
    for (const [model, work] of forwards()) set({ model }, work.seconds);
  });
  taken('trimtab_model_forwards_total', 'Batched forwards.', ['model'], (set) => {
    for (const [model, work] of forwards()) set({ model }, work.count);
  });
  taken('trimtab_model_rows_total', 'Decoder rows computed, over all forwards.', ['model'], (set) => {
    for (const [model, work] of forwards()) set({ model }, work.rows);
  });
  gauge('trimtab_forwards_per_token', 'Batched forwards of all models by tokens generated.', [], (set) => {
    const count = forwards().reduce((sum, [, work]) => sum + work.count, 0);
    set({}, count / Math.max(1, stats().generatedTokens));
  });
  taken('trimtab_fuse_seconds_total', 'Time spent combining logits and sampling.', [], (set) =>
    set({}, stats().fuseSeconds),
  );
  taken('trimtab_device_upload_bytes_total', 'Bytes sent to the GPU.', [], (set) => set({}, stats().traffic.uploaded));
  taken('trimtab_device_read_bytes_total', 'Bytes read back from the GPU, by cause.', ['cause'], (set) => {
    for (const [cause, bytes] of Object.entries(stats().traffic.read)) set({ cause }, bytes);
  });
  taken('trimtab_nan_rows_total', 'Rows of logits without a finite value.', [], (set) => set({}, stats().nanRows));
}

export function addProcessSeries(registry: Registry, { operations }: AppContext, delay: IntervalHistogram): void {
  const { gauge, taken } = seriesOf(registry);
  addDelaySeries(gauge, delay);
  gauge('process_resident_memory_bytes', 'Resident memory of the process.', [], (set) =>
    set({}, process.memoryUsage.rss()),
  );
  if (!operations) return;
  gauge('trimtab_model_loaded', '1 where the model is loaded, 0 where it could be.', ['model'], (set) => {
    for (const { name, info } of operations.models()) set({ model: name }, info === null ? 0 : 1);
  });
  taken('trimtab_engine_replacements_total', 'Engines that took over from another.', [], (set) =>
    set({}, operations.counts.replacements),
  );
  taken('trimtab_config_reloads_total', 'Configurations read again, by outcome.', ['outcome'], (set) => {
    const { reloads } = operations.counts;
    for (const outcome of ['taken', 'refused'] as const) set({ outcome }, reloads[outcome]);
  });
}

/** Since the previous scrape. The histogram counts whole timer intervals: its resolution is no delay. */
function addDelaySeries(gauge: AddSeries, delay: IntervalHistogram): void {
  gauge(
    'trimtab_event_loop_delay_seconds',
    "Delay of the main thread's event loop since the previous scrape.",
    ['quantile'],
    (set) => {
      for (const quantile of [0.5, 0.99]) {
        const ns = delay.count === 0 ? 0 : delay.percentile(quantile * 100);
        set({ quantile: String(quantile) }, Math.max(0, ns / 1e9 - delayResolutionMs / 1000));
      }
      delay.reset();
    },
  );
}
