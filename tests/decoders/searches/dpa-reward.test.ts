// dpa in the mode reward: the searches that it steers, by the direction and by nothing else.
import { describe, expect, it } from 'vitest';
import { buildDecoding } from '../../../decoders/spec.js';
import { readSearch, runSpec, type TableWorld } from '../../support/search-law.js';
import { DRAWN, randomReward, randomTable } from '../../support/search-toy.js';

const [helpful, verbosity] = [randomReward(51, -2, 2), randomReward(52, 0, 40)];
const world: TableWorld = {
  vocabSize: 4,
  maxTokens: 5,
  models: { L: randomTable(50, 4), F: randomTable(53, 4) },
  rewards: {
    rm: {
      heads: ['helpful', 'verbosity'],
      statistics: [
        { mean: 0, deviation: 1.2 },
        { mean: 20, deviation: 11 },
      ],
      read: (tokens) => [helpful(tokens), verbosity(tokens)],
    },
  },
};
const direction = { helpful: 0.8, verbosity: -0.6 };
const dpa = { method: 'dpa', mode: 'reward', inner: 'L', reward: 'rm', direction };
const scorer = { kind: 'direction', model: 'rm', direction };
const refused = (spec: object): string => {
  try {
    readSearch(spec, world);
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('dpa by reward', () => {
  it.each([
    ['best_of_n', { inner: 'L', scorer }, { n: 4 }],
    ['best_of_n', { inner: 'L', scorer }, { n: 3, soft: 0.5 }],
    ['blockwise', { inner: 'L', scorer }, { candidates: 3, block: 2 }],
    ['rejection', { inner: 'L', scorer }, { most: 2, tries: 5 }],
    ['args', { inner: 'L', reward: scorer }, { reward_weight: 0.7, candidates: 3 }],
    ['transfer_q', { proposal: 'L', reward: scorer }, { baseline: 'F', lookahead: 2, candidates: 2 }],
  ])('is %s with the direction as its scorer', (method, filled, own) => {
    for (let seed = 0; seed < 6; seed++) {
      const more = { seed, sampling: DRAWN };
      const steered = runSpec({ ...dpa, search: { method, ...own } }, world, more);
      const direct = runSpec({ method, ...filled, ...own }, world, more);
      expect(steered.tokens).toEqual(direct.tokens);
      expect(steered.traces).toEqual(direct.traces);
      expect(steered.commits).toEqual(direct.commits);
      expect({ ...steered.plan, method, values: null }).toEqual({ ...direct.plan, values: null });
      expect(steered.leaked).toBe(0);
    }
  });

  it('goes where the direction says', () => {
    const meanOf = (towards: unknown): [number, number] => {
      const sums: [number, number] = [0, 0];
      for (let seed = 0; seed < 40; seed++) {
        const spec = { ...dpa, direction: towards, search: { method: 'best_of_n', n: 8 } };
        const { tokens } = runSpec(spec, world, { seed });
        sums[0] += helpful(tokens) / 40;
        sums[1] += verbosity(tokens) / 40;
      }
      return sums;
    };
    const [useful, wordy, brief] = [meanOf(0), meanOf(90), meanOf(-90)];
    expect(useful[0]).toBeGreaterThan(Math.max(wordy[0], brief[0]) + 0.5);
    expect(wordy[1]).toBeGreaterThan(useful[1] + 5);
    expect(brief[1]).toBeLessThan(useful[1] - 5);
  });

  it('takes a search by its name alone, and tells all that it came to', () => {
    expect(readSearch({ ...dpa, search: 'blockwise' }, world).effective).toEqual({
      ...dpa,
      standardise: true,
      search: { method: 'blockwise', candidates: 4, block: 16 },
    });
  });

  it('says where a mistake is', () => {
    expect(refused({ ...dpa, search: 'best_of_m' })).toBe(
      'decoding.search: unknown method (got "best_of_m"). Use one of "best_of_n", "blockwise", "rejection", "args", "transfer_q", or an object: {"method": "best_of_n", "n": 4}.',
    );
    expect(refused({ ...dpa, search: { n: 4 } })).toContain('decoding.search.method: missing');
    expect(refused({ ...dpa, search: { method: 'best_of_n', n: 0 } })).toContain(
      'decoding.search.n: out of range (got 0)',
    );
    expect(refused({ ...dpa, search: { method: 'best_of_n', scorer: 'rm' } })).toContain(
      'decoding.search.scorer: unknown key',
    );
    expect(refused({ ...dpa, search: 'transfer_q' })).toContain('decoding.search.baseline: missing');
    const halved = { method: 'transfer_q', baseline: 'F', rollouts: 2 };
    expect(refused({ ...dpa, search: halved })).toContain('decoding.search.rollouts: not allowed (got 2)');
    expect(refused({ ...dpa, search: 'rejection' })).toContain('decoding.search.most: not allowed');
    expect(refused({ ...dpa, reward: 'L', search: 'args' })).toContain('decoding.reward: unknown name (got "L")');
    expect(refused({ ...dpa, direction: { useful: 1 }, search: 'args' })).toContain('decoding.direction.useful');
    expect(refused({ ...dpa, axes: ['helpful'], search: 'args' })).toContain('decoding.direction.verbosity');
    expect(refused(dpa)).toContain('decoding.search: missing');
  });

  it('leaves the other modes to the distribution', () => {
    const options = { models: ['L', 'F'], allowNegativeWeights: false };
    const experts = { method: 'dpa', mode: 'experts', direction: { a: 0.8, b: 0.6 }, experts: { a: 'L', b: 'F' } };
    expect(buildDecoding(experts, options).search).toBeNull();
    expect(() => buildDecoding({ method: 'realign', aligned: dpa, reference: 'L', strength: 1 }, options)).toThrow(
      'decoding.aligned.method: not allowed',
    );
  });
});
