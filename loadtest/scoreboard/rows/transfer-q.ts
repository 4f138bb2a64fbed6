// Transfer Q*: looks ahead with a model that is already aligned, and lets a reward decide. Beside it what decides by the same reward without
// such a look ahead: ARGS (token by token), controlled decoding (blocks) and best-of-n (whole answers), of the same proposal.
import type { FactTask } from '../../../models/pocket/world/questions.js';
import { compare, plain, type Arm } from '../arms.js';
import { estimate } from '../bootstrap.js';
import { forwardsPerToken, wholeCostOf } from '../cost.js';
import { above, atLeast, figure, meanOf, rate, type Bench, type RowModule } from '../figure.js';
import { REWARD_MODELS, reward, SECOND_REWARD } from '../scorers.js';

const WIN_OR_TIE = 0.67;

const proposal = 'pocket';
/** Tuned for the reward: by its look ahead the direct one decides, and by a small one's the indirect, which has another wish. */
const alignedLarge = 'pocket-large-chat';
const aligned = 'pocket-chat';
const [first] = REWARD_MODELS;
const helpful = reward(first, 'helpful');
const brief = reward(SECOND_REWARD, 'brief');

/** In nats per unit of reward; rewards lie within [0, 1]. Each method's own, from 60 calibration questions. */
const REWARD_WEIGHT = 20;
const ARGS_WEIGHT = 3;
const CANDIDATES = 10;
const BLOCK = 4;
const LOOKAHEAD = 32;
/** Of whole answers and of blocks: as many forwards of a model as the look-ahead of a block takes (the note tells them). */
const DRAWN = 48;
/** Of controlled decoding, which judges a block without a look ahead: short ones tell the reward model too little. */
const DRAWN_BLOCK = 16;

const looking = {
  proposal,
  candidates: CANDIDATES,
  rollouts: 1,
  lookahead: LOOKAHEAD,
  block: BLOCK,
};
const arm = (name: string, decoding: object, temperature?: number): Arm & { readonly decoding: object } => ({
  name,
  model: proposal,
  decoding,
  ...(temperature === undefined ? {} : { temperature }),
});

const direct = arm('transfer_q', {
  method: 'transfer_q',
  ...looking,
  baseline: alignedLarge,
  reward: helpful,
  reward_weight: REWARD_WEIGHT,
});
const others = [
  arm('args', {
    method: 'args',
    inner: proposal,
    reward: helpful,
    candidates: CANDIDATES,
    reward_weight: ARGS_WEIGHT,
  }),
  arm('blockwise', { method: 'blockwise', inner: proposal, scorer: helpful, candidates: DRAWN, block: DRAWN_BLOCK }, 1),
  arm('best of n', { method: 'best_of_n', inner: proposal, scorer: helpful, n: DRAWN }, 1),
];
const indirect = arm('transfer_q, indirect', {
  method: 'transfer_q',
  ...looking,
  baseline: aligned,
  transfer: 'indirect',
  reward: brief,
  baseline_reward: helpful,
  inverse_beta: 0.5,
  // A lone rollout would have all the weight.
  rollouts: 4,
  rollout_sampling: 'sampled',
  reward_weight: REWARD_WEIGHT,
});
const plainArms = [plain(aligned, 'aligned small'), plain(proposal, 'large'), plain(alignedLarge, 'aligned large')];

/** What the second reward model was trained on, for an answer about a fact: those are harmless, which adds the same to all. */
const briefness = ({ town }: Bench, task: FactTask, answer: Parameters<Bench['town']['helpfulness']>[1]): number =>
  0.5 * town.helpfulness(task, answer) - town.verbosity(task, answer);

export const transferQRow: RowModule = {
  method: 'transfer_q',
  claim:
    'Chakraborty et al. 2024 (arXiv:2405.20495): average reward up to 1.45 × the best decoding baseline, 67 % win or tie.',
  models: [proposal, aligned, alignedLarge],
  decoders: ['transfer_q', 'args', 'blockwise', 'best_of_n'],
  async measure(bench) {
    const { town, timed, prompts, seed } = bench;
    const tasks = town.facts(prompts, seed);
    const arms = [direct, ...others, ...plainArms, indirect];
    const measured = await compare(bench, tasks, arms, {
      helpful: (task, answer) => town.helpfulness(task, answer),
      brief: (task, answer) => briefness(bench, task, answer),
    });
    const rewards = Object.fromEntries(
      [direct, ...others, ...plainArms].map(({ name }) => [name, measured.helpful[name] ?? []]),
    );
    const best = others
      .map(({ name }) => name)
      .reduce((a, b) => (meanOf(rewards[b] ?? []) > meanOf(rewards[a] ?? []) ? b : a));
    const ratio = estimate([rewards], (mean) => mean(direct.name) / mean(best), seed);
    const winOrTie = (rewards[direct.name] ?? []).map((own, task) => Number(own >= (rewards[best]?.[task] ?? NaN)));
    const briefs = Object.fromEntries(
      [indirect, plain(aligned, 'aligned small')].map(({ name }) => [name, measured.brief[name] ?? []]),
    );
    const gain = estimate([briefs], (mean) => mean(indirect.name) - mean('aligned small'), seed);
    const forwards: string[] = [];
    for (const { name, ...asked } of [direct, ...others]) {
      // Remembered: these are the answers that were measured above.
      const replies = await bench.ask.all(tasks, { ...asked, seed });
      forwards.push(`${name} ${forwardsPerToken(replies).toFixed(0)}`);
    }
    return {
      figures: [
        rate('transfer_q', 'average reward, direct', rewards, direct.name, seed, {
          cost: await wholeCostOf(timed, tasks, direct, proposal),
          note: `the checklist's own helpfulness, which the reward model was trained to tell; forwards a token: ${forwards.join(', ')}`,
        }),
        figure('transfer_q', 'reward ÷ the best decoding baseline’s', ratio, {
          target: above(1),
          note: `the best of args, blockwise and best of n: ${best}`,
        }),
        rate('transfer_q', 'wins or ties with it', { direct: winOrTie }, 'direct', seed, {
          target: atLeast(WIN_OR_TIE),
        }),
        figure('transfer_q', 'indirect, brief reward − its baseline model’s', gain, {
          baselines: Object.fromEntries(Object.entries(briefs).map(([name, column]) => [name, meanOf(column)])),
          target: above(0),
          note: 'looks ahead with the small tuned model, which is helpful, for the wish to be brief: 0.5 helpfulness − verbosity',
        }),
      ],
      curves: [],
    };
  },
};
