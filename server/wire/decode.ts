// What the main thread asks of the engine and what it gets back, as plain data. Every endpoint maps its own body onto a
// DecodeRequest and maps DecodeEvents onto its own reply. Numbers are validated before they get here.
import type { Grammar } from '../../decoders/constraint/grammar.js';
import type { Scores } from '../../decoders/expr.js';
import type { SearchPlan } from '../../decoders/plan.js';
import type { SearchTrace } from '../../decoders/search.js';
import type { ErrorData } from '../errors.js';

/** A picture as a tower takes it. */
export interface ImageInput {
  /** SHA-256, in hexadecimal, of what the tower sees: equal pictures share everything that is computed of them. */
  readonly hash: string;
  /** [3, size, size], normalised. */
  readonly pixels: Float32Array;
}

export interface SamplingParams {
  /** 0 means greedy. */
  readonly temperature: number;
  /** 0 means off. */
  readonly topK: number;
  /** 1 means off. */
  readonly topP: number;
  /** 0 means off. */
  readonly minP: number;
  /** 1 means off; divides positive and multiplies negative scores of tokens seen in prompt or answer. */
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  /** Added to the combined scores; −Infinity forbids a token. */
  readonly logitBias: readonly (readonly [tokenId: number, bias: number])[];
}

/** Greedy, and everything else off. */
export const greedySampling: SamplingParams = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
};

export interface LogprobsParams {
  /** How many alternatives per token, besides the chosen one. */
  readonly top: number;
  /** The whole vocabulary per generated token. */
  readonly full: boolean;
  /** Also for the prompt's tokens (all views must share the prompt ids). */
  readonly prompt: boolean;
}

/** How drafts are made. The law of the answer is that of the distribution, whatever stands here. */
export interface SpeculationParams {
  /** A model's name, or "lookup": what followed the last tokens earlier in prompt and answer. */
  readonly draft: string;
  /** Longest block, in tokens; the engine chooses a length up to it, also none. */
  readonly tokens: number;
}

/** The text around an answer as a source of scores reads it: made where templates are, so that the engine only joins and tokenises. */
export interface Frame {
  readonly before: string;
  readonly after: string;
  /** The template trims what it is given. */
  readonly trims: boolean;
  /** Add what the tokenizer adds by itself. */
  readonly addSpecialTokens: boolean;
}

