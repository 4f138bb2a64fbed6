// args on a world that can be enumerated: what it takes is worked out here from the tables, one decision after the other (T11, T12, and the
// identity with emulated fine-tuning of methods.md §17).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logits } from '../../../decoders/expr.js';
import type { Scorer } from '../../../decoders/plan.js';
import { normalise } from '../../../decoders/rows.js';
import { implicit } from '../../../decoders/scorers/implicit.js';
import type { PlanContext } from '../../../decoders/search-method.js';
import { args } from '../../../decoders/searches/args.js';
import { expectClose } from '../../support/laws.js';
import {
  answerLaw,
  completions,
  decisions,
  DRAWN,
  endOf,
  greedyFrom,
  randomReward,
  randomTable,
  runToy,
  table,
  type Table,
  type Toy,
} from '../../support/search-toy.js';

function toy(salt: number, vocabSize = 6): Toy {
  return {
    vocabSize,
    maxTokens: 4,
    models: { L: randomTable(salt, vocabSize) },
    rewards: [randomReward(salt + 1), () => 0.7],
  };
}
const spec = { inner: 'L', reward: table(0) };
const salts = fc.integer({ min: 0, max: 2 ** 30 });
const L = ({ models }: Toy): Table => models['L']!;

/** The answer at temperature 0 by the equation, with no search. */
function byHand(world: Toy, candidates: number, weight: number, block: number): number[] {
  let tokens: number[] = [];
  while (tokens.at(-1) !== endOf(world) && tokens.length < world.maxTokens) {
    const logprobs = normalise(L(world)(tokens));
    const likeliest = [...logprobs.keys()].sort((a, b) => logprobs[b]! - logprobs[a]!).slice(0, candidates);
    const options = likeliest.map((id) => {
      const text = greedyFrom(world, L(world), [...tokens, id], block - 1);
      return { text, score: logprobs[id]! + weight * world.rewards[0]!(text) };
    });
    tokens = options.reduce((best, option) => (option.score > best.score ? option : best)).text;
  }
  return tokens;
}

describe('at temperature 0', () => {
  it('takes the greatest log-probability + weight · reward of the likeliest, block by block', () => {
    fc.assert(
      fc.property(
        salts,
        fc.integer({ min: 1, max: 7 }),
        fc.constantFrom(0, 0.5, 1, 4, 30),
        fc.integer({ min: 1, max: 5 }),
        (salt, candidates, reward_weight, block) => {
          const world = toy(salt);
          const { tokens, leaked, plan, mostAlive, commits } = runToy(
            args,
            { ...spec, candidates, reward_weight, block },
            world,
          );
          expect(tokens).toEqual(byHand(world, candidates, reward_weight, block));
          expect(leaked).toBe(0);
          expect(mostAlive).toBeLessThanOrEqual(plan.branches[0]!);
          expect(commits).toHaveLength(Math.ceil(tokens.length / block));
        },
      ),
    );
  });
  it('is greedy with weight 0, with one candidate and with a reward that never changes', () => {
    for (let salt = 0; salt < 40; salt++) {
      const world = toy(salt);
      const greedy = greedyFrom(world, L(world), [], world.maxTokens);
      for (const more of [{ reward_weight: 0 }, { candidates: 1 }, { reward: table(1), reward_weight: 1000 }])
        for (const block of [1, 2]) expect(runToy(args, { ...spec, ...more, block }, world).tokens).toEqual(greedy);
    }
  });
  it('takes the best reward of the likeliest with a great weight', () => {
    for (let salt = 0; salt < 40; salt++) {
      const world = toy(salt);
      const { traces } = runToy(args, { ...spec, candidates: 3, reward_weight: 1000 }, world);
      for (const { candidates, chosen } of decisions(traces))
        expect(candidates[chosen]!.value).toBe(Math.max(...candidates.map(({ value }) => value)));
    }
  });
  it('a bounded reward skips places and changes no answer', () => {
    let [skipped, scored] = [0, 0];
    fc.assert(
      fc.property(salts, fc.constantFrom(0.1, 0.3, 1), fc.integer({ min: 1, max: 3 }), (salt, reward_weight, block) => {
        const world = toy(salt);
        const request = { ...spec, reward_weight, block };
        const plain = runToy(args, request, world);
        expect(plain.counts['skipped'] ?? 0).toBe(0);
        for (const bounded of [{ reward: table(0, [-1, 1]) }, { reward_range: [-1, 1] }]) {
          const run = runToy(args, { ...request, ...bounded }, world);
          expect(run.tokens).toEqual(plain.tokens);
          skipped += run.counts['skipped'] ?? 0;
          scored += run.counts['scored'] ?? 0;
        }
      }),
    );
    expect(skipped).toBeGreaterThan(50);
    expect(scored).toBeGreaterThan(50);
  });
  it('cuts rewards to the range that is given', () => {
    for (let salt = 0; salt < 40; salt++) {
      const world = toy(salt);
      const reward = world.rewards[0]!;
      const cut: Toy = { ...world, rewards: [(tokens) => Math.min(0.2, Math.max(-0.1, reward(tokens)))] };
      expect(runToy(args, { ...spec, reward_weight: 4, reward_range: [-0.1, 0.2] }, world).tokens).toEqual(
        runToy(args, { ...spec, reward_weight: 4 }, cut).tokens,
      );
    }
  });
});

