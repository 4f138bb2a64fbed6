// formula with classifiers on worlds that can be enumerated: every draw in every way, against the equation worked out here from the tables.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formulaOf } from '../../../decoders/explain.js';
import { normalise } from '../../../decoders/rows.js';
import { buildDecoding } from '../../../decoders/spec.js';
import { lawOf, type Warp } from '../../../decoders/warp.js';
import {
  addTo,
  answersOf,
  exactLaw,
  expectSameLaw,
  keyOf,
  lawOfSearch,
  rewardTable,
  runSpec,
  searchOn,
  type TableWorld,
} from '../../support/search-law.js';
import {
  completions,
  decisions,
  DRAWN,
  endOf,
  randomReward,
  randomTable,
  type Table,
} from '../../support/search-toy.js';

const VOCAB = 4;
const salts = fc.integer({ min: 0, max: 2 ** 30 });

function worldOf(salt: number, more: Partial<TableWorld> = {}): TableWorld {
  return {
    vocabSize: VOCAB,
    maxTokens: 3,
    models: { L: randomTable(salt, VOCAB), S: randomTable(salt + 1, VOCAB) },
    rewards: { A: rewardTable(randomReward(salt + 2, -2, 2)), B: rewardTable(randomReward(salt + 3, 0, 1)) },
    ...more,
  };
}

interface Asked {
  readonly weight: number;
  readonly scorer: string;
  readonly scale?: 'log' | 'logit' | 'probability';
}

const term = (weight: number, of: unknown): object => ({ weight, of });
const classifier = ({ weight, ...rest }: Asked): object => term(weight, { op: 'classifier', ...rest });

function formula(distributions: readonly object[], asked: readonly Asked[], more: object = {}): object {
  const terms = [...distributions, ...asked.map(classifier)];
  return { method: 'formula', expression: { op: 'sum', terms }, ...more };
}

/** The law of the answers by the equation: `scores` are those of the formula without classifiers, `gains` Σ λ·log C(x). */
function lawByHand(
  world: TableWorld,
  scores: Table,
  judgement: (tokens: readonly number[]) => number,
  candidates: number,
  warp: Warp,
): Map<string, number> {
  const law = new Map<string, number>();
  const visit = (tokens: readonly number[], probability: number): void => {
    if (tokens.at(-1) === endOf(world) || tokens.length >= world.maxTokens) {
      addTo(law, tokens.join(' '), probability);
      return;
    }
    const plain = scores(tokens);
    const likeliest = [...plain.keys()].sort((a, b) => plain[b]! - plain[a]!).slice(0, candidates);
    const steered = plain.map((score, id) => score + judgement(likeliest.includes(id) ? [...tokens, id] : tokens));
    const { ids, probs } = lawOf(steered, warp);
    ids.forEach((id, at) => visit([...tokens, id], probability * probs[at]!));
  };
  visit([], 1);
  return law;
}

const answers = (spec: object, world: TableWorld, sampling: Warp): Map<string, number> => {
  const run = searchOn(spec, world);
  return exactLaw((decide) => run({ decide, sampling }), keyOf);
};

