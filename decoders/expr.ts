// The union of expressions over next-token scores: what every decoding method of the "formula" kind is. Immutable plain
// data, serialisable across threads. Evaluated by the naive twin (evaluate.ts), compiled by kernels/logits/lower.ts.
// Knows no model, no device.
//
// A score of −∞ says "forbidden". A linear combination forbids what any of its terms (of non-zero weight) forbids,
// whatever the sign of that weight: hence −∞ − (−∞) has a meaning and NaN can only come out of a model.

/** A model with one of the request's prompts. `prompt` names the prompt ("default" is the request's own). */
export interface View {
  readonly model: string;
  readonly prompt: string;
}

/** Unnormalised scores, one per token: log-probabilities up to a constant. */
export type Logits =
  | { readonly kind: 'logits'; readonly view: View }
  | { readonly kind: 'linear'; readonly terms: readonly Term[] }
  | { readonly kind: 'maximum'; readonly of: readonly Logprobs[] }
  | { readonly kind: 'minimum'; readonly of: readonly Logprobs[] }
  | { readonly kind: 'where'; readonly mask: Mask; readonly then: Scores; readonly otherwise: Scores }
  | { readonly kind: 'masked'; readonly of: Scores; readonly mask: Mask }
  | Fused;

/**
 * base + Σ aₜ·(expertₜ − reference), where the aₜ are found anew for every row: decoders/fusion.ts has the objective. A
 * token that any member forbids is forbidden, and the solver does not see it. `bounds` holds the largest aₜ of each
 * expert; it is bound per row.
 */
export interface Fused {
  readonly kind: 'fused';
  readonly base: Logprobs;
  readonly reference: Logprobs;
  readonly experts: readonly Logprobs[];
  readonly search: FusionSearch;
  readonly bounds: readonly number[];
}

/** Which experts may act on one token: one alone, or any set of them together. */
export type FusionSearch = 'single' | 'joint';

/** Normalised: the exponentials sum to one. */
export type Logprobs = { readonly kind: 'logSoftmax'; readonly of: Scores };

/** A set of tokens. */
export type Mask =
  | { readonly kind: 'plausible'; readonly of: Logprobs; readonly ratio: number }
  | { readonly kind: 'nucleus'; readonly of: Logprobs; readonly mass: number };

export type Scores = Logits | Logprobs;
export type Expr = Scores | Mask;

/**
 * One weighted member of a linear combination. The weight is a scalar that is bound per row: it is no part of the
 * kernel.
 */
export interface Term {
  readonly weight: number;
  readonly of: Scores;
}

/** A node that cannot exist: wrong number of members, a weight that is no number, a ratio outside [0, 1]. */
export class ExprError extends Error {
  override readonly name = 'ExprError';
}

export {
  membersOf,
  fold,
  rewrite,
  sizeOf,
  viewsOf,
  viewKey,
  slotsOf,
  scalarsOf,
  structureKey,
  mayForbid,
} from './walks.js';
export type { Rewriter, Scalar } from './walks.js';

export const DEFAULT_PROMPT = 'default';

// ---- constructors: the only place where a node's scalars are checked

export function logits(model: string, prompt: string = DEFAULT_PROMPT): Logits {
  if (model === '') throw new ExprError('a view needs the name of a model; got an empty string');
  return { kind: 'logits', view: { model, prompt } };
}

/** Σ weight · scores. */
export function linear(terms: readonly (readonly [weight: number, of: Scores])[]): Logits {
  nonEmpty('linear', terms);
  for (const [weight] of terms)
    if (!Number.isFinite(weight)) throw new ExprError(`linear: a weight must be a finite number; got ${weight}`);
  return { kind: 'linear', terms: terms.map(([weight, of]) => ({ weight, of })) };
}

/** of − log Σ exp(of). */
export function logSoftmax(of: Scores): Logprobs {
  return { kind: 'logSoftmax', of };
}

/** The union of distributions: per token the largest log-probability. Not normalised. */
export function maximum(of: readonly Logprobs[]): Logits {
  return { kind: 'maximum', of: nonEmpty('maximum', of) };
}

/** The intersection of distributions: per token the smallest log-probability. Not normalised. */
export function minimum(of: readonly Logprobs[]): Logits {
  return { kind: 'minimum', of: nonEmpty('minimum', of) };
}

/** `then` inside the mask, `otherwise` outside: both on the same scale, which the caller answers for. */
export function where(mask: Mask, then: Scores, otherwise: Scores): Logits {
  return { kind: 'where', mask, then, otherwise };
}

/** `of` inside the mask; tokens outside are forbidden. */
export function masked(of: Scores, mask: Mask): Logits {
  return { kind: 'masked', of, mask };
}

/** Points of the published grid: 0.0 to 2.0 in steps of 0.1. */
export const FUSION_GRID = 21;

/** Which experts act together: every one alone, then, jointly, every larger set; smaller sets first. */
export function expertSets(count: number, search: FusionSearch): number[][] {
  const experts = Array.from({ length: count }, (_, expert) => expert);
  if (search === 'single') return experts.map((expert) => [expert]);
  const sets = Array.from({ length: 2 ** count - 1 }, (_, index) =>
    experts.filter((expert) => ((index + 1) >> expert) & 1),
  );
  return sets.sort((a, b) => a.length - b.length);
}

/** The joint search tries every set of experts. */
export const MAX_JOINT_EXPERTS = 4;

/** Dynamic logit fusion. One bound per expert, at least 0. */
export function fused({ base, reference, experts, search, bounds }: Omit<Fused, 'kind'>): Logits {
  nonEmpty('fused', experts);
  if (search === 'joint' && experts.length > MAX_JOINT_EXPERTS)
    throw new ExprError(`fused: the joint search takes at most ${MAX_JOINT_EXPERTS} experts; got ${experts.length}`);
  if (bounds.length !== experts.length)
    throw new ExprError(`fused: needs one bound per expert, ${experts.length}; got ${bounds.length}`);
  for (const bound of bounds)
    if (!(bound >= 0 && bound < Infinity)) throw new ExprError(`fused: a bound must be at least 0; got ${bound}`);
  return { kind: 'fused', base, reference, experts, search, bounds };
}

/** Σ weight · logprobs / Σ weight: the sum of the weights must be above 0, or what is avoided would be preferred. */
export function average(terms: readonly (readonly [weight: number, of: Scores])[]): Logits {
  const sum = terms.reduce((total, [weight]) => total + weight, 0);
  if (!(sum > 1e-9)) throw new ExprError(`average: the weights must add up to more than 0; they add up to ${sum}`);
  return linear(terms.map(([weight, of]) => [weight / sum, of]));
}

/** Tokens whose probability is at least `ratio` times the largest one. 0 holds every token. */
export function plausible(of: Logprobs, ratio: number): Mask {
  return { kind: 'plausible', of, ratio: fraction('plausible: ratio', ratio) };
}

/**
 * The smallest set of most probable tokens that holds at least `mass`; ties go to the lower id, 1 holds every token,
 * and there is always one.
 */
export function nucleus(of: Logprobs, mass: number): Mask {
  return { kind: 'nucleus', of, mass: fraction('nucleus: mass', mass) };
}

function nonEmpty<T>(kind: string, members: readonly T[]): readonly T[] {
  if (members.length === 0) throw new ExprError(`${kind}: needs at least one member; got none`);
  return members;
}

function fraction(what: string, value: number): number {
  if (!(value >= 0 && value <= 1)) throw new ExprError(`${what} must lie in [0, 1]; got ${value}`);
  return value;
}
