// Token sets that may follow a place: the greedy one, and distinct ones that are drawn. Sets that begin alike are one branch until they part,
// so ten sets of a model that is sure of itself cost little more than one. Called by rain-ahead.ts; knows no tree.
import { all, force, logprobs, uniform } from '../search.js';
import type { Branch, Searching, TopTokens } from '../search.js';
import type { Loans } from './forks.js';
import type { Candidate } from './rain-tree.js';

/** A set, and the fork that has grown it where there is one. */
export interface Drawn extends Candidate {
  readonly fork: Branch | null;
}

export interface Wanted {
  readonly tokens: number;
  readonly sets: number;
}

/** What several sets have in common. */
interface Beginning extends Candidate {
  readonly fork: Branch;
  /** What may follow. */
  readonly top: TopTokens;
  /** Whether the greedy set begins so. */
  readonly isGreedy: boolean;
  /** How many of the drawn ones do. */
  readonly draws: number;
}

/** Tokens are drawn from so many at each place, at temperature 1. */
const LIKELY_TOKENS = 15;

/**
 * Sets of one token are the most probable ones. Of longer ones the greedy set, then those of `sets` − 1 draws that differ from it and from each
 * other, by falling probability. `top`: what may follow the branch, as many as `placesFor` says.
 */
export function* setsAfter(branch: Branch, top: TopTokens, wanted: Wanted, loans: Loans): Searching<readonly Drawn[]> {
  const { tokens, sets } = wanted;
  if (tokens === 1)
    return top.ids.slice(0, sets).map((id, at) => ({ tokens: [id], logprob: top.logprobs[at] ?? NaN, fork: null }));
  // A fork, for random numbers of its own: those of the branch at this length may have been used.
  const fork = yield* loans.fork(branch);
  let open: readonly Beginning[] = [{ fork, top, tokens: [], logprob: 0, isGreedy: true, draws: sets - 1 }];
  const whole: Beginning[] = [];
  for (let length = 1; open.length > 0; length++) {
    const longer = (yield* all(open.map((beginning) => continued(beginning, length < tokens, loans)))).flat();
    const isWhole = (each: Beginning): boolean => each.fork.ended || length === tokens;
    whole.push(...longer.filter(isWhole));
    open = longer.filter((each) => !isWhole(each));
  }
  return whole.sort(
    (a, b) => Number(b.isGreedy) - Number(a.isGreedy) || b.logprob - a.logprob || inOrder(a.tokens, b.tokens),
  );
}

/** How many tokens have to be known. */
export function placesFor({ tokens, sets }: Wanted): number {
  return tokens === 1 ? sets : LIKELY_TOKENS;
}

/** By one token, and what may follow it where somebody asks; nothing where nothing may follow. */
function* continued(beginning: Beginning, goesOn: boolean, loans: Loans): Searching<readonly Beginning[]> {
  const { fork, top, isGreedy, draws } = beginning;
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
      top,
      tokens: [...beginning.tokens, id],
      logprob: beginning.logprob + (top.logprobs[place] ?? NaN),
      isGreedy: isGreedy && place === 0,
      draws: chosen.filter((each) => each === place).length,
    };
  });
  return yield* all(longer.map((each) => grown(each, goesOn)));
}

function* grown(beginning: Beginning, goesOn: boolean): Searching<Beginning> {
  const { fork, tokens } = beginning;
  yield* force(fork, tokens.slice(-1));
  return goesOn && !fork.ended ? { ...beginning, top: yield* logprobs(fork, LIKELY_TOKENS) } : beginning;
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
