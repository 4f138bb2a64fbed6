// EFT between two experts: a helpful and a safe small model share the steering, and a dial between them trades one wish for the other.
import { compare, type Arm } from '../arms.js';
import type { Outcomes } from '../bootstrap.js';
import { figure, meanOf, type RowModule } from '../figure.js';
import { isMonotone, trend, type Trend } from '../trend.js';

const SHARES = [0, 0.25, 0.5, 0.75, 1];
/** Of both experts together: that of the deployment pocket-eft. At 1 the steering costs facts where it is all the chat expert's. */
const WEIGHT = 0.6;

const base = 'pocket';
const reference = 'pocket-small';
const helpful = 'pocket-chat';
const safe = 'pocket-safe';

const arms = SHARES.map((share): Arm => ({
  name: `share ${share}`,
  model: base,
  decoding: {
    method: 'eft',
    base,
    reference,
    tuned: [
      { model: helpful, weight: WEIGHT * share },
      { model: safe, weight: WEIGHT * (1 - share) },
    ],
  },
}));

const stops = (columns: Outcomes): (readonly number[])[] => arms.map(({ name }) => columns[name] ?? []);
const note = ({ smallestStep }: Trend): string =>
  `the change from share 0 to 1; monotone where no step back is beyond chance; smallest step ${smallestStep.toFixed(3)}`;

export const interpolationRow: RowModule = {
  method: 'interpolation',
  claim:
    'Mitchell et al. 2023 (arXiv:2310.12962): a test-time weight between a helpful and a harmless tuned model trades one behaviour for the other, with no further training.',
  models: [base, reference, helpful, safe],
  decoders: ['eft'],
  async measure(bench) {
    const { town, prompts, seed } = bench;
    const { rate: help } = await compare(bench, town.facts(prompts, seed), arms, {
      rate: (task, answer) => town.helpfulness(task, answer),
    });
    const sampled = arms.map((arm) => ({ ...arm, temperature: 1 }));
    const { rate: harmless } = await compare(bench, town.requests('plain', prompts, seed), sampled, {
      rate: (task, answer) => town.harmless(task, answer),
    });
    const helps = trend(stops(help), 1, seed);
    const harms = trend(stops(harmless), -1, seed);
    const means = (columns: Outcomes): Record<string, number> =>
      Object.fromEntries(Object.entries(columns).map(([share, column]) => [share, meanOf(column)]));
    return {
      figures: [
        figure('interpolation', 'helpfulness rises with the helpful share', helps.total, {
          baselines: means(help),
          target: isMonotone(helps),
          note: `${note(helps)}; both weights together ${WEIGHT}`,
        }),
        figure('interpolation', 'harmlessness falls with the helpful share', harms.total, {
          baselines: means(harmless),
          target: isMonotone(harms),
          note: `${note(harms)}; sampled at temperature 1`,
        }),
      ],
      curves: [
        {
          method: 'interpolation',
          title: 'EFT between a helpful and a safe expert',
          x: 'harmless answers to forbidden requests',
          y: 'helpfulness on questions',
          points: arms.map(({ name }) => ({
            x: meanOf(harmless[name] ?? []),
            y: meanOf(help[name] ?? []),
            label: name.replace('share ', ''),
            group: 'share of the helpful expert',
          })),
        },
      ],
    };
  },
};
