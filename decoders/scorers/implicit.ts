// implicit: the reward that tuning followed, read off two distributions (Rafailov et al., "Direct Preference Optimization", arXiv:2305.18290;
// the difference of eft.ts, summed over an answer):
//
//   score = weight · Σ log(tuned(token) / reference(token)) over the tokens of the answer
//
// Each answer is read once by either distribution, from the end of the prompt on. A token that one of them forbids makes the score −∞, as it
// does in a formula of the two.
import { real } from '../fields.js';
import { member } from '../member-fields.js';
import type { Scorer } from '../plan.js';
import { all, force, fork, release, rewind } from '../search.js';
import type { Branch, Searching } from '../search.js';
import { defineScorer } from '../search-method.js';

interface ImplicitScorer extends Scorer {
  readonly kind: 'implicit';
  readonly tuned: number;
  readonly reference: number;
  readonly weight: number;
}

export const implicit = defineScorer({
  kind: 'implicit',
  summary: 'How much more probable an answer is after tuning than before: the reward that tuning followed.',
  equation: 'weight · Σ log(tuned(token) / reference(token))',
  paper: 'arXiv:2305.18290 (DPO), arXiv:2310.12962 (EFT)',
  fields: {
    tuned: member('The model after tuning.'),
    reference: member('The model before tuning.'),
    weight: real({ help: 'Units of score that one nat is worth.', fallback: 1, min: 0, max: 1000 }),
  },
  build: ({ tuned, reference, weight }, context): ImplicitScorer => {
    const [after, before] = [context.distribution(tuned.scores), context.distribution(reference.scores)];
    context.forksToScore(after);
    context.forksToScore(before);
    return { kind: 'implicit', tuned: after, reference: before, weight };
  },
  *score({ tuned, reference, weight }, branches) {
    const read = (distribution: number): Searching<number[]> =>
      all(branches.map((branch) => logprobOf(branch, distribution)));
    const [after = [], before = []] = yield* all([read(tuned), read(reference)]);
    return branches.map((_, index) => {
      const [plus, minus] = [after[index] ?? NaN, before[index] ?? NaN];
      return plus === -Infinity || minus === -Infinity ? -Infinity : weight * (plus - minus);
    });
  },
  range: () => null,
});

/** Of the branch's tokens, had they come from another distribution. */
function* logprobOf(branch: Branch, distribution: number): Searching<number> {
  const other = yield* fork(branch, { distribution });
  try {
    yield* rewind(other, 0);
    const { logprobs } = yield* force(other, [...branch.tokens], { logprobs: true });
    return logprobs.reduce((sum, logprob) => sum + logprob, 0);
  } finally {
    yield* release(other);
  }
}
