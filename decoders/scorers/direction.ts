// direction: a preference direction over the heads of a reward model (Wang et al., "Arithmetic Control of LLMs for Diverse User Preferences:
// Directional Preference Alignment with Multi-Objective Rewards", arXiv:2402.18571):
//
//   score = Σ vⱼ · (headⱼ(answer) − meanⱼ) / deviationⱼ        |v| = 1
//
// Heads live on scales of their own; unless they are brought to one, the widest decides and the direction means little. Mean and deviation are
// those of the operator's calibration answers. The length of v is 1 because searches that weigh the score against log-probabilities would
// otherwise follow it more or less strongly, and not in another direction.
import { direction as directionField, unitVector } from '../direction.js';
import { boolean, list, optional, strings } from '../fields.js';
import { Conflict } from '../method.js';
import type { Scorer } from '../plan.js';
import { rewardModel } from '../scorer-fields.js';
import { defineScorer } from '../search-method.js';
import type { RewardFacts } from '../search-method.js';
import { addHeads, asItIs, placeOf } from './heads.js';
import type { HeadTerm } from './heads.js';

interface DirectionScorer extends Scorer {
  readonly kind: 'direction';
  readonly source: number;
  readonly terms: readonly HeadTerm[];
}

export const direction = defineScorer({
  kind: 'direction',
  summary: 'Follows a preference direction over the heads of a reward model, such as helpful but brief.',
  equation: 'Σ vⱼ · (headⱼ(answer) − meanⱼ) / deviationⱼ, |v| = 1',
  paper: 'arXiv:2402.18571 (DPA)',
  fields: {
    model: rewardModel('A reward model with several heads.'),
    direction: directionField('Where to go. It is scaled to length 1.'),
    axes: optional(
      strings('Heads that the direction is over, in its order; all when left out.', { least: 1, most: 16 }),
    ),
    standardise: boolean('Brings the heads to one scale: mean 0 and deviation 1 over the calibration answers.', true),
  },
  build: ({ model, direction, axes, standardise }, context): DirectionScorer => {
    const facts = context.rewardModel(model);
    const heads = axes ?? facts.heads;
    const places = heads.map((head) => placeOf(head, facts.heads, 'axes'));
    if (new Set(places).size < places.length) throw new Conflict('axes', heads, 'Name each head once.');
    const terms = unitVector(direction, heads).flatMap((component, axis) =>
      component === 0 ? [] : [termOf(places[axis] ?? -1, component, standardise, facts)],
    );
    return { kind: 'direction', source: context.source({ kind: 'reward', model }), terms };
  },
  score: ({ source, terms }, branches) => addHeads(source, terms, branches),
  range: () => null,
});

function termOf(at: number, weight: number, standardise: boolean, { heads, statistics }: RewardFacts): HeadTerm {
  if (!standardise) return asItIs(at, weight);
  const known = statistics?.[at];
  if (known && known.deviation > 0) return { at, weight, mean: known.mean, deviation: known.deviation };
  throw new Conflict(
    'standardise',
    standardise,
    `The configuration has no mean and deviation of the head ${list(heads.slice(at, at + 1))}. Have the operator give the model "reward": {"statistics": …}, or use "standardise": false where its heads have one scale.`,
  );
}