describe('above temperature 0', () => {
  const all = { ...spec, candidates: 6 };

  it('every next token has the law softmax((log-probability + weight · reward) / temperature), filtered as the request filters', () => {
    for (let salt = 0; salt < 20; salt++) {
      const world = toy(salt);
      for (const temperature of [0.5, 1, 2])
        for (const [topK, kept] of [
          [0, 6],
          [2, 2],
        ] as const) {
          const sampling = { ...DRAWN, temperature, topK };
          const { traces } = runToy(args, { ...all, reward_weight: 2 }, world, { sampling });
          for (const { candidates } of decisions(traces)) {
            const best = [...candidates].sort((a, b) => b.score - a.score).slice(0, kept);
            const total = best.reduce((sum, { score }) => sum + Math.exp(score / temperature), 0);
            for (const candidate of candidates) {
              expect(candidate.score).toBeCloseTo(candidate.logprob + 2 * candidate.value, 12);
              const expected = best.includes(candidate) ? Math.exp(candidate.score / temperature) / total : 0;
              expect(candidate.chance).toBeCloseTo(expected, 12);
            }
          }
        }
    }
  });
  it('a reward that never changes, or weight 0, leaves the law of plain decoding', () => {
    for (let salt = 0; salt < 4; salt++) {
      const world = { ...toy(salt), maxTokens: 3 };
      for (const more of [{ reward_weight: 0 }, { reward: table(1), reward_weight: 3 }]) {
        const law = answerLaw((change) => runToy(args, { ...all, ...more }, world, change));
        for (const { tokens, probability } of completions(world, L(world), []))
          expect(law.get(tokens.join(' '))).toBeCloseTo(probability, 12);
      }
    }
  });
  it('with what a tuned model adds for each token as reward, it is emulated fine-tuning', () => {
    for (let salt = 0; salt < 4; salt++)
      for (const weight of [0.5, 1, 1.7]) {
        const [F, S] = [randomTable(salt + 50, 4), randomTable(salt + 90, 4)];
        const world: Toy = {
          ...toy(salt, 4),
          maxTokens: 3,
          // log F − log S of the last token: the part of Σ log F − log S that it brings.
          rewards: [
            (tokens) => {
              const [before, last] = [tokens.slice(0, -1), tokens.at(-1)!];
              return normalise(F(before))[last]! - normalise(S(before))[last]!;
            },
          ],
        };
        const steered: Table = (tokens) => {
          const [l, f, s] = [L(world)(tokens), F(tokens), S(tokens)];
          return l.map((score, id) => score + weight * (f[id]! - s[id]!));
        };
        const request = { ...spec, candidates: 4, reward_weight: weight };
        const law = answerLaw((change) => runToy(args, request, world, change));
        const expected = completions(world, steered, []);
        expect(law.size).toBe(expected.length);
        for (const { tokens, probability } of expected) expect(law.get(tokens.join(' '))).toBeCloseTo(probability, 12);
      }
  });
  it('likewise with the implicit scorer, which sums over the answer: what it had before is the same for all candidates', () => {
    for (let salt = 0; salt < 3; salt++) {
      const models = { L: randomTable(salt, 4), F: randomTable(salt + 50, 4), S: randomTable(salt + 90, 4) };
      const world: Toy = { ...toy(salt, 4), models, maxTokens: 3 };
      const reward = (planning: PlanContext): Scorer =>
        implicit.build({ tuned: { scores: logits('F') }, reference: { scores: logits('S') }, weight: 1.3 }, planning);
      const law = answerLaw((change) => runToy(args, { ...spec, candidates: 4, reward }, world, change));
      const steered: Table = (tokens) => {
        const [l, f, s] = [models.L(tokens), models.F(tokens), models.S(tokens)];
        return l.map((score, id) => score + 1.3 * (f[id]! - s[id]!));
      };
      for (const { tokens, probability } of completions(world, steered, []))
        expect(law.get(tokens.join(' '))).toBeCloseTo(probability, 12);
    }
  });
  it('one candidate is greedy; the drawn tokens are those of the seed', () => {
    const world = toy(3);
    const draw = (seed: number, more: object = {}): readonly number[] =>
      runToy(args, { ...all, ...more }, world, { sampling: DRAWN, seed }).tokens;
    expect(draw(1, { candidates: 1 })).toEqual(greedyFrom(world, L(world), [], world.maxTokens));
    const answers = Array.from({ length: 30 }, (_, seed) => draw(seed));
    expect(Array.from({ length: 30 }, (_, seed) => draw(seed))).toEqual(answers);
    expect(new Set(answers.map((tokens) => tokens.join(' '))).size).toBeGreaterThan(10);
  });
  it('draws with the chances that it tells', () => {
    const world = { ...toy(5), maxTokens: 1 };
    const draws = 4000;
    const counts = new Array<number>(6).fill(0);
    for (let seed = 0; seed < draws; seed++) {
      const [token = -1] = runToy(args, { ...all, reward_weight: 2 }, world, { sampling: DRAWN, seed }).tokens;
      counts[token]!++;
    }
    const law = answerLaw((change) => runToy(args, { ...all, reward_weight: 2 }, world, change));
    // Hoeffding for six tokens together: P(off by more) < 6 · 2·exp(−2·4000·0.05²) ≈ 2e-8.
    expectClose(
      counts.map((count) => count / draws),
      counts.map((_, id) => law.get(String(id))!),
      0.05,
    );
  });
});

