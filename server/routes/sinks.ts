// Where the events of one HTTP request go: collected into choices, or written as chunks of a stream. Knows the dialect only through
// ReplyFormat. Fed by answer.ts, one event at a time, from all prompts of the request.
import type { Scores } from '../../decoders/expr.js';
import type { ResolvedStrategy } from '../context.js';
import type { ErrorData } from '../errors.js';
import type { RequestObserver } from '../plugins/metrics.js';
import type { Applied, DecodeEvent, DecodeRequest, Usage } from '../wire/decode.js';
import type { Choice, DecodingReport, ReplyFormat, WireUsage } from '../wire/reply.js';
import { expertNames, joinTraces, storyOf, TraceWriter, type WireTrace } from '../wire/trace.js';

export interface Job {
  readonly strategy: ResolvedStrategy;
  readonly requests: readonly DecodeRequest[];
  readonly format: ReplyFormat;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Of the choices of a whole answer, those to show; all where it is left out. */
  readonly choose?: (choices: readonly Choice[]) => readonly Choice[];
}

/** Where the text of a stream goes: server-sent events of a response, or frames of a websocket. */
export interface Outlet {
  readonly opened: boolean;
  open(): void;
  write(events: string): void;
  /** Null when the reader keeps up. */
  drained(): Promise<void> | null;
  end(): void;
}

export type Progress = Exclude<DecodeEvent, { kind: 'failed' }>;

/** Where events go. `choice` counts over all prompts. */
export interface Sink {
  event(prompt: number, event: Progress): void;
  /** Null when more events may come at once. */
  ready(): Promise<void> | null;
}

/** What a sink needs of its job. `strategy` may change while it runs. */
export type Sinking = Pick<Job, 'strategy' | 'requests'>;

/** What all prompts of the request came to. */
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

/** An end token of the model is an ordinary end: only what the client named is reported. */
export function reportedStop(strategy: ResolvedStrategy, stop: string | number | null): string | number | null {
  return typeof stop === 'number' && strategy.eosTokenIds.includes(stop) ? null : stop;
}

export const choiceOf = (request: DecodeRequest, prompt: number, choice: number): number => prompt * request.n + choice;

/** What a delta tells of how its tokens came about; null where that was not asked for. */
export class Traces {
  readonly #writer: TraceWriter | null;

  constructor({ strategy, requests }: Sinking) {
    this.#writer = requests.some(({ traceLimit }) => traceLimit) ? new TraceWriter(strategy.distribution) : null;
  }

  write(
    { traceLimit }: DecodeRequest,
    { traces = [], traceCut = false }: Extract<Progress, { kind: 'delta' }>,
  ): WireTrace | null {
    if (!this.#writer || !traceLimit || (traces.length === 0 && !traceCut)) return null;
    return this.#writer.write(traces, traceCut);
  }
}

export class CollectingSink implements Sink {
  readonly choices: Choice[] = [];
  readonly totals: Totals;
  readonly #job: Job;
  readonly #observer: RequestObserver;
  readonly #traces: Traces;

  constructor(job: Job, observer: RequestObserver) {
    this.#job = job;
    this.#observer = observer;
    this.totals = new Totals(job);
    this.#traces = new Traces(job);
    job.requests.forEach((request, prompt) => {
      for (let choice = 0; choice < request.n; choice++) {
        const index = choiceOf(request, prompt, choice);
        this.choices.push({
          index,
          text: '',
          promptTokens: [],
          ids: [],
          tokens: [],
          trace: null,
          reason: null,
          stopReason: null,
        });
      }
    });
  }

