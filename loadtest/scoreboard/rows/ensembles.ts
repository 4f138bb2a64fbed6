// Reward ensembles: the best of many answers by one reward model is often the one that fools it. Several, of different pre-training seeds, are
// fooled by different answers.
import { compare, plain, type Arm } from '../arms.js';
import { estimate, type Mean } from '../bootstrap.js';
import { wholeCostOf } from '../cost.js';
import { above, figure, meanOf, rate, type RowModule } from '../figure.js';
import { REWARD_MODELS, reward } from '../scorers.js';

const base = 'pocket';
/** As the paper. */
const DRAWN = 64;

const members = REWARD_MODELS.map((model) => reward(model, 'helpful'));
const bestBy = (name: string, scorer: object): Arm & { readonly decoding: object } => ({
  name,
  model: base,
  decoding: { method: 'best_of_n', inner: base, n: DRAWN, scorer },
  temperature: 1,
});
const ensemble = (aggregate: string) => bestBy(aggregate, { kind: 'ensemble', members, aggregate });

const singles = members.map((member) => bestBy(member.model.replace('pocket-reward-', 'single '), member));
const ensembles = ['mean', 'median', 'min'].map(ensemble);
const [mean] = ensembles;
const sampled: Arm = { ...plain(base, 'one answer'), temperature: 1 };

export const ensemblesRow: RowModule = {
  method: 'best_of_n',
  claim: 'Eisenstein et al. 2023 (arXiv:2312.09244): reward ensembles mitigate reward hacking, and do not remove it.',
  models: [base],
  decoders: ['best_of_n'],
  async measure(bench) {
    const { town, timed, prompts, seed } = bench;
    const tasks = town.facts(prompts, seed);
    const measured = await compare(bench, tasks, [...ensembles, ...singles, sampled], {
      helpful: (task, answer) => town.helpfulness(task, answer),
      right: (task, answer) => town.factRight(task, answer),
    });
    const single = (of: Mean): number => meanOf(singles.map(({ name }) => of(name)));
    const gain = estimate([measured.helpful], (of) => of('mean') - single(of), seed);
    const cost = mean === undefined ? undefined : await wholeCostOf(timed, tasks, mean, base);
    return {
      figures: [
        rate('best_of_n', `helpfulness, best of ${DRAWN} by the mean of three`, measured.helpful, 'mean', seed, {
          ...(cost === undefined ? {} : { cost }),
          note: 'by the checklist, which the reward models were trained to tell; answers of the large base model at temperature 1',
        }),
        rate('best_of_n', 'facts right', measured.right, 'mean', seed),
        figure('best_of_n', 'mean of three − a single reward model', gain, {
          target: above(0),
          note: 'helpfulness; a single one is the average of the three',
        }),
      ],
      curves: [],
    };
  },
};
