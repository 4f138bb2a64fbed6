// reward: what a reward model says of an answer: one of its heads, or a weighted sum of them. Where a scorer is expected the mere name of a
// reward model with one head stands for this.
import { list, optional, string } from '../fields.js';
import { Conflict } from '../method.js';
import type { Scorer } from '../plan.js';
import { numbersByHead, rewardModel } from '../scorer-fields.js';
import { defineScorer } from '../search-method.js';
import { rewardRange, within } from '../searches/reward-range.js';
import type { RewardRange } from '../searches/reward-range.js';
import { addHeads, asItIs, placeOf } from './heads.js';
import type { HeadTerm } from './heads.js';

interface RewardScorer extends Scorer {
  readonly kind: 'reward';
  readonly source: number;
  readonly terms: readonly HeadTerm[];
  readonly range: RewardRange | null;
}

export const reward = defineScorer({
  kind: 'reward',
  summary: 'What a reward model says of an answer.',
  equation: 'head(answer), or Σ weightⱼ · headⱼ(answer)',
  paper: '',
  fields: {
    model: rewardModel('The model that scores.'),
    head: optional(string('Which of its numbers; may be left out where it has one.', { maxLength: 200 })),
    weights: numbersByHead({ help: 'In place of "head": a weighted sum of several.', min: -1000, max: 1000 }),
    range: optional(
      rewardRange('Bounds that the score is cut to. Searches that know bounds can skip what no score can change.'),
    ),
  },
  build: ({ model, head, weights, range }, context): RewardScorer => {
    const { heads } = context.rewardModel(model);
    const terms = weights === null ? [asItIs(oneHead(head, heads), 1)] : weighted(weights, head, heads);
    return { kind: 'reward', source: context.source({ kind: 'reward', model }), terms, range };
  },
  *score({ source, terms, range }, branches) {
    return (yield* addHeads(source, terms, branches)).map((score) => within(range, score));
  },
  range: ({ range }) => range,
});

function oneHead(head: string | null, heads: readonly string[]): number {
  if (head !== null) return placeOf(head, heads, 'head');
  if (heads.length === 1) return 0;
  throw new Conflict(
    'head',
    undefined,
    `The model has several heads: choose one of ${list(heads)}, or give "weights".`,
  );
}

function weighted(weights: ReadonlyMap<string, number>, head: string | null, heads: readonly string[]): HeadTerm[] {
  if (head !== null) throw new Conflict('head', head, 'Give either "head" or "weights".');
  const terms = [...weights].map(([name, weight]) => asItIs(placeOf(name, heads, `weights.${name}`), weight));
  const left = terms.filter(({ weight }) => weight !== 0);
  if (left.length === 0)
    throw new Conflict('weights', Object.fromEntries(weights), 'Give at least one weight that is not 0.');
  return left;
}
