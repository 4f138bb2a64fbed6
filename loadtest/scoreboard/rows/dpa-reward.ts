// DPA without a model that was trained for it: the heads of a reward model are the objectives, and the best of several answers along the
// direction is taken.
import { compare, plain, type Arm } from '../arms.js';
import { wholeCostOf } from '../cost.js';
import type { RowModule } from '../figure.js';
import { alongAxes, ANGLES, frontOf, nameOf } from '../front.js';
import { REWARD_MODELS } from '../scorers.js';
import type { Town } from '../town.js';

const method = 'dpa_reward';
const base = 'pocket';
const DRAWN = 16;
const [rewardModel] = REWARD_MODELS;

/** Components over the deviations of the true objectives: a direction of standardised heads, whatever the server's configuration knows of them. */
function directionOf({ calibration }: Town, angle: number): Readonly<Record<string, number>> {
  const radians = (angle / 180) * Math.PI;
  return {
    helpful: Math.cos(radians) / calibration.helpfulness.std,
    verbosity: Math.sin(radians) / calibration.verbosity.std,
  };
}

const along = (town: Town, angle: number): Arm & { readonly decoding: object } => ({
  name: nameOf(angle),
  model: base,
  decoding: {
    method: 'dpa',
    mode: 'reward',
    inner: base,
    reward: rewardModel,
    axes: ['helpful', 'verbosity'],
    direction: directionOf(town, angle),
    standardise: false,
    search: { method: 'best_of_n', n: DRAWN },
  },
  temperature: 1,
});

export const dpaRewardRow: RowModule = {
  method,
  claim:
    'Wang et al. 2024 (arXiv:2402.18571), by a reward model with several heads in place of a trained prompt: a front over directions.',
  models: [base],
  decoders: ['dpa', 'best_of_n'],
  async measure(bench) {
    const { town, timed, prompts, seed } = bench;
    const tasks = town.wishes(prompts, seed);
    const measured = await compare(
      bench,
      tasks,
      [...ANGLES.map((angle) => along(town, angle)), { ...plain(base, 'one answer'), temperature: 1 }],
      {
        helpfulness: (task, answer) => town.helpfulness(task, answer),
        verbosity: (task, answer) => town.verbosity(task, answer),
      },
    );
    return {
      figures: alongAxes(method, measured, {
        seed,
        cost: await wholeCostOf(timed, tasks, along(town, 0), base),
        note: `the best of ${DRAWN} answers of the large base model at temperature 1`,
      }),
      curves: [frontOf(method, 'DPA by reward: helpfulness against verbosity', measured)],
    };
  },
};
