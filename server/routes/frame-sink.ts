// Where the events of one decode go on a websocket: frames, in order, with the positions of their tokens. Counts what was told of each choice.
// Knows the connection only as somewhere to send; fed by answer.ts. The counterpart of StreamingSink.
import type { ResolvedStrategy } from '../context.js';
import type { RequestObserver } from '../plugins/metrics.js';
import type { DecodeRequest, PromptTokenRecord } from '../wire/decode.js';
import {
  commitFrame,
  finishedFrame,
  pausedFrame,
  promptFrame,
  rewindFrame,
  searchFrame,
  textFrame,
  tokenFrame,
  toolArgumentsFrame,
  toolCallFrame,
  type Ending,
  type ServerFrameType,
} from '../wire/server-frames.js';
import { ToolCalls, type SpokenEvent } from '../wire/tool-calls.js';
import { storyOf } from '../wire/trace.js';
import type { ReadBody } from './prepare.js';
import { choiceOf, reportedStop, Traces, type Progress, type Sink, type Sinking } from './sinks.js';
import { Totals } from './totals.js';

export interface FrameOutlet {
  send(type: ServerFrameType, frame: string): void;
  /** Null when the reader keeps up; settles also when the decode has been cancelled. */
  drained(): Promise<void> | null;
}

/** What a decode does with what concerns more than its text. */
export interface FrameListener {
  /** No prompt's choices have credit. */
  paused(): void;
  resumed(): void;
  changed(prompt: number, serial: number, positions: readonly (number | null)[]): void;
  ended(prompt: number): void;
}

type Delta = Extract<Progress, { kind: 'delta' }>;

export class FrameSink implements Sink {
  readonly totals: Totals;
  readonly #id: string;
  readonly #read: ReadBody;
  readonly #job: { strategy: ResolvedStrategy; readonly requests: readonly DecodeRequest[] };
  readonly #observer: RequestObserver;
  readonly #outlet: FrameOutlet;
  readonly #listener: FrameListener;
  #traces: Traces;
  readonly #positions: number[];
  readonly #endings: Ending[];
  readonly #paused = new Set<number>();
  readonly #running: Set<number>;
  readonly #tools: ToolCalls | null;

