// Classifiers among the terms of a formula (model arithmetic: Dekoninck et al., arXiv:2311.14479, §3.2): {"op": "classifier", "scorer": …,
// "scale": …}. What a scorer says of a text is brought to log C, the logarithm of a probability up to a constant of the request.
import type { Field, Member, ReadScorer } from './fields.js';
import { oneOf, scorer } from './fields.js';
import { CLASSIFIER, EXPRESSION, readExpression, refuseInverted } from './formula.js';
import type { ValuesOf } from './method.js';
import { readFields } from './read-fields.js';

const SCALES = ['log', 'logit', 'probability'] as const;
export type Scale = (typeof SCALES)[number];

/** As the published code has it: what is quite impossible would forbid a token for good. */
const LEAST_PROBABILITY = 1e-12;

export interface ReadClassifier {
  readonly weight: number;
  readonly scorer: ReadScorer;
  readonly scale: Scale;
}

/** An expression without its classifiers, which stand beside it. */
export interface ClassifiedExpression {
  readonly member: Member;
  readonly classifiers: readonly ReadClassifier[];
}

const fields = {
  scorer: scorer('What judges the answer so far, unfinished as it is.'),
  scale: oneOf('What its scores are.', SCALES, 'log'),
};

export function classifiedExpression(help: string): Field<ClassifiedExpression> {
  return {
    ...EXPRESSION,
    help,
    read: (value, path, context) => {
      const classifiers: ReadClassifier[] = [];
      const member = readExpression(value, path, {
        leaf: (leaf, at) => context.member(leaf, at),
        check: refuseInverted,
        classifier: (node, at, weight) => {
          const { values, effective } = readFields({ name: CLASSIFIER, fields, tag: 'op' }, node, at, context);
          classifiers.push({ ...(values as ValuesOf<typeof fields>), weight });
          return effective;
        },
      });
      return { member, classifiers };
    },
    show: ({ member }) => member.effective,
  };
}

/** Does a spec's expression hold a classifier, wherever it stands? Specs of methods inside it answer for themselves. */
export function holdsClassifier(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if (Array.isArray(node)) return node.some(holdsClassifier);
  const { op, method } = node as Record<string, unknown>;
  return method === undefined && (op === CLASSIFIER || Object.values(node).some(holdsClassifier));
}

/** log C of a score. NaN where it is no number of its scale. */
export function logProbability(score: number, scale: Scale): number {
  switch (scale) {
    case 'log':
      return score;
    case 'logit':
      // log 1 / (1 + exp(−score)), where exp(−score) must not overflow.
      return Math.min(score, 0) - Math.log1p(Math.exp(-Math.abs(score)));
    case 'probability':
      return score >= 0 && score <= 1 ? Math.log(Math.max(score, LEAST_PROBABILITY)) : NaN;
    default:
      return scale satisfies never;
  }
}
