// Looking ahead from candidates: their rollouts by the baseline, what those are worth, and what is kept of them. The mechanics of one decision
// of transfer-q.ts, which alone calls it; knows no field and no law of choice.
import type { Scorer } from '../plan.js';
import { scoreAll } from '../scorers/index.js';
import {
  all,
  become,
  count,
  force,
  fork,
  release,
  rewind,
  sample,
  trace,
  type Branch,
  type BranchSampling,
  type Searching,
} from '../search.js';
import { candidatesOf, weighed, type Candidate } from './choose.js';
import { betterHalf, horizonsOf } from './halving.js';
import { valueOf, type Importance } from './importance.js';
import { within, type RewardRange } from './reward-range.js';

export interface LookAhead {
  readonly reward: Scorer;
  /** Null where no weights are asked for. */
  readonly baselineReward: Scorer | null;
  readonly importance: Importance;
  readonly inverseBeta: number;
  readonly rewardWeight: number;
  readonly range: RewardRange | null;
  readonly block: number;
  readonly rollouts: number;
  /** Tokens that the baseline adds after a candidate. */
  readonly ahead: number;
  /** Number of the baseline's distribution; 0 where it is the proposal. */
  readonly baseline: number;
  readonly isGreedyAhead: boolean;
  readonly halving: boolean;
  readonly reuse: boolean;
}

/** A candidate on its way: tokens that follow the trunk's. */
interface Path {
  readonly tokens: readonly number[];
  readonly logprob: number;
  /** The trunk's fork that drew them; null where there is nothing to draw. */
  readonly draft: Branch | null;
}

export interface Started extends Path {
  readonly rollouts: readonly Branch[];
}

export type Judged = Started & Candidate;

/** The baseline's own law; the request's temperature and filters are about the answer. */
const OWN_LAW: BranchSampling = { temperature: 1, topK: 0, topP: 1, minP: 0 };
const GREEDY: BranchSampling = { temperature: 0 };

export function* draftPaths(
  trunk: Branch,
  ids: readonly number[],
  logprobs: readonly number[],
  block: number,
): Searching<Path[]> {
  const at = trunk.tokens.length;
  const drafts = block === 1 ? [] : yield* candidatesOf(trunk, ids, block);
  return ids.map((id, index) => {
    const draft = drafts[index] ?? null;
    return { tokens: draft?.tokens.slice(at) ?? [id], logprob: logprobs[index] ?? NaN, draft };
  });
}

/** Rollouts of no length yet. `kept` is one of an earlier decision: it stands in where it has begun as a candidate does, and goes where not. */
export function* setOut(
  trunk: Branch,
  paths: readonly Path[],
  kept: Branch | null,
  values: LookAhead,
): Searching<Started[]> {
  const heir = kept === null ? undefined : paths.find(({ tokens }) => beginsWith(kept, [...trunk.tokens, ...tokens]));
  if (kept !== null && heir === undefined) yield* release(kept);
  return yield* all(
    paths.map(function* (path): Searching<Started> {
      if (kept !== null && path === heir) return { ...path, rollouts: [kept] };
      const starts = Array.from({ length: values.rollouts }, () => startOf(path, trunk, values));
      return { ...path, rollouts: yield* all(starts) };
    }),
  );
}

function* startOf({ tokens, draft }: Path, trunk: Branch, values: LookAhead): Searching<Branch> {
  const sampling = values.isGreedyAhead ? GREEDY : OWN_LAW;
  // Where the proposal looks ahead itself, what it computed for the block is there already.
  if (draft !== null && values.baseline === 0) return yield* fork(draft, { sampling });
  const start = yield* fork(trunk, { distribution: values.baseline, sampling });
  yield* force(start, tokens);
  return start;
}

/** Rolls out and judges all candidates, or with halving fewer and fewer of them. Those that are left, in their old order. */
export function* judge(started: readonly Started[], trunk: Branch, values: LookAhead): Searching<Judged[]> {
  const at = trunk.tokens.length;
  const horizons = values.halving ? horizonsOf(started.length, values.ahead) : [values.ahead];
  let left: readonly Started[] = started;
  for (const [round, horizon] of horizons.entries()) {
    yield* all(
      left.flatMap(({ rollouts, tokens }) => rollouts.map((rollout) => reach(rollout, at + tokens.length + horizon))),
    );
    const judged = yield* valued(left, values);
    if (round === horizons.length - 1) return judged;
    const better = betterHalf(judged);
    for (const candidate of judged) if (!better.includes(candidate)) yield* dismiss(candidate);
    yield* trace({ event: 'halved', at, horizon, left: better.map(({ tokens }) => tokens) });
    left = better;
  }
  throw new Error('looking ahead takes a round');
}

/** To so many tokens: a rollout that was kept may be longer than a first round looks. */
function* reach(rollout: Branch, length: number): Searching<void> {
  const missing = length - rollout.tokens.length;
  if (missing < 0) yield* rewind(rollout, length);
  else if (missing > 0 && !rollout.ended) yield* sample(rollout, { tokens: missing });
}

function* valued(started: readonly Started[], values: LookAhead): Searching<Judged[]> {
  const { reward, baselineReward, importance, inverseBeta, rewardWeight, range } = values;
  const branches = started.flatMap(({ rollouts }) => rollouts);
  const scorers = baselineReward === null ? [reward] : [reward, baselineReward];
  const [rewards = [], baselineRewards = []] = yield* all(scorers.map((scorer) => scoreAll(scorer, branches)));
  yield* count('scored', branches.length * scorers.length);
  return started.map((candidate, index) => {
    const own = [index * values.rollouts, (index + 1) * values.rollouts] as const;
    const cut = rewards.slice(...own).map((each) => within(range, each));
    const value = valueOf(cut, baselineRewards.slice(...own), importance, inverseBeta);
    return { ...candidate, value, score: weighed(candidate.logprob, rewardWeight, value) };
  });
}

/** The trunk takes the winner's tokens, and all forks go, but for a rollout that may serve again: greedy, it is what would be computed anew. */
export function* take(
  trunk: Branch,
  winner: Judged,
  finalists: readonly Judged[],
  { reuse, isGreedyAhead }: LookAhead,
): Searching<Branch | null> {
  const kept = reuse && isGreedyAhead ? (winner.rollouts[0] ?? null) : null;
  for (const candidate of finalists) if (candidate !== winner) yield* dismiss(candidate);
  for (const rollout of winner.rollouts) if (rollout !== kept) yield* release(rollout);
  if (winner.draft === null) yield* force(trunk, winner.tokens);
  else yield* become(trunk, winner.draft);
  return kept;
}

function* dismiss({ draft, rollouts }: Started): Searching<void> {
  if (draft !== null) yield* release(draft);
  for (const rollout of rollouts) yield* release(rollout);
}

function beginsWith({ tokens }: Branch, start: readonly number[]): boolean {
  return start.every((token, index) => token === tokens[index]);
}
