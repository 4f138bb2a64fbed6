// transfer_q: Transfer Q* (Chakraborty et al., arXiv:2405.20495). Every next token is taken among the likeliest ones of a proposal, by how an
// aligned baseline would go on after it:
//
//   score(z) = log-probability(z) + reward_weight · value(answer so far, z)        reward_weight = 1/α
//
// The value is the mean reward of the baseline's rollouts after z (direct transfer: the baseline is aligned with the reward), or a weighted one
// (indirect: it is aligned with another reward, importance.ts). The request's sampler takes the token (choose.ts), so at temperature 1, with
// all tokens as candidates, it is drawn from proposal(z) · exp(value / α) / C. With nothing looked ahead it is args.
//
// `lookahead` counts the tokens after z. With `block` above 1 the first block − 1 of them come from the proposal, as the request draws, and are
// kept with z: one decision for the block. What is left of the look-ahead is the baseline's.
import { boolean, integer, oneOf, optional, real, scorer } from '../fields.js';
import { member } from '../member-fields.js';
import { Conflict } from '../method.js';
import { rangeOf } from '../scorers/index.js';
import { commit, logprobs as nextTokens, release, sample, sampling, type Branch, type Search } from '../search.js';
import { defineSearch } from '../search-method.js';
import { chooseByReward } from './args.js';
import { choose, settle } from './choose.js';
import { halfOf, horizonsOf } from './halving.js';
import type { Importance } from './importance.js';
import { draftPaths, judge, setOut, take, type Judged, type LookAhead, type Started } from './look-ahead.js';
import { isSettled, rewardRange } from './reward-range.js';

const DEFAULT_INVERSE_BETA = 0.5;

interface Values extends LookAhead {
  readonly candidates: number;
}

export const transferQ = defineSearch({
  name: 'transfer_q',
  summary: 'Takes every next token by how an aligned model would go on after it, and what a reward model says of that.',
  equation: 'log-probability(token) + reward_weight · E[reward(answer so far, token, rollout of the baseline)]',
  paper: 'arXiv:2405.20495 (Transfer Q*)',
  granularity: 'a block of tokens; a token where "block" is 1',
  fields: {
    proposal: member('Where the candidates come from.'),
    baseline: member('The aligned model that looks ahead.'),
    reward: scorer('What the rollouts are judged by.'),
    transfer: oneOf(
      'direct: the baseline is aligned with "reward". indirect: with "baseline_reward".',
      ['direct', 'indirect'],
      'direct',
    ),
    baseline_reward: optional(scorer('indirect: the reward that the baseline is aligned with.')),
    importance: oneOf(
      'indirect: how rollouts are weighted. "code" is what the published code does, "none" a plain mean.',
      ['self_normalised', 'code', 'none'],
      'self_normalised',
    ),
    inverse_beta: real({
      help: 'indirect: 1/β, the inverse strength of the pull towards the untuned model in tuning.',
      fallback: DEFAULT_INVERSE_BETA,
      min: 0,
      max: 1000,
    }),
    candidates: integer({ help: 'How many of the likeliest tokens are tried.', fallback: 10, min: 1, max: 256 }),
    rollouts: integer({ help: 'Rollouts of each candidate.', fallback: 1, min: 1, max: 64 }),
    lookahead: integer({ help: 'Tokens after a candidate, at most; 0 is args.', fallback: 20, min: 0, max: 4096 }),
    rollout_sampling: oneOf(
      'How the baseline goes on: its likeliest tokens, or draws from its own law at temperature 1.',
      ['greedy', 'sampled'],
      'greedy',
    ),
    reward_weight: real({ help: 'Nats that one unit of reward is worth.', fallback: 1, min: 0, max: 1000 }),
    block: integer({ help: 'Tokens that are taken at once.', fallback: 1, min: 1, max: 256 }),
    halving: boolean('Looks a little way ahead first, and all the way only for the best candidates.', false),
    reuse: boolean("Greedy rollouts: goes on with the winner's instead of computing it again. Changes no token.", true),
    reward_range: optional(
      rewardRange(
        'Rewards are cut to it; where it or the reward itself has bounds, places that it cannot change are skipped.',
      ),
    ),
  },
  plan: (fields, context) => {
    refuseConflicts(fields);
    const { proposal, baseline, candidates, rollouts, lookahead, block } = fields;
    const ahead = Math.max(0, lookahead - (block - 1));
    const trunk = context.distribution(proposal.scores);
    const baselineNumber = ahead === 0 ? trunk : context.distribution(baseline.scores);
    const isWeighted = fields.transfer === 'indirect' && fields.importance !== 'none';
    const values: Values = {
      reward: fields.reward.build(context),
      baselineReward: isWeighted ? (fields.baseline_reward?.build(context) ?? null) : null,
      importance: isWeighted ? fields.importance : 'none',
      inverseBeta: fields.inverse_beta,
      candidates,
      rollouts,
      ahead,
      baseline: baselineNumber,
      isGreedyAhead: fields.rollout_sampling === 'greedy',
      rewardWeight: fields.reward_weight,
      block,
      halving: fields.halving,
      reuse: fields.reuse,
      range: fields.reward_range,
    };
    return { values, ...priceOf(values) };
  },
  run,
  cost: (values) => {
    const { candidates, rollouts, ahead, baseline, block, halving } = values;
    const horizons = halving ? horizonsOf(candidates, ahead) : [ahead];
    let [left, reached, drawn, scored] = [candidates, 0, 0, 0];
    for (const horizon of horizons) {
      drawn += left * rollouts * (horizon - reached);
      scored += left * rollouts * (values.baselineReward === null ? 1 : 2);
      [left, reached] = [halfOf(left), horizon];
    }
    const own = 1 + candidates * (block - 1);
    return {
      tokens:
        baseline === 0
          ? [(own + drawn) / block]
          : [own / block, 1 + (drawn + candidates * rollouts * (block - 1)) / block],
      scored: scored / block,
      note: 'Greedy rollouts: the winner’s is kept, which saves about one in `candidates`. A bounded reward saves places that it cannot change, at temperature 0.',
    };
  },
});

