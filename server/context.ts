// What the HTTP layer is given: the engine, the catalog, the text service and its own settings, as interfaces. The CLI builds the
// real objects; tests build small ones. Routes read the fields at request time, so an owner may put getters here and
// listen before the models are loaded (every /v1 route answers 503 until `engine.state` is "ready").
import type { Grammar } from '../decoders/constraint/grammar.js';
import type { Scores, View } from '../decoders/expr.js';
import type { SearchPlan } from '../decoders/plan.js';
import type { PromptVariant } from '../decoders/prompt.js';
import type { JsonObject, Speculation } from '../decoders/spec.js';
import type { ApiKey } from './config/keys.js';
import type { ConstraintJob } from './constraint/jobs.js';
import type { EngineStats, LoadedModelInfo } from './engine/messages.js';
import type { ImageReference } from './images/service.js';
import type { Change, DecodeEvent, DecodeRequest, Frame, Grant, ImageInput } from './wire/decode.js';

export interface WebsocketConfig {
  /** Of pages; "*" is any. */
  readonly origins: readonly string[];
  readonly connections: number;
  /** That run on one connection. */
  readonly decodes: number;
  readonly messageBytes: number;
  /** On average; twice as many in a burst. */
  readonly messagesPerSecond: number;
  /** What may wait for a slow reader before its decodes stand still. */
  readonly queueBytes: number;
  /** Silence of the other side, pongs included, after which it counts as gone. */
  readonly idleMs: number;
  /** Longest time without credit. */
  readonly pauseMs: number;
}

export interface AuthConfig {
  /** None: the server is open. */
  readonly keys: readonly ApiKey[];
  /** /metrics is answered without a key. */
  readonly openMetrics: boolean;
  /** From one address; left out or null: any number. */
  readonly wrongKeysPerMinute?: number | null;
}

/** How a model's hidden states become one vector. */
export interface EmbeddingCard {
  readonly pooling: 'mean' | 'last';
  /** Scaled to length 1. */
  readonly normalise: boolean;
}

export interface HttpConfig {
  /** Shown in `system_fingerprint` (hashed) and on /health. */
  readonly version: string;
  /** Unknown top-level keys are a 400 instead of a header. */
  readonly strict: boolean;
  readonly bodyBytes: number;
  /** Whole request (headers and body) must have arrived within this; 0 = never cut. */
  readonly requestTimeoutMs: number;
  /** A socket without any traffic is cut after this; must exceed the longest silent (not streamed) answer; 0 = never. */
  readonly connectionTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** Silence on a stream after which a comment line is written. */
  readonly pingMs: number;
  /** A reader that takes nothing for this long is cut and its request cancelled. */
  readonly writeTimeoutMs: number;
  readonly maxN: number;
  /** Tokens of each choice that are traced where a request asks for it. */
  readonly traceTokens: number;
  /** Prompts in one completions request. */
  readonly maxPrompts: number;
  /** By model, where the operator has said how its embeddings are made. */
  readonly embeddings?: ReadonlyMap<string, EmbeddingCard>;
  /** Upper bound of n × prompts × max_tokens. */
  readonly tokensPerRequest: number;
  readonly websocket: WebsocketConfig;
  /** Pages that may use HTTP and websockets; left out: none. */
  readonly cors?: { readonly origins: readonly string[] };
  readonly auth: AuthConfig;
  /** Level of the JSON log on stderr; prompts and answers are never logged. Default "warn". */
  readonly logLevel?: 'silent' | 'error' | 'warn' | 'info' | 'debug';
}

export type EngineState = 'starting' | 'ready' | 'draining' | 'failed';

export interface Engine {
  /** Throws AppError (at once or from the first `next`). Breaking out of the loop or aborting cancels the request. */
  submit(request: DecodeRequest, signal: AbortSignal): AsyncIterable<DecodeEvent>;
  /** Lets a request go on, or makes it wait; nothing where it has ended. */
  grant(requestId: string, grant: Grant): void;
  /** Other scalars from the next token on: answered by the event `changed`, unless the request ends before. */
  change(requestId: string, change: Change): void;
  stats(): EngineStats;
  readonly info: readonly LoadedModelInfo[];
  readonly state: EngineState;
}

/** A call of a tool that a message of the assistant holds. */
export interface ChatToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: object };
}

/** A message as the chat templates of Hugging Face models expect it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  readonly name?: string;
  readonly tool_calls?: readonly ChatToolCall[];
  readonly tool_call_id?: string;
}

/** Tools as a template is given them, and the format in which calls are to be written (server/tools). */
export interface ChatTools {
  readonly format: string;
  readonly definitions: readonly object[];
}

export interface ChatEncoding {
  readonly addGenerationPrompt: boolean;
  /** The last message is left open, so the answer continues it. */
  readonly continueFinal: boolean;
  readonly tools?: ChatTools | null;
}

