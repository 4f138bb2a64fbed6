// dcd: the formula of decoupled contrastive decoding (arXiv:2504.08809), and of visual contrastive decoding (arXiv:2311.16922): away from a negative view,
// among the tokens that the positive one finds plausible. The views are models, or one model with two prompts; without the
// mask it is guidance with weight 1 + contrast.
import { linear, logSoftmax, masked, plausible, type Scores } from '../expr.js';
import { real } from '../fields.js';
import { member } from '../member-fields.js';
import { defineMethod } from '../method.js';

export const dcd = defineMethod({
  name: 'dcd',
  summary: 'Steers away from a negative view, among the tokens that the positive view finds plausible.',
  equation: '(1 + contrast)·positive − contrast·negative, on plausible tokens of positive',
  paper: 'arXiv:2504.08809 (DCD), arXiv:2311.16922 (VCD)',
  fields: {
    positive: member('What is wanted.'),
    negative: member('What is to be avoided: another projection of the pictures, another model, or another prompt.'),
    contrast: real({ help: 'How far away from the negative view.', fallback: 0.5, min: 0, max: 10 }),
    plausibility: real({
      help: 'Least probability, as a share of the largest; 0 is off.',
      fallback: 0.1,
      min: 0,
      max: 1,
    }),
  },
  build: ({ positive, negative, contrast, plausibility }) =>
    contrasted(positive.scores, negative.scores, { contrast, plausibility }),
});

export function contrasted(
  positive: Scores,
  negative: Scores,
  { contrast, plausibility }: { readonly contrast: number; readonly plausibility: number },
): Scores {
  const scores = linear([
    [1 + contrast, positive],
    [-contrast, negative],
  ]);
  return masked(scores, plausible(logSoftmax(positive), plausibility));
}
