// blockwise: controlled decoding in blocks (Mudgal et al., "Controlled Decoding from Language Models", arXiv:2310.17022). Several continuations of
// up to `block` tokens grow side by side, the one with the best score is kept and shown, and the next ones grow from it:
//
//   argmax score(answer so far, blockᵢ), block₁ … block_K drawn from inner
//
// The score stands for the value of going on from there: a scorer that was made for whole answers is asked about unfinished ones. A block that
// ends the answer is shorter and competes by its score alone. A block as long as the answer is best_of_n, blocks of one token are its
// token-wise form by sampling. When the budget ends, what there is of the blocks competes, and the rest is decoded plainly.
import { integer, optional, real, scorer } from '../fields.js';
import { member } from '../member-fields.js';
import { all, BudgetSpent, commit, count, sample, type Branch, type Search } from '../search.js';
import { defineSearch } from '../search-method.js';
import { candidatesFrom, letWin, toTheEnd, type Wish } from './winner.js';

interface Values extends Wish {
  readonly candidates: number;
  readonly block: number;
}

export const blockwise = defineSearch({
  name: 'blockwise',
  summary: 'Writes several continuations a few tokens long, keeps the one with the best score, and goes on from it.',
  equation: 'argmax score(answer so far, blockᵢ), blocks drawn from inner; soft: drawn from softmax(score / soft)',
  paper: 'arXiv:2310.17022 (controlled decoding)',
  granularity: 'a block of tokens',
  fields: {
    inner: member('Who writes the blocks.'),
    scorer: scorer('What the answer is judged by, unfinished as it is.'),
    candidates: integer({ help: 'Blocks to choose from.', fallback: 4, min: 1, max: 1024 }),
    block: integer({ help: 'Tokens of a block, at most.', fallback: 16, min: 1, max: 100_000 }),
    soft: optional(
      real({ help: 'Draws by score, with this temperature, in place of taking the best.', min: 0.0001, max: 10_000 }),
    ),
  },
  plan: ({ inner, scorer, candidates, block, soft }, context) => {
    context.distribution(inner.scores);
    const values: Values = { scorer: scorer.build(context), soft, candidates, block };
    return { values, branches: [candidates], scored: candidates };
  },
  *run(trunk, values) {
    let isSpent = false;
    while (!trunk.ended && !isSpent) {
      const at = trunk.tokens.length;
      let blocks: readonly Branch[] = [trunk];
      try {
        blocks = yield* candidatesFrom(trunk, values.candidates);
        yield* all(blocks.map((branch) => sample(branch, { tokens: values.block })));
      } catch (error) {
        if (!(error instanceof BudgetSpent)) throw error;
        yield* count('budget_ended');
        isSpent = true;
      }
      const grown = blocks.filter(({ tokens }) => tokens.length > at);
      isSpent = (yield* toTheEnd(keep(trunk, blocks, grown, values))).isSpent || isSpent;
    }
  },
  cost: ({ candidates, block }) => ({
    tokens: [candidates],
    scored: candidates / block,
    note: 'Continuations share all that they have in common; one that has ended costs nothing more.',
  }),
});

function* keep(trunk: Branch, blocks: readonly Branch[], grown: readonly Branch[], wish: Wish): Search {
  yield* letWin(trunk, blocks, wish, grown);
  yield* count('blocks');
  yield* commit(trunk);
}
