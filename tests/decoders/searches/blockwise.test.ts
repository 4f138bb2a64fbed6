// blockwise: one candidate is plain decoding, blocks as long as the answer are best_of_n (T13), and what lies between by enumeration.
import { describe, expect, it } from 'vitest';
import { BudgetSpent } from '../../../decoders/search.js';
import { plainly } from '../../../decoders/searches/sample.js';
import {
  addTo,
  expectSameLaw,
  keyOf,
  lawOfSearch,
  listsOf,
  requestsOf,
  rewardTable,
  runSpec,
  type TableWorld,
} from '../../support/search-law.js';
import { completions, DRAWN, endOf, randomReward, randomTable, type Weighted } from '../../support/search-toy.js';
import { runTwin } from '../../support/search-twin.js';

const worth = randomReward(21);
const models = { L: randomTable(15, 3), F: randomTable(16, 3), S: randomTable(17, 3) };
const world: TableWorld = { vocabSize: 3, maxTokens: 3, models, rewards: { rm: rewardTable(worth) } };
const long: TableWorld = { ...world, maxTokens: 7 };
const spec = { method: 'blockwise', inner: 'L', scorer: 'rm' };

/** Everything that may come next on `tokens` up to `length`, with its probability. */
function blocksAfter(
  tokens: readonly number[],
  length: number,
  { vocabSize, maxTokens, models }: TableWorld,
): Weighted[] {
  const most = Math.min(maxTokens, tokens.length + length);
  return completions({ vocabSize, maxTokens: most, models, rewards: [] }, models['L']!, tokens);
}

/** The law by the definition: lists of blocks, of which each has a share. */
function lawByHand(
  of: TableWorld,
  { candidates, block }: { candidates: number; block: number },
  sharesOf: (texts: readonly (readonly number[])[]) => readonly number[],
): Map<string, number> {
  const law = new Map<string, number>();
  const visit = (tokens: readonly number[], probability: number): void => {
    if (tokens.length >= of.maxTokens || tokens.at(-1) === endOf(of)) return addTo(law, keyOf({ tokens }), probability);
    const next = new Map<string, { tokens: readonly number[]; probability: number }>();
    for (const list of listsOf(blocksAfter(tokens, block, of), candidates)) {
      const drawn = list.reduce((product, each) => product * each.probability, 1);
      const shares = sharesOf(list.map((each) => each.tokens));
      list.forEach((each, index) => {
        const known = next.get(keyOf(each))?.probability ?? 0;
        next.set(keyOf(each), { tokens: each.tokens, probability: known + drawn * shares[index]! });
      });
    }
    for (const each of next.values()) if (each.probability > 0) visit(each.tokens, probability * each.probability);
  };
  visit([], 1);
  return law;
}

/** All to the first of the best. */
function best(texts: readonly (readonly number[])[]): number[] {
  const scores = texts.map(worth);
  const winner = scores.indexOf(Math.max(...scores));
  return scores.map((_, index) => (index === winner ? 1 : 0));
}

describe('one candidate', () => {
  it('is plain decoding, token for token, shown block by block', () => {
    for (let seed = 0; seed < 20; seed++) {
      const plain = runTwin(plainly, {
        scores: (_, tokens) => models.L(tokens),
        stopTokenIds: [endOf(long)],
        maxTokens: long.maxTokens,
        seed,
        sampling: DRAWN,
      });
      const { tokens, commits } = runSpec({ ...spec, candidates: 1, block: 3 }, long, { seed });
      expect(tokens).toEqual(plain.tokens);
      expect(commits).toEqual(
        [3, 6, 7].slice(0, Math.ceil(tokens.length / 3)).map((end) => Math.min(end, tokens.length)),
      );
    }
  });
});

describe('blocks as long as the answer', () => {
  it('are best_of_n, draw for draw', () => {
    for (let seed = 0; seed < 10; seed++)
      for (const soft of [{}, { soft: 0.4 }]) {
        const best = runSpec({ ...spec, method: 'best_of_n', n: 4, ...soft }, long, { seed });
        for (const block of [7, 1000]) {
          const { tokens, commits } = runSpec({ ...spec, candidates: 4, block, ...soft }, long, { seed });
          expect(tokens).toEqual(best.tokens);
          expect(commits).toEqual([tokens.length]);
        }
      }
  });
});

