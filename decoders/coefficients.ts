// Whether a combination still prefers what its members prefer, and its division by the sum of its coefficients. Called for expressions that a request brings (formula.ts, distributions/formula.ts, searches/classified.ts);
// the named methods answer for their own.
import { average, linear, type Scores } from './expr.js';

/** Coefficients that cancel up to rounding add up to 0. */
const EPSILON = 1e-9;

/** How much of a distribution is in an expression: how its scores grow when every member's log-probabilities are scaled. */
export function coefficientSum(scores: Scores): number {
  switch (scores.kind) {
    case 'logits':
    case 'logSoftmax':
    case 'maximum':
    case 'minimum':
    case 'fused':
      return 1;
    case 'linear':
      return scores.terms.reduce((sum, { weight, of }) => sum + (weight === 0 ? 0 : weight * coefficientSum(of)), 0);
    case 'where':
      return Math.min(coefficientSum(scores.then), coefficientSum(scores.otherwise));
    case 'masked':
      return coefficientSum(scores.of);
    default:
      return scores satisfies never;
  }
}

export const SUM_REMEDY =
  'The coefficients must add up to more than 0 (0 only under a mask): otherwise what is avoided would be preferred.';

/**
 * A sum of 0 leaves a score that is flat where the members agree, which makes sense on plausible tokens only; one below 0 prefers what was to
 * be avoided.
 */
export function isInverted(scores: Scores): boolean {
  const sum = coefficientSum(scores);
  return isMasked(scores) ? sum < -EPSILON : sum <= EPSILON;
}

function isMasked(scores: Scores): boolean {
  return scores.kind === 'masked' || (scores.kind === 'logSoftmax' && isMasked(scores.of));
}

/** A sum divided by the sum of its coefficients, and what it was divided by. Anything else is left alone. */
export function divided(scores: Scores): { readonly scores: Scores; readonly by: number } {
  const by = coefficientSum(scores);
  if (scores.kind !== 'linear' || by === 1) return { scores, by: 1 };
  const terms = scores.terms.map(({ weight, of }) => [weight, of] as const);
  const own = terms.reduce((sum, [weight]) => sum + weight, 0);
  return { scores: own === by ? average(terms) : linear(terms.map(([weight, of]) => [weight / by, of])), by };
}
