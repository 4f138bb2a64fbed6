// What the text endpoints have in common in their answers: the head that all chunks of a stream share, the usage, the report of
// what was applied, and the interface through which routes/answer.ts speaks any dialect.
import type { ErrorData } from '../errors.js';
import { errorBody } from './error-body.js';
import type { FinishReason, PromptTokenRecord, SearchReport, SpeculationReport, TokenRecord } from './decode.js';
import type { WireTrace } from './trace.js';

export interface ReplyHead {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
  /** The tier that served it, where the client asked for one. */
  readonly tier: 'default' | null;
  /** Every chunk but the last carries `usage: null`. */
  readonly includeUsage: boolean;
}

/** The reply's `decoding` field: what was really done. */
export interface DecodingReport {
  readonly method: string;
  readonly formula?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly models: readonly string[];
  /** Decoder rows computed per model, prompt and answer together. */
  readonly forwards: Readonly<Record<string, number>>;
  readonly rewinds: number;
  readonly fallbacks: Readonly<Record<string, number>>;
  /** Of dynamic fusion: expert to the number of tokens for which its weight stood at its bound. */
  readonly bound_hits?: Readonly<Record<string, number>>;
  /** Where the request speculates: tokens proposed in blocks, and how many of them were emitted. */
  readonly speculation?: SpeculationReport;
  /** Where it searches: the method's own figures, tokens drawn on all branches, answers scored, and where a choice went on plainly. */
  readonly search?: Readonly<Record<string, number | SearchReport['ended']>>;
  readonly seed: number;
  /** One per prompt, when there are several with different seeds. */
  readonly seeds?: readonly number[];
}

export interface WireUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

export interface Choice {
  readonly index: number;
  text: string;
  readonly promptTokens: PromptTokenRecord[];
  readonly ids: number[];
  /** Parallel to `ids` where log-probabilities were asked for, otherwise empty. */
  readonly tokens: TokenRecord[];
  /** Null where none was asked for. */
  trace: WireTrace | null;
  reason: FinishReason | null;
  stopReason: string | number | null;
}

/** What has come to a choice. */
export interface Delta {
  readonly choice: number;
  readonly text: string;
  readonly ids: readonly number[];
  readonly tokens: readonly TokenRecord[];
  readonly trace: WireTrace | null;
}

/**
 * One answer in one dialect. The chunk methods return whole SSE events, ready to be written, or '' for none; one instance serves
 * one request, streamed or not, and may remember what it has said.
 */
export interface ReplyFormat {
  /** The chunks that come first for a choice. */
  open(choice: number): string;
  prompt(choice: number, tokens: readonly PromptTokenRecord[]): string;
  delta(delta: Delta): string;
  /** `decoding` comes with the last choice only. */
  close(
    choice: number,
    reason: FinishReason,
    stopReason: string | number | null,
    decoding: DecodingReport | null,
  ): string;
  usage(usage: WireUsage, decoding: DecodingReport): string;
  /** Ends a stream that has said everything. */
  end(): string;
  /** Ends a stream that has failed. */
  failure(error: ErrorData): string;
  body(choices: readonly Choice[], usage: WireUsage, decoding: DecodingReport): object;
}

const sseDone = 'data: [DONE]\n\n';

/** How the chat and completions dialects end, and how they fail once a stream is open. */
export const sseEnd = (): string => sseDone;
export const sseFailure = (error: ErrorData): string => `data: ${JSON.stringify(errorBody(error))}\n\n${sseDone}`;

export const tierOf = ({ tier }: ReplyHead): object => (tier === null ? {} : { service_tier: tier });

/** The constant beginning of every chunk, up to and including `"choices":`. */
export function chunkPrefix(head: ReplyHead, object: string): string {
  const fields = {
    id: head.id,
    object,
    created: head.created,
    model: head.model,
    system_fingerprint: head.fingerprint,
    ...tierOf(head),
  };
  return `data: ${JSON.stringify(fields).slice(0, -1)},"choices":`;
}

/** The constant end of every chunk but the one with the usage. */
export const chunkSuffix = (head: ReplyHead): string => (head.includeUsage ? ',"usage":null}\n\n' : '}\n\n');

/** The members that a choice's chunk gets for its trace, '' for none. */
export const traceFields = (trace: WireTrace | null): string =>
  trace === null ? '' : `,${JSON.stringify(trace).slice(1, -1)}`;
