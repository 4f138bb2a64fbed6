// The schedule that transfer_q is measured against chooses what transfer_q chooses.
import { expect, it } from 'vitest';
import { transferQ } from '../../decoders/searches/transfer-q.js';
import { publishedSchedule } from '../../loadtest/bench/published-schedule.js';
import { endOf, GREEDY, randomReward, randomTable, runToy, table, type Toy } from '../support/search-toy.js';
import { runTwin } from '../support/search-twin.js';

it('is transfer_q with one model, computed anew', () => {
  let [anew, kept] = [0, 0];
  for (let salt = 0; salt < 30; salt++) {
    const toy: Toy = {
      vocabSize: 6,
      maxTokens: 6,
      models: { L: randomTable(salt, 6) },
      rewards: [randomReward(salt + 1)],
    };
    const [candidates, lookahead, rewardWeight] = [4, 3, 2];
    const published = runTwin(
      (trunk) => publishedSchedule(trunk, { reward: table(0), candidates, lookahead, rewardWeight }),
      {
        scores: (_, tokens) => toy.models['L']!(tokens),
        read: (_source, _variant, tokens) => [toy.rewards[0]!(tokens)],
        stopTokenIds: [endOf(toy)],
        maxTokens: toy.maxTokens,
        sampling: GREEDY,
      },
    );
    const spec = { proposal: 'L', baseline: 'L', reward: table(0), candidates, lookahead, reward_weight: rewardWeight };
    const ours = runToy(transferQ, spec, toy);
    expect(published.tokens).toEqual(ours.tokens);
    expect(published.leaked).toBe(0);
    anew += published.tokensGrown;
    kept += ours.tokensGrown;
  }
  expect(anew).toBeGreaterThan(1.2 * kept);
});
