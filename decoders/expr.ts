// The union of expressions over next-token scores: what every decoding method of the "formula" kind is. Immutable plain data,
// serialisable across threads. Evaluated by the naive twin (evaluate.ts), compiled by kernels/logits/lower.ts. Knows no model, no device.

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
  | { readonly kind: 'masked'; readonly of: Scores; readonly mask: Mask };

/** Normalised: the exponentials sum to one. */
export type Logprobs = { readonly kind: 'logSoftmax'; readonly of: Scores };

/** A set of tokens. */
export type Mask =
  | { readonly kind: 'plausible'; readonly of: Logprobs; readonly ratio: number }
  | { readonly kind: 'nucleus'; readonly of: Logprobs; readonly mass: number };

export type Scores = Logits | Logprobs;

/** One weighted member of a linear combination. The weight is a scalar that is bound per row: it is no part of the kernel. */
export interface Term {
  readonly weight: number;
  readonly of: Scores;
}