describe('the law of the answers', () => {
  it('is the equation, whatever the formula, the classifiers, the candidates and the sampling', () => {
    fc.assert(
      fc.property(
        salts,
        fc.constantFrom(0, -0.6, 0.5),
        fc.array(
          fc.record({
            weight: fc.constantFrom(-1.5, 0, 0.4, 2),
            scorer: fc.constantFrom('A', 'B'),
            scale: fc.constantFrom('log', 'logit'),
          }),
          { minLength: 1, maxLength: 2 },
        ),
        fc.integer({ min: 1, max: VOCAB + 1 }),
        fc.constantFrom<Partial<Warp>>(
          {},
          { temperature: 0.5 },
          { topK: 2 },
          { topP: 0.8 },
          { minP: 0.2, temperature: 2 },
        ),
        fc.boolean(),
        (salt, small, asked, candidates, change, normalise_) => {
          const world = worldOf(salt);
          const { L, S } = world.models as { L: Table; S: Table };
          const [sampling, by] = [{ ...DRAWN, ...change }, normalise_ ? 1 + small : 1];
          const spec = formula([term(1, 'L'), term(small, 'S')], asked, {
            candidates,
            normalise: normalise_,
          });
          const scores: Table = (tokens) => {
            const [l, s] = [L(tokens), S(tokens)];
            return l.map((score, id) => (score + small * s[id]!) / by);
          };
          const log = (score: number, scale: unknown): number =>
            scale === 'logit' ? -Math.log(1 + Math.exp(-score)) : score;
          const judgement = (tokens: readonly number[]): number =>
            asked.reduce(
              (sum, { weight, scorer, scale }) =>
                sum + (weight / by) * log(world.rewards![scorer]!.read(tokens, false)[0]!, scale),
              0,
            );
          const expected = lawByHand(world, scores, judgement, candidates, sampling);
          expectSameLaw(answers(spec, world, sampling), expected, 1e-12);
        },
      ),
      { numRuns: 300 },
    );
  });
  it('with every token looked at is Q · C^λ, normalised: Bayes’ rule where λ is 1', () => {
    for (let salt = 0; salt < 10; salt++) {
      const world = worldOf(salt, { maxTokens: 1 });
      const asked = [{ weight: 1, scorer: 'B', scale: 'probability' as const }];
      const law = lawOfSearch(formula([term(1, 'L')], asked), world);
      const Q = normalise(world.models['L']!([])).map(Math.exp);
      const joint = Q.map((q, id) => q * world.rewards!['B']!.read([id], false)[0]!);
      const total = joint.reduce((sum, one) => sum + one, 0);
      joint.forEach((one, id) => expect(law.get(String(id))).toBeCloseTo(one / total, 12));
    }
  });
  it('with what tuning adds as classifier is emulated fine-tuning, over whole answers', () => {
    for (let salt = 0; salt < 5; salt++) {
      const [F, S] = [randomTable(salt + 50, VOCAB), randomTable(salt + 90, VOCAB)];
      const sum = (tokens: readonly number[]): number =>
        tokens.reduce((total, id, at) => {
          const before = tokens.slice(0, at);
          return total + normalise(F(before))[id]! - normalise(S(before))[id]!;
        }, 0);
      const world = worldOf(salt, { rewards: { ratio: rewardTable(sum) } });
      const L = world.models['L']!;
      const steered: Table = (tokens) => L(tokens).map((score, id) => score + 1.3 * (F(tokens)[id]! - S(tokens)[id]!));
      const law = lawOfSearch(formula([term(1, 'L')], [{ weight: 1.3, scorer: 'ratio' }]), world);
      const expected = completions({ ...world, rewards: [] }, steered, []);
      expect(law.size).toBe(expected.length);
      for (const { tokens, probability } of expected) expect(law.get(tokens.join(' '))).toBeCloseTo(probability, 12);
    }
  });
  it('is that of the formula with weight 0 and with a classifier that always says the same', () => {
    for (let salt = 0; salt < 5; salt++) {
      const world = worldOf(salt, {
        rewards: { A: rewardTable(randomReward(salt)), same: rewardTable(() => 0.3) },
      });
      const plain = new Map(answersOf(world, 'L').map(({ tokens, probability }) => [tokens.join(' '), probability]));
      for (const asked of [
        { weight: 0, scorer: 'A' },
        { weight: 9, scorer: 'same' },
      ])
        expectSameLaw(lawOfSearch(formula([term(1, 'L')], [asked], { candidates: 2 }), world), plain, 1e-12);
    }
  });
  it('does not change when all coefficients grow alike', () => {
    for (let salt = 0; salt < 5; salt++) {
      const [world, more] = [worldOf(salt), { candidates: 3 }];
      const lawOfAll = (c: number): Map<string, number> =>
        lawOfSearch(formula([term(c, 'L'), term(-0.4 * c, 'S')], [{ weight: 0.7 * c, scorer: 'A' }], more), world);
      expectSameLaw(lawOfAll(3), lawOfAll(1), 1e-9);
    }
  });
  it('two classifiers are one with the sum of their scores', () => {
    for (let salt = 0; salt < 5; salt++) {
      const world = worldOf(salt);
      const [A, B] = [world.rewards!['A']!, world.rewards!['B']!];
      const both = rewardTable((tokens, ended) => A.read(tokens, ended)[0]! - 2 * B.read(tokens, ended)[0]!);
      const one = formula([term(1, 'L')], [{ weight: 1, scorer: 'both' }], { candidates: 2 });
      const two = formula(
        [term(1, 'L')],
        [
          { weight: 1, scorer: 'A' },
          { weight: -2, scorer: 'B' },
        ],
        { candidates: 2 },
      );
      expectSameLaw(lawOfSearch(two, world), lawOfSearch(one, { ...world, rewards: { both } }), 1e-12);
    }
  });
  it('works over unions and masks: a classifier is one more term beside them', () => {
    const union = { op: 'union', of: ['L', 'S'] };
    for (let salt = 0; salt < 5; salt++) {
      const world = worldOf(salt);
      const { L, S } = world.models as { L: Table; S: Table };
      const scores: Table = (tokens) => {
        const [l, s] = [normalise(L(tokens)), normalise(S(tokens))];
        return l.map((score, id) => (score - 0.4 * Math.max(score, s[id]!)) / 0.6);
      };
      const A = (tokens: readonly number[]): number => world.rewards!['A']!.read(tokens, false)[0]! / 0.6;
      const law = lawOfSearch(
        formula([term(1, 'L'), term(-0.4, union)], [{ weight: 1, scorer: 'A' }], { candidates: 3 }),
        world,
      );
      expectSameLaw(law, lawByHand(world, scores, A, 3, DRAWN), 1e-12);
    }
  });
});

