// What searches on the pocket suite are judged by: the specs of its reward models and of its large model as a judge of its own text.
// The world's true checkers are town.ts's; a search never sees them.
import { JUDGING, type Criterion } from '../../models/pocket/world/judging.js';

export interface RewardSpec {
  readonly kind: 'reward';
  readonly model: string;
  readonly head: string;
}

/** Reward models of equal training (`/v1/models` does not list them: they write nothing), each on a base of its own pre-training seed. */
export const REWARD_MODELS: readonly [string, ...string[]] = [
  'pocket-reward-1a',
  'pocket-reward-1b',
  'pocket-reward-1c',
];
/** Another wish: short answers. For indirect transfer. */
export const SECOND_REWARD = 'pocket-reward-2';

export const reward = (model: string, head: string): RewardSpec => ({ kind: 'reward', model, head });

/** The template of the large model's card; in one order of the options, for in either the model is right about all but one text in 300. */
export function selfEvaluation(model: string, criterion: Criterion = 'harmless'): object {
  const { template, labels, options } = JUDGING[criterion];
  return { kind: 'self_evaluation', model, template, labels, options, swap: false };
}