function* run(trunk: Branch, values: Values): Search {
  if (values.ahead === 0) return yield* chooseByReward(trunk, values);
  const bounds = values.importance === 'code' ? null : (values.range ?? rangeOf(values.reward));
  const isGreedy = (yield* sampling(trunk)).temperature === 0;
  let kept: Branch | null = null;
  while (!trunk.ended) {
    const { ids, logprobs } = yield* nextTokens(trunk, values.candidates);
    const [first] = ids;
    if (first === undefined) {
      // Everything is forbidden: the engine's rule for that holds here too.
      yield* sample(trunk, { tokens: 1 });
    } else if (ids.length === 1 || (isGreedy && isSettled(logprobs, values.rewardWeight, bounds))) {
      yield* settle(trunk, first, values.block);
    } else {
      const paths = yield* draftPaths(trunk, ids, logprobs, values.block);
      const started: Started[] = yield* setOut(trunk, paths, kept, values);
      const finalists: Judged[] = yield* judge(started, trunk, values);
      const winner: Judged = yield* choose(trunk, finalists);
      kept = yield* take(trunk, winner, finalists, values);
    }
    yield* commit(trunk);
  }
  if (kept !== null) yield* release(kept);
}

function refuseConflicts(fields: {
  readonly transfer: 'direct' | 'indirect';
  readonly baseline_reward: unknown;
  readonly importance: Importance;
  readonly inverse_beta: number;
  readonly rollouts: number;
  readonly lookahead: number;
  readonly block: number;
  readonly rollout_sampling: 'greedy' | 'sampled';
  readonly halving: boolean;
}): void {
  const { transfer, baseline_reward, importance, inverse_beta, rollouts, lookahead, rollout_sampling } = fields;
  const isAlone = lookahead < fields.block;
  if (transfer === 'direct') {
    const own = 'It belongs to "transfer": "indirect".';
    if (baseline_reward !== null) throw new Conflict('baseline_reward', undefined, own);
    if (importance !== 'self_normalised') throw new Conflict('importance', importance, own);
    if (inverse_beta !== DEFAULT_INVERSE_BETA) throw new Conflict('inverse_beta', inverse_beta, own);
  } else {
    if (baseline_reward === null)
      throw new Conflict(
        'baseline_reward',
        undefined,
        'Indirect transfer needs the reward that the baseline is aligned with.',
      );
    if (importance === 'self_normalised' && rollouts === 1)
      throw new Conflict(
        'rollouts',
        rollouts,
        'A single rollout has all the weight. Use 2 or more with "rollout_sampling": "sampled".',
      );
    if (importance === 'code' && isAlone)
      throw new Conflict('lookahead', lookahead, 'There is no rollout to be weighted. Use "block" or more.');
  }
  if (rollouts > 1 && isAlone)
    throw new Conflict('rollouts', rollouts, 'They would all be alike, since nothing is looked ahead after the block.');
  if (rollouts > 1 && rollout_sampling === 'greedy')
    throw new Conflict('rollouts', rollouts, 'Greedy ones are all alike. Use "rollout_sampling": "sampled".');
  if (fields.halving && isAlone)
    throw new Conflict('halving', fields.halving, 'It needs something to be looked ahead after the block.');
}

function priceOf({ candidates, rollouts, ahead, baseline, block }: Values): {
  branches: number[];
  scored: number;
} {
  if (ahead === 0) return { branches: [1 + candidates], scored: candidates };
  const [drafts, rolling] = [block > 1 ? candidates : 0, candidates * rollouts];
  return {
    branches: baseline === 0 ? [1 + drafts + rolling] : [1 + drafts, rolling],
    scored: rolling,
  };
}
