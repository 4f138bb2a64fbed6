// What the ways of answering share: a job, where its text goes, and what a sink of its events is. Sinks are fed by answer.ts, one event at a
// time, from all prompts of the request.
import type { ResolvedStrategy } from '../context.js';
import type { DecodeEvent, DecodeRequest } from '../wire/decode.js';
import type { Choice, ReplyFormat } from '../wire/reply.js';
import { TraceWriter, type WireTrace } from '../wire/trace.js';

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

/** An end token of the model is an ordinary end: only what the client named is reported. */
export function reportedStop(
  strategy: ResolvedStrategy,
  { ignoresEos = false }: DecodeRequest,
  stop: string | number | null,
): string | number | null {
  return typeof stop === 'number' && !ignoresEos && strategy.eosTokenIds.includes(stop) ? null : stop;
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
