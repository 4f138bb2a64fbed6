// Answers of POST /v1/completions: `text_completion` objects in both modes, several prompts at once, the prompt echoed on request.
import type { FinishReason, PromptTokenRecord } from './decode.js';
import { CompletionLogprobsWriter, type CompletionLogprobs } from './logprobs.js';
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

export interface CompletionReplyOptions {
  /** Null: none. */
  readonly logprobs: { readonly full: boolean } | null;
  readonly tokenIds: boolean;
  /** Choices per prompt: choice `c` belongs to prompt ⌊c / n⌋. */
  readonly n: number;
  readonly promptIds: readonly (readonly number[])[];
  /** Text of each prompt when it is echoed, else null. */
  readonly echo: readonly string[] | null;
}

export class CompletionReply implements ReplyFormat {
  readonly #head: ReplyHead;
  readonly #options: CompletionReplyOptions;
  readonly #prefix: string;
  readonly #suffix: string;
  readonly #writers = new Map<number, CompletionLogprobsWriter>();
  readonly #announced = new Set<number>();

  constructor(head: ReplyHead, options: CompletionReplyOptions) {
    this.#head = head;
    this.#options = options;
    this.#prefix = chunkPrefix(head, 'text_completion');
    this.#suffix = chunkSuffix(head);
  }

  /** With logprobs the echo waits for the prompt's tokens. */
  open(choice: number): string {
    if (this.#options.echo === null || this.#options.logprobs !== null) return '';
    return this.#chunk(choice, this.#echoOf(choice), null, []);
  }

  prompt(choice: number, tokens: readonly PromptTokenRecord[]): string {
    if (this.#options.echo === null || this.#options.logprobs === null) return '';
    const text = this.#echoOf(choice);
    return this.#chunk(choice, text, this.#writer(choice).write(text, tokens), []);
  }

  delta({ choice, text, ids, tokens, trace }: Delta): string {
    const { logprobs, tokenIds } = this.#options;
    if (text === '' && trace === null && (ids.length === 0 || (logprobs === null && !tokenIds))) return '';
    return this.#chunk(choice, text, logprobs === null ? null : this.#writer(choice).write(text, tokens), ids, trace);
  }

  close(
    choice: number,
    reason: FinishReason,
    stopReason: string | number | null,
    decoding: DecodingReport | null,
  ): string {
    const report = decoding === null ? '' : `,"decoding":${JSON.stringify(decoding)}`;
    return (
      `${this.#prefix}[{"index":${choice},"text":"","logprobs":null,"finish_reason":"${reason}",` +
      `"stop_reason":${JSON.stringify(stopReason)}${this.#unsaidPromptIds(choice)}}]${report}${this.#suffix}`
    );
  }

  usage(usage: WireUsage, decoding: DecodingReport): string {
    return `${this.#prefix}[],"usage":${JSON.stringify(usage)},"decoding":${JSON.stringify(decoding)}}\n\n`;
  }

  readonly end = sseEnd;
  readonly failure = sseFailure;

  body(choices: readonly Choice[], usage: WireUsage, decoding: DecodingReport): object {
    return {
      id: this.#head.id,
      object: 'text_completion',
      created: this.#head.created,
      model: this.#head.model,
      system_fingerprint: this.#head.fingerprint,
      ...tierOf(this.#head),
      choices: choices.map((choice) => this.#bodyChoice(choice)),
      usage,
      decoding,
    };
  }

  #bodyChoice({ index, text, promptTokens, ids, tokens, trace, reason, stopReason }: Choice): object {
    const { logprobs, tokenIds } = this.#options;
    const whole = this.#echoOf(index) + text;
    return {
      index,
      text: whole,
      logprobs: logprobs === null ? null : this.#writer(index).write(whole, [...promptTokens, ...tokens]),
      finish_reason: reason,
      stop_reason: stopReason,
      ...(tokenIds ? { prompt_token_ids: this.#promptIdsOf(index), token_ids: ids } : {}),
      ...trace,
    };
  }

  #chunk(
    choice: number,
    text: string,
    logprobs: CompletionLogprobs | null,
    ids: readonly number[],
    trace: Delta['trace'] = null,
  ): string {
    const shownIds = this.#options.tokenIds
      ? `${this.#unsaidPromptIds(choice)},"token_ids":${JSON.stringify(ids)}`
      : '';
    return (
      `${this.#prefix}[{"index":${choice},"text":${JSON.stringify(text)},"logprobs":${JSON.stringify(logprobs)},` +
      `"finish_reason":null${shownIds}${traceFields(trace)}}]${this.#suffix}`
    );
  }

  /** The prompt's ids come with a choice's first chunk, which is its last where the answer is empty. */
  #unsaidPromptIds(choice: number): string {
    if (!this.#options.tokenIds || this.#announced.has(choice)) return '';
    this.#announced.add(choice);
    return `,"prompt_token_ids":${JSON.stringify(this.#promptIdsOf(choice))}`;
  }

  #writer(choice: number): CompletionLogprobsWriter {
    let writer = this.#writers.get(choice);
    if (writer === undefined) {
      writer = new CompletionLogprobsWriter({ full: this.#options.logprobs?.full ?? false });
      this.#writers.set(choice, writer);
    }
    return writer;
  }

  #promptOf(choice: number): number {
    return Math.floor(choice / this.#options.n);
  }

  #echoOf(choice: number): string {
    return this.#options.echo?.[this.#promptOf(choice)] ?? '';
  }

  #promptIdsOf(choice: number): readonly number[] {
    return this.#options.promptIds[this.#promptOf(choice)] ?? [];
  }
}
