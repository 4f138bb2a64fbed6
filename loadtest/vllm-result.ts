// A run in the field names of `vllm bench serve --save-result`, so that results of both can be read by the same scripts. Figures are ours:
// docs/loadtest.md says where the definitions differ. Pure.
import { goodput, type Limits } from './goodput.js';
import { interTokenGaps, quantile, timePerOutputToken, timeToFirstToken, type Trace } from './measure.js';

export interface RunFacts {
  readonly model: string;
  /** Requests per second; Infinity: as fast as the clients ask. */
  readonly rate: number;
  readonly burstiness: number;
  readonly maxConcurrency: number | null;
  readonly limits: Limits;
  /** ISO time. */
  readonly date: string;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function figures(name: string, values: readonly number[]): Record<string, number | null> {
  // JSON knows no NaN: nothing was measured.
  const tidy = (x: number): number | null => (Number.isFinite(x) ? Math.round(x * 1000) / 1000 : null);
  const mean = sum(values) / values.length;
  const deviation = Math.sqrt(sum(values.map((x) => (x - mean) ** 2)) / values.length);
  return {
    [`mean_${name}_ms`]: tidy(mean),
    [`median_${name}_ms`]: tidy(quantile(values, 0.5)),
    [`std_${name}_ms`]: tidy(deviation),
    ...Object.fromEntries([50, 90, 95, 99].map((p) => [`p${p}_${name}_ms`, tidy(quantile(values, p / 100))])),
  };
}

export function vllmResult(traces: readonly Trace[], facts: RunFacts): Readonly<Record<string, unknown>> {
  const good = traces.filter(({ error, arrivalsMs }) => error === null && arrivalsMs.length > 0);
  const seconds =
    (Math.max(...traces.map(({ endMs }) => endMs)) - Math.min(...traces.map(({ sentMs }) => sentMs))) / 1000;
  const output = Math.round(sum(good.map(({ tokens }) => sum(tokens))));
  const input = sum(good.map(({ promptTokens }) => promptTokens));
  return {
    date: facts.date,
    backend: 'openai',
    model_id: facts.model,
    num_prompts: traces.length,
    request_rate: facts.rate === Infinity ? 'inf' : facts.rate,
    burstiness: facts.burstiness === Infinity ? 'inf' : facts.burstiness,
    max_concurrency: facts.maxConcurrency,
    duration: seconds,
    completed: good.length,
    failed: traces.length - good.length,
    total_input_tokens: input,
    total_output_tokens: output,
    request_throughput: good.length / seconds,
    request_goodput: goodput(traces, facts.limits),
    output_throughput: output / seconds,
    total_token_throughput: (input + output) / seconds,
    ...figures('ttft', good.map(timeToFirstToken)),
    ...figures('tpot', good.filter(({ tokens }) => sum(tokens) > 1).map(timePerOutputToken)),
    ...figures('itl', good.flatMap(interTokenGaps)),
    ...figures(
      'e2el',
      good.map(({ endMs, dueMs }) => endMs - dueMs),
    ),
  };
}