describe('what is asked', () => {
  it('nothing is computed but the trunk, every text is given back, and each token tells how it was judged', () => {
    const world = worldOf(3);
    const run = runSpec(formula([term(1, 'L')], [{ weight: 2, scorer: 'A' }], { candidates: 3 }), world);
    expect(run).toMatchObject({ leaked: 0, mostAlive: 1, counts: { scored: 3 * run.tokens.length } });
    expect(run.plan).toMatchObject({ branches: [1], scored: 4, biased: true });
    expect(run.requests.filter((kind) => kind === 'read')).toHaveLength(4 * run.tokens.length);
    expect(run.commits).toEqual(run.tokens.map((_, at) => at + 1));
    const told = decisions(run.traces);
    expect(told).toHaveLength(run.tokens.length);
    told.forEach(({ candidates, chosen }, at) => {
      const before = run.tokens.slice(0, at);
      const A = (tokens: readonly number[]): number => world.rewards!['A']!.read(tokens, false)[0]!;
      for (const { tokens, logprob, value, score } of candidates) {
        expect(value).toBeCloseTo(2 * (A([...before, ...tokens]) - A(before)), 12);
        expect(score).toBe(logprob + value);
      }
      if (chosen >= 0) expect(candidates[chosen]!.tokens).toEqual([run.tokens[at]]);
      else expect(candidates.map(({ tokens }) => tokens[0])).not.toContain(run.tokens[at]);
    });
  });
  it('a token that was not looked at may come, and says so', () => {
    const law = lawOfSearch(formula([term(1, 'L')], [{ weight: -50, scorer: 'C' }], { candidates: 1 }), {
      ...worldOf(1),
      rewards: { C: rewardTable((tokens) => tokens.length) },
    });
    const L = worldOf(1).models['L']!([]);
    const likeliest = L.indexOf(Math.max(...L));
    for (const [answer, probability] of law)
      if (answer.startsWith(String(likeliest))) expect(probability).toBeLessThan(1e-12);
  });
  it('without weight nobody is asked', () => {
    const { requests } = runSpec(formula([term(1, 'L')], [{ weight: 0, scorer: 'A' }]), worldOf(3));
    expect(new Set(requests)).toEqual(new Set(['sample', 'commit']));
  });
});

