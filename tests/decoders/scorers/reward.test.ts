// Scores that are read off: heads of reward models, and endpoints.
import { describe, expect, it } from 'vitest';
import { ScorerFailed } from '../../../decoders/search.js';
import { randomTable } from '../../support/search-toy.js';
import { readSearch, scoresOf, type TableWorld } from '../../support/search-law.js';

const numbers = [
  [0.5, -2, NaN],
  [1.5, 3, NaN],
  [-1, 0, NaN],
];
const world: TableWorld = {
  vocabSize: 4,
  maxTokens: 2,
  models: { L: randomTable(1, 4) },
  rewards: {
    rm: { heads: ['helpful', 'harmless', 'broken'], statistics: null, read: ([id = 0]) => numbers[id]! },
    one: { heads: ['brief'], statistics: null, read: ([id = 0]) => [-id] },
  },
  endpoints: { judge: ([id = 0]) => [10 + id, 20 + id] },
};
const answers = [[0], [1], [2]];
const scores = (scorer: unknown): readonly number[] => scoresOf(scorer, answers, world).scores;
const refused = (scorer: unknown): string => {
  try {
    readSearch({ method: 'best_of_n', inner: 'L', scorer }, world);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('reward', () => {
  it('is a head of the model', () => {
    expect(scores({ kind: 'reward', model: 'rm', head: 'helpful' })).toEqual([0.5, 1.5, -1]);
    expect(scores({ kind: 'reward', model: 'rm', head: 'harmless' })).toEqual([-2, 3, 0]);
  });
  it('is the only head where there is one, and the mere name stands for it', () => {
    expect(scores({ kind: 'reward', model: 'one' })).toEqual([0, -1, -2]);
    expect(scores('one')).toEqual([0, -1, -2]);
    expect(readSearch({ method: 'best_of_n', inner: 'L', scorer: 'one' }, world).effective).toMatchObject({
      scorer: { kind: 'reward', model: 'one' },
    });
  });
  it('is a weighted sum of heads, whatever the others say', () => {
    expect(scores({ kind: 'reward', model: 'rm', weights: { helpful: 2, harmless: -0.5 } })).toEqual([2, 1.5, -2]);
    expect(scores({ kind: 'reward', model: 'rm', weights: { helpful: 1, broken: 0 } })).toEqual([0.5, 1.5, -1]);
  });
  it('is cut to a range where one is given', () => {
    expect(scores({ kind: 'reward', model: 'rm', head: 'harmless', range: [-1, 2] })).toEqual([-1, 2, 0]);
  });
  it('refuses heads and models that there are not, with those there are', () => {
    expect(refused('rm')).toBe(
      'decoding.scorer.head: not allowed. The model has several heads: choose one of "helpful", "harmless", "broken", or give "weights".',
    );
    expect(refused({ kind: 'reward', model: 'rm', head: 'helpfull' })).toBe(
      'decoding.scorer.head: not allowed (got "helpfull"). Did you mean "helpful"? The heads of the model are "helpful", "harmless", "broken".',
    );
    expect(refused({ kind: 'reward', model: 'rm', weights: { helpful: 1, verbosity: 1 } })).toBe(
      'decoding.scorer.weights.verbosity: not allowed (got "verbosity"). The heads of the model are "helpful", "harmless", "broken".',
    );
    expect(refused({ kind: 'reward', model: 'L' })).toBe(
      'decoding.scorer.model: unknown name (got "L"). Use one of "rm", "one".',
    );
    expect(refused({ kind: 'reward', model: 'rm', head: 'helpful', weights: { helpful: 1 } })).toContain('Give either');
    expect(refused({ kind: 'reward', model: 'rm', weights: { helpful: 0 } })).toContain('not 0');
    expect(refused({ kind: 'reward', model: 'rm', weights: {} })).toContain('1 to 64 heads');
    expect(refused({ kind: 'reward', model: 'rm', head: 'helpful', range: [2, 2] })).toContain('scorer.range');
  });
});

describe('http', () => {
  it('is what the endpoint of the configuration says', () => {
    expect(scores({ kind: 'http', endpoint: 'judge' })).toEqual([10, 11, 12]);
    expect(scores({ kind: 'http', endpoint: 'judge', index: 1, range: [0, 21] })).toEqual([20, 21, 21]);
    expect(scoresOf({ kind: 'http', endpoint: 'judge' }, answers, world).plan.sources).toEqual([
      { kind: 'http', endpoint: 'judge' },
    ]);
  });
  it('is a failure where there are fewer numbers', () => {
    expect(() => scores({ kind: 'http', endpoint: 'judge', index: 7 })).toThrow(
      new ScorerFailed('judge gave 2 numbers, and none at index 7'),
    );
  });
  it('refuses one that is not there', () => {
    expect(refused({ kind: 'http', endpoint: 'jugde' })).toBe(
      'decoding.scorer.endpoint: unknown name (got "jugde"). Use one of "judge".',
    );
    expect(refused({ kind: 'http', endpoint: 'http://elsewhere' })).toContain('unknown name');
  });
});
