// The whole of what a stream tells, put together: one way for streams and for replies that came in one piece, so that both give the same answer.
import { ProtocolError } from './errors.js';
import type { StreamEvent, StartedEvent, DoneEvent, Token } from './events.js';
import type { DecodingReport, FinishReason, SearchTrace, TokenTrace, ToolCall, Usage } from './replies.js';

export interface Choice {
  /** Counts over all prompts of the request. */
  readonly index: number;
  readonly text: string;
  readonly finish_reason: FinishReason;
  readonly stop_reason: string | number | null;
  /** Functions that the answer calls; their text is not in `text`. */
  readonly tool_calls: readonly ToolCall[];
  /** Where `logprobs` or `return_token_ids` were asked for; an echoed prompt's tokens come first. */
  readonly tokens: readonly Token[];
  /** With `return_token_ids`: what all members read. */
  readonly prompt_token_ids: readonly number[] | null;
  readonly decoding_trace: readonly TokenTrace[];
  readonly decoding_trace_cut: boolean;
  readonly search_trace: readonly SearchTrace[];
  readonly search_trace_cut: boolean;
}

export interface Answer extends Omit<StartedEvent, 'type'>, Omit<DoneEvent, 'type'> {
  /** Of the first choice. */
  readonly text: string;
  readonly choices: readonly Choice[];
  readonly usage: Usage;
  readonly decoding: DecodingReport;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };
interface OpenChoice extends Omit<Writable<Choice>, 'finish_reason' | 'prompt_token_ids'> {
  finish_reason: FinishReason | null;
  prompt_token_ids: readonly number[] | null;
}

export class Collector {
  readonly #choices = new Map<number, OpenChoice>();
  #started: StartedEvent | null = null;
  #done: DoneEvent | null = null;
  #prompt: readonly number[] | null = null;

  take(event: StreamEvent): void {
    switch (event.type) {
      case 'started':
        this.#started = event;
        return;
      case 'done':
        this.#done = event;
        return;
      case 'prompt':
        if (event.choice === null) this.#prompt = event.token_ids;
        else this.#choice(event.choice).prompt_token_ids = [...event.token_ids];
        return;
      case 'text':
        this.#choice(event.choice).text += event.text;
        return;
      case 'tool_call': {
        const called = { id: event.id, type: 'function', function: { name: event.name, arguments: '' } } as const;
        const { tool_calls: calls } = this.#choice(event.choice);
        if (event.call !== calls.length)
          throw new ProtocolError(`Call ${event.call} began where ${calls.length} was to begin.`);
        calls.push(called);
        return;
      }
      case 'tool_arguments': {
        const { tool_calls: calls } = this.#choice(event.choice);
        const call = calls[event.call];
        if (call === undefined) throw new ProtocolError(`Arguments came for a call of no function (${event.call}).`);
        const { name, arguments: before } = call.function;
        calls[event.call] = { ...call, function: { name, arguments: before + event.text } };
        return;
      }
      case 'token':
        this.#choice(event.choice).tokens.push(event.token);
        return;
      case 'trace':
        this.#choice(event.choice).decoding_trace.push(event.trace);
        return;
      case 'search':
        this.#choice(event.choice).search_trace.push(event.entry);
        return;
      case 'trace_cut':
        this.#choice(event.choice)[event.of === 'trace' ? 'decoding_trace_cut' : 'search_trace_cut'] = true;
        return;
      case 'finished': {
        const choice = this.#choice(event.choice);
        choice.finish_reason = event.finish_reason;
        choice.stop_reason = event.stop_reason;
        return;
      }
      case 'commit':
      case 'rewind':
      case 'paused':
      case 'updated':
        return;
      default:
        event satisfies never;
    }
  }

  /** Throws ProtocolError where something is missing. */
  answer(): Answer {
    if (this.#started === null || this.#done === null || this.#choices.size === 0)
      throw new ProtocolError('The answer has no beginning or no end.');
    const { type: _started, ...head } = this.#started;
    const { usage, decoding } = this.#done;
    const choices = [...this.#choices.values()]
      .sort((a, b) => a.index - b.index)
      .map((choice) => closed({ ...choice, prompt_token_ids: choice.prompt_token_ids ?? this.#prompt }));
    return { ...head, text: choices[0]?.text ?? '', choices, usage, decoding };
  }

  #choice(index: number): OpenChoice {
    const known = this.#choices.get(index);
    if (known) return known;
    const choice: OpenChoice = {
      index,
      text: '',
      finish_reason: null,
      stop_reason: null,
      tool_calls: [],
      tokens: [],
      prompt_token_ids: null,
      decoding_trace: [],
      decoding_trace_cut: false,
      search_trace: [],
      search_trace_cut: false,
    };
    this.#choices.set(index, choice);
    return choice;
  }
}

function closed(choice: OpenChoice): Choice {
  const { finish_reason: reason } = choice;
  if (reason === null) throw new ProtocolError(`Choice ${choice.index} was never finished.`);
  return { ...choice, finish_reason: reason };
}
