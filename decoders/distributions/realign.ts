// realign: decoding-time realignment (Liu et al., arXiv:2402.02992). Between a model before and after alignment with a KL penalty, every other
// strength of that penalty is a point on the line through both: pi ∝ reference^(1 − strength)·aligned^strength. Exact for
// whole sequences, approximated token by token.
import { linear } from '../expr.js';
import { weight } from '../fields.js';
import { member } from '../member-fields.js';
import { defineMethod } from '../method.js';

export const realign = defineMethod({
  name: 'realign',
  summary: 'More or less alignment than a model was trained with: a dial between it and what it was before.',
  equation: 'reference + strength·(aligned − reference)',
  paper: 'arXiv:2402.02992 (DeRa)',
  fields: {
    aligned: member('The aligned model.'),
    reference: member('The same model before alignment.'),
    strength: weight({ help: '0 is the reference, 1 the aligned model, above 1 extrapolates.', fallback: 1, max: 10 }),
  },
  build: ({ aligned, reference, strength }) =>
    linear([
      [1, reference.scores],
      [
        strength,
        linear([
          [1, aligned.scores],
          [-1, reference.scores],
        ]),
      ],
    ]),
});
