// formula: the request brings its own expression (model arithmetic: Dekoninck et al., arXiv:2311.14479). decoders/formula.ts reads it, node by node;
// with classifiers among its terms it is a search (searches/classified.ts).
//
// A sum at the root is divided by the sum of its coefficients, as that paper does: M − 0.6·N is guidance with weight 2.5, no mild bias. A
// sum of 0 or less is refused (decoders/coefficients.ts), 0 unless a mask stands around it: contrastive decoding is such a formula.
import { coefficientSum, divided, isInverted, SUM_REMEDY } from '../coefficients.js';
import type { Scores } from '../expr.js';
import { boolean } from '../fields.js';
import { expression } from '../formula.js';
import { Conflict, defineMethod } from '../method.js';

export const normalise = boolean('Whether a sum at the root is divided by the sum of its coefficients.', true);

export const formula = defineMethod({
  name: 'formula',
  summary: 'An expression of your own over models and distributions.',
  equation: 'expression, its coefficients divided by their sum',
  paper: 'arXiv:2311.14479 (model arithmetic)',
  fields: {
    expression: expression('A tree of operators: sum, union, intersection, masked, where, log_softmax, fused.'),
    normalise,
  },
  build: ({ expression, normalise }) => rootOf(expression.scores, normalise).scores,
});

/** What is drawn from, and what its coefficients were divided by. Throws Conflict where they would prefer what should be avoided. */
export function rootOf(scores: Scores, normalise: boolean): { readonly scores: Scores; readonly by: number } {
  if (isInverted(scores)) throw new Conflict('expression', coefficientSum(scores), SUM_REMEDY);
  return normalise ? divided(scores) : { scores, by: 1 };
}
