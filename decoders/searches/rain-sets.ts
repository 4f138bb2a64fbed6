// Token sets that may follow a place: the greedy one, and distinct ones that are drawn. Sets that begin alike are one branch until they part,
// so ten sets of a model that is sure of itself cost little more than one. Called by rain-ahead.ts; knows no tree.
import { all, force, logprobs, uniform } from '../search.js';
import type { Branch, Searching } from '../search.js';
import type { Loans } from './forks.js';
import type { Candidate } from './rain-tree.js';

/** A set, and the fork that has grown it where there is one. */
export interface Drawn extends Candidate {
  readonly fork: Branch | null;
}

/** What several sets have in common. */
interface Beginning extends Candidate {
  readonly fork: Branch;
  /** Whether the greedy set begins so. */
  readonly isGreedy: boolean;
  /** How many of the drawn ones do. */
  readonly draws: number;
}

/** Tokens are drawn from so many at each place, at temperature 1. */
const LIKELY_TOKENS = 15;

/** Sets of one token: the most probable ones. */
export function* likeliestTokens(branch: Branch, sets: number): Searching<readonly Drawn[]> {
  const { ids, logprobs: each } = yield* logprobs(branch, sets);
  return ids.map((id, at) => ({ tokens: [id], logprob: each[at] ?? NaN, fork: null }));
}

/** The greedy set, then those of `sets` − 1 draws that differ from it and from each other, by falling probability. */
export function* drawSets(
  branch: Branch,
  { tokens, sets }: { readonly tokens: number; readonly sets: number },
  loans: Loans,
): Searching<readonly Drawn[]> {
  // A fork, for numbers of its own: those of the branch were used the last time it was here.
  const fork = yield* loans.fork(branch);
  let open: readonly Beginning[] = [{ fork, tokens: [], logprob: 0, isGreedy: true, draws: sets - 1 }];
  const whole: Beginning[] = [];
  for (let length = 0; length < tokens && open.length > 0; length++) {
    const longer = (yield* all(open.map((beginning) => continued(beginning, loans)))).flat();
    whole.push(...longer.filter((each) => each.fork.ended));
    open = longer.filter((each) => !each.fork.ended);
  }
  return [...whole, ...open].sort(
    (a, b) => Number(b.isGreedy) - Number(a.isGreedy) || b.logprob - a.logprob || inOrder(a.tokens, b.tokens),
  );
}

/** By one token; none where nothing may follow. */
function* continued({ fork, tokens, logprob, isGreedy, draws }: Beginning, loans: Loans): Searching<Beginning[]> {
  const top = yield* logprobs(fork, LIKELY_TOKENS);
  const lots = yield* all(Array.from({ length: draws }, (_, nth) => uniform(fork, nth)));
  const chosen = lots.map((lot) => placeAt(top.logprobs, lot));
  const places = top.ids
    .map((_, place) => place)
    .filter((place) => (isGreedy && place === 0) || chosen.includes(place));
  const others = yield* all(places.slice(1).map(() => loans.fork(fork)));
  const longer = places.flatMap((place, at) => {
    const id = top.ids[place];
    const own = at === 0 ? fork : others[at - 1];
    if (id === undefined || own === undefined) return [];
    return {
      fork: own,
      tokens: [...tokens, id],
      logprob: logprob + (top.logprobs[place] ?? NaN),
      isGreedy: isGreedy && place === 0,
      draws: chosen.filter((each) => each === place).length,
    };
  });
  yield* all(longer.map((each) => force(each.fork, each.tokens.slice(-1))));
  return longer;
}

/** The place where the cumulated share exceeds the lot. */
function placeAt(logprobs: readonly number[], lot: number): number {
  const weights = logprobs.map(Math.exp);
  let left = lot * weights.reduce((sum, weight) => sum + weight, 0);
  const place = weights.findIndex((weight) => (left -= weight) < 0);
  return place === -1 ? weights.length - 1 : place;
}

function inOrder(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((token, place) => token !== b[place]);
  return at === -1 ? a.length - b.length : (a[at] ?? 0) - (b[at] ?? 0);
}