export interface SearchJob {
  readonly plan: SearchPlan;
  /** Parallel to `plan.sources`, one frame per variant; none for what reads no text of a model. */
  readonly frames: readonly (readonly Frame[])[];
  /** For endpoints: the conversation, a plain prompt as one user turn. */
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

export interface DecodeRequest {
  readonly requestId: string;
  /** What the answer is drawn from; of a search the first of its plan's distributions. */
  readonly distribution: Scores;
  /**
   * Prompt token ids of each view, parallel to `viewsOf(distribution)`. At least one id each. Then one for a draft that is no member
   * (without it the draft reads the first view's prompt), then those of further views of a search's other distributions, in their order.
   */
  readonly promptIds: readonly Int32Array[];
  /** The pictures of each view's prompt, in the order of their places; left out where no view has any. */
  readonly images?: readonly (readonly ImageInput[])[];
  /** Null or left out: plain decoding. */
  readonly search?: SearchJob | null;
  /** The model whose tokenizer turns ids into text (all members share it). */
  readonly tokenizer: string;
  /** Tokens of the common vocabulary: wider logits rows are cut to it. */
  readonly vocabSize: number;
  readonly n: number;
  /** 32-bit unsigned; randomness is a function of (seed, choice, position). */
  readonly seed: number;
  readonly sampling: SamplingParams;
  /** Number of tokens to generate per choice; 0 only with logprobs.prompt. */
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly stop: readonly string[];
  readonly includeStop: boolean;
  /** Ends a choice. */
  readonly stopTokenIds: readonly number[];
  /** The model's own end tokens do not end it: all of `stopTokenIds` were named by the client. */
  readonly ignoresEos?: boolean;
  readonly logprobs: LogprobsParams | null;
  /** Instead of an answer: the hidden states of the first view's model over its prompt, as one vector. `maxTokens` is 0. */
  readonly pooling?: 'mean' | 'last';
  readonly speculation?: SpeculationParams | null;
  /** What the answer's text has to be; null or left out: anything. It ends where nothing more may follow. */
  readonly constraint?: Grammar | null;
  /** Control tokens that print their name: they begin calls of tools. */
  readonly shownTokenIds?: readonly number[];
  /** Tell how each token came about, for so many tokens of each choice at most; 0 or left out: do not. */
  readonly traceLimit?: number;
  /** Lower goes first. */
  readonly priority: number;
  /** A further prompt of a client's request whose first was submitted before: it is not refused for what it would have to wait. */
  readonly follows?: boolean;
  /** Tokens that each choice may emit until more are granted; null or left out: no bound. */
  readonly credit?: number | null;
  /** Tell what a search commits, and where it goes back. */
  readonly notices?: boolean;
}

/** Changes how far a request that runs may go. Tokens count per choice. */
export type Grant =
  | { readonly kind: 'add'; readonly tokens: number }
  /** From where each choice stands; null: no bound. */
  | { readonly kind: 'set'; readonly tokens: number | null }
  /** The reader cannot keep up: nothing goes on, whatever is granted. */
  | { readonly kind: 'hold'; readonly on: boolean };

/** Other scalars for a request that runs, from the next token on. */
export interface Change {
  /** Told again when it takes effect. */
  readonly serial: number;
  /** The same structures over the same views; of a search as many as its plan has, otherwise one. */
  readonly distributions: readonly Scores[];
}

export interface Alternative {
  readonly id: number;
  readonly logprob: number;
  readonly bytes: Uint8Array;
}

export interface TokenRecord extends Alternative {
  readonly top: readonly Alternative[];
  /** [vocabSize] log-probabilities, only with `logprobs.full`. */
  readonly full?: Float32Array;
}

/** One token of the prompt; the first has no logprob. */
export interface PromptTokenRecord {
  readonly id: number;
  readonly logprob: number | null;
  readonly bytes: Uint8Array;
  readonly top: readonly Alternative[];
}

/** How one emitted token came about. */
export interface TokenTrace {
  readonly id: number;
  readonly bytes: Uint8Array;
  /** The token's log-probability by each view alone, parallel to `viewsOf(distribution)`. */
  readonly members: readonly number[];
  /** KL(what the token was drawn from, before temperature ‖ the first view alone), in nats. */
  readonly kl: number;
  /** What dynamic fusion found here, one per expert; empty where nothing is solved for. */
  readonly weights: readonly number[];
  /** Those of them that stand at their bound, by their place: a larger weight would have matched better. */
  readonly atBound: readonly number[];
  /** Tokens that masks, bans and filters left. */
  readonly kept: number;
  /** A draft had proposed a token for this position, and it stood. */
  readonly drafted: boolean;
  readonly accepted: boolean;
}

/** How drafting went over one request. */
export interface SpeculationReport {
  readonly draft: string;
  /** Tokens proposed in blocks, and how many of them were emitted. */
  readonly drafted: number;
  readonly accepted: number;
  readonly blocks: number;
}

/** What was really done, for the reply's `decoding` field. */
export interface Applied {
  /** Decoder rows computed per model, prompt and answer together. */
  readonly forwards: Readonly<Record<string, number>>;
  readonly rewinds: number;
  /** Why and how often a fallback distribution was used, e.g. { nan: 1 }. */
  readonly fallbacks: Readonly<Record<string, number>>;
  /** Where dynamic fusion solves for weights: tokens for which each expert's weight stood at its bound. */
  readonly boundHits?: readonly number[];
  readonly preemptions: number;
  readonly seed: number;
  /** Where the request speculates. */
  readonly speculation?: SpeculationReport;
  /** Where it searches. */
  readonly search?: SearchReport;
}

/** What a search did, over all choices. */
export interface SearchReport {
  /** The search's own figures, e.g. { rollouts: 40 }. */
  readonly counts: Readonly<Record<string, number>>;
  /** Tokens computed on all branches, emitted or not. */
  readonly tokens: number;
  /** Answers that sources of scores were asked about, and how many of these were known already. */
  readonly read: number;
  readonly readCached: number;
  /** Why, and at how many committed tokens, a choice went on plainly. */
  readonly ended: readonly {
    readonly choice: number;
    readonly reason: 'forwards' | 'time' | 'tokens' | 'scorer';
    readonly at: number;
  }[];
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
}

/** Where the engine's time went, per request. */
export interface Timings {
  /** Submitted → admitted. */
  readonly queuedMs: number;
  /** Admitted → first token decided. */
  readonly prefillMs: number;
  /** First token → last token. */
  readonly decodeMs: number;
}

export type FinishReason = 'stop' | 'length';

/** Exactly one terminal event (`done` or `failed`) ends a request. */
export type DecodeEvent =
  | { readonly kind: 'prompt'; readonly tokens: readonly PromptTokenRecord[] }
  | {
      readonly kind: 'delta';
      readonly choice: number;
      readonly text: string;
      /** Ids of the tokens whose text is out now. */
      readonly ids: readonly number[];
      /** One record per id where log-probabilities were asked for, otherwise none: they are dear to send. */
      readonly tokens: readonly TokenRecord[];
      /** For the first of `ids`, while the trace lasts. */
      readonly traces?: readonly TokenTrace[];
      /** The trace has ended before the answer: its limit was reached here. */
      readonly traceCut?: boolean;
    }
  | {
      readonly kind: 'search';
      readonly choice: number;
      readonly entries: readonly SearchTrace[];
      /** The story goes on untold: its limit was reached here. */
      readonly cut?: boolean;
    }
  | {
      readonly kind: 'finished';
      readonly choice: number;
      readonly reason: FinishReason;
      /** The stop string or stop token id that ended it, null for EOS-free ends. */
      readonly stopReason: string | number | null;
    }
  /** A search has made its first `length` tokens the answer. */
  | { readonly kind: 'commit'; readonly choice: number; readonly length: number }
  /** A search took its trunk back; nothing that was told is concerned. */
  | { readonly kind: 'rewind'; readonly choice: number; readonly from: number; readonly to: number }
  /** All choices that have not ended wait for credit. */
  | { readonly kind: 'paused' }
  /** By choice: the first token that the change acts on; null where the choice had ended. */
  | { readonly kind: 'changed'; readonly serial: number; readonly positions: readonly (number | null)[] }
  | {
      readonly kind: 'done';
      readonly usage: Usage;
      readonly applied: Applied;
      readonly timings: Timings;
      /** Where the request asked for `pooling`. */
      readonly pooled?: Float32Array;
    }
  | { readonly kind: 'failed'; readonly error: ErrorData };
