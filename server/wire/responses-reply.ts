// Answers of the Responses dialect: one object, or events that are numbered and named and end with the object itself. The same events go
// out as server-sent events and as frames of a websocket: `frame` makes either. One answer per response, so there is one choice.
import type { ErrorData } from '../errors.js';
import type { FinishReason, TokenRecord } from './decode.js';
import { chatLogprobs, type ChatLogprobs } from './logprobs.js';
import type { Choice, DecodingReport, Delta, ReplyFormat, ReplyHead, WireUsage } from './reply.js';
import { joinTraces, type WireTrace } from './trace.js';

/** An event as it travels. */
export type Frame = (type: string, json: string) => string;

export const sseFrame: Frame = (type, json) => `event: ${type}\ndata: ${json}\n\n`;
/** One per line: an outlet makes a message of each. JSON has no line breaks of its own. */
export const lineFrame: Frame = (_type, json) => `${json}\n`;

export interface ResponsesReplyOptions {
  /** Of the message that the response holds. */
  readonly itemId: string;
  /** What the response repeats of its request, in the order in which it is shown. */
  readonly echoed: Readonly<Record<string, unknown>>;
  readonly logprobs: boolean;
  readonly tokenIds: boolean;
  readonly promptIds: readonly number[];
  readonly frame: Frame;
}

type Status = 'in_progress' | 'completed' | 'incomplete' | 'failed';

export class ResponsesReply implements ReplyFormat {
  readonly #head: ReplyHead;
  readonly #options: ResponsesReplyOptions;
  #sequence = 0;
  #itemIsOpen = false;
  #text = '';
  readonly #ids: number[] = [];
  readonly #tokens: TokenRecord[] = [];
  #trace: WireTrace | null = null;
  #reason: FinishReason | null = null;
  #stopReason: string | number | null = null;

  constructor(head: ReplyHead, options: ResponsesReplyOptions) {
    this.#head = head;
    this.#options = options;
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
    this.#text += text;
    if (tokenIds) this.#ids.push(...ids);
    if (logprobs) this.#tokens.push(...tokens);
    if (trace) this.#trace = this.#trace ? joinTraces(this.#trace, trace) : trace;
    if (text === '' && trace === null && (ids.length === 0 || (!logprobs && !tokenIds))) return '';
    const begun = this.#openItem();
    const shown = {
      ...this.#place(),
      delta: text,
      logprobs: logprobs ? contentLogprobs(tokens) : [],
      ...(tokenIds ? { token_ids: ids } : {}),
      ...trace,
    };
    return begun + this.#event('response.output_text.delta', shown);
  }

  close(_choice: number, reason: FinishReason, stopReason: string | number | null): string {
    this.#reason = reason;
    this.#stopReason = stopReason;
    const part = this.#part();
    const { logprobs } = part;
    return (
      this.#openItem() +
      this.#event('response.output_text.done', { ...this.#place(), text: this.#text, logprobs }) +
      this.#event('response.content_part.done', { ...this.#place(), part }) +
      this.#event('response.output_item.done', { output_index: 0, item: this.#item(statusOf(reason), [part]) })
    );
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
    const output = this.#itemIsOpen ? [this.#item('incomplete', [this.#part()])] : [];
    const details = { error: { code, message: error.message }, output };
    return this.#event('response.failed', { response: this.#response('failed', details) });
  }

  body([choice]: readonly Choice[], usage: WireUsage, decoding: DecodingReport): object {
    if (!choice) throw new Error('a response has one choice');
    this.#text = choice.text;
    this.#ids.push(...choice.ids);
    this.#tokens.push(...choice.tokens);
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
      output: [this.#item(status, [this.#part()])],
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

  /** The message and its only part begin with the first text, or at the end of an answer without any. */
  #openItem(): string {
    if (this.#itemIsOpen) return '';
    this.#itemIsOpen = true;
    const part = { type: 'output_text', text: '', annotations: [], logprobs: [] };
    return (
      this.#event('response.output_item.added', { output_index: 0, item: this.#item('in_progress', []) }) +
      this.#event('response.content_part.added', { ...this.#place(), part })
    );
  }

  #place(): object {
    return { item_id: this.#options.itemId, output_index: 0, content_index: 0 };
  }

  #item(status: Status, content: readonly object[]): object {
    return { id: this.#options.itemId, type: 'message', status, role: 'assistant', content };
  }

  #part(): { readonly logprobs: ChatLogprobs['content'] } {
    const { logprobs, tokenIds } = this.#options;
    return {
      ...{ type: 'output_text', text: this.#text, annotations: [] },
      logprobs: logprobs ? contentLogprobs(this.#tokens) : [],
      ...(tokenIds ? { token_ids: this.#ids } : {}),
    };
  }
}

const statusOf = (reason: FinishReason): 'completed' | 'incomplete' =>
  reason === 'length' ? 'incomplete' : 'completed';

const contentLogprobs = (tokens: readonly TokenRecord[]): ChatLogprobs['content'] => chatLogprobs(tokens).content;
