// formula: the request brings its own expression (model arithmetic: Dekoninck et al., arXiv:2311.14479). decoders/formula.ts reads it, node by node.
//
// A sum at the root is divided by the sum of its coefficients, as that paper does: M − 0.6·N is guidance with weight 2.5, no mild bias. A
// sum of 0 or less is refused (decoders/coefficients.ts), 0 unless a mask stands around it: contrastive decoding is such a formula.
import { coefficientSum, isInverted, SUM_REMEDY } from '../coefficients.js';
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
    if (isInverted(scores)) throw new Conflict('expression', total, SUM_REMEDY);
    if (!normalise || scores.kind !== 'linear') return scores;
    return total === 1 ? scores : scaled(scores, total);
  },
});

function scaled(scores: Extract<Scores, { kind: 'linear' }>, total: number): Scores {
  const terms = scores.terms.map(({ weight, of }) => [weight, of] as const);
  const own = terms.reduce((sum, [weight]) => sum + weight, 0);
  return own === total ? average(terms) : linear(terms.map(([weight, of]) => [weight / total, of]));
}
