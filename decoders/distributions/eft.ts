// eft: emulated fine-tuning (Mitchell et al., "An Emulator for Fine-Tuning Large Language Models using Small Language
// Models", arXiv:2310.12962) and proxy-tuning (Liu et al., arXiv:2401.08565). L is a large base model, F a small tuned
// one, S that small model before tuning; F − S is what tuning taught, L − S what size brings:
//
//   proxy       L + weight·(F − S)        weight scales the tuning
//   amplified   F + weight·(L − S)        weight scales the size
//
// The two agree at weight 1 and nowhere else. Several tuned models interpolate: F − S = Σ weightⱼ·(Fⱼ − S). With `keep`
// below 1 the amplified form scales only tokens in the nucleus of F and leaves the others at F's own score: they are
// not removed, they are just not trusted to a ratio of two tiny numbers.
import { linear, logSoftmax, nucleus, where } from '../expr.js';
import type { Scores } from '../expr.js';
import { oneOf, real, weight } from '../fields.js';
import { member, weightedMembers } from '../member-fields.js';
import type { WeightedMember } from '../member-fields.js';
import { Conflict, defineMethod } from '../method.js';

export const eft = defineMethod({
  name: 'eft',
  summary: 'Steers a large base model by what a small model learned in tuning; no weight is updated.',
  equation: 'proxy: base + weight·(tuned − reference); amplified: tuned + weight·(base − reference)',
  paper: 'arXiv:2310.12962 (EFT), arXiv:2401.08565 (proxy-tuning)',
  fields: {
    base: member('L: the large model.'),
    tuned: weightedMembers('F: the small tuned model, or several to interpolate between.', 10),
    reference: member('S: the small model before tuning.'),
    weight: weight({ help: 'How much of the difference is added.', fallback: 1, max: 100 }),
    form: oneOf('Which difference is scaled.', ['proxy', 'amplified'], 'proxy'),
    keep: real({
      help: "Amplified form: the mass of the tuned model's likeliest tokens that are scaled by size; 1 is all.",
      fallback: 1,
      min: 0,
      max: 1,
    }),
  },
  build: ({ base, tuned, reference, weight, form, keep }) => {
    const [L, F, S] = [base.scores, interpolated(tuned, reference.scores), reference.scores];
    if (form === 'proxy') {
      if (keep < 1) throw new Conflict('keep', keep, 'Use "form": "amplified", or leave "keep" at 1.');
      return steered(L, weight, F, S);
    }
    if (keep === 1) return steered(F, weight, L, S);
    // Two branches side by side must be on one scale: log-probabilities.
    const [large, small, anchor] = [logSoftmax(L), logSoftmax(S), logSoftmax(F)] as const;
    return where(nucleus(anchor, keep), steered(anchor, weight, large, small), anchor);
  },
});

/** anchor + weight·(plus − minus). */
function steered(anchor: Scores, weight: number, plus: Scores, minus: Scores): Scores {
  const difference = linear([
    [1, plus],
    [-1, minus],
  ]);
  return linear([
    [1, anchor],
    [weight, difference],
  ]);
}

/** S + Σ weightⱼ·(Fⱼ − S); the model itself where there is one with weight 1. */
function interpolated(tuned: readonly WeightedMember[], reference: Scores): Scores {
  const [only] = tuned;
  if (only !== undefined && tuned.length === 1 && only.weight === 1) return only.member.scores;
  const rest = 1 - tuned.reduce((sum, { weight }) => sum + weight, 0);
  const terms = tuned.map(({ member, weight }) => [weight, member.scores] as const);
  return linear(Math.abs(rest) < 1e-12 ? terms : [...terms, [rest, reference]]);
}