describe('a reward of −∞, which forbids an answer', () => {
  const forbidding = (forbidden: readonly number[]): Toy => ({
    ...toy(5),
    rewards: [(tokens) => (forbidden.includes(tokens.at(-1)!) ? -Infinity : 0.5)],
  });
  const law = (world: Toy, more: object): ReadonlyMap<string, number> =>
    answerLaw((change) => runToy(args, { ...spec, candidates: 6, ...more }, { ...world, maxTokens: 1 }, change));
  const plain = (world: Toy, allowed: readonly number[]): [string, number][] => {
    const logprobs = normalise(L(world)([]).map((score, id) => (allowed.includes(id) ? score : -Infinity)));
    return allowed.map((id) => [String(id), Math.exp(logprobs[id]!)]);
  };
  const expectLaw = (got: ReadonlyMap<string, number>, expected: readonly [string, number][]): void => {
    expect([...got.keys()].sort()).toEqual(expected.map(([text]) => text));
    for (const [text, probability] of expected) expect(got.get(text)).toBeCloseTo(probability, 12);
  };
  it('takes its candidate out, and no other', () => {
    const world = forbidding([1, 4]);
    expectLaw(law(world, {}), plain(world, [0, 2, 3, 5]));
    expect(runToy(args, { ...spec, candidates: 6 }, world).tokens.some((id) => id === 1 || id === 4)).toBe(false);
  });
  it('has no say at weight 0, nor where it is that of all of them', () => {
    const everyone = [0, 1, 2, 3, 4, 5];
    expectLaw(law(forbidding([1, 4]), { reward_weight: 0 }), plain(toy(5), everyone));
    expectLaw(law(forbidding(everyone), {}), plain(toy(5), everyone));
    const world = forbidding(everyone);
    expect(runToy(args, spec, world).tokens).toEqual(greedyFrom(world, L(world), [], world.maxTokens));
  });
});

it('where everything is forbidden the engine’s own rule decides', () => {
  const world: Toy = { ...toy(1), models: { L: () => new Float64Array(6).fill(-Infinity) } };
  const { tokens, leaked } = runToy(args, spec, world);
  expect(tokens).toHaveLength(world.maxTokens);
  expect(leaked).toBe(0);
});
