// DPA: one model is told a direction between helpfulness and verbosity, and goes there. Angles in degrees: 0 is helpfulness alone, 90 would
// be verbosity alone, negative ones want brevity. Answers are sampled, as published: what is likeliest along a direction steps from the
// shortest form to the longest within ten degrees, while the law of the answers turns with the direction.
import { compare, plain, type Arm } from '../arms.js';
import { estimate, type Mean, type Outcomes } from '../bootstrap.js';
import { costOf } from '../cost.js';
import { atLeast, figure, meanOf, type Curve, type RowModule } from '../figure.js';
import { readOracles } from '../oracles.js';
import type { Town } from '../town.js';
import { isMonotone, trend, type Trend } from '../trend.js';

const ANGLES = [-60, -40, -20, 0, 20, 40, 60];
/** Angles either side of helpfulness alone, from where it weighs least to where it weighs most. */
const STEEPNESSES = [60, 40, 20, 0];

const TEMPERATURE = 0.7;

const told = 'pocket-dpa';
const arms = ANGLES.map((angle): Arm & { readonly decoding: object } => ({
  name: `${angle}°`,
  model: told,
  decoding: { method: 'dpa', mode: 'prompt', inner: told, direction: angle },
  temperature: TEMPERATURE,
}));
const scalar = 'scalar';
const untold = 'small chat';

const columnAt = (columns: Outcomes, angle: number): readonly number[] => columns[`${angle}°`] ?? [];
/** Helpfulness weighs the same at an angle and at its opposite, so its outcome is the mean of the two. */
function eitherSide(columns: Outcomes, steepness: number): number[] {
  const other = columnAt(columns, -steepness);
  return columnAt(columns, steepness).map((outcome, task) => (outcome + (other[task] ?? NaN)) / 2);
}
const note = ({ smallestStep }: Trend): string => `smallest step in the wanted direction ${smallestStep.toFixed(3)}`;

/** Both objectives of a way of answering, in one group: they are of the same answers. */
const both = (helpfulness: Outcomes, verbosity: Outcomes): Outcomes => ({
  ...prefixed('helpfulness', helpfulness),
  ...prefixed('verbosity', verbosity),
});
const prefixed = (objective: string, columns: Outcomes): Outcomes =>
  Object.fromEntries(Object.entries(columns).map(([name, column]) => [`${objective} ${name}`, column]));

/** How much better the told model does along an angle than the scalar one, in standard deviations of the objectives. */
function advantage({ calibration }: Town, mean: Mean, angle: number): number {
  const radians = (angle / 180) * Math.PI;
  const gain = (objective: 'helpfulness' | 'verbosity'): number =>
    (mean(`${objective} ${angle}°`) - mean(`${objective} ${scalar}`)) / calibration[objective].std;
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
    const helpfulness: Outcomes = {
      ...measured.helpfulness,
      [scalar]: oracles.column('small-scalar', 'helpfulness', tasks),
    };
    const verbosity: Outcomes = { ...measured.verbosity, [scalar]: oracles.column('small-scalar', 'verbosity', tasks) };
    const longer = trend(
      ANGLES.map((angle) => columnAt(verbosity, angle)),
      1,
      seed,
    );
    const better = trend(
      STEEPNESSES.map((steepness) => eitherSide(helpfulness, steepness)),
      1,
      seed,
    );
    const least = estimate(
      [both(helpfulness, verbosity)],
      (mean) => Math.min(...ANGLES.map((angle) => advantage(town, mean, angle))),
      seed,
    );
    const means = (columns: Outcomes): Record<string, number> =>
      Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, meanOf(column)]));
    const front: Curve = {
      method: 'dpa',
      title: 'DPA: helpfulness against verbosity',
      x: 'verbosity (words ÷ 60)',
      y: 'helpfulness',
      points: [...arms.map(({ name }) => name), scalar, untold].map((name) => ({
        x: meanOf(verbosity[name] ?? []),
        y: meanOf(helpfulness[name] ?? []),
        label: name,
        group: name.endsWith('°') ? 'told a direction' : name,
      })),
    };
    const [first] = arms;
    return {
      figures: [
        figure('dpa', 'verbosity rises with its weight', longer.total, {
          baselines: means(verbosity),
          target: isMonotone(longer),
          cost: await costOf(timed, tasks, { model: told, decoding: first?.decoding ?? {} }, 'pocket'),
          note: `from −60° to 60°, the range that the model was trained on; sampled at temperature ${TEMPERATURE}, but the scalar model, which is greedy; ${note(longer)}`,
        }),
        figure('dpa', 'helpfulness rises with its weight', better.total, {
          baselines: means(helpfulness),
          target: isMonotone(better),
          note: `from ±60° to 0°, the mean of both sides; ${note(better)}`,
        }),
        figure('dpa', 'least advantage over the scalar model along a direction', least, {
          target: atLeast(0),
          note: 'weighted rating of standardised objectives, the smallest over the seven directions',
        }),
      ],
      curves: [front],
    };
  },
};