  event(prompt: number, event: Progress): void {
    const request = this.#job.requests[prompt]!;
    switch (event.kind) {
      case 'prompt':
        for (let choice = 0; choice < request.n; choice++) {
          this.choices[choiceOf(request, prompt, choice)]!.promptTokens.push(...event.tokens);
        }
        return;
      case 'delta': {
        const choice = this.choices[choiceOf(request, prompt, event.choice)]!;
        choice.text += event.text;
        choice.ids.push(...event.ids);
        choice.tokens.push(...event.tokens);
        const trace = this.#traces.write(request, event);
        if (trace) choice.trace = choice.trace ? joinTraces(choice.trace, trace) : trace;
        this.#observer.output(choice.index, event.ids.length);
        return;
      }
      case 'search': {
        const choice = this.choices[choiceOf(request, prompt, event.choice)]!;
        const story = storyOf(event.entries, event.cut ?? false);
        choice.trace = choice.trace ? joinTraces(choice.trace, story) : story;
        return;
      }
      case 'finished': {
        const choice = this.choices[choiceOf(request, prompt, event.choice)]!;
        choice.reason = event.reason;
        choice.stopReason = reportedStop(this.#job.strategy, event.stopReason);
        this.#observer.finished(event.reason);
        return;
      }
      case 'done':
        this.totals.add(prompt, event.usage, event.applied);
        this.#observer.timed(event.timings, event.usage);
        return;
      case 'commit':
      case 'rewind':
      case 'paused':
      case 'changed':
        // Nobody asks for them over HTTP.
        return;
      default:
        event satisfies never;
    }
  }

  ready(): null {
    return null;
  }
}

export class StreamingSink implements Sink {
  readonly totals: Totals;
  readonly #job: Job;
  readonly #observer: RequestObserver;
  readonly #traces: Traces;
  readonly #outlet: Outlet;
  #running: number;
  /** The last closing chunk waits for the report of what was applied. */
  #lastClose: ((decoding: DecodingReport) => string) | null = null;

  constructor(job: Job, observer: RequestObserver, outlet: Outlet) {
    this.#job = job;
    this.#observer = observer;
    this.#outlet = outlet;
    this.totals = new Totals(job);
    this.#traces = new Traces(job);
    this.#running = job.requests.reduce((sum, request) => sum + request.n, 0);
  }

  open(): void {
    if (this.#outlet.opened) return;
    this.#outlet.open();
    const choices = this.#job.requests.reduce((sum, request) => sum + request.n, 0);
    for (let choice = 0; choice < choices; choice++) this.#outlet.write(this.#job.format.open(choice));
  }

  event(prompt: number, event: Progress): void {
    this.open();
    const { format, strategy } = this.#job;
    const request = this.#job.requests[prompt]!;
    switch (event.kind) {
      case 'prompt':
        for (let choice = 0; choice < request.n; choice++) {
          this.#outlet.write(format.prompt(choiceOf(request, prompt, choice), event.tokens));
        }
        return;
      case 'delta': {
        const index = choiceOf(request, prompt, event.choice);
        const { text, ids, tokens } = event;
        this.#outlet.write(
          format.delta({ choice: index, text, ids, tokens, trace: this.#traces.write(request, event) }),
        );
        this.#observer.output(index, event.ids.length);
        return;
      }
      case 'search': {
        const trace = storyOf(event.entries, event.cut ?? false);
        const choice = choiceOf(request, prompt, event.choice);
        this.#outlet.write(format.delta({ choice, text: '', ids: [], tokens: [], trace }));
        return;
      }
      case 'finished': {
        const index = choiceOf(request, prompt, event.choice);
        const stop = reportedStop(strategy, event.stopReason);
        this.#observer.finished(event.reason);
        this.#running--;
        if (this.#running > 0) this.#outlet.write(format.close(index, event.reason, stop, null));
        else this.#lastClose = (decoding) => format.close(index, event.reason, stop, decoding);
        return;
      }
      case 'done':
        this.totals.add(prompt, event.usage, event.applied);
        this.#observer.timed(event.timings, event.usage);
        return;
      case 'commit':
      case 'rewind':
      case 'paused':
      case 'changed':
        // Nobody asks for them over HTTP.
        return;
      default:
        event satisfies never;
    }
  }

  ready(): Promise<void> | null {
    return this.#outlet.drained();
  }

  finish(): void {
    const decoding = this.totals.decoding();
    if (this.#lastClose !== null) this.#outlet.write(this.#lastClose(decoding));
    if (this.#job.includeUsage) this.#outlet.write(this.#job.format.usage(this.totals.usage(), decoding));
    this.#outlet.write(this.#job.format.end());
    this.#outlet.end();
  }

  fail(error: ErrorData): void {
    this.#outlet.write(this.#job.format.failure(error));
    this.#outlet.end();
  }
}
