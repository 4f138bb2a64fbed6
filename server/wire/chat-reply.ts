// Answers of POST /v1/chat/completions: one body, or chunks in the order role, deltas, closing chunk, usage. Chunks are put together
// from constant pieces because this runs for every token of every stream.
import type { FinishReason } from './decode.js';
import { chatLogprobs } from './logprobs.js';
import type { ToolReading } from '../tools/parser.js';
import { ToolCalls } from './tool-calls.js';
import { deltaOf, toolMessage } from './tool-deltas.js';
import {
  chunkPrefix,
  chunkSuffix,
  sseEnd,
  sseFailure,
  tierOf,
  traceFields,
  type Choice,
  type DecodingReport,
  type Delta,
  type ReplyFormat,
  type ReplyHead,
  type WireUsage,
} from './reply.js';

export interface ChatReplyOptions {
  readonly logprobs: boolean;
  readonly tokenIds: boolean;
  /** Of the first view; shown with tokenIds. */
  readonly promptIds: readonly number[];
  /** Where the answer's text may hold calls of tools. */
  readonly tools?: ToolReading | null;
}

export class ChatReply implements ReplyFormat {
  readonly #head: ReplyHead;
  readonly #options: ChatReplyOptions;
  readonly #prefix: string;
  readonly #suffix: string;
  readonly #tools: ToolCalls | null;

  constructor(head: ReplyHead, options: ChatReplyOptions) {
    this.#head = head;
    this.#options = options;
    this.#prefix = chunkPrefix(head, 'chat.completion.chunk');
    this.#suffix = chunkSuffix(head);
    this.#tools = options.tools ? new ToolCalls(options.tools) : null;
  }

  open(choice: number): string {
    const prompt = this.#options.tokenIds ? `,"prompt_token_ids":${JSON.stringify(this.#options.promptIds)}` : '';
    return (
      `${this.#prefix}[{"index":${choice},"delta":{"role":"assistant","content":""},"logprobs":null,` +
      `"finish_reason":null}]${choice === 0 ? prompt : ''}${this.#suffix}`
    );
  }

  prompt(): string {
    return '';
  }

  delta({ choice, text, ids, tokens, trace }: Delta): string {
    const { logprobs, tokenIds } = this.#options;
    if (text === '' && trace === null && (ids.length === 0 || (!logprobs && !tokenIds))) return '';
    const shownLogprobs = logprobs && tokens.length > 0 ? JSON.stringify(chatLogprobs(tokens)) : 'null';
    const shownIds = tokenIds ? `,"token_ids":${JSON.stringify(ids)}` : '';
    const rest = `"finish_reason":null${shownIds}${traceFields(trace)}}]${this.#suffix}`;
    const content = `{"content":${JSON.stringify(text)}}`;
    const [first = '{}', ...others] = this.#tools?.push(choice, text).map(deltaOf) ?? [content];
    // What the tokens bring beside their text goes with the first delta, also where all text is held back.
    if (first === '{}' && shownLogprobs === 'null' && !tokenIds && trace === null) return '';
    const whole = `${this.#prefix}[{"index":${choice},"delta":${first},"logprobs":${shownLogprobs},${rest}`;
    return whole + others.map((delta) => this.#plainDelta(choice, delta)).join('');
  }

  #plainDelta(choice: number, delta: string): string {
    return `${this.#prefix}[{"index":${choice},"delta":${delta},"logprobs":null,"finish_reason":null}]${this.#suffix}`;
  }

  close(
    choice: number,
    reason: FinishReason,
    stopReason: string | number | null,
    decoding: DecodingReport | null,
  ): string {
    const report = decoding === null ? '' : `,"decoding":${JSON.stringify(decoding)}`;
    const held = this.#tools?.end(choice) ?? [];
    return (
      held.map((event) => this.#plainDelta(choice, deltaOf(event))).join('') +
      `${this.#prefix}[{"index":${choice},"delta":{},"logprobs":null,` +
      `"finish_reason":"${this.#tools?.reason(choice, reason) ?? reason}",` +
      `"stop_reason":${JSON.stringify(stopReason)}}]${report}${this.#suffix}`
    );
  }

  usage(usage: WireUsage, decoding: DecodingReport): string {
    return `${this.#prefix}[],"usage":${JSON.stringify(usage)},"decoding":${JSON.stringify(decoding)}}\n\n`;
  }

  readonly end = sseEnd;
  readonly failure = sseFailure;

  body(choices: readonly Choice[], usage: WireUsage, decoding: DecodingReport): object {
    const { logprobs, tokenIds, promptIds } = this.#options;
    return {
      id: this.#head.id,
      object: 'chat.completion',
      created: this.#head.created,
      model: this.#head.model,
      system_fingerprint: this.#head.fingerprint,
      ...tierOf(this.#head),
      choices: choices.map((choice) => ({
        index: choice.index,
        message: this.#message(choice),
        logprobs: logprobs ? chatLogprobs(choice.tokens) : null,
        finish_reason: choice.reason && (this.#tools?.reason(choice.index, choice.reason) ?? choice.reason),
        stop_reason: choice.stopReason,
        ...(tokenIds ? { token_ids: choice.ids } : {}),
        ...choice.trace,
      })),
      usage,
      ...(tokenIds ? { prompt_token_ids: promptIds } : {}),
      decoding,
    };
  }

  #message({ index, text }: Choice): object {
    const { content = text, tool_calls: calls = [] } = this.#tools ? toolMessage(this.#tools.read(index, text)) : {};
    return { role: 'assistant', content, ...(calls.length > 0 ? { tool_calls: calls } : {}), refusal: null };
  }
}
