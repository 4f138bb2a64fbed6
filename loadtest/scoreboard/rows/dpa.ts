// DPA: one model is told a direction between helpfulness and verbosity, and goes there. Answers are sampled, as published: what is likeliest
// along a direction steps from the shortest form to the longest within ten degrees, while the law of the answers turns with the direction.
import { compare, plain, type Arm } from '../arms.js';
import { estimate, type Mean, type Outcomes } from '../bootstrap.js';
import { costOf } from '../cost.js';
import { atLeast, figure, type RowModule } from '../figure.js';
import { alongAxes, ANGLES, frontOf, nameOf, type Objectives } from '../front.js';
import { readOracles } from '../oracles.js';
import type { Town } from '../town.js';

const TEMPERATURE = 0.7;

const told = 'pocket-dpa';
const arms = ANGLES.map((angle): Arm & { readonly decoding: object } => ({
  name: nameOf(angle),
  model: told,
  decoding: { method: 'dpa', mode: 'prompt', inner: told, direction: angle },
  temperature: TEMPERATURE,
}));
const scalar = 'scalar';
const untold = 'small chat';

/** Both objectives of a way of answering, in one group: they are of the same answers. */
const both = ({ helpfulness, verbosity }: Objectives): Outcomes => ({
  ...prefixed('helpfulness', helpfulness),
  ...prefixed('verbosity', verbosity),
});
const prefixed = (objective: string, columns: Outcomes): Outcomes =>
  Object.fromEntries(Object.entries(columns).map(([name, column]) => [`${objective} ${name}`, column]));

/** How much better the told model does along an angle than the scalar one, in standard deviations of the objectives. */
function advantage({ calibration }: Town, mean: Mean, angle: number): number {
  const radians = (angle / 180) * Math.PI;
  const gain = (objective: 'helpfulness' | 'verbosity'): number =>
    (mean(`${objective} ${nameOf(angle)}`) - mean(`${objective} ${scalar}`)) / calibration[objective].std;
  return Math.cos(radians) * gain('helpfulness') + Math.sin(radians) * gain('verbosity');
}

export const dpaRow: RowModule = {
  method: 'dpa',
  claim:
    'Wang et al. 2024 (arXiv:2402.18571): arithmetic control of helpfulness against verbosity by a direction in the prompt, with a better front than a scalar reward.',
  models: [told, 'pocket-chat', 'pocket'],
  decoders: ['dpa'],
  async measure(bench) {
    const { town, timed, prompts, seed, suite } = bench;
    const tasks = town.wishes(prompts, seed);
    const measured = await compare(
      bench,
      tasks,
      [...arms, { ...plain('pocket-chat', untold), temperature: TEMPERATURE }],
      {
        helpfulness: (task, answer) => town.helpfulness(task, answer),
        verbosity: (task, answer) => town.verbosity(task, answer),
      },
    );
    const oracles = await readOracles(suite, town.worldHash);
    const of = (objective: 'helpfulness' | 'verbosity'): Outcomes => ({
      ...measured[objective],
      [scalar]: oracles.column('small-scalar', objective, tasks),
    });
    const objectives = { helpfulness: of('helpfulness'), verbosity: of('verbosity') };
    const least = estimate(
      [both(objectives)],
      (mean) => Math.min(...ANGLES.map((angle) => advantage(town, mean, angle))),
      seed,
    );
    const [first] = arms;
    return {
      figures: [
        ...alongAxes('dpa', objectives, {
          seed,
          cost: await costOf(timed, tasks, { model: told, decoding: first?.decoding ?? {} }, 'pocket'),
          note: `the range that the model was trained on; sampled at temperature ${TEMPERATURE}, but the scalar model, which is greedy`,
        }),
        figure('dpa', 'least advantage over the scalar model along a direction', least, {
          target: atLeast(0),
          note: 'weighted rating of standardised objectives, the smallest over the seven directions',
        }),
      ],
      curves: [frontOf('dpa', 'DPA: helpfulness against verbosity', objectives)],
    };
  },
};
