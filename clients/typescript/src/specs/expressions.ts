// Expressions for the method `formula`: sums, unions and masks over distributions. Operators that compare scales (union, intersection, masks)
// normalise what they are given; a mask is no distribution, and does not compile in the place of one.
import type { Member } from './distributions.js';
import type { Scorer } from './scorers.js';

/** An operator, or whatever may stand where a model may. */
export type Expression = Operator | Member;

export type Operator =
  | { readonly op: 'sum'; readonly terms: readonly Term[] }
  | { readonly op: 'union' | 'intersection'; readonly of: readonly Expression[] }
  | { readonly op: 'log_softmax'; readonly of: Expression }
  | { readonly op: 'masked'; readonly of: Expression; readonly mask: Mask }
  | { readonly op: 'where'; readonly mask: Mask; readonly then: Expression; readonly otherwise: Expression }
  | Fused;

export interface Fused {
  readonly op: 'fused';
  readonly base: Expression;
  readonly reference: Expression;
  readonly experts: readonly Expression[];
  readonly search: 'single' | 'joint';
  /** One for each expert. */
  readonly bounds: readonly number[];
}

export interface Term {
  readonly weight: number;
  readonly of: Expression;
}

/** Judges the texts of the likeliest tokens. Only a term of the root's sum may be one, and it makes the formula a search. */
export interface Classifier {
  readonly op: 'classifier';
  readonly scorer: Scorer;
  /** What its scores are: log-probabilities (up to a constant), logits, or probabilities; log. */
  readonly scale?: 'log' | 'logit' | 'probability';
}

/** A sum that has a classifier among its terms. */
export interface ClassifiedSum {
  readonly op: 'sum';
  readonly terms: readonly (Term | { readonly weight: number; readonly of: Classifier })[];
}

/** Tokens with at least `ratio` of the largest probability, or the likeliest tokens up to `mass`. */
export type Mask =
  | { readonly op: 'plausible'; readonly of: Expression; readonly ratio: number }
  | { readonly op: 'nucleus'; readonly of: Expression; readonly mass: number };

/** Σ weight·of: `sum([1, 'large'], [-0.6, 'small'])`. With a classifier among the terms it stands at the root of a formula, and nowhere else. */
export function sum(...terms: readonly (readonly [weight: number, of: Expression])[]): Operator;
export function sum(...terms: readonly (readonly [weight: number, of: Expression | Classifier])[]): ClassifiedSum;
export function sum(...terms: readonly (readonly [weight: number, of: unknown])[]): object {
  return { op: 'sum', terms: terms.map(([weight, of]) => ({ weight, of })) };
}

/** λ·log C of model arithmetic: `sum([1, 'large'], [2, classifier('polite')])`. */
export function classifier(scorer: Scorer, scale: NonNullable<Classifier['scale']> = 'log'): Classifier {
  return { op: 'classifier', scorer, scale };
}

/** The larger of the log-probabilities. */
export function union(...of: readonly Expression[]): Operator {
  return { op: 'union', of };
}

/** The smaller of the log-probabilities. */
export function intersection(...of: readonly Expression[]): Operator {
  return { op: 'intersection', of };
}

export function logSoftmax(of: Expression): Operator {
  return { op: 'log_softmax', of };
}

/** Forbids what the mask leaves out. */
export function masked(of: Expression, mask: Mask): Operator {
  return { op: 'masked', of, mask };
}

/** `then` on the tokens of the mask, `otherwise` on the others. */
export function where(mask: Mask, then: Expression, otherwise: Expression): Operator {
  return { op: 'where', mask, then, otherwise };
}

export function fused(fields: Omit<Fused, 'op'>): Operator {
  return { op: 'fused', ...fields };
}

export function plausible(of: Expression, ratio: number): Mask {
  return { op: 'plausible', of, ratio };
}

export function nucleus(of: Expression, mass: number): Mask {
  return { op: 'nucleus', of, mass };
}
