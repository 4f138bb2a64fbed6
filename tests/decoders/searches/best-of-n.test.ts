// best_of_n: its law by enumeration of all draws (T20), what is left when the budget ends, and nothing left behind.
import { describe, expect, it } from 'vitest';
import { BudgetSpent, type Branch, type SearchAnswer, type SearchRequest } from '../../../decoders/search.js';
import { bestOfN } from '../../../decoders/searches/best-of-n.js';
import { lawOfScores } from '../../../decoders/searches/winner.js';
import { plainly } from '../../../decoders/searches/sample.js';
import fc from 'fast-check';
import {
  addTo,
  answersOf,
  expectSameLaw,
  keyOf,
  lawOfSearch,
  listsOf,
  readSearch,
  requestsOf,
  rewardTable,
  runSpec,
  type TableWorld,
} from '../../support/search-law.js';
import { DRAWN, endOf, GREEDY, randomReward, randomTable } from '../../support/search-toy.js';
import { runTwin } from '../../support/search-twin.js';

const small = {
  vocabSize: 3,
  maxTokens: 3,
  models: { L: randomTable(5, 3), F: randomTable(6, 3), S: randomTable(7, 3) },
};
const worth = randomReward(11);
const world: TableWorld = { ...small, rewards: { rm: rewardTable(worth) } };
const spec = { method: 'best_of_n', inner: 'L', scorer: 'rm' };
const answers = answersOf(world, 'L');

/** P(answer) = F(score)ⁿ − F(score⁻)ⁿ for distinct scores. */
function lawOfBest(n: number): Map<string, number> {
  const law = new Map<string, number>();
  let below = 0;
  for (const { tokens, probability } of [...answers].sort((a, b) => worth(a.tokens) - worth(b.tokens))) {
    addTo(law, keyOf({ tokens }), (below + probability) ** n - below ** n);
    below += probability;
  }
  return law;
}

describe('the law', () => {
  it('is F(score)ⁿ − F(score⁻)ⁿ', () => {
    for (const n of [1, 2, 3]) expectSameLaw(lawOfSearch({ ...spec, n }, world), lawOfBest(n), 1e-12);
  });

  it('gives the first of equal answers, so it is that of all lists of draws', () => {
    const coarse = (tokens: readonly number[]): number => Math.round(worth(tokens));
    const tied: TableWorld = { ...small, rewards: { rm: rewardTable(coarse) } };
    const expected = new Map<string, number>();
    for (const list of listsOf(answers, 2)) {
      const best = list.reduce((kept, next) => (coarse(next.tokens) > coarse(kept.tokens) ? next : kept));
      addTo(
        expected,
        keyOf(best),
        list.reduce((product, { probability }) => product * probability, 1),
      );
    }
    expectSameLaw(lawOfSearch({ ...spec, n: 2 }, tied), expected, 1e-12);
  });

  it('is that of softmax(score / soft) over the drawn answers with "soft"', () => {
    // Weights of 1 and 2: for three answers all shares are multiples of 1/60.
    const soft = 0.7;
    const weight = (tokens: readonly number[]): number => (worth(tokens) > 0 ? 2 : 1);
    for (const [n, vocabSize] of [
      [2, 3],
      [3, 2],
    ] as const) {
      const short: TableWorld = {
        vocabSize,
        maxTokens: 2,
        models: { L: randomTable(5, vocabSize) },
        rewards: { rm: rewardTable((tokens) => soft * Math.log(weight(tokens))) },
      };
      const expected = new Map<string, number>();
      for (const list of listsOf(answersOf(short, 'L'), n)) {
        const total = list.reduce((sum, { tokens }) => sum + weight(tokens), 0);
        const drawn = list.reduce((product, { probability }) => product * probability, 1);
        for (const answer of list) addTo(expected, keyOf(answer), (drawn * weight(answer.tokens)) / total);
      }
      expectSameLaw(lawOfSearch({ ...spec, n, soft }, short, 60), expected, 1e-12);
    }
  });

  it('moves away from inner by no more than log n − (n − 1)/n, and up in score with n', () => {
    const plain = lawOfBest(1);
    let before = -Infinity;
    for (const n of [1, 2, 4, 8, 64]) {
      const law = lawOfBest(n);
      const divergence = [...law].reduce((sum, [key, p]) => sum + (p === 0 ? 0 : p * Math.log(p / plain.get(key)!)), 0);
      const mean = answers.reduce((sum, { tokens }) => sum + law.get(keyOf({ tokens }))! * worth(tokens), 0);
      expect(divergence).toBeLessThanOrEqual(Math.log(n) - (n - 1) / n + 1e-12);
      expect(mean).toBeGreaterThan(before);
      before = mean;
    }
  });
});

