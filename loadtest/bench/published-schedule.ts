// The schedule of transfer_q's published code, as a search: for each token every candidate is computed from the beginning of the answer on and goes
// on for the whole look-ahead, as one batch, and nothing of it is kept. What transfer-q.ts (the benchmark) compares with; it chooses what
// transfer_q chooses. Generous to it: the next token's scores and the reward model's reading reuse what was computed.
import type { Scorer } from '../../decoders/plan.js';
import { scoreAll } from '../../decoders/scorers/index.js';
import {
  all,
  commit,
  force,
  fork,
  logprobs as nextTokens,
  release,
  rewind,
  sample,
  type Branch,
  type Search,
  type Searching,
} from '../../decoders/search.js';

export interface PublishedValues {
  readonly reward: Scorer;
  readonly candidates: number;
  readonly lookahead: number;
  readonly rewardWeight: number;
}

/** Greedy choice, greedy rollouts, one model for both. */
export function* publishedSchedule(trunk: Branch, values: PublishedValues): Search {
  while (!trunk.ended) {
    const { ids, logprobs } = yield* nextTokens(trunk, values.candidates);
    const rollouts = yield* all(ids.map((id) => fromTheBeginning(trunk, id, values.lookahead)));
    const rewards = yield* scoreAll(values.reward, rollouts);
    yield* all(rollouts.map(release));
    const scores = logprobs.map((logprob, index) => logprob + values.rewardWeight * (rewards[index] ?? NaN));
    yield* force(trunk, [ids[scores.indexOf(Math.max(...scores))] ?? 0]);
    yield* commit(trunk);
  }
}

function* fromTheBeginning(trunk: Branch, id: number, lookahead: number): Searching<Branch> {
  const branch = yield* fork(trunk, { sampling: { temperature: 0 } });
  yield* rewind(branch, 0);
  const { ended } = yield* force(branch, [...trunk.tokens, id]);
  if (!ended) yield* sample(branch, { tokens: lookahead });
  return branch;
}
