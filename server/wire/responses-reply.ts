// Answers of the Responses dialect: one object, or events that are numbered and named and end with the object itself. The same events go
// out as server-sent events and as frames of a websocket: `frame` makes either. One answer per response, so there is one choice: a message, or
// with tools messages and calls in the order in which they were made (response-items.ts).
import type { ErrorData } from '../errors.js';
import type { ToolReading } from '../tools/parser.js';
import type { FinishReason, TokenRecord } from './decode.js';
import type { Choice, DecodingReport, Delta, ReplyFormat, ReplyHead, WireUsage } from './reply.js';
import { CallItem, contentLogprobs, MessageItem, type Item, type Status } from './response-items.js';
import { ToolCalls, type SpokenEvent } from './tool-calls.js';
import { joinTraces, type WireTrace } from './trace.js';

/** An event as it travels. */
export type Frame = (type: string, json: string) => string;

export const sseFrame: Frame = (type, json) => `event: ${type}\ndata: ${json}\n\n`;
/** One per line: an outlet makes a message of each. JSON has no line breaks of its own. */
export const lineFrame: Frame = (_type, json) => `${json}\n`;

export interface ResponsesReplyOptions {
  /** What the response repeats of its request, in the order in which it is shown. */
  readonly echoed: Readonly<Record<string, unknown>>;
  readonly logprobs: boolean;
  readonly tokenIds: boolean;
  readonly promptIds: readonly number[];
  /** Where the answer's text may hold calls of tools. */
  readonly tools: ToolReading | null;
  readonly frame: Frame;
}

export class ResponsesReply implements ReplyFormat {
  readonly #head: ReplyHead;
  readonly #options: ResponsesReplyOptions;
  readonly #tools: ToolCalls | null;
  #sequence = 0;
  /** In the order of the output; the last one is open until another one begins or the answer ends. */
  readonly #items: Item[] = [];
  #trace: WireTrace | null = null;
  /** What no event has told yet. */
  #untold: WireTrace | null = null;
  #reason: FinishReason | null = null;
  #stopReason: string | number | null = null;

  constructor(head: ReplyHead, options: ResponsesReplyOptions) {
    this.#head = head;
    this.#options = options;
    this.#tools = options.tools ? new ToolCalls(options.tools) : null;
  }

  open(): string {
    const response = this.#response('in_progress', {});
    return this.#event('response.created', { response }) + this.#event('response.in_progress', { response });
  }

  prompt(): string {
    return '';
  }

  delta({ text, ids, tokens, trace }: Delta): string {
    const { logprobs, tokenIds } = this.#options;
    if (trace) this.#trace = this.#trace ? joinTraces(this.#trace, trace) : trace;
    if (this.#tools) {
      if (trace) this.#untold = this.#untold ? joinTraces(this.#untold, trace) : trace;
      return this.#spoken(this.#tools.push(0, text));
    }
    if (text === '' && trace === null && (ids.length === 0 || (!logprobs && !tokenIds))) return '';
    const [message, begun] = this.#message();
    message.add(text, ids, tokens);
    return begun + this.#textDelta(text, logprobs ? tokens : [], { ...(tokenIds ? { token_ids: ids } : {}), ...trace });
  }

  close(_choice: number, reason: FinishReason, stopReason: string | number | null): string {
    this.#reason = reason;
    this.#stopReason = stopReason;
    const held = this.#spoken(this.#tools?.end(0) ?? []);
    // An answer without any text is a message all the same.
    const begun = this.#items.length === 0 ? this.#begin(new MessageItem(this.#options)) : '';
    return held + begun + this.#endItem(statusOf(reason));
  }

