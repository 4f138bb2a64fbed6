// What replies carry, in the names of the wire: figures, traces, descriptions.
import type { Json } from './json.js';

/** tool_calls: the answer calls functions, and ended by itself. */
export type FinishReason = 'stop' | 'length' | 'tool_calls';

/** A function that the answer calls; as it stands here it can be given back in a message. */
export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  /** Arguments are JSON as the model wrote it. */
  readonly function: { readonly name: string; readonly arguments: string };
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** What was really done. */
export interface DecodingReport {
  readonly method: string;
  readonly formula?: string;
  /** The effective spec, every default filled in. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly models: readonly string[];
  /** Tokens computed per model, prompt and answer together. */
  readonly forwards: Readonly<Record<string, number>>;
  readonly rewinds: number;
  readonly fallbacks: Readonly<Record<string, number>>;
  /** Of dynamic fusion: expert to the number of tokens for which its weight stood at its bound. */
  readonly bound_hits?: Readonly<Record<string, number>>;
  readonly speculation?: {
    readonly draft: string;
    readonly drafted: number;
    readonly accepted: number;
    readonly blocks: number;
  };
  /** Of a search: its own figures, tokens drawn on all branches, answers read, and where a choice went on plainly. */
  readonly search?: Readonly<Record<string, number | readonly SearchEnd[]>>;
  readonly seed: number;
  /** One per prompt, when there are several with different seeds. */
  readonly seeds?: readonly number[];
}

export interface SearchEnd {
  readonly choice: number;
  readonly reason: 'forwards' | 'time' | 'tokens' | 'scorer';
  readonly at: number;
}

/** How one token came about. */
export interface TokenTrace {
  readonly token: string;
  readonly token_id: number;
  /** The token's log-probability by each member alone. */
  readonly members: Readonly<Record<string, number>>;
  /** From the first member to the distribution, in nats. */
  readonly kl: number;
  /** Of dynamic fusion: expert to weight. */
  readonly weights?: Readonly<Record<string, number>>;
  readonly at_bound?: readonly string[];
  readonly kept: number;
  readonly drafted: boolean;
  readonly accepted: boolean;
}

/** A step of a search's story: `event` says what it is, the rest belongs to it. */
export interface SearchTrace {
  readonly event: string;
  readonly [key: string]: Json;
}

export interface Model {
  readonly id: string;
  readonly object: 'model';
  /** Unix seconds. */
  readonly created: number;
  readonly owned_by: string;
  readonly kind: 'model' | 'deployment';
}

export interface Parameter {
  readonly name: string;
  readonly type: string;
  /** Legal values, '' where the type says it all. */
  readonly range: string;
  readonly required: boolean;
  readonly default: Json;
  readonly help: string;
}

export interface MethodDescription {
  readonly name: string;
  readonly kind: 'distribution' | 'search' | 'scorer';
  /** Of a search: what is streamed at a time. */
  readonly granularity?: string;
  readonly summary: string;
  readonly equation: string;
  readonly paper: string;
  readonly parameters: readonly Parameter[];
}

/** What `decoding` may hold on this server. */
export interface Methods {
  readonly methods: readonly MethodDescription[];
  readonly scorers: readonly MethodDescription[];
}

export interface DistributionDescription {
  readonly formula: string;
  /** A prompt of null is the request's own. */
  readonly views: readonly { readonly model: string; readonly prompt: Json }[];
  readonly forwards_per_token: Readonly<Record<string, number>>;
  readonly kernels: readonly string[];
}

export interface SearchDescription {
  readonly granularity: string;
  readonly distributions: readonly (DistributionDescription & { readonly tokens_per_token: number })[];
  readonly sources: readonly string[];
  readonly scored_per_token: number;
  readonly branches: readonly number[];
  readonly note: string;
}

export interface Embeddings {
  readonly model: string;
  /** One per input, in their order. */
  readonly vectors: readonly Float32Array[];
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

export interface Tokens {
  readonly count: number;
  /** What the model's context holds. */
  readonly max_model_len: number;
  readonly tokens: readonly number[];
  readonly token_strs: readonly string[] | null;
}

/** What each member would read of a chat. */
export interface RenderedPrompt {
  readonly object: 'chat.prompt';
  readonly model: string;
  readonly views: readonly {
    readonly model: string;
    readonly prompt: string;
    readonly text: string;
    readonly token_ids: readonly number[];
  }[];
}

/** What a request with this model and decoding would compute and cost. */
export interface Explanation extends DistributionDescription {
  readonly model?: string;
  readonly models: readonly string[];
  readonly context_length: number;
  readonly method: MethodDescription;
  readonly search: SearchDescription | null;
  /** The spec with every default filled in and every deployment's name resolved. */
  readonly effective: Json;
  readonly speculation: { readonly draft: string; readonly tokens: number } | null;
}
