// implicit: the difference of two distributions as a score: that of eft, and eft itself where args weighs it.
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../../decoders/evaluate.js';
import { explainDecoding } from '../../../decoders/explain.js';
import { normalise } from '../../../decoders/rows.js';
import { buildDecoding } from '../../../decoders/spec.js';
import { keyOf, readSearch, runSpec, scoresOf, type TableWorld } from '../../support/search-law.js';
import { answerLaw, completions, randomTable, type Table } from '../../support/search-toy.js';

const models = { L: randomTable(40, 3), F: randomTable(41, 3), S: randomTable(42, 3) };
const world: TableWorld = { vocabSize: 3, maxTokens: 3, models };
const scorer = { kind: 'implicit', tuned: 'F', reference: 'S' };
const answers = [[0, 1, 2], [2], [1, 1, 1], [0, 2], []];

function logprobOf(model: Table, tokens: readonly number[]): number {
  return tokens.reduce((sum, id, at) => sum + normalise(model(tokens.slice(0, at)))[id]!, 0);
}

describe('implicit', () => {
  it('is weight · Σ log(tuned / reference) over the answer, end token and all', () => {
    for (const weight of [1, 0.3]) {
      const { scores, run } = scoresOf({ ...scorer, weight }, answers, world);
      answers.forEach((tokens, at) =>
        expect(scores[at]).toBeCloseTo(weight * (logprobOf(models.F, tokens) - logprobOf(models.S, tokens)), 12),
      );
      expect(run.leaked).toBe(0);
    }
  });

  it('is 0 between equals, and additive over a chain of models', () => {
    expect(scoresOf({ ...scorer, tuned: 'S' }, answers, world).scores).toEqual(answers.map(() => 0));
    const step = (tuned: string, reference: string): readonly number[] =>
      scoresOf({ kind: 'implicit', tuned, reference }, answers, world).scores;
    step('F', 'S').forEach((score, at) => expect(score).toBeCloseTo(step('F', 'L')[at]! + step('L', 'S')[at]!, 12));
  });

  it('is −∞ where either of them forbids a token, also where both do', () => {
    const without: Table = (tokens) => models.S(tokens).with(1, -Infinity);
    for (const forbidding of [{ F: without }, { S: without }, { F: without, S: without }]) {
      const { scores } = scoresOf(scorer, [[0, 1], [0, 0], [1]], { ...world, models: { ...models, ...forbidding } });
      expect(scores.map(Number.isFinite)).toEqual([false, true, false]);
      expect(scores[0]).toBe(-Infinity);
    }
  });

  it('reads nested methods as it reads models', () => {
    const tuned = { method: 'eft', base: 'L', tuned: 'F', reference: 'S', weight: 0.5 };
    const { distribution } = buildDecoding(tuned, { models: Object.keys(models), allowNegativeWeights: false });
    const law: Table = (tokens) => evaluate(distribution, ({ model }) => world.models[model]!(tokens));
    const { scores } = scoresOf({ ...scorer, tuned }, answers, world);
    answers.forEach((tokens, at) =>
      expect(scores[at]).toBeCloseTo(logprobOf(law, tokens) - logprobOf(models.S, tokens), 12),
    );
  });
});

describe('args by the implicit reward', () => {
  it.each([1, 0.5, 1.7])('is eft with the weight, where every token is a candidate: %d', (weight) => {
    const spec = { method: 'args', inner: 'L', reward: scorer, reward_weight: weight, candidates: 3 };
    const eft = { method: 'eft', base: 'L', tuned: 'F', reference: 'S', weight };
    const { distribution } = buildDecoding(eft, { models: Object.keys(models), allowNegativeWeights: false });
    const law: Table = (tokens) => evaluate(distribution, ({ model }) => world.models[model]!(tokens));
    const expected = completions({ ...world, rewards: [] }, law, []);
    const actual = answerLaw((more) => runSpec(spec, world, more));
    expect(actual.size).toBe(expected.length);
    for (const answer of expected) expect(actual.get(keyOf(answer))).toBeCloseTo(answer.probability, 12);
  });
});

describe('the price', () => {
  const branches = (of: unknown, n = 4): readonly number[] =>
    readSearch({ method: 'best_of_n', inner: 'L', n, scorer: of }, world).plan.branches;

  it('counts a fork of either distribution for every answer that is scored', () => {
    expect(branches(scorer)).toEqual([4, 4, 4]);
    expect(branches({ ...scorer, tuned: 'L' })).toEqual([8, 4]);
    expect(branches({ kind: 'ensemble', members: [scorer, { ...scorer, weight: 2 }] })).toEqual([4, 8, 8]);
    expect(() => branches({ ...scorer, tuned: 'L' }, 40)).toThrow(
      'The search keeps 80 branches at once, the limit is 64: lower what grows side by side ("n").',
    );
  });

  it('explain says who reads whole answers, one of the search’s own distributions or not', () => {
    const options = { models: Object.keys(models), allowNegativeWeights: false };
    const sources = (of: object, method = 'args'): readonly string[] | undefined =>
      explainDecoding(buildDecoding({ method, inner: 'L', [method === 'args' ? 'reward' : 'scorer']: of }, options))
        .search?.sources;
    const reader = (name: string): string =>
      `${name}, which reads every answer that is scored from its beginning: not in forwards per token`;
    expect(sources(scorer)).toEqual([reader('F'), reader('S')]);
    expect(sources({ ...scorer, tuned: 'L' }, 'best_of_n')).toEqual([reader('L'), reader('S')]);
    expect(sources({ kind: 'ensemble', members: [scorer, { ...scorer, weight: 2 }] })).toEqual([
      reader('F'),
      reader('S'),
    ]);
  });

  it('is what there is at most', () => {
    const spec = { method: 'best_of_n', inner: 'L', n: 4, scorer };
    for (let seed = 0; seed < 10; seed++) expect(runSpec(spec, world, { seed }).mostAlive).toBeLessThanOrEqual(12);
    const { counts, requests } = runSpec(spec, world);
    expect(counts).toEqual({ scored: 4 });
    expect(requests.filter((kind) => kind === 'fork')).toHaveLength(3 + 8);
  });
});