describe('the law', () => {
  it.each([
    [2, 1],
    [2, 2],
    [3, 1],
    [2, 3],
  ])('is that of the best of %i blocks of %i tokens, again and again', (candidates, block) => {
    const size = { ...world, maxTokens: candidates === 3 ? 2 : 3 };
    const expected = lawByHand(size, { candidates, block }, best);
    expectSameLaw(lawOfSearch({ ...spec, candidates, block }, size), expected, 1e-12);
  });

  it('is that of softmax(score / soft) over the blocks with "soft"', () => {
    // Weights of 1 and 2: for two blocks all shares are multiples of 1/12.
    const soft = 0.3;
    const weight = (tokens: readonly number[]): number => (worth(tokens) > 0 ? 2 : 1);
    const weighed: TableWorld = {
      vocabSize: 2,
      maxTokens: 2,
      models: { L: randomTable(18, 2) },
      rewards: { rm: rewardTable((tokens) => soft * Math.log(weight(tokens))) },
    };
    const expected = lawByHand(weighed, { candidates: 2, block: 1 }, (texts) => {
      const weights = texts.map(weight);
      return weights.map((each) => each / weights.reduce((a, b) => a + b, 0));
    });
    expectSameLaw(lawOfSearch({ ...spec, candidates: 2, block: 1, soft }, weighed, 12), expected, 1e-12);
  });

  it('is that of inner where the score never changes', () => {
    const flat = { ...world, rewards: { rm: rewardTable(() => 3) } };
    const plain = lawByHand(world, { candidates: 1, block: 1 }, () => [1]);
    expectSameLaw(lawOfSearch({ ...spec, candidates: 2, block: 2 }, flat), plain, 1e-12);
  });
});

describe('a block', () => {
  it('ends with the answer, and the last one is as long as there is room', () => {
    for (let seed = 0; seed < 40; seed++) {
      const { tokens, commits, mostAlive, plan, counts } = runSpec({ ...spec, candidates: 3, block: 3 }, long, {
        seed,
      });
      const ends = [3, 6, 7].filter((end) => end < tokens.length);
      expect(commits).toEqual([...ends, tokens.length]);
      expect(tokens.at(-1) === endOf(long) || tokens.length === 7).toBe(true);
      expect(mostAlive).toBe(plan.branches[0]);
      expect(counts).toEqual({ blocks: commits.length, scored: 3 * commits.length });
    }
  });

  it('that ends the answer wins if it scores best, and only then', () => {
    for (const ends of [true, false]) {
      const of = { ...long, rewards: { rm: rewardTable((_, ended) => (ended === ends ? 1 : 0)) } };
      let mixed = 0;
      for (let seed = 0; seed < 30; seed++)
        for (const { candidates, chosen } of runSpec({ ...spec, candidates: 3, block: 2 }, of, { seed }).traces) {
          const ended = (candidates as { ended: boolean }[]).map((candidate) => candidate.ended);
          if (new Set(ended).size === 1) continue;
          expect(ended[chosen as number]).toBe(ends);
          mixed++;
        }
      expect(mixed).toBeGreaterThan(10);
    }
  });
});

describe('when the budget ends', () => {
  it.each([
    ['a reward model', 'rm'],
    ['forking scorers', { kind: 'ensemble', members: ['rm', { kind: 'implicit', tuned: 'F', reference: 'S' }] }],
  ])('keeps what is shown, at every request, and leaves nothing behind: %s', (_, scorer) => {
    const whole = { ...spec, scorer, candidates: 3, block: 2, soft: 0.5 };
    const unending = {
      ...long,
      models: { ...models, L: (tokens: readonly number[]) => models.L(tokens).with(2, -Infinity) },
    };
    const { tokens: undisturbed, commits: ends } = runSpec(whole, unending);
    expect(ends).toEqual([2, 4, 6, 7]);
    const asked = requestsOf(whole, unending);
    let longest = 0;
    for (let at = 1; at <= asked; at++) {
      const { leaked, counts, tokens, commits, mostAlive, plan } = runSpec(whole, unending, {
        interrupt: { at, error: new BudgetSpent('forwards') },
      });
      expect(leaked).toBe(0);
      expect(counts['budget_ended']).toBe(1);
      // No block is begun after the budget has ended.
      expect(commits.length).toBeLessThanOrEqual(ends.length);
      expect(tokens).toEqual(undisturbed.slice(0, tokens.length));
      expect(tokens.length).toBeGreaterThanOrEqual(longest);
      longest = tokens.length;
      expect(mostAlive).toBeLessThanOrEqual(plan.branches.reduce((sum, branches) => sum + branches, 0));
    }
    expect(longest).toBe(undisturbed.length);
  });
});
