// What all prompts of one request came to: its usage, and the report of what was applied.
import type { Scores } from '../../decoders/expr.js';
import type { Applied, Usage } from '../wire/decode.js';
import type { DecodingReport, WireUsage } from '../wire/reply.js';
import { expertNames } from '../wire/trace.js';
import type { Sinking } from './sinks.js';

export class Totals {
  readonly #job: Sinking;
  readonly #applied: Applied[] = [];
  #completionTokens = 0;
  #cachedTokens = 0;

  constructor(job: Sinking) {
    this.#job = job;
  }

  add(prompt: number, usage: Usage, applied: Applied): void {
    this.#applied[prompt] = applied;
    this.#completionTokens += usage.completionTokens;
    this.#cachedTokens += Math.min(usage.cachedTokens, this.#promptTokens(prompt));
  }

  #promptTokens(prompt: number): number {
    return this.#job.requests[prompt]?.promptIds[0]?.length ?? 0;
  }

  usage(): WireUsage {
    const promptTokens = this.#job.requests.reduce((sum, _, prompt) => sum + this.#promptTokens(prompt), 0);
    return {
      prompt_tokens: promptTokens,
      completion_tokens: this.#completionTokens,
      total_tokens: promptTokens + this.#completionTokens,
      prompt_tokens_details: { cached_tokens: this.#cachedTokens },
    };
  }

  decoding(): DecodingReport {
    const { method, formula, parameters, models, distribution } = this.#job.strategy;
    const seeds = this.#applied.map((applied) => applied.seed);
    return {
      method,
      ...(formula === undefined ? {} : { formula }),
      parameters,
      models,
      forwards: summed(this.#applied.map((applied) => applied.forwards)),
      rewinds: this.#applied.reduce((sum, applied) => sum + applied.rewinds, 0),
      fallbacks: summed(this.#applied.map((applied) => applied.fallbacks)),
      ...boundHitsOf(this.#applied, distribution),
      ...speculationOf(this.#applied),
      ...searchOf(this.#applied),
      seed: seeds[0] ?? 0,
      ...(new Set(seeds).size > 1 ? { seeds } : {}),
    };
  }
}

/** Of all prompts together; they share one distribution. */
function boundHitsOf(applied: readonly Applied[], distribution: Scores): Pick<DecodingReport, 'bound_hits'> {
  const reports = applied.flatMap(({ boundHits }) => (boundHits ? [boundHits] : []));
  if (reports.length === 0) return {};
  const names = expertNames(distribution);
  const hits = reports.map((counts) => Object.fromEntries(names.map((name, expert) => [name, counts[expert] ?? 0])));
  return { bound_hits: summed(hits) };
}

/** Of all prompts together; they share one draft. */
function speculationOf(applied: readonly Applied[]): Pick<DecodingReport, 'speculation'> {
  const reports = applied.flatMap(({ speculation }) => speculation ?? []);
  const [first] = reports;
  if (!first) return {};
  const sum = (count: 'drafted' | 'accepted' | 'blocks'): number =>
    reports.reduce((total, report) => total + report[count], 0);
  return {
    speculation: { draft: first.draft, drafted: sum('drafted'), accepted: sum('accepted'), blocks: sum('blocks') },
  };
}

/** Of all prompts together; choices count over all prompts. */
function searchOf(applied: readonly Applied[]): Pick<DecodingReport, 'search'> {
  const reports = applied.flatMap(({ search }) => search ?? []);
  if (reports.length === 0) return {};
  const sum = (count: 'tokens' | 'read' | 'readCached'): number =>
    reports.reduce((total, report) => total + report[count], 0);
  return {
    search: {
      ...summed(reports.map(({ counts }) => counts)),
      branch_tokens: sum('tokens'),
      ...(reports.some(({ read }) => read > 0) ? { read: sum('read'), read_cached: sum('readCached') } : {}),
      ended: reports.flatMap(({ ended }) => ended),
    },
  };
}

function summed(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const record of records) {
    for (const [key, value] of Object.entries(record)) sum[key] = (sum[key] ?? 0) + value;
  }
  return sum;
}