  constructor(
    id: string,
    read: ReadBody,
    requests: readonly DecodeRequest[],
    { observer, outlet, listener }: { observer: RequestObserver; outlet: FrameOutlet; listener: FrameListener },
  ) {
    this.#id = id;
    this.#read = read;
    this.#job = { strategy: read.strategy, requests };
    this.#observer = observer;
    this.#outlet = outlet;
    this.#listener = listener;
    this.totals = new Totals(this.#job satisfies Sinking);
    this.#traces = new Traces(this.#job);
    const choices = requests.reduce((sum, { n }) => sum + n, 0);
    this.#positions = Array.from({ length: choices }, () => 0);
    this.#endings = Array.from({ length: choices }, (_, index) => ({ index, finish_reason: null, stop_reason: null }));
    this.#running = new Set(requests.keys());
    this.#tools = read.tools ? new ToolCalls(read.tools) : null;
  }

  /** From here on reports and traces speak of this one. */
  set strategy(strategy: ResolvedStrategy) {
    this.#job.strategy = strategy;
    this.#traces = new Traces(this.#job);
  }

  event(prompt: number, event: Progress): void {
    const request = this.#job.requests[prompt]!;
    switch (event.kind) {
      case 'prompt': {
        if (this.#read.echo !== null) this.#tellPrompt(prompt, this.#read.logprobs && event.tokens);
        return;
      }
      case 'delta':
        this.#resumed(prompt);
        this.#delta(request, choiceOf(request, prompt, event.choice), event);
        return;
      case 'search': {
        const choice = choiceOf(request, prompt, event.choice);
        this.#send('search', searchFrame(this.#id, choice, storyOf(event.entries, event.cut ?? false)));
        return;
      }
      case 'commit':
        this.#send('commit', commitFrame(this.#id, choiceOf(request, prompt, event.choice), event.length));
        return;
      case 'rewind': {
        const choice = choiceOf(request, prompt, event.choice);
        this.#send('rewind', rewindFrame(this.#id, choice, event.from, event.to));
        return;
      }
      case 'paused':
        this.#paused.add(prompt);
        if (this.#paused.size < this.#running.size) return;
        this.#send('paused', pausedFrame(this.#id));
        this.#listener.paused();
        return;
      case 'changed':
        this.#listener.changed(prompt, event.serial, event.positions);
        return;
      case 'finished': {
        const index = choiceOf(request, prompt, event.choice);
        const stop = reportedStop(this.#job.strategy, request, event.stopReason);
        for (const held of this.#tools?.end(index) ?? []) this.#say(index, this.#positions[index]!, held);
        const reason = this.#tools?.reason(index, event.reason) ?? event.reason;
        this.#endings[index] = { index, finish_reason: reason, stop_reason: stop };
        this.#observer.finished(event.reason);
        return;
      }
      case 'done':
        this.totals.add(prompt, event.usage, event.applied);
        this.#observer.timed(event.timings, event.usage);
        this.#running.delete(prompt);
        this.#listener.ended(prompt);
        return;
      default:
        event satisfies never;
    }
  }

  ready(): Promise<void> | null {
    return this.#outlet.drained();
  }

  /** The prompts that are told without their log-probabilities: nothing has to be computed for them. */
  open(): void {
    const { echo, logprobs, tokenIds } = this.#read;
    if ((echo === null && !tokenIds) || logprobs?.prompt === true) return;
    for (const prompt of this.#job.requests.keys()) this.#tellPrompt(prompt, null);
  }

  finish(): void {
    this.#send('finished', finishedFrame(this.#id, this.#endings, this.totals.usage(), this.totals.decoding()));
  }

  /** Credit was granted: what is told as paused next is news. */
  granted(): void {
    this.#paused.clear();
  }

  #tellPrompt(prompt: number, tokens: readonly PromptTokenRecord[] | null): void {
    const { echo, tokenIds, promptIds } = this.#read;
    const told = { text: echo?.[prompt] ?? null, ids: tokenIds ? (promptIds[prompt] ?? null) : null, tokens };
    this.#send('prompt', promptFrame(this.#id, prompt, told));
  }

  #resumed(prompt: number): void {
    if (this.#paused.delete(prompt)) this.#listener.resumed();
  }

  #delta(request: DecodeRequest, choice: number, event: Delta): void {
    const { text, ids, tokens } = event;
    const position = this.#positions[choice]!;
    const trace = this.#traces.write(request, event);
    if (this.#read.tokenIds || this.#read.logprobs !== null || trace !== null) {
      const traced = trace?.decoding_trace ?? [];
      ids.forEach((id, i) => {
        const isCut = i === traced.length && (trace?.decoding_trace_cut ?? false);
        const details = { record: tokens[i] ?? null, trace: traced[i] ?? null, isCut };
        this.#send('token', tokenFrame(this.#id, choice, position + i, id, details));
      });
    }
    if (text !== '') {
      const said = this.#tools?.push(choice, text) ?? [{ kind: 'content', text } as const];
      for (const each of said) this.#say(choice, position, each);
    }
    this.#positions[choice] = position + ids.length;
    this.#observer.output(choice, ids.length);
  }

  #say(choice: number, position: number, said: SpokenEvent): void {
    switch (said.kind) {
      case 'content':
        this.#send('text', textFrame(this.#id, choice, position, said.text));
        return;
      case 'call':
        this.#send('tool_call', toolCallFrame(this.#id, choice, position, said));
        return;
      case 'arguments':
        this.#send('tool_arguments', toolArgumentsFrame(this.#id, choice, position, said));
        return;
      default:
        said satisfies never;
    }
  }

  #send(type: ServerFrameType, frame: string): void {
    this.#outlet.send(type, frame);
  }
}
