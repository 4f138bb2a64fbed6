// From the arrival times of streamed outputs to the figures that are reported, with the definitions that docs/benchmarks.md states.
// Pure: the same code serves the load driver, the benchmarks and the comparison with other programs.

/** One request as its client saw it. All times are milliseconds of one monotonic clock. */
export interface Trace {
  /** When the request was due: for open-loop load earlier than `sentMs` if the driver itself was late. */
  readonly dueMs: number;
  readonly sentMs: number;
  /** One entry per streamed output that carried text or tokens, and the number of tokens in it. */
  readonly arrivalsMs: readonly number[];
  readonly tokens: readonly number[];
  readonly endMs: number;
  readonly promptTokens: number;
  readonly finishReason: string | null;
  readonly error: string | null;
  /** Tokens computed per model, where the server says it. */
  readonly forwards?: Readonly<Record<string, number>>;
}

export interface Percentiles {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
}

export interface Summary {
  readonly requests: number;
  readonly failed: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly requestsPerSecond: number;
  /** All output tokens over the whole run, prefill and queueing included. */
  readonly tokensPerSecond: number;
  /** Output tokens while at least `streams` requests were decoding; null when that never happened. */
  readonly decodeTokensPerSecond: number | null;
  readonly ttftMs: Percentiles;
  readonly itlMs: Percentiles;
  readonly tpotMs: Percentiles;
  readonly e2eMs: Percentiles;
  /** How late the driver sent requests: must stay small for open-loop figures to mean anything. */
  readonly lateMs: Percentiles;
}

/** Linear interpolation between order statistics; NaN for no values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  const a = sorted[low] ?? NaN;
  const b = sorted[Math.min(low + 1, sorted.length - 1)] ?? NaN;
  return a + (b - a) * (at - low);
}

const tidy = (x: number): number => Math.round(x * 1000) / 1000;

export function percentiles(values: readonly number[]): Percentiles {
  return {
    mean: tidy(values.reduce((a, b) => a + b, 0) / values.length),
    p50: tidy(quantile(values, 0.5)),
    p90: tidy(quantile(values, 0.9)),
    p95: tidy(quantile(values, 0.95)),
    p99: tidy(quantile(values, 0.99)),
  };
}

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

export function summarise(traces: readonly Trace[], streams: number): Summary {
  const good = traces.filter((trace) => trace.error === null && trace.arrivalsMs.length > 0);
  const begin = Math.min(...traces.map((trace) => trace.sentMs));
  const seconds = (Math.max(...traces.map((trace) => trace.endMs)) - begin) / 1000;
  // spreading bundled tokens over outputs leaves float dust
  const completionTokens = Math.round(total(good.map((trace) => total(trace.tokens))));
  const rate = decodeRate(good, streams);
  const errors: Record<string, number> = {};
  for (const { error } of traces) if (error !== null) errors[error] = (errors[error] ?? 0) + 1;
  return {
    requests: traces.length,
    failed: traces.length - good.length,
    errors,
    seconds: tidy(seconds),
    promptTokens: total(good.map((trace) => trace.promptTokens)),
    completionTokens,
    requestsPerSecond: tidy(good.length / seconds),
    tokensPerSecond: tidy(completionTokens / seconds),
    decodeTokensPerSecond: rate === null ? null : tidy(rate),
    ttftMs: percentiles(good.map(timeToFirstToken)),
    itlMs: percentiles(good.flatMap(interTokenGaps)),
    tpotMs: percentiles(good.filter((trace) => total(trace.tokens) > 1).map(timePerOutputToken)),
    e2eMs: percentiles(good.map((trace) => trace.endMs - trace.dueMs)),
    lateMs: percentiles(traces.map((trace) => trace.sentMs - trace.dueMs)),
  };
}

/** From the moment the request was due to the first output that carries text; the role chunk does not count. */
export const timeToFirstToken = (trace: Trace): number => (trace.arrivalsMs[0] ?? NaN) - trace.dueMs;

/** Gaps between consecutive outputs. An output of several tokens is one output: no zero gaps are invented. */
export const interTokenGaps = (trace: Trace): number[] =>
  trace.arrivalsMs.slice(1).map((at, index) => at - (trace.arrivalsMs[index] ?? at));

/** (End to end − TTFT) / (output tokens − 1). */
export const timePerOutputToken = (trace: Trace): number =>
  (trace.endMs - trace.dueMs - timeToFirstToken(trace)) / (total(trace.tokens) - 1);

/**
 * Tokens per second over the stretches in which at least `streams` requests are between their first and their last token. A token
 * whose gap lies partly in such a stretch counts for that part.
 */
export function decodeRate(traces: readonly Trace[], streams: number): number | null {
  const edges = traces
    .filter((trace) => trace.arrivalsMs.length > 1)
    .flatMap((trace) => [
      { at: trace.arrivalsMs[0] ?? 0, step: 1 },
      { at: trace.arrivalsMs.at(-1) ?? 0, step: -1 },
    ])
    .sort((a, b) => a.at - b.at || b.step - a.step);
  let decoding = 0;
  let since = 0;
  let busyMs = 0;
  let tokens = 0;
  for (const { at, step } of edges) {
    if (decoding >= streams) {
      busyMs += at - since;
      tokens += total(traces.map((trace) => tokensBetween(trace, since, at)));
    }
    decoding += step;
    since = at;
  }
  return busyMs > 0 ? (tokens / busyMs) * 1000 : null;
}

function tokensBetween(trace: Trace, fromMs: number, toMs: number): number {
  let sum = 0;
  for (let i = 1; i < trace.arrivalsMs.length; i++) {
    const before = trace.arrivalsMs[i - 1] ?? 0;
    const at = trace.arrivalsMs[i] ?? 0;
    const common = Math.min(at, toMs) - Math.max(before, fromMs);
    if (common > 0) sum += ((trace.tokens[i] ?? 0) * common) / (at - before);
  }
  return sum;
}
