// rejection: rejection sampling by score. An answer drawn from inner is accepted with the probability
//
//   exp((score − most) / temperature)        most ≥ every score
//
// so that accepted answers have the law inner(answer) · exp(score / temperature) / Z: the optimum of the expected score under a KL price of
// `temperature`, exactly, where best_of_n only comes near it. A score above `most` counts as `most` and is reported; then the law no longer is
// that one. After `tries` answers without luck the best of them is given, which the reply says. Several tries grow side by side; they are
// accepted in their order, as if one after the other.
import { integer, optional, real, scorer } from '../fields.js';
import { member } from '../member-fields.js';
import { Conflict } from '../method.js';
import type { Scorer } from '../plan.js';
import { refuseCentred } from '../scorers/ensemble.js';
import { rangeOf, scoreAll } from '../scorers/index.js';
import {
  all,
  become,
  BudgetSpent,
  commit,
  count,
  fork,
  release,
  sample,
  trace,
  uniform,
  type Branch,
  type Search,
} from '../search.js';
import { defineSearch } from '../search-method.js';
import { toTheEnd } from './winner.js';

interface Values {
  readonly scorer: Scorer;
  readonly most: number;
  readonly temperature: number;
  readonly tries: number;
  readonly atOnce: number;
}

interface Try {
  readonly branch: Branch;
  readonly score: number;
}

interface State {
  /** The one that was accepted, or the best so far. */
  best: Try | null;
  isAccepted: boolean;
}

export const rejection = defineSearch({
  name: 'rejection',
  summary: 'Writes answers until one is accepted, the more readily the better its score.',
  equation: 'accepted with exp((score(answer) − most) / temperature), answers drawn from inner',
  paper: 'arXiv:2309.06657, arXiv:2402.18571 (DPA)',
  granularity: 'the whole answer',
  fields: {
    inner: member('Who writes the answers.'),
    scorer: scorer('What they are accepted by.'),
    most: optional(
      real({ help: 'The greatest score there is; the bound of the scorer when left out.', min: -1e6, max: 1e6 }),
    ),
    temperature: real({ help: 'How much score an answer may lack.', fallback: 1, min: 0.0001, max: 10_000 }),
    tries: integer({ help: 'Answers that are tried, at most.', fallback: 16, min: 1, max: 10_000 }),
    at_once: integer({
      help: 'Answers that grow side by side. Does not change the law.',
      fallback: 4,
      min: 1,
      max: 256,
    }),
  },
  plan: ({ inner, scorer, most, temperature, tries, at_once }, context) => {
    context.distribution(inner.scores);
    const built = scorer.build(context);
    refuseCentred('scorer', built, scorer);
    const bound = most ?? rangeOf(built)?.[1];
    if (bound === undefined)
      throw new Conflict('most', undefined, 'This scorer has no bound of its own: say what its greatest score is.');
    const atOnce = Math.min(at_once, tries);
    const values: Values = { scorer: built, most: bound, temperature, tries, atOnce };
    // The trunk waits; beside what grows, the best so far is kept.
    return { values, branches: [2 + atOnce], scored: atOnce };
  },
  *run(trunk, values) {
    const state: State = { best: null, isAccepted: false };
    let isSpent = false;
    for (let tried = 0; tried < values.tries && !state.isAccepted && !isSpent; tried += values.atOnce) {
      let answers: readonly Branch[] = [];
      try {
        answers = yield* all(times(Math.min(values.atOnce, values.tries - tried), () => fork(trunk)));
        yield* all(answers.map((answer) => sample(answer, { tokens: Infinity })));
      } catch (error) {
        if (!(error instanceof BudgetSpent)) throw error;
        yield* count('budget_ended');
        isSpent = true;
      }
      isSpent = (yield* toTheEnd(consider(answers, state, values))).isSpent || isSpent;
    }
    yield* toTheEnd(give(trunk, state));
  },
  cost: ({ tries }) => ({
    tokens: [tries],
    scored: 0,
    note: 'At most: writing ends with the first answer that is accepted. Every answer that is tried is scored once.',
  }),
});

/** Accepts the first of the answers that has the luck, or keeps the best; the others go. What the budget left unfinished is no try. */
function* consider(answers: readonly Branch[], state: State, { scorer, most, temperature }: Values): Search {
  const finished = answers.filter(({ ended }) => ended);
  const scores = finished.length > 0 ? yield* scoreAll(scorer, finished) : [];
  const before = state.best;
  for (const [index, branch] of finished.entries()) {
    const score = scores[index] ?? NaN;
    const chance = Math.exp((Math.min(score, most) - most) / temperature);
    if (score > most) yield* count('above_most');
    state.isAccepted = (yield* uniform(branch)) < chance;
    yield* count('tries');
    yield* trace({
      event: 'try',
      tokens: [...branch.tokens],
      score: finite(score),
      chance: finite(chance),
      accepted: state.isAccepted,
    });
    if (state.isAccepted || state.best === null || score > state.best.score || Number.isNaN(state.best.score))
      state.best = { branch, score };
    if (state.isAccepted) break;
  }
  const others = before === null ? answers : [before.branch, ...answers];
  yield* all(others.filter((branch) => branch !== state.best?.branch).map(release));
}

function* give(trunk: Branch, { best, isAccepted }: State): Search {
  yield* count(isAccepted ? 'accepted' : 'not_accepted');
  if (best === null) return;
  yield* become(trunk, best.branch);
  yield* commit(trunk);
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

function finite(number: number): number | null {
  return Number.isFinite(number) ? number : null;
}
