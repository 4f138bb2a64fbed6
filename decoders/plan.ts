// A search as plain data, ready to cross to the engine's thread: which search, its checked values, the distributions it draws from, and
// where its scores come from. Made by spec.ts from a request, run by the engine. Knows no model and no text.
import type { Scores } from './expr.js';

/** Where numbers about an answer come from. The engine reads them (`read`), a scorer makes a score of them. */
export type ScoreSource =
  /** A reward model: one number per head. Variant 0 only. */
  | { readonly kind: 'reward'; readonly model: string }
  /**
   * A model that is asked in words, once per variant: the log-probabilities of the options as next tokens of the filled template, at
   * temperature 1. Slots: {request} the last user turn (or the plain prompt), {conversation} all turns, {answer}; nothing inside what is
   * filled in is read as a slot.
   */
  | {
      readonly kind: 'judge';
      readonly model: string;
      readonly variants: readonly string[];
      readonly options: readonly string[];
    }
  /** The mean of the model's last hidden states over the answer: a direction in its embedding space. Variant 0 only. */
  | { readonly kind: 'embedding'; readonly model: string }
  /** An endpoint that the operator configured. Variant 0 only. */
  | { readonly kind: 'http'; readonly endpoint: string };

/** A scorer's checked values: `kind` names its file in scorers/. */
export interface Scorer {
  readonly kind: string;
  readonly [key: string]: unknown;
}

export interface Budget {
  /** Decoder rows over all models; null: no bound. */
  readonly forwards: number | null;
  readonly timeMs: number | null;
  /** Tokens drawn on all branches, emitted or not. */
  readonly tokens: number | null;
}

export interface SearchPlan {
  /** The name of the search in searches/index.ts. */
  readonly method: string;
  /** What its `run` gets; plain data. */
  readonly values: object;
  /** The first is the trunk's. */
  readonly distributions: readonly Scores[];
  readonly sources: readonly ScoreSource[];
  /** Distributions by which scorers read every answer that is scored, from its beginning. */
  readonly readers: readonly number[];
  /** Branches of each distribution that are alive at once at most, the trunk counted with the first: what admission prices. */
  readonly branches: readonly number[];
  /** Answers that are scored at once at most. */
  readonly scored: number;
  readonly budget: Budget;
  /** The trunk is drawn with a bias of the search's (search.ts). */
  readonly biased?: boolean;
}
