// formula: the request brings its own expression (model arithmetic: Dekoninck et al., arXiv:2311.14479). decoders/formula.ts reads it, node by node.
//
// A sum at the root is divided by the sum of its coefficients, as that paper does: M − 0.6·N is guidance with weight 2.5, no mild bias. A
// sum of 0 leaves a score that is flat where the members agree, one below 0 prefers what was to be avoided: both are refused, the former
// unless a mask stands around it (contrastive decoding is such a formula).
import { average, linear, type Scores } from '../expr.js';
import { boolean } from '../fields.js';
import { expression } from '../formula.js';
import { Conflict, defineMethod } from '../method.js';

export const formula = defineMethod({
  name: 'formula',
  summary: 'An expression of your own over models and distributions.',
  equation: 'expression, its coefficients divided by their sum',
  paper: 'arXiv:2311.14479 (model arithmetic)',
  fields: {
    expression: expression('A tree of operators: sum, union, intersection, masked, where, log_softmax, fused.'),
    normalise: boolean('Whether a sum at the root is divided by the sum of its coefficients.', true),
  },
  build: ({ expression, normalise }) => {
    const { scores } = expression;
    const total = coefficientSum(scores);
    const tooSmall = isMasked(scores) ? total < -EPSILON : total <= EPSILON;
    if (tooSmall)
      throw new Conflict(
        'expression',
        total,
        'The coefficients must add up to more than 0 (0 only under a mask): otherwise what is avoided would be preferred.',
      );
    if (!normalise || scores.kind !== 'linear') return scores;
    return total === 1 ? scores : scaled(scores, total);
  },
});

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

function scaled(scores: Extract<Scores, { kind: 'linear' }>, total: number): Scores {
  const terms = scores.terms.map(({ weight, of }) => [weight, of] as const);
  const own = terms.reduce((sum, [weight]) => sum + weight, 0);
  return own === total ? average(terms) : linear(terms.map(([weight, of]) => [weight / total, of]));
}

function isMasked(scores: Scores): boolean {
  return scores.kind === 'masked' || (scores.kind === 'logSoftmax' && isMasked(scores.of));
}
