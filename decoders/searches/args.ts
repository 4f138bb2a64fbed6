// args: reward-guided decoding (Khanov et al., "ARGS: Alignment as Reward-Guided Search", arXiv:2402.01694). Every next token is taken among
// the likeliest ones, by
//
//   score(z) = log-probability(z) + reward_weight · reward(answer so far, z)
//
// The request's sampler takes it: at temperature 0 the greatest score (the paper's "greedy"), above it a draw from softmax(score / temperature)
// over the candidates ("topk"). The published code adds the reward to logits; they differ from log-probabilities by a constant of the place.
//
// With `block` above 1 a candidate is one of the likeliest tokens and the block − 1 tokens with which `inner` goes on after it; its score has the
// log-probability of the first token and the reward of the text up to the end of the block, and all of the block is taken.
import { scorer, integer, optional, real } from '../fields.js';
import { member } from '../member-fields.js';
import type { Scorer } from '../plan.js';
import { rangeOf, scoreAll } from '../scorers/index.js';
import { commit, count, logprobs as nextTokens, sample, sampling, type Branch, type Search } from '../search.js';
import { defineSearch } from '../search-method.js';
import { adopt, candidatesOf, choose, settle, weighed } from './choose.js';
import { isSettled, rewardRange, within, type RewardRange } from './reward-range.js';

export interface RewardedChoice {
  readonly reward: Scorer;
  readonly candidates: number;
  readonly rewardWeight: number;
  readonly block: number;
  readonly range: RewardRange | null;
}

export const args = defineSearch({
  name: 'args',
  summary: 'Takes every next token by its log-probability plus what a reward model says of the answer so far.',
  equation: 'log-probability(token) + reward_weight · reward(answer so far, token), over the likeliest tokens',
  paper: 'arXiv:2402.01694 (ARGS)',
  granularity: 'a block of tokens; a token where "block" is 1',
  fields: {
    inner: member('Where the candidates come from.'),
    reward: scorer('What the answer is judged by, unfinished as it is.'),
    candidates: integer({ help: 'How many of the likeliest tokens are tried.', fallback: 10, min: 1, max: 256 }),
    reward_weight: real({ help: 'Nats that one unit of reward is worth.', fallback: 1, min: 0, max: 1000 }),
    block: integer({ help: 'Tokens that are taken at once.', fallback: 1, min: 1, max: 256 }),
    reward_range: optional(
      rewardRange(
        'Rewards are cut to it; where it or the reward itself has bounds, places that it cannot change are skipped.',
      ),
    ),
  },
  plan: ({ inner, reward, candidates, reward_weight, block, reward_range }, context) => {
    context.distribution(inner.scores);
    return {
      values: {
        reward: reward.build(context),
        candidates,
        rewardWeight: reward_weight,
        block,
        range: reward_range,
      },
      branches: [1 + candidates],
      scored: candidates,
    };
  },
  run: chooseByReward,
  cost: ({ candidates, block }) => ({
    tokens: [1 / block + (candidates * (block - 1)) / block],
    scored: candidates / block,
    note: 'Places that the reward cannot change cost one token and no reward; only at temperature 0, with a bounded reward.',
  }),
});

/** Also what transfer-q.ts does where it has nothing to look ahead. */
export function* chooseByReward(trunk: Branch, values: RewardedChoice): Search {
  const { reward, candidates, rewardWeight, block, range } = values;
  const bounds = range ?? rangeOf(reward);
  const isGreedy = (yield* sampling(trunk)).temperature === 0;
  while (!trunk.ended) {
    const at = trunk.tokens.length;
    const { ids, logprobs } = yield* nextTokens(trunk, candidates);
    const [first] = ids;
    if (first === undefined) {
      // Everything is forbidden: the engine's rule for that holds here too.
      yield* sample(trunk, { tokens: 1 });
    } else if (ids.length === 1 || (isGreedy && isSettled(logprobs, rewardWeight, bounds))) {
      yield* settle(trunk, first, block);
    } else {
      const branches = yield* candidatesOf(trunk, ids, block);
      const rewards = yield* scoreAll(reward, branches);
      yield* count('scored', branches.length);
      const scored = branches.map((branch, index) => {
        const [logprob, value] = [logprobs[index] ?? NaN, within(range, rewards[index] ?? NaN)];
        return {
          branch,
          tokens: branch.tokens.slice(at),
          logprob,
          value,
          score: weighed(logprob, rewardWeight, value),
        };
      });
      const winner = yield* choose(trunk, scored);
      yield* adopt(trunk, winner.branch, branches);
    }
    yield* commit(trunk);
  }
}
