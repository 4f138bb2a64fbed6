// EFT: up-scaling keeps the small tuned model's helpfulness and gains the large model's facts.
import { compare, plain } from '../arms.js';
import { estimate } from '../bootstrap.js';
import { costOf } from '../cost.js';
import { atLeast, figure, rate, type RowModule } from '../figure.js';

const GAP_CLOSED = 0.8;
const HELPFULNESS_KEPT = 0.95;

const arms = [
  plain('pocket-eft', 'eft'),
  plain('pocket-chat', 'small chat'),
  plain('pocket-large-chat', 'large chat'),
  plain('pocket', 'large'),
];

export const eftRow: RowModule = {
  method: 'eft',
  claim:
    'Mitchell et al. 2023 (arXiv:2310.12962): scaling up the pre-trained model gains factuality, and what tuning taught the small one, helpfulness, is kept.',
  models: arms.map(({ model }) => model),
  decoders: ['eft'],
  async measure(bench) {
    const { town, timed, prompts, seed } = bench;
    const tasks = town.facts(prompts, seed);
    const { right, helpful } = await compare(bench, tasks, arms, {
      right: (task, answer) => town.factRight(task, answer),
      helpful: (task, answer) => town.helpfulness(task, answer),
    });
    const way = estimate(
      [right],
      (mean) => (mean('eft') - mean('small chat')) / (mean('large chat') - mean('small chat')),
      seed,
    );
    const toBase = estimate(
      [right],
      (mean) => (mean('eft') - mean('small chat')) / (mean('large') - mean('small chat')),
      seed,
    );
    const kept = estimate([helpful], (mean) => mean('eft') / mean('small chat'), seed);
    return {
      figures: [
        rate('eft', 'facts right', right, 'eft', seed, {
          cost: await costOf(timed, tasks, { model: 'pocket-eft' }, 'pocket'),
        }),
        figure('eft', 'facts: way from small chat to large chat', way, {
          target: atLeast(GAP_CLOSED),
          note: `the deployment’s weight, 0.6, was chosen on the calibration questions; of the way to the large base itself it is ${toBase.value.toFixed(2)}`,
        }),
        rate('eft', 'helpfulness', helpful, 'eft', seed),
        figure('eft', 'helpfulness ÷ small chat’s', kept, { target: atLeast(HELPFULNESS_KEPT) }),
      ],
      curves: [],
    };
  },
};
