// One winner among candidates that grew side by side, by score: the best one, or a draw from softmax(score / soft). The trunk itself is the first
// candidate, so that a search with one candidate is plain decoding, token for token. Used by the searches that score whole pieces of an answer.
import {
  all,
  become,
  BudgetSpent,
  count,
  fork,
  release,
  trace,
  uniform,
  type Branch,
  type Searching,
} from '../search.js';
import type { Scorer } from '../plan.js';
import { scoreAll } from '../scorers/index.js';
import { draw, lawOf } from '../warp.js';
import type { Law } from '../warp.js';

/** The trunk and forks of it: so many in all. */
export function* candidatesFrom(trunk: Branch, count: number): Searching<Branch[]> {
  return [trunk, ...(yield* all(Array.from({ length: count - 1 }, () => fork(trunk))))];
}

export interface Wish {
  readonly scorer: Scorer;
  /** The temperature of a draw; null takes the best. */
  readonly soft: number | null;
}

/** The trunk becomes the winner among the contenders; all other candidates go. Ties, and candidates without a score: the first. */
export function* letWin(
  trunk: Branch,
  candidates: readonly Branch[],
  { scorer, soft }: Wish,
  contenders = candidates,
): Searching<void> {
  // A lone contender wins whatever it is worth.
  const isContest = contenders.length > 1;
  const scores = isContest ? yield* scoreAll(scorer, contenders) : contenders.map(() => NaN);
  if (isContest) yield* count('scored', contenders.length);
  const law = lawOfScores(scores, soft);
  const place = law.ids.length > 1 ? draw(law, yield* uniform(trunk)) : (law.ids[0] ?? 0);
  const winner = contenders[place] ?? trunk;
  yield* trace({
    event: 'candidates',
    candidates: contenders.map(({ tokens, ended }, index) => {
      const score = scores[index] ?? NaN;
      const chance = law.probs[law.ids.indexOf(index)] ?? 0;
      return { tokens: [...tokens], ended, score: Number.isFinite(score) ? score : null, chance };
    }),
    chosen: place,
  });
  if (winner !== trunk) yield* become(trunk, winner);
  yield* all(candidates.filter((branch) => branch !== trunk && branch !== winner).map(release));
}

/** Over places of the list. */
export function lawOfScores(scores: readonly number[], soft: number | null): Law {
  const known = Float64Array.from(scores, (score) => (Number.isNaN(score) ? -Infinity : score));
  const temperature = Number.isFinite(Math.max(...known)) ? (soft ?? 0) : 0;
  return lawOf(known, { temperature, topK: 0, topP: 1, minP: 0 });
}

/** Goes on though the budget ends meanwhile: what was refused is asked again, for a budget ends once. */
export function* toTheEnd<T>(search: Searching<T>): Searching<{ readonly result: T; readonly isSpent: boolean }> {
  let isSpent = false;
  let step = search.next();
  while (step.done !== true) {
    const request = step.value;
    try {
      step = search.next(yield request);
    } catch (error) {
      if (!(error instanceof BudgetSpent)) throw error;
      isSpent = true;
      yield* count('budget_ended');
      step = search.next(yield request);
    }
  }
  return { result: step.value, isSpent };
}
