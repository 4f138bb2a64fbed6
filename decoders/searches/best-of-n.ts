// best_of_n: n whole answers side by side, of which the best is given. On distinct scores with distribution function F its law is
//
//   P(answer) = F(score)ⁿ − F(score⁻)ⁿ        KL(P ‖ inner) ≤ log n − (n − 1)/n
//
// With `soft` it is drawn from softmax(score / soft) over the n answers. Nothing can be shown before all of them have ended. When the budget ends
// earlier, the answers that are finished compete; if none is, what there is of them, and the winner goes on plainly.
import { integer, optional, real, scorer } from '../fields.js';
import { member } from '../member-fields.js';
import { all, BudgetSpent, commit, count, sample, type Branch, type Search } from '../search.js';
import { defineSearch } from '../search-method.js';
import { candidatesFrom, letWin, toTheEnd, type Wish } from './winner.js';

interface Values extends Wish {
  readonly n: number;
}

export const bestOfN = defineSearch({
  name: 'best_of_n',
  summary: 'Writes several answers and gives the one with the best score.',
  equation: 'argmax score(answerᵢ), answer₁ … answerₙ drawn from inner; soft: drawn from softmax(score / soft)',
  paper: 'arXiv:2009.01325, arXiv:2112.09332',
  granularity: 'the whole answer',
  fields: {
    inner: member('Who writes the answers.'),
    scorer: scorer('What they are chosen by.'),
    n: integer({ help: 'How many.', fallback: 8, min: 1, max: 1024 }),
    soft: optional(
      real({ help: 'Draws by score, with this temperature, in place of taking the best.', min: 0.0001, max: 10_000 }),
    ),
  },
  plan: ({ inner, scorer, n, soft }, context) => {
    context.distribution(inner.scores);
    const values: Values = { scorer: scorer.build(context), soft, n };
    return { values, branches: [n], scored: n };
  },
  *run(trunk, values) {
    let answers: readonly Branch[] = [trunk];
    let contenders = answers;
    try {
      answers = yield* candidatesFrom(trunk, values.n);
      yield* all(answers.map((answer) => sample(answer, { tokens: Infinity })));
      contenders = answers;
    } catch (error) {
      if (!(error instanceof BudgetSpent)) throw error;
      yield* count('budget_ended');
      const finished = answers.filter(({ ended }) => ended);
      contenders = finished.length > 0 ? finished : answers.filter(({ tokens }) => tokens.length > 0);
    }
    yield* toTheEnd(give(trunk, answers, contenders, values));
  },
  cost: ({ n }) => ({
    tokens: [n],
    scored: 0,
    note: `Every answer is scored once, ${n} in all. They share the prompt, and one that has ended costs nothing more.`,
  }),
});

function* give(trunk: Branch, answers: readonly Branch[], contenders: readonly Branch[], wish: Wish): Search {
  yield* letWin(trunk, answers, wish, contenders);
  yield* commit(trunk);
}
