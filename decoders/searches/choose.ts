// One decision among candidates for the next token, or the next block of tokens: what the searches that decide as they go have in common.
// The candidates are the likeliest next tokens; the request's own sampler (temperature, top_k, top_p, min_p; 0 is the greatest) takes one of
// them by its score, as if every other token were forbidden. Knows no scorer.
import {
  all,
  become,
  count,
  force,
  fork,
  release,
  sample,
  sampling,
  trace,
  uniform,
  type Branch,
  type ForkOptions,
  type Searching,
} from '../search.js';
import { draw, lawOf } from '../warp.js';

/** Forks of the branch, one per first token, each continued up to `block` tokens as the branch itself would go on. */
export function* candidatesOf(
  trunk: Branch,
  firstIds: readonly number[],
  block: number,
  options: ForkOptions = {},
): Searching<Branch[]> {
  return yield* all(firstIds.map((id) => candidate(trunk, id, block, options)));
}

function* candidate(trunk: Branch, firstId: number, block: number, options: ForkOptions): Searching<Branch> {
  const branch = yield* fork(trunk, options);
  yield* extend(branch, firstId, block);
  return branch;
}

/** Appends a token and the rest of its block. */
function* extend(branch: Branch, firstId: number, block: number): Searching<void> {
  const { ended } = yield* force(branch, [firstId]);
  if (block > 1 && !ended) yield* sample(branch, { tokens: block - 1 });
}

/** Takes the likeliest token where no reward can change that. */
export function* settle(trunk: Branch, firstId: number, block: number): Searching<void> {
  const at = trunk.tokens.length;
  yield* extend(trunk, firstId, block);
  yield* count('skipped');
  yield* trace({ event: 'settled', at, tokens: trunk.tokens.slice(at) });
}

export interface Candidate {
  /** After the trunk's. */
  readonly tokens: readonly number[];
  /** Of the first of them. */
  readonly logprob: number;
  /** What the search thinks it is worth. */
  readonly value: number;
  readonly score: number;
}

/** log-probability + weight · value. What has no weight has no say, be it −∞. */
export function weighed(logprob: number, weight: number, value: number): number {
  return weight === 0 ? logprob : logprob + weight * value;
}

/**
 * The candidate that the request's sampler takes, told as a step of the story. Scores stand in the place of logits; ties: the lowest id. One
 * without a finite score is not taken; where no candidate has one the values say nothing, and the log-probabilities decide.
 */
export function* choose<C extends Candidate>(trunk: Branch, candidates: readonly C[]): Searching<C> {
  const warp = yield* sampling(trunk);
  // As in a row of the vocabulary: the sampler breaks ties and cumulates by rising id.
  const byId = [...candidates].sort((a, b) => (a.tokens[0] ?? -1) - (b.tokens[0] ?? -1));
  const isDecided = byId.some(({ score }) => Number.isFinite(score));
  const scores = byId.map(({ score, logprob }) => (!isDecided ? logprob : Number.isFinite(score) ? score : -Infinity));
  const law = lawOf(Float64Array.from(scores), warp);
  const isCertain = law.ids.length === 1;
  const chosen = byId[isCertain ? (law.ids[0] ?? -1) : draw(law, yield* uniform(trunk))];
  if (chosen === undefined) throw new Error('no candidate to choose');
  const chances = new Map(law.ids.map((place, at) => [byId[place], law.probs[at] ?? NaN]));
  yield* trace({
    event: 'candidates',
    at: trunk.tokens.length,
    candidates: candidates.map((candidate) => {
      const { tokens, logprob, value, score } = candidate;
      return { tokens, logprob, value, score, chance: chances.get(candidate) ?? 0 };
    }),
    chosen: candidates.indexOf(chosen),
  });
  return chosen;
}

/** The trunk becomes the winner, the others go. */
export function* adopt(trunk: Branch, winner: Branch, branches: readonly Branch[]): Searching<void> {
  for (const branch of branches) if (branch !== winner) yield* release(branch);
  yield* become(trunk, winner);
}
