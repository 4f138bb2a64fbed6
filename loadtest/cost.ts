// The cost of alignment: what each deployment takes beside the first one named, one request at a time and interleaved, so that whatever else
// the machine does hits all of them. Called by main.ts.
import { closedLoop, type Work } from './load.js';
import { quantile, type Trace } from './measure.js';
import type { Target } from './stream.js';

export interface MethodCost {
  readonly model: string;
  /** Medians over rounds. */
  readonly ms_per_token: number;
  readonly ttft_ms: number;
  /** Against the first model of the list: medians of the ratios of each round. */
  readonly times_first: number;
  /** Decoder rows computed per emitted token, prompts included, by model; null where the server does not say. */
  readonly rows_per_token: Readonly<Record<string, number>> | null;
  readonly failed: number;
  readonly error: string | null;
}

const tokensOf = ({ tokens }: Trace): number => tokens.reduce((a, b) => a + b, 0);
/** From end to end: a search says nothing for long and then several tokens at once. */
const msPerToken = (trace: Trace): number => (trace.endMs - trace.sentMs) / tokensOf(trace);

const tidy = (x: number): number => Math.round(x * 1000) / 1000;

export async function measureCosts(
  target: Target,
  work: Work,
  models: readonly string[],
  rounds: number,
): Promise<MethodCost[]> {
  const traces = new Map<string, Trace[]>(models.map((model) => [model, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [index, model] of models.entries()) {
      // Prompts of its own: members that deployments share would find each other's in the prefix cache.
      const seed = work.seed + round * models.length + index;
      const [trace] = await closedLoop(target, { ...work, model, seed }, 1, 1);
      if (trace !== undefined) traces.get(model)?.push(trace);
    }
  }
  return costsOf(models, traces);
}

/** Pure. */
export function costsOf(models: readonly string[], traces: ReadonlyMap<string, readonly Trace[]>): MethodCost[] {
  const isGood = (trace: Trace | undefined): trace is Trace =>
    trace !== undefined && trace.error === null && tokensOf(trace) > 0;
  const first = traces.get(models[0] ?? '') ?? [];
  return models.map((model) => {
    const all = traces.get(model) ?? [];
    const good = all.filter(isGood);
    const ratios = all.flatMap((trace, round) => {
      const base = first[round];
      return isGood(trace) && isGood(base) ? [msPerToken(trace) / msPerToken(base)] : [];
    });
    const tokens = good.reduce((sum, trace) => sum + tokensOf(trace), 0);
    return {
      model,
      ms_per_token: tidy(quantile(good.map(msPerToken), 0.5)),
      ttft_ms: tidy(
        quantile(
          good.map((trace) => (trace.arrivalsMs[0] ?? NaN) - trace.sentMs),
          0.5,
        ),
      ),
      times_first: tidy(quantile(ratios, 0.5)),
      rows_per_token: rowsPerToken(good, tokens),
      failed: all.length - good.length,
      error: all.find(({ error }) => error !== null)?.error ?? null,
    };
  });
}

function rowsPerToken(good: readonly Trace[], tokens: number): Readonly<Record<string, number>> | null {
  const sums: Record<string, number> = {};
  for (const { forwards } of good)
    for (const [model, rows] of Object.entries(forwards ?? {})) sums[model] = (sums[model] ?? 0) + rows;
  const entries = Object.entries(sums).map(([model, rows]) => [model, tidy(rows / tokens)] as const);
  return entries.length === 0 ? null : Object.fromEntries(entries);
}
