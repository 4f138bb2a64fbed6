// Every scorer. A new one is a file beside this and a line here. Searches call scoreAll: it alone knows which kinds there are.
import type { Branch, Searching } from '../search.js';
import type { Scorer } from '../plan.js';
import type { ScorerMethod } from '../search-method.js';
import { direction } from './direction.js';
import { ensemble } from './ensemble.js';
import { http } from './http.js';
import { implicit } from './implicit.js';
import { reward } from './reward.js';
import { selfEvaluation } from './self-evaluation.js';

export const scorers: readonly ScorerMethod[] = [reward, direction, ensemble, implicit, selfEvaluation, http];

/** Scores of answers to one request, higher is better: one per branch. */
export function scoreAll(scorer: Scorer, branches: readonly Branch[]): Searching<readonly number[]> {
  return methodOf(scorer).score(scorer, branches, scoreAll);
}

/** Bounds of the score, where it has any. */
export function rangeOf(scorer: Scorer): readonly [least: number, most: number] | null {
  return methodOf(scorer).range(scorer, rangeOf);
}

function methodOf({ kind }: Scorer): ScorerMethod {
  const method = scorers.find((known) => known.kind === kind);
  if (!method) throw new Error(`no scorer ${kind}`);
  return method;
}
