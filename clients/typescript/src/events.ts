// What a stream consists of, whatever carries it: `started` first, then what the choices go on with, in order, then `done`. A failure is thrown.
import type { DecodingReport, FinishReason, SearchTrace, TokenTrace, Usage } from './replies.js';

export interface StartedEvent {
  readonly type: 'started';
  /** Of the reply: "chatcmpl-…", "cmpl-…". */
  readonly id: string;
  readonly model: string;
  /** Unix seconds. */
  readonly created: number;
  /** Changes when the answer to the same request with the same seed may change. */
  readonly system_fingerprint: string;
  /** Under which the server's log has the request; null over a websocket. */
  readonly requestId: string | null;
  /** Fields of the request that the server does not know and has passed over. */
  readonly ignored: readonly string[];
}

/** What stands before the answer; with `return_token_ids`. */
export interface PromptEvent {
  readonly type: 'prompt';
  /** null: of all choices. */
  readonly choice: number | null;
  readonly token_ids: readonly number[];
}

export interface TextEvent {
  readonly type: 'text';
  readonly choice: number;
  readonly text: string;
  /** Over a websocket the number of the first token that belongs to it, from 0; otherwise null. */
  readonly position: number | null;
}

/** A token as `logprobs` and `return_token_ids` show it; what was not asked for is null. */
export interface Token {
  readonly token_id: number | null;
  /** Its text, lossy where a character spans tokens. */
  readonly token: string | null;
  readonly bytes: readonly number[] | null;
  /** −9999 stands for −∞. The first token of an echoed prompt has none. */
  readonly logprob: number | null;
  /** The likeliest tokens in its place. */
  readonly top: readonly Alternative[];
  /** With `"logprobs": -1`: the log-probabilities of the whole vocabulary. */
  readonly full: Float32Array | null;
}

export interface Alternative {
  readonly token: string;
  readonly token_id: number | null;
  readonly bytes: readonly number[] | null;
  readonly logprob: number;
}

/** The answer begins to call a function: the `call`-th of its choice, from 0. */
export interface ToolCallEvent {
  readonly type: 'tool_call';
  readonly choice: number;
  readonly call: number;
  readonly id: string;
  readonly name: string;
}

/** What the arguments of a call go on with: JSON, as the model writes it. */
export interface ToolArgumentsEvent {
  readonly type: 'tool_arguments';
  readonly choice: number;
  readonly call: number;
  readonly text: string;
}

export interface TokenEvent {
  readonly type: 'token';
  readonly choice: number;
  readonly token: Token;
}

/** How a token came about; with `decoding_trace`. */
export interface TraceEvent {
  readonly type: 'trace';
  readonly choice: number;
  readonly trace: TokenTrace;
}

/** A step of a search's story; with `decoding_trace`. */
export interface SearchEvent {
  readonly type: 'search';
  readonly choice: number;
  readonly entry: SearchTrace;
}

/** The answer goes on, its trace or its story does not: the server's limit was reached. */
export interface TraceCutEvent {
  readonly type: 'trace_cut';
  readonly choice: number;
  readonly of: 'trace' | 'search';
}

/** A search has made the tokens before `position` final. Websocket only. */
export interface CommitEvent {
  readonly type: 'commit';
  readonly choice: number;
  readonly position: number;
}

/** A search took its trunk back from `from` tokens to `to`; nothing that was sent is concerned. Websocket only. */
export interface RewindEvent {
  readonly type: 'rewind';
  readonly choice: number;
  readonly from: number;
  readonly to: number;
}

/** No unfinished choice has credit. Websocket only. */
export interface PausedEvent {
  readonly type: 'paused';
}

/** The weights have changed. Websocket only. */
export interface UpdatedEvent {
  readonly type: 'updated';
  /** By choice: the first token that the change acts on; null for a choice that had ended. */
  readonly positions: readonly (number | null)[];
  readonly formula: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface FinishedEvent {
  readonly type: 'finished';
  readonly choice: number;
  readonly finish_reason: FinishReason;
  /** The stop string or the stop token id that the request named and that ended it. */
  readonly stop_reason: string | number | null;
}

export interface DoneEvent {
  readonly type: 'done';
  readonly usage: Usage;
  readonly decoding: DecodingReport;
}

export type StreamEvent =
  | StartedEvent
  | PromptEvent
  | TokenEvent
  | TraceEvent
  | SearchEvent
  | TraceCutEvent
  | TextEvent
  | ToolCallEvent
  | ToolArgumentsEvent
  | CommitEvent
  | RewindEvent
  | PausedEvent
  | UpdatedEvent
  | FinishedEvent
  | DoneEvent;
