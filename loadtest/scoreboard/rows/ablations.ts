// Methods that the pocket suite can run but was not trained to prove: what they do to plain questions, as information, without a target.
import { compare, plain, type Arm } from '../arms.js';
import { costOf } from '../cost.js';
import { rate, type RowModule } from '../figure.js';

interface Ablation {
  readonly method: string;
  readonly claim: string;
  readonly models: readonly string[];
  /** The first is the method as it is recommended, of which the cost is told. */
  readonly arms: readonly [Arm, ...Arm[]];
  readonly baseline: Arm;
}

const base = 'pocket';
const amateur = 'pocket-small';

const ablations: readonly Ablation[] = [
  {
    method: 'guidance',
    claim:
      'Sanchez et al. 2023 (arXiv:2306.17806): scaling the difference that the prompt makes follows the prompt more closely.',
    models: [base],
    baseline: plain(base, 'weight 1'),
    arms: [1.5, 1.25, 2].map((weight) => ({
      name: `weight ${weight}`,
      model: base,
      decoding: { method: 'guidance', model: base, weight },
    })) as [Arm, ...Arm[]],
  },
  {
    method: 'contrastive',
    claim:
      'Li et al. 2023 (arXiv:2210.15097): preferring what the large model says and the small one does not reads better than the large model alone.',
    models: [base, amateur],
    baseline: plain(base, 'large'),
    arms: [
      { name: 'original', model: base, decoding: { method: 'contrastive', expert: base, amateur, form: 'original' } },
      { name: 'weighted', model: base, decoding: { method: 'contrastive', expert: base, amateur, form: 'weighted' } },
    ],
  },
];

export const ablationRows: readonly RowModule[] = ablations.map(({ method, claim, models, arms, baseline }) => ({
  method,
  claim,
  models,
  decoders: [method],
  async measure(bench) {
    const { town, timed, prompts, seed } = bench;
    const tasks = town.facts(prompts, seed);
    const { right, helpful } = await compare(bench, tasks, [...arms, baseline], {
      right: (task, answer) => town.factRight(task, answer),
      helpful: (task, answer) => town.helpfulness(task, answer),
    });
    const [{ name, model, decoding }] = arms;
    const cost = await costOf(timed, tasks, { model, ...(decoding === undefined ? {} : { decoding }) }, base);
    return {
      figures: [
        rate(method, `facts right, ${name}`, right, name, seed, { cost }),
        rate(method, `helpfulness, ${name}`, helpful, name, seed),
      ],
      curves: [],
    };
  },
}));