describe('scores', () => {
  const lawWith = (read: (tokens: readonly number[]) => number, asked: Omit<Asked, 'scorer'>): Map<string, number> =>
    lawOfSearch(formula([term(1, 'L')], [{ scorer: 'C', ...asked }]), {
      ...worldOf(5),
      rewards: { C: rewardTable(read) },
    });
  const some = randomReward(77, -3, 3);

  it('a probability, its logarithm and its logit are the same classifier', () => {
    const probability = (tokens: readonly number[]): number => 1 / (1 + Math.exp(-some(tokens)));
    const expected = lawWith((tokens) => Math.log(probability(tokens)), { weight: 1.5 });
    expectSameLaw(lawWith(probability, { weight: 1.5, scale: 'probability' }), expected, 1e-12);
    expectSameLaw(lawWith(some, { weight: 1.5, scale: 'logit' }), expected, 1e-12);
  });
  it('a logit of any size has a logarithm', () => {
    for (const size of [1e3, 1e6, -1e6])
      for (const probability of lawWith((tokens) => size + some(tokens), { weight: 1, scale: 'logit' }).values())
        expect(probability).toBeGreaterThanOrEqual(0);
  });
  it('a score of any size leaves a bias that float32 holds, and is never taken for a ban', () => {
    for (const size of [1e37, 1e300, 1.5e308])
      for (const before of [size, -size])
        for (const weight of [100, -100]) {
          const read = (tokens: readonly number[]): number =>
            tokens.length === 0 ? before : tokens[0] === 1 ? size : -size;
          const world = { ...worldOf(5), maxTokens: 1, rewards: { C: rewardTable(read) } };
          const spec = formula([term(1, 'L')], [{ weight, scorer: 'C' }]);
          expect(lawOfSearch(spec, world).get('1') ?? 0).toBe(weight > 0 ? 1 : 0);
          for (const { candidates } of decisions(runSpec(spec, world).traces))
            for (const { value } of candidates) expect(Number.isFinite(Math.fround(value))).toBe(true);
        }
  });
  it('probability 0 is not quite 0', () => {
    const law = lawWith((tokens) => (tokens[0] === 1 ? 0 : 1), { weight: 1, scale: 'probability' });
    for (const [answer, probability] of law)
      if (answer.startsWith('1')) {
        expect(probability).toBeGreaterThan(0);
        expect(probability).toBeLessThan(1e-11);
      }
  });
  it.each([
    [1.01, 'probability'],
    [-0.01, 'probability'],
    [NaN, 'log'],
    [Infinity, 'log'],
  ] as const)('%d is no %s, and the request is told so', (score, scale) => {
    expect(() => lawWith(() => score, { weight: 1, scale })).toThrow(`no ${scale}: ${score}`);
  });
  it('what a classifier forbids does not come, whatever the sign; where it forbids all it says nothing', () => {
    for (const weight of [1, -1]) {
      const one = lawWith((tokens) => (tokens.includes(1) ? -Infinity : some(tokens)), { weight });
      for (const [answer, probability] of one) if (answer.includes('1')) expect(probability).toBe(0);
      const all = lawWith(() => -Infinity, { weight });
      const plain = new Map(
        answersOf(worldOf(5), 'L').map(({ tokens, probability }) => [tokens.join(' '), probability]),
      );
      expectSameLaw(all, plain, 1e-12);
    }
  });
  it('an answer so far that is forbidden leaves the others no better than the worst that was looked at', () => {
    const law = lawOfSearch(formula([term(1, 'L')], [{ weight: 1, scorer: 'C' }], { candidates: 2 }), {
      ...worldOf(5),
      maxTokens: 1,
      rewards: { C: rewardTable((tokens) => (tokens.length === 0 ? -Infinity : some(tokens))) },
    });
    const scores = worldOf(5).models['L']!([]);
    const looked = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!).slice(0, 2);
    const worst = Math.min(...looked.map((id) => some([id])));
    const { ids, probs } = lawOf(
      scores.map((score, id) => score + (looked.includes(id) ? some([id]) - worst : 0)),
      DRAWN,
    );
    ids.forEach((id, at) => expect(law.get(String(id))).toBeCloseTo(probs[at]!, 12));
  });
});

