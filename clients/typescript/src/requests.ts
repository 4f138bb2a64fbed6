// What a decode may ask for: the bodies of POST /v1/chat/completions and POST /v1/completions, without the fields by which they are streamed. Names
// are those of the wire. docs/http.md has the ranges; the server checks them and names what is wrong.
import type { JsonObject } from './json.js';
import type { ToolCall } from './replies.js';
import type { Decoding } from './specs/decoding.js';

export interface SharedFields {
  /** A model or a deployment. */
  readonly model: string;
  /** A method for this request, or dials of the deployment that `model` names. */
  readonly decoding?: Decoding;
  /** Choices; 1. */
  readonly n?: number;
  readonly min_tokens?: number;
  readonly ignore_eos?: boolean;
  /** 0 is greedy; 1. */
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly min_p?: number;
  readonly repetition_penalty?: number;
  readonly presence_penalty?: number;
  readonly frequency_penalty?: number;
  /** Token id to bias, −100 … 100. */
  readonly logit_bias?: Readonly<Record<string, number>>;
  readonly stop?: string | readonly string[];
  readonly stop_token_ids?: readonly number[];
  readonly include_stop_str_in_output?: boolean;
  /** The same request with the same seed has the same answer. */
  readonly seed?: number;
  /** How each token came about, or the story of a search. */
  readonly decoding_trace?: boolean;
  readonly return_token_ids?: boolean;
  /** There is one tier; the reply names it. */
  readonly service_tier?: 'auto' | 'default' | 'flex' | 'scale' | 'priority';
  /** Lower goes first; 0. */
  readonly priority?: number;
}

/** A text, or a picture as a data: URI (PNG, JPEG or WebP) of a message of the user. */
export interface ContentPart {
  readonly type: string;
  readonly text?: string;
  readonly image_url?: { readonly url: string; readonly detail?: 'auto' | 'low' | 'high' };
}

export interface Message {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  /** May be null where an answer only calls tools. */
  readonly content: string | readonly ContentPart[] | null;
  readonly name?: string;
  /** Of an answer that called tools. */
  readonly tool_calls?: readonly ToolCall[];
  /** Of the role tool: which call this is the result of. */
  readonly tool_call_id?: string;
}

/** A function that an answer may call. */
export interface Tool {
  readonly type: 'function';
  readonly function: {
    readonly name: string;
    readonly description?: string;
    /** A JSON Schema. */
    readonly parameters?: JsonObject;
    readonly strict?: boolean;
  };
}

export type ToolChoice =
  'none' | 'auto' | 'required' | { readonly type: 'function'; readonly function: { readonly name: string } };

/** What the answer has to be: any text, any JSON object, or JSON that a schema describes. */
export type ResponseFormat =
  | { readonly type: 'text' | 'json_object' }
  | {
      readonly type: 'json_schema';
      readonly json_schema: {
        readonly name: string;
        readonly schema: JsonObject;
        readonly description?: string;
        readonly strict?: boolean;
      };
    };

/** Messages, through each member's own chat template. */
export interface ChatRequest extends SharedFields {
  readonly messages: readonly Message[];
  readonly prompt?: never;
  /** The rest of the context when left out. */
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
  /** Whether each token comes with its log-probability, and how many of the likeliest beside it. */
  readonly logprobs?: boolean;
  readonly top_logprobs?: number;
  readonly add_generation_prompt?: boolean;
  readonly continue_final_message?: boolean;
  readonly response_format?: ResponseFormat;
  readonly tools?: readonly Tool[];
  readonly tool_choice?: ToolChoice;
  /** Several calls in one answer; true. */
  readonly parallel_tool_calls?: boolean;
}

/** Text or token ids, given to every member as they are. */
export interface CompletionRequest extends SharedFields {
  readonly prompt: string | readonly string[] | readonly number[] | readonly (readonly number[])[];
  readonly messages?: never;
  /** 16 when left out. */
  readonly max_tokens?: number;
  /** How many of the likeliest tokens beside each one; −1: the whole vocabulary. */
  readonly logprobs?: number;
  /** So many answers are written, and the `n` likeliest given. */
  readonly best_of?: number;
  readonly add_special_tokens?: boolean;
  readonly echo?: boolean;
  readonly response_format?: ResponseFormat;
}

/** Texts to turn into vectors: the hidden states of one model. */
export interface EmbeddingsRequest {
  readonly model: string;
  readonly input: CompletionRequest['prompt'];
  readonly add_special_tokens?: boolean;
  readonly priority?: number;
}

interface TokenizeFields {
  readonly model: string;
  readonly return_token_strs?: boolean;
}

/** A text, or messages through the model's chat template. */
export type TokenizeRequest = TokenizeFields &
  (
    | { readonly prompt: string; readonly add_special_tokens?: boolean; readonly messages?: never }
    | {
        readonly messages: readonly Message[];
        readonly add_generation_prompt?: boolean;
        readonly continue_final_message?: boolean;
        readonly prompt?: never;
      }
  );

export interface DetokenizeRequest {
  readonly model: string;
  readonly tokens: readonly number[];
}

export type DecodeRequest = ChatRequest | CompletionRequest;

/** The dialect that carries a request, and its body, streamed or whole. */
export function bodyOf(request: DecodeRequest, stream: boolean): { readonly path: string; readonly body: object } {
  const path = request.messages === undefined ? '/v1/completions' : '/v1/chat/completions';
  // What JavaScript may have put there is not for this layer to obey: the reply has to be read as it was asked for.
  const streaming = stream
    ? { stream, stream_options: { include_usage: true } }
    : { stream, stream_options: undefined };
  return { path, body: { ...request, ...streaming } };
}