describe('the answer', () => {
  it('with n = 1 is plain decoding, token for token', () => {
    for (let seed = 0; seed < 20; seed++) {
      const drawn = { seed, sampling: DRAWN };
      const plain = runTwin(plainly, {
        scores: (_, tokens) => world.models['L']!(tokens),
        stopTokenIds: [endOf(world)],
        maxTokens: world.maxTokens,
        ...drawn,
      });
      expect(runSpec({ ...spec, n: 1 }, world, drawn).tokens).toEqual(plain.tokens);
    }
  });

  it('at temperature 0 is the greedy one, whatever n', () => {
    const greedy = runSpec({ ...spec, n: 1 }, world, { sampling: GREEDY }).tokens;
    expect(runSpec({ ...spec, n: 5 }, world, { sampling: GREEDY }).tokens).toEqual(greedy);
  });

  it('is shown at once, when all have ended, and each is scored once', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { tokens, commits, counts, requests, mostAlive, plan, traces } = runSpec({ ...spec, n: 5 }, world, {
        seed,
      });
      expect(commits).toEqual([tokens.length]);
      expect(counts).toEqual({ scored: 5 });
      expect(requests.filter((kind) => kind === 'read')).toHaveLength(5);
      expect(mostAlive).toBe(plan.branches[0]);
      const [{ candidates, chosen }] = traces as unknown as [
        { candidates: { tokens: number[]; score: number }[]; chosen: number },
      ];
      expect(candidates[chosen]!.tokens).toEqual(tokens);
      expect(Math.max(...candidates.map(({ score }) => score))).toBe(worth(tokens));
    }
  });

  it('does not depend on the order of the candidates', () => {
    const scores = fc.uniqueArray(fc.double({ noNaN: true, min: -100, max: 100 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(
        scores.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([list, shuffled]) => {
          const best = (of: readonly number[]): number => of[lawOfScores(of, null).ids[0]!]!;
          expect(best(shuffled)).toBe(best(list));
          expect(best(list)).toBe(Math.max(...list));
        },
      ),
    );
  });

  it('never is one without a score', () => {
    const chosen = (scores: readonly number[], soft: number | null): readonly number[] => lawOfScores(scores, soft).ids;
    expect(chosen([NaN, -5, NaN], null)).toEqual([1]);
    expect(chosen([NaN, -Infinity], null)).toEqual([0]);
    const law = lawOfScores([NaN, 1, -Infinity, 1], 0.5);
    expect([0, 1, 2, 3].map((place) => law.probs[law.ids.indexOf(place)] ?? 0)).toEqual([
      0,
      law.probs[1],
      0,
      law.probs[1],
    ]);
    expect(law.probs[1]).toBeCloseTo(0.5, 15);
    expect(chosen([NaN, NaN], 1)).toEqual([0]);
    expect(chosen([0, 1, 1], 1e-4)).toHaveLength(3);
    expect([...lawOfScores([-1e6, 1e6], 1e-4).probs]).toEqual([0, 1]);
  });
});

describe('when the budget ends', () => {
  it.each([
    ['a reward model', 'rm'],
    ['forking scorers', { kind: 'ensemble', members: ['rm', { kind: 'implicit', tuned: 'F', reference: 'S' }] }],
  ])('winds up at every request and leaves nothing behind: %s', (_, scorer) => {
    const whole = { ...spec, scorer, n: 3, soft: 1 };
    const asked = requestsOf(whole, world);
    expect(asked).toBeGreaterThan(4);
    for (let at = 1; at <= asked; at++) {
      const { leaked, counts, tokens, mostAlive, plan } = runSpec(whole, world, {
        interrupt: { at, error: new BudgetSpent('tokens') },
      });
      expect(leaked).toBe(0);
      expect(counts['budget_ended']).toBe(1);
      // What ends before anything was drawn leaves it to plain decoding; afterwards there is a whole answer.
      if (at > 2) expect(tokens.at(-1) === endOf(world) || tokens.length === world.maxTokens).toBe(true);
      else expect(tokens).toEqual([]);
      expect(mostAlive).toBeLessThanOrEqual(plan.branches.reduce((sum, branches) => sum + branches, 0));
    }
  });

  it('lets other failures pass', () => {
    const error = new Error('a bug');
    for (let at = 1; at <= requestsOf(spec, world); at++)
      expect(() => runSpec(spec, world, { interrupt: { at, error } })).toThrow(error);
  });

  it('chooses among the finished answers, or among what there is of them', () => {
    // By hand: three answers, of which the budget cuts some.
    expect(
      cutShort(
        [
          [0, 2],
          [1, 0],
          [1, 2],
        ],
        [true, false, true],
      ).chosen,
    ).toEqual([1, 2]);
    expect(
      cutShort(
        [
          [0, 1],
          [0, 0],
          [1, 0],
        ],
        [false, false, false],
      ).chosen,
    ).toEqual([1, 0]);
    expect(cutShort([[0, 1], [1, 2], [0]], [false, true, false])).toMatchObject({ chosen: [1, 2], read: 0 });
  });
});

/** Answers as far as they have come when the budget ends, in a search of three whose score is the first token's id. */
function cutShort(grown: readonly number[][], ended: readonly boolean[]): { chosen: readonly number[]; read: number } {
  interface Line extends Branch {
    tokens: number[];
    ended: boolean;
  }
  const trunk: Line = { tokens: [], ended: false };
  const lines: Line[] = [trunk];
  let read = 0;
  const answer = (request: SearchRequest): SearchAnswer => {
    if (request.kind === 'all') return request.requests.map(answer);
    if (request.kind === 'sample') throw new BudgetSpent('time');
    if (request.kind === 'become') trunk.tokens = [...request.other.tokens];
    if (request.kind === 'read') {
      read++;
      return [request.branch.tokens[0]!];
    }
    if (request.kind !== 'fork') return null;
    const line: Line = { tokens: [], ended: false };
    lines.push(line);
    return line;
  };
  const { values } = readSearch({ ...spec, n: 3 }, world).plan;
  const search = bestOfN.run(trunk, values);
  let step = search.next();
  while (step.done !== true) {
    try {
      step = search.next(answer(step.value));
    } catch (error) {
      if (!(error instanceof BudgetSpent)) throw error;
      lines.forEach((line, index) => Object.assign(line, { tokens: grown[index], ended: ended[index] }));
      step = search.throw(error);
    }
  }
  return { chosen: trunk.tokens, read };
}