  /** A response always tells its usage: this is its last event. */
  usage(usage: WireUsage, decoding: DecodingReport): string {
    const status = statusOf(this.#reason ?? 'stop');
    return this.#event(`response.${status}`, { response: this.#finished(usage, decoding) });
  }

  end(): string {
    return '';
  }

  failure(error: ErrorData): string {
    const code = error.status >= 500 ? 'server_error' : 'invalid_prompt';
    const output = this.#items.map((item) => item.shown(item === this.#items.at(-1) ? 'incomplete' : 'completed'));
    const details = { error: { code, message: error.message }, output };
    return this.#event('response.failed', { response: this.#response('failed', details) });
  }

  body([choice]: readonly Choice[], usage: WireUsage, decoding: DecodingReport): object {
    if (!choice) throw new Error('a response has one choice');
    if (this.#tools) this.#spoken(this.#tools.read(0, choice.text));
    if (this.#items.length === 0) this.#items.push(new MessageItem(this.#options));
    const [first] = this.#items;
    if (!this.#tools && first instanceof MessageItem) first.add(choice.text, choice.ids, choice.tokens);
    this.#trace = choice.trace;
    this.#reason = choice.reason;
    this.#stopReason = choice.stopReason;
    return this.#finished(usage, decoding);
  }

  #finished(usage: WireUsage, decoding: DecodingReport): object {
    const status = statusOf(this.#reason ?? 'stop');
    return this.#response(status, {
      ...(status === 'completed' ? { completed_at: Math.floor(Date.now() / 1000) } : {}),
      ...(status === 'incomplete' ? { incomplete_details: { reason: 'max_output_tokens' } } : {}),
      output: this.#items.map((item) => item.shown(item === this.#items.at(-1) ? status : 'completed')),
      usage: {
        input_tokens: usage.prompt_tokens,
        input_tokens_details: { cached_tokens: usage.prompt_tokens_details.cached_tokens },
        output_tokens: usage.completion_tokens,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: usage.total_tokens,
      },
      stop_reason: this.#stopReason,
      ...(this.#options.tokenIds ? { prompt_token_ids: this.#options.promptIds } : {}),
      ...this.#trace,
      decoding,
    });
  }

  #response(status: Status, details: Readonly<Record<string, unknown>>): object {
    return {
      id: this.#head.id,
      object: 'response',
      created_at: this.#head.created,
      status,
      completed_at: null,
      error: null,
      incomplete_details: null,
      model: this.#head.model,
      output: [],
      ...this.#options.echoed,
      usage: null,
      system_fingerprint: this.#head.fingerprint,
      ...details,
    };
  }

  #event(type: string, fields: object): string {
    return this.#options.frame(type, JSON.stringify({ type, sequence_number: this.#sequence++, ...fields }));
  }

  /** The events of what is said and called; what a token's trace has goes with the first of them. */
  #spoken(events: readonly SpokenEvent[]): string {
    return events.map((said) => this.#say(said)).join('');
  }

  #say(said: SpokenEvent): string {
    const trace = this.#untold;
    this.#untold = null;
    switch (said.kind) {
      case 'content': {
        const [message, begun] = this.#message();
        message.add(said.text, [], []);
        return begun + this.#textDelta(said.text, [], { ...trace });
      }
      case 'call':
        this.#untold = trace;
        return this.#begin(new CallItem(said));
      case 'arguments': {
        const item = this.#call();
        item.add(said.text);
        const fields = { ...this.#place(), delta: said.text, ...trace };
        return this.#event('response.function_call_arguments.delta', fields);
      }
      default:
        return said satisfies never;
    }
  }

  /** The message that is open, and the events with which it begins if there is none. */
  #message(): readonly [MessageItem, string] {
    const last = this.#items.at(-1);
    if (last instanceof MessageItem) return [last, ''];
    const message = new MessageItem(this.#options);
    return [message, this.#begin(message)];
  }

  #call(): CallItem {
    const last = this.#items.at(-1);
    if (last instanceof CallItem) return last;
    throw new Error('arguments belong to a call');
  }

  #begin(item: Item): string {
    const before = this.#endItem('completed');
    this.#items.push(item);
    const added = { output_index: this.#items.length - 1, item: item.begun() };
    const part = { type: 'output_text', text: '', annotations: [], logprobs: [] };
    return (
      before +
      this.#event('response.output_item.added', added) +
      (item instanceof MessageItem ? this.#event('response.content_part.added', { ...this.#partPlace(), part }) : '')
    );
  }

  #endItem(status: Status): string {
    const item = this.#items.at(-1);
    if (item === undefined) return '';
    const done = { output_index: this.#items.length - 1, item: item.shown(status) };
    return this.#contentDone(item) + this.#event('response.output_item.done', done);
  }

  #contentDone(item: Item): string {
    if (item instanceof CallItem) {
      const { name, given } = item;
      return this.#event('response.function_call_arguments.done', { ...this.#place(), name, arguments: given });
    }
    const part = item.part();
    const { text, logprobs } = part;
    return (
      this.#event('response.output_text.done', { ...this.#partPlace(), text, logprobs }) +
      this.#event('response.content_part.done', { ...this.#partPlace(), part })
    );
  }

  #textDelta(text: string, tokens: readonly TokenRecord[], more: object): string {
    const fields = { ...this.#partPlace(), delta: text, logprobs: contentLogprobs(tokens), ...more };
    return this.#event('response.output_text.delta', fields);
  }

  #place(): { readonly item_id: string; readonly output_index: number } {
    return { item_id: this.#items.at(-1)?.id ?? '', output_index: this.#items.length - 1 };
  }

  #partPlace(): object {
    return { ...this.#place(), content_index: 0 };
  }
}

const statusOf = (reason: FinishReason): 'completed' | 'incomplete' =>
  reason === 'length' ? 'incomplete' : 'completed';
