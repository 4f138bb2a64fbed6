// What a skill is: a program that sets exercises and knows their answers. skillPart.ts makes pages, conversations and tasks of
// them; verdict.ts judges answers. One file per skill beside this one; none of them knows how an answer is dressed.
import type { Rng } from '../rng.js';

export interface Exercise {
  /** What decides the split: the same key is never both trained on and asked. */
  readonly key: string;
  readonly question: string;
  readonly solution: Solution;
  /** The steps to the solution, as the desk writes them before its answer; empty where there are none. */
  readonly working: string;
  /** A wrong answer of the right form ("64 kegs"): the slip that people of the town make. */
  readonly slip: string;
}

/** A number, of which things where the answer has to say so ("56", kegs), letters apart from each other ("c b l f"), or one letter. */
export type Solution =
  | { readonly form: 'quantity'; readonly value: string; readonly noun: string | null }
  | { readonly form: 'letters'; readonly value: string }
  | { readonly form: 'letter'; readonly value: string };

export interface Skill {
  readonly name: string;
  readonly draw: (rng: Rng) => Exercise;
  /** A sentence that tells what the skill rests on, for raw pages; null where there is nothing to know. */
  readonly lore: ((rng: Rng) => string) | null;
}

/** "85", "56 kegs", "c b l f". */
export function spoken(solution: Solution): string {
  return solution.form === 'quantity' && solution.noun !== null ? `${solution.value} ${solution.noun}` : solution.value;
}
