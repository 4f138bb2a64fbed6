// eft: emulated fine-tuning (Mitchell et al., "An Emulator for Fine-Tuning Large Language Models using Small Language
// Models", arXiv:2310.12962) and proxy-tuning (Liu et al., arXiv:2401.08565). L is a large base model, F a small tuned
// one, S that small model before tuning; F − S is what tuning taught, L − S what size brings:
//
//   proxy       L + weight·(F − S)        weight scales the tuning
//   amplified   F + weight·(L − S)        weight scales the size
//
// The two agree at weight 1 and nowhere else. Scores may be logits or log-probabilities: a constant per member does not
// matter.
import { linear } from '../expr.js';
import { member, oneOf, weight } from '../fields.js';
import { defineMethod } from '../method.js';

export const eft = defineMethod({
  name: 'eft',
  summary: 'Steers a large base model by what a small model learned in tuning; no weight is updated.',
  equation: 'proxy: base + weight·(tuned − reference); amplified: tuned + weight·(base − reference)',
  paper: 'arXiv:2310.12962 (EFT), arXiv:2401.08565 (proxy-tuning)',
  fields: {
    base: member('L: the large model.'),
    tuned: member('F: the small tuned model.'),
    reference: member('S: the small model before tuning.'),
    weight: weight({ help: 'How much of the difference is added.', fallback: 1, max: 100 }),
    form: oneOf('Which difference is scaled.', ['proxy', 'amplified'], 'proxy'),
  },
  build: ({ base, tuned, reference, weight, form }) => {
    const [anchor, plus] = form === 'proxy' ? [base, tuned] : [tuned, base];
    const difference = linear([
      [1, plus.scores],
      [-1, reference.scores],
    ]);
    return linear([
      [1, anchor.scores],
      [weight, difference],
    ]);
  },
});