export interface TextService {
  encode(model: string, text: string, options: { readonly addSpecialTokens: boolean }): Promise<Int32Array>;
  encodeChat(model: string, messages: readonly ChatMessage[], options: ChatEncoding): Promise<Int32Array>;
  /** Special tokens print nothing unless they are to be shown. */
  decode(model: string, ids: Int32Array, options?: { readonly showSpecialTokens: boolean }): Promise<string>;
  /** The bytes of each id by itself. */
  pieces(model: string, ids: Int32Array): Promise<readonly Uint8Array[]>;
  /** How a model writes calls of tools: its template's format or the generic one, and its marker where it is one control token. */
  toolFormat(model: string): { readonly format: string; readonly markerId: number | null };
  /** What the model's template writes around the assistant's next turn. */
  frame(model: string, messages: readonly ChatMessage[]): Promise<Omit<Frame, 'addSpecialTokens'>>;
}

export interface CatalogEntry {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly ownedBy: 'trimtab';
  readonly kind: 'model' | 'deployment';
}

/** Used where the request leaves a field out. */
export interface SamplingDefaults {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly maxTokens?: number;
}

/** What a model's or a deployment's name (and an optional `decoding` object) stands for. */
export interface ResolvedStrategy {
  /** The name asked for, echoed as `model`. */
  readonly name: string;
  readonly method: string;
  /** What the answer is drawn from; of a search the first of its distributions. */
  readonly distribution: Scores;
  readonly search: SearchPlan | null;
  /** `viewsOf(distribution)`. */
  readonly views: readonly View[];
  /** By the views' `prompt`: what each reads. */
  readonly prompts: ReadonlyMap<string, PromptVariant>;
  readonly speculation: Speculation | null;
  readonly tokenizerModel: string;
  /** Smallest over the members. */
  readonly contextLength: number;
  /** Of the tokenizer, without padding. */
  readonly vocabSize: number;
  readonly eosTokenIds: readonly number[];
  /** Effective parameters of the method, defaults filled in. */
  readonly parameters: JsonObject;
  readonly models: readonly string[];
  readonly defaults: SamplingDefaults;
  /** The distribution in words of methods.md, e.g. "large + 1·(tuned − reference)". */
  readonly formula?: string;
}

export interface Catalog {
  list(): readonly CatalogEntry[];
  /** Throws AppError: model_not_found, unknown_key (param "decoding.x"), invalid_value, vocabulary_mismatch. */
  resolve(model: string, decoding?: unknown): ResolvedStrategy;
  /** For a request that runs: its effective spec, patched (RFC 7396). Throws not_changeable where more than scalars would differ, and as above. */
  change(strategy: ResolvedStrategy, patch: JsonObject): ResolvedStrategy;
}

/** Compiles what answers must be. Throws AppError with `param` and what comes below it. */
export interface ConstraintCompiler {
  compile(job: ConstraintJob, param: string): Promise<Grammar>;
}

/** Reads the pictures of a request. */
export interface ImageReader {
  /** Does the model read pictures? */
  sees(model: string): boolean;
  /** What the tower of each model takes, in the order of the references. Throws AppError. */
  read(
    references: readonly ImageReference[],
    models: readonly string[],
  ): Promise<ReadonlyMap<string, readonly ImageInput[]>>;
}

/** beside: the new engine is loaded while the old one serves. after: the old one ends first, so that memory for one is enough. */
export type ChangeOrder = 'beside' | 'after';

export interface ModelStatus {
  readonly name: string;
  readonly kind: 'causal' | 'reward';
  readonly weights: string;
  readonly state: 'loaded' | 'loading' | 'unloaded' | 'changing';
  /** Where it is loaded. */
  readonly info: LoadedModelInfo | null;
  /** Of keys and values that it holds now. */
  readonly cacheBytes: number;
  /** Those that need it. */
  readonly deployments: readonly string[];
}

/** What a change has done. */
export interface AdminChange {
  /** Parts of the configuration. */
  readonly changed: readonly string[];
  readonly engine: 'kept' | 'replaced';
  /** That ran on the engine that was replaced. */
  readonly requests: { readonly finished: number; readonly cut: number };
  /** Of the whole process (bytes). */
  readonly residentBefore: number;
  readonly residentAfter: number;
  readonly tookMs: number;
  readonly note: string | null;
}

/** What an operator may do while the server runs. One change at a time; throws AppError and changes nothing where it cannot be done. */
export interface Operations {
  models(): readonly ModelStatus[];
  load(model: string, order: ChangeOrder): Promise<AdminChange>;
  unload(model: string, order: ChangeOrder): Promise<AdminChange>;
  reload(order: ChangeOrder): Promise<AdminChange>;
  readonly counts: {
    readonly replacements: number;
    readonly reloads: { readonly taken: number; readonly refused: number };
  };
}

export interface AppContext {
  /** Left out: no model reads pictures. */
  readonly images?: ImageReader;
  readonly config: HttpConfig;
  readonly engine: Engine;
  readonly catalog: Catalog;
  readonly text: TextService;
  readonly constraints: ConstraintCompiler;
  /** Left out: nothing can be changed. */
  readonly operations?: Operations;
}
