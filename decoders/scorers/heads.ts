// Numbers of a reward model's heads, weighted and added: what reward.ts and direction.ts have in common.
import { list, nearestName } from '../fields.js';
import { Conflict } from '../method.js';
import { all, read } from '../search.js';
import type { Branch, Searching } from '../search.js';

/** weight · (number − mean) / deviation */
export interface HeadTerm {
  /** Place of the head's number. */
  readonly at: number;
  readonly weight: number;
  readonly mean: number;
  readonly deviation: number;
}

export function asItIs(at: number, weight: number): HeadTerm {
  return { at, weight, mean: 0, deviation: 1 };
}

/** Throws Conflict about `field` where the model has no such head. */
export function placeOf(head: string, heads: readonly string[], field: string): number {
  const at = heads.indexOf(head);
  if (at >= 0) return at;
  const nearest = nearestName(head, heads);
  const hint = nearest === null ? '' : `Did you mean "${nearest}"? `;
  throw new Conflict(field, head, `${hint}The heads of the model are ${list(heads)}.`);
}

/** Σ of the terms, for each branch. What is not among the terms is not looked at, even if it is no number. */
export function* addHeads(
  source: number,
  terms: readonly HeadTerm[],
  branches: readonly Branch[],
): Searching<readonly number[]> {
  const answers = yield* all(branches.map((branch) => read(source, branch)));
  return answers.map((numbers) =>
    terms.reduce(
      (sum, { at, weight, mean, deviation }) => sum + weight * (((numbers[at] ?? NaN) - mean) / deviation),
      0,
    ),
  );
}
