// Where the events of one HTTP request go: collected into choices, or written as chunks of a stream. Knows the dialect only through
// ReplyFormat. Fed by answer.ts, one event at a time, from all prompts of the request.
import type { ResolvedStrategy } from '../context.js';
import type { RequestObserver } from '../plugins/metrics.js';
import type { SseStream } from '../plugins/sse.js';
import type { Applied, DecodeEvent, DecodeRequest, Usage } from '../wire/decode.js';
import {
  sseDone,
  sseEvent,
  type Choice,
  type DecodingReport,
  type ReplyFormat,
  type WireUsage,
} from '../wire/reply.js';

export interface Job {
  readonly strategy: ResolvedStrategy;
  readonly requests: readonly DecodeRequest[];
  readonly format: ReplyFormat;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

type Progress = Exclude<DecodeEvent, { kind: 'failed' }>;

/** Where events go. `choice` counts over all prompts. */
export interface Sink {
  event(prompt: number, event: Progress): void;
  /** Null when more events may come at once. */
  ready(): Promise<void> | null;
}

/** What all prompts of the request came to. */
class Totals {
  readonly #job: Job;
  readonly #applied: Applied[] = [];
  #completionTokens = 0;
  #cachedTokens = 0;

  constructor(job: Job) {
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
    const { method, formula, parameters, models } = this.#job.strategy;
    const seeds = this.#applied.map((applied) => applied.seed);
    return {
      method,
      ...(formula === undefined ? {} : { formula }),
      parameters,
      models,
      forwards: summed(this.#applied.map((applied) => applied.forwards)),
      rewinds: this.#applied.reduce((sum, applied) => sum + applied.rewinds, 0),
      fallbacks: summed(this.#applied.map((applied) => applied.fallbacks)),
      seed: seeds[0] ?? 0,
      ...(new Set(seeds).size > 1 ? { seeds } : {}),
    };
  }
}

function summed(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const record of records) {
    for (const [key, value] of Object.entries(record)) sum[key] = (sum[key] ?? 0) + value;
  }
  return sum;
}

/** An end token of the model is an ordinary end: only what the client named is reported. */
function reportedStop(strategy: ResolvedStrategy, stop: string | number | null): string | number | null {
  return typeof stop === 'number' && strategy.eosTokenIds.includes(stop) ? null : stop;
}

const choiceOf = (request: DecodeRequest, prompt: number, choice: number): number => prompt * request.n + choice;

export class CollectingSink implements Sink {
  readonly choices: Choice[] = [];
  readonly totals: Totals;
  readonly #job: Job;
  readonly #observer: RequestObserver;

  constructor(job: Job, observer: RequestObserver) {
    this.#job = job;
    this.#observer = observer;
    this.totals = new Totals(job);
    job.requests.forEach((request, prompt) => {
      for (let choice = 0; choice < request.n; choice++) {
        const index = choiceOf(request, prompt, choice);
        this.choices.push({ index, text: '', promptTokens: [], ids: [], tokens: [], reason: null, stopReason: null });
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
        this.#observer.output(choice.index, event.ids.length);
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
  readonly #sse: SseStream;
  #running: number;
  /** The last closing chunk waits for the report of what was applied. */
  #lastClose: ((decoding: DecodingReport) => string) | null = null;

  constructor(job: Job, observer: RequestObserver, sse: SseStream) {
    this.#job = job;
    this.#observer = observer;
    this.#sse = sse;
    this.totals = new Totals(job);
    this.#running = job.requests.reduce((sum, request) => sum + request.n, 0);
  }

  open(): void {
    if (this.#sse.opened) return;
    this.#sse.open();
    const choices = this.#job.requests.reduce((sum, request) => sum + request.n, 0);
    for (let choice = 0; choice < choices; choice++) this.#sse.write(this.#job.format.open(choice));
  }

  event(prompt: number, event: Progress): void {
    this.open();
    const { format, strategy } = this.#job;
    const request = this.#job.requests[prompt]!;
    switch (event.kind) {
      case 'prompt':
        for (let choice = 0; choice < request.n; choice++) {
          this.#sse.write(format.prompt(choiceOf(request, prompt, choice), event.tokens));
        }
        return;
      case 'delta': {
        const index = choiceOf(request, prompt, event.choice);
        this.#sse.write(format.delta(index, event.text, event.ids, event.tokens));
        this.#observer.output(index, event.ids.length);
        return;
      }
      case 'finished': {
        const index = choiceOf(request, prompt, event.choice);
        const stop = reportedStop(strategy, event.stopReason);
        this.#observer.finished(event.reason);
        this.#running--;
        if (this.#running > 0) this.#sse.write(format.close(index, event.reason, stop, null));
        else this.#lastClose = (decoding) => format.close(index, event.reason, stop, decoding);
        return;
      }
      case 'done':
        this.totals.add(prompt, event.usage, event.applied);
        this.#observer.timed(event.timings, event.usage);
        return;
      default:
        event satisfies never;
    }
  }

  ready(): Promise<void> | null {
    return this.#sse.drained();
  }

  finish(): void {
    const decoding = this.totals.decoding();
    if (this.#lastClose !== null) this.#sse.write(this.#lastClose(decoding));
    if (this.#job.includeUsage) this.#sse.write(this.#job.format.usage(this.totals.usage(), decoding));
    this.#sse.write(sseDone);
    this.#sse.end();
  }

  fail(body: object): void {
    this.#sse.write(sseEvent(JSON.stringify(body)));
    this.#sse.write(sseDone);
    this.#sse.end();
  }
}