describe('how it is written', () => {
  const options = {
    models: ['L', 'S'],
    allowNegativeWeights: false,
    endpoints: ['mine'],
    rewardModels: new Map([['A', { heads: ['score'], statistics: null }]]),
  };
  const read = (spec: object): ReturnType<typeof buildDecoding> => buildDecoding(spec, options);
  const asked = { op: 'classifier', scorer: 'A' };
  const endpoint = { kind: 'http', endpoint: 'mine' };

  it('is told whole, defaults filled in, and read again as what it was', () => {
    const { effective, method, search } = read(formula([term(1, 'L')], [{ weight: 0.5, scorer: 'A' }]));
    expect(method).toBe('formula');
    expect(effective).toEqual({
      method: 'formula',
      normalise: true,
      candidates: 50,
      expression: {
        op: 'sum',
        terms: [
          { weight: 1, of: 'L' },
          { weight: 0.5, of: { op: 'classifier', scorer: { kind: 'reward', model: 'A' }, scale: 'log' } },
        ],
      },
    });
    expect(read(effective)).toMatchObject({ effective, search });
  });
  it('its formula is told whole, divided as it is drawn from', () => {
    const terms = [term(1, 'L'), term(-0.5, 'S'), term(1.5, asked), term(-0.5, { ...asked, scorer: endpoint })];
    expect(formulaOf(read({ method: 'formula', expression: { op: 'sum', terms } }))).toBe(
      '2·L − S + 3·log C(A) − log C(mine)',
    );
  });
  it.each([
    ['alone', asked, 'expression.op', 'a term of the sum at the root'],
    [
      'with no distribution beside it',
      { op: 'sum', terms: [term(1, asked)] },
      'expression.terms',
      'add a distribution',
    ],
    ['in a union', { op: 'union', of: ['L', asked] }, 'expression.of[1].op', 'a term of the sum at the root'],
    [
      'in a sum that is no root',
      { op: 'sum', terms: [term(1, 'L'), term(1, { op: 'sum', terms: [term(1, 'S'), term(1, asked)] })] },
      'expression.terms[1].of.terms[1].of.op',
      'a term of the sum at the root',
    ],
    [
      'inside another method',
      { op: 'sum', terms: [term(1, formula([term(1, 'L')], [{ weight: 1, scorer: 'A' }]))] },
      'expression.terms[0].of.method',
      'A search decides token by token',
    ],
    [
      'without scorer',
      { op: 'sum', terms: [term(1, 'L'), term(1, { op: 'classifier' })] },
      'expression.terms[1].of.scorer',
      'missing',
    ],
    [
      'of an unknown scorer',
      { op: 'sum', terms: [term(1, 'L'), term(1, { ...asked, scorer: 'B' })] },
      'expression.terms[1].of.scorer',
      'Use one of "A"',
    ],
    [
      'of an unknown scale',
      { op: 'sum', terms: [term(1, 'L'), term(1, { ...asked, scale: 'logits' })] },
      'expression.terms[1].of.scale',
      '"logit"',
    ],
    [
      'with a key of something else',
      { op: 'sum', terms: [term(1, 'L'), term(1, { ...asked, model: 'A' })] },
      'expression.terms[1].of.model',
      'The operator "classifier" has',
    ],
    [
      'among more operators than an expression may have',
      { op: 'sum', terms: [term(1, 'L'), ...Array.from({ length: 128 }, () => term(1, asked))] },
      'expression.terms[128].of',
      'at most 128 operators',
    ],
    [
      'beside coefficients that cancel',
      { op: 'sum', terms: [term(1, 'L'), term(-1, 'S'), term(3, asked)] },
      'expression',
      'must add up to more than 0',
    ],
    [
      'of an ensemble that only compares',
      {
        op: 'sum',
        terms: [term(1, 'L'), term(1, { ...asked, scorer: { kind: 'ensemble', members: ['A'], aggregate: 'min' } })],
      },
      'expression',
      '"centre": false',
    ],
  ])('%s it is refused, with the place', (_, expression, path, message) => {
    expect(() => read({ method: 'formula', expression })).toThrow(message);
    expect(() => read({ method: 'formula', expression })).toThrow(`decoding.${path}: `);
  });
  it('without a classifier a formula is a distribution and has no candidates', () => {
    expect(read(formula([term(1, 'L')], [])).search).toBeNull();
    expect(() => read(formula([term(1, 'L')], [], { candidates: 3 }))).toThrow('unknown key');
  });
});
