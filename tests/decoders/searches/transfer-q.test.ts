// transfer_q on a world that can be enumerated: values against expectations over all answers, decisions against the equation worked out from
// the tables, and the identities of methods.md §4.8 (T8-T12).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalise } from '../../../decoders/rows.js';
import { args } from '../../../decoders/searches/args.js';
import { betterHalf, horizonsOf } from '../../../decoders/searches/halving.js';
import { valueOf } from '../../../decoders/searches/importance.js';
import { transferQ } from '../../../decoders/searches/transfer-q.js';
import {
  completions,
  decisions,
  DRAWN,
  endOf,
  expectation,
  GREEDY,
  greedyFrom,
  lawAfter,
  planToy,
  randomReward,
  randomTable,
  runToy,
  table,
  type Reward,
  type Table,
  type Toy,
} from '../../support/search-toy.js';

function toy(salt: number, vocabSize = 6, maxTokens = 4): Toy {
  return {
    vocabSize,
    maxTokens,
    models: { L: randomTable(salt, vocabSize), B: randomTable(salt + 1, vocabSize) },
    rewards: [randomReward(salt + 2), randomReward(salt + 3), () => 0.7],
  };
}
const spec = { proposal: 'L', baseline: 'B', reward: table(0), lookahead: 4 };
const sampled = { rollout_sampling: 'sampled' };
const indirect = { transfer: 'indirect', baseline_reward: table(1) };
const salts = fc.integer({ min: 0, max: 2 ** 30 });
const model = ({ models }: Toy, name: string): Table => models[name]!;

interface Request {
  readonly baseline: string;
  readonly candidates: number;
  readonly lookahead: number;
  readonly block: number;
  readonly weight: number;
  readonly halving?: boolean;
}

/** The answer with greedy choice and greedy rollouts by the equation, with no search. */
function byHand(world: Toy, { baseline, candidates, lookahead, block, weight, halving = false }: Request): number[] {
  let tokens: number[] = [];
  while (tokens.at(-1) !== endOf(world) && tokens.length < world.maxTokens) {
    const logprobs = normalise(model(world, 'L')(tokens));
    const likeliest = [...logprobs.keys()].sort((a, b) => logprobs[b]! - logprobs[a]!).slice(0, candidates);
    let options = likeliest.map((id) => ({
      id,
      text: greedyFrom(world, model(world, 'L'), [...tokens, id], block - 1),
    }));
    const ahead = Math.max(0, lookahead - block + 1);
    const horizons = halving ? horizonsOf(options.length, ahead) : [ahead];
    for (const [round, horizon] of horizons.entries()) {
      const scored = options.map((option) => {
        const seen = greedyFrom(world, model(world, baseline), option.text, horizon);
        return { ...option, score: logprobs[option.id]! + weight * world.rewards[0]!(seen) };
      });
      const isLast = round === horizons.length - 1;
      options = isLast ? [scored.reduce((best, one) => (one.score > best.score ? one : best))] : betterHalf(scored);
    }
    tokens = options[0]!.text;
  }
  return tokens;
}

const requests: fc.Arbitrary<Request> = fc.record({
  baseline: fc.constantFrom('L', 'B'),
  candidates: fc.integer({ min: 1, max: 7 }),
  lookahead: fc.integer({ min: 0, max: 5 }),
  block: fc.integer({ min: 1, max: 4 }),
  weight: fc.constantFrom(0, 0.5, 2, 30),
});

describe('greedy choice, greedy rollouts', () => {
  it('takes the greatest log-probability + weight · reward of the rollout, with what is kept of the winner or without', () => {
    let saved = 0;
    fc.assert(
      fc.property(salts, requests, (salt, { weight, ...request }) => {
        const world = toy(salt, 6, 5);
        const given = { ...spec, ...request, reward_weight: weight };
        const runs = [true, false].map((reuse) => runToy(transferQ, { ...given, reuse }, world));
        for (const { tokens, leaked, mostAlive, plan, commits } of runs) {
          expect(tokens).toEqual(byHand(world, { weight, ...request }));
          expect(leaked).toBe(0);
          expect(mostAlive).toBeLessThanOrEqual(plan.branches.reduce((sum, each) => sum + each, 0));
          expect(commits).toHaveLength(Math.ceil(tokens.length / request.block));
        }
        saved += runs[1]!.tokensGrown - runs[0]!.tokensGrown;
        expect(runs[0]!.tokensGrown).toBeLessThanOrEqual(runs[1]!.tokensGrown);
      }),
    );
    expect(saved).toBeGreaterThan(40);
  });
  it('what is kept of the winner saves its rollout: one in so many candidates where proposal and baseline are one', () => {
    const world: Toy = { ...toy(1, 40, 30), rewards: [() => 0] };
    // No end in sight, so that every rollout has its whole length.
    const endless: Table = (tokens) => {
      const scores = randomTable(1, 40)(tokens);
      scores[39] = -50;
      return scores;
    };
    const run = (reuse: boolean): number =>
      runToy(
        transferQ,
        { ...spec, baseline: 'L', lookahead: 5, candidates: 4, reuse },
        { ...world, models: { L: endless } },
      ).tokensGrown;
    // 24 places with the whole look-ahead, and 5 before the limit of tokens; the first one has nothing to go on with.
    const whole = (places: number, candidates: number): number => places * candidates * (1 + 5);
    const short = [5, 4, 3, 2, 1].reduce((sum, length) => sum + length, 0);
    expect(run(false)).toBe(30 + whole(25, 4) + 4 * short);
    expect(run(true)).toBe(30 + whole(1, 4) + whole(24, 3) + 24 + 3 * short);
  });
  it('halving keeps the better half of each round', () => {
    let saved = 0;
    fc.assert(
      fc.property(salts, requests, (salt, { weight, ...request }) => {
        fc.pre(request.lookahead >= request.block);
        const world = toy(salt, 6, 6);
        const given = { ...spec, ...request, reward_weight: weight };
        const [whole, halved] = [false, true].map((halving) => runToy(transferQ, { ...given, halving }, world));
        expect(halved!.tokens).toEqual(byHand(world, { weight, ...request, halving: true }));
        expect(halved!.leaked).toBe(0);
        saved += whole!.tokensGrown - halved!.tokensGrown;
      }),
    );
    expect(saved).toBeGreaterThan(40);
  });
  it('halving judges what was kept of the winner by no more than the round looks at', () => {
    for (let salt = 0; salt < 40; salt++) {
      const endless: Record<string, Table> = {};
      for (const name of ['L', 'B'])
        endless[name] = (tokens) => {
          const scores = randomTable(salt + name.charCodeAt(0), 6)(tokens);
          scores[5] = -50;
          return scores;
        };
      const world: Toy = { ...toy(salt), models: endless, maxTokens: 14 };
      const request = { baseline: 'B', candidates: 5, lookahead: 8, block: 1 };
      expect(runToy(transferQ, { ...spec, ...request, reward_weight: 2, halving: true }, world).tokens).toEqual(
        byHand(world, { ...request, weight: 2, halving: true }),
      );
    }
  });
  it('rounds of halving: ten candidates, twenty tokens', () => {
    expect(horizonsOf(10, 20)).toEqual([5, 10, 20]);
    expect(horizonsOf(3, 20)).toEqual([20]);
    expect(horizonsOf(64, 2)).toEqual([1, 2]);
    expect(betterHalf([3, 1, 2, 3, 2].map((score, id) => ({ id, score }))).map(({ id }) => id)).toEqual([0, 2, 3]);
  });
  it('a bounded reward skips places and changes no answer, with blocks and halving too', () => {
    let [skipped, scored] = [0, 0];
    const weights = fc.constantFrom(0.1, 0.3, 1);
    fc.assert(
      fc.property(salts, requests, weights, fc.boolean(), (salt, request, reward_weight, halving) => {
        const { weight: _, ...fields } = request;
        const given = { ...spec, ...fields, reward_weight, halving: halving && request.lookahead >= request.block };
        const plain = runToy(transferQ, given, toy(salt));
        for (const bounded of [{ reward: table(0, [-1, 1]) }, { reward_range: [-1, 1] }]) {
          const run = runToy(transferQ, { ...given, ...bounded }, toy(salt));
          expect(run.tokens).toEqual(plain.tokens);
          expect(run.leaked).toBe(0);
          skipped += run.counts['skipped'] ?? 0;
          scored += run.counts['scored'] ?? 0;
        }
      }),
    );
    expect(skipped).toBeGreaterThan(50);
    expect(scored).toBeGreaterThan(50);
  });
  it('is greedy with weight 0, with one candidate and with a reward that never changes', () => {
    for (let salt = 0; salt < 30; salt++) {
      const world = toy(salt);
      const greedy = greedyFrom(world, model(world, 'L'), [], world.maxTokens);
      for (const more of [{ reward_weight: 0 }, { candidates: 1 }, { reward: table(2), reward_weight: 1000 }])
        for (const block of [1, 3])
          expect(runToy(transferQ, { ...spec, ...more, block }, world).tokens).toEqual(greedy);
      // Nor is anything judged that has no weight.
      expect(runToy(transferQ, { ...spec, reward_weight: 0 }, world).counts).toEqual({ skipped: greedy.length });
    }
  });
});

describe('the value of a candidate', () => {
  const rollouts = 60;
  const many = { ...spec, ...sampled, rollouts, candidates: 6, lookahead: 3 };
  /** The bound that a mean of `rollouts` numbers within a range of 2 breaks once in 10^7. */
  const band = 2 * Math.sqrt(Math.log(2e7) / (2 * rollouts));

  it('direct: the expected reward of the baseline’s answers', () => {
    let worst = 0;
    for (let salt = 0; salt < 8; salt++) {
      const world = toy(salt, 6, 3);
      const run = runToy(transferQ, { ...many, reward_weight: 3 }, world);
      expect(run.leaked).toBe(0);
      let at = 0;
      for (const { candidates, chosen } of decisions(run.traces)) {
        for (const { tokens, value } of candidates) {
          const path = [...run.tokens.slice(0, at), ...tokens];
          const expected = expectation(completions(world, model(world, 'B'), path), world.rewards[0]!);
          expect(Math.abs(value - expected)).toBeLessThan(path.at(-1) === endOf(world) ? 1e-12 : band);
          worst = Math.max(worst, Math.abs(value - expected));
        }
        at += candidates[chosen]!.tokens.length;
      }
    }
    // They were drawn, after all.
    expect(worst).toBeGreaterThan(0.01);
  });
  it('all tokens as candidates, temperature 1: the law is proposal · exp(value / α) / C, by the values and within the band of the expected ones', () => {
    const alpha = 0.5;
    for (let salt = 0; salt < 8; salt++) {
      const world = toy(salt, 6, 3);
      const run = runToy(transferQ, { ...many, reward_weight: 1 / alpha }, world, { sampling: DRAWN, seed: salt });
      const [first] = decisions(run.traces);
      const prior = lawAfter(model(world, 'L'), []);
      const closed = (value: (token: number) => number): number[] => {
        const raw = Array.from(prior, (probability, token) => probability * Math.exp(value(token) / alpha));
        return raw.map((one) => one / raw.reduce((sum, each) => sum + each, 0));
      };
      const told = closed((token) => first!.candidates.find(({ tokens: [id] }) => id === token)!.value);
      const expected = closed((token) =>
        expectation(completions(world, model(world, 'B'), [token]), world.rewards[0]!),
      );
      for (const { tokens, chance } of first!.candidates) {
        expect(chance).toBeCloseTo(told[tokens[0]!]!, 12);
        // Values that are off by at most `band` change a probability by at most this factor.
        const ratio = chance / expected[tokens[0]!]!;
        expect(Math.abs(Math.log(ratio))).toBeLessThan((2 * band) / alpha);
      }
    }
  });
  it('a rollout is as long as the look-ahead, and greedy where it is told', () => {
    const world = toy(4, 6, 8);
    for (const lookahead of [1, 2, 3])
      for (const { candidates } of decisions(runToy(transferQ, { ...spec, lookahead }, world).traces).slice(0, 1))
        for (const { tokens, value } of candidates)
          expect(value).toBe(world.rewards[0]!(greedyFrom(world, model(world, 'B'), tokens, lookahead)));
  });
  it('indirect, self-normalised: the expected reward under the law that its own alignment would have', () => {
    const inverseBeta = 1.5;
    const world = toy(11, 5, 3);
    const [r, b] = [world.rewards[0]!, world.rewards[1]!];
    const given = { ...many, ...indirect, inverse_beta: inverseBeta, rollouts: 64, candidates: 5 };
    const told = new Map<number, number[]>();
    const unweighted = new Map<number, number>();
    for (let seed = 0; seed < 40; seed++)
      for (const { tokens, value } of decisions(runToy(transferQ, given, world, { seed }).traces)[0]!.candidates)
        told.set(tokens[0]!, [...(told.get(tokens[0]!) ?? []), value]);
    for (const [token, values] of told) {
      const answers = completions(world, model(world, 'B'), [token]);
      const weighed = (of: Reward): number =>
        expectation(answers, (tokens) => Math.exp((r(tokens) - b(tokens)) * inverseBeta) * of(tokens));
      const expected = weighed(r) / weighed(() => 1);
      unweighted.set(token, Math.abs(weighed(r) - expected));
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(Math.abs(mean - expected)).toBeLessThan(0.08);
    }
    expect(Math.max(...unweighted.values())).toBeGreaterThan(0.5);
  });
});

describe('importance weights', () => {
  /** Rollouts of equal weight whose shares are the law of a reference: every multiple of 1/16 is a number of copies. */
  const beta = 2;
  const copies = [5, 1, 7, 3];
  const rewards = [0.9, -1.4, 0.2, 2.1];
  const other = [-0.3, 0.8, 1.1, 0.4];
  const spread = (values: readonly number[]): number[] =>
    values.flatMap((value, index) => new Array<number>(copies[index]!).fill(value));
  const law = copies.map((count) => count / 16);
  /** reference · exp(reward / β), normalised. */
  const aligned = (reward: readonly number[]): number[] => {
    const raw = law.map((probability, index) => probability * Math.exp(reward[index]! / beta));
    return raw.map((one) => one / raw.reduce((sum, each) => sum + each, 0));
  };
  const mean = (probabilities: readonly number[], values: readonly number[]): number =>
    probabilities.reduce((sum, probability, index) => sum + probability * values[index]!, 0);
  const zeros = new Array<number>(16).fill(0);

  it('from the untuned model’s own rollouts they give Q*, which is the soft value + β · KL', () => {
    const best = aligned(rewards);
    const q = valueOf(spread(rewards), zeros, 'self_normalised', 1 / beta);
    expect(q).toBeCloseTo(mean(best, rewards), 12);
    const soft =
      beta *
      Math.log(
        mean(
          law,
          rewards.map((reward) => Math.exp(reward / beta)),
        ),
      );
    const kl = mean(
      best,
      best.map((probability, index) => Math.log(probability / law[index]!)),
    );
    expect(q).toBeCloseTo(soft + beta * kl, 12);
    // The mean weight that the unnormalised form leaves in is exp(soft / β), which differs between candidates.
    expect(valueOf(spread(rewards), zeros, 'code', 1 / beta)).toBeCloseTo(q * Math.exp(soft / beta), 12);
  });
  it('exp(soft value / β) gives the marginal of the best answers, token by token', () => {
    const world = toy(21, 4, 3);
    const [r, reference] = [world.rewards[0]!, model(world, 'L')];
    const answers = completions(world, reference, []);
    const raw = answers.map(({ tokens, probability }) => probability * Math.exp(r(tokens) / beta));
    const total = raw.reduce((sum, each) => sum + each, 0);
    const softValue = (start: number[]): number =>
      beta * Math.log(expectation(completions(world, reference, start), (tokens) => Math.exp(r(tokens) / beta)));
    for (let token = 0; token < 4; token++) {
      const marginal = answers.reduce((sum, { tokens }, at) => sum + (tokens[0] === token ? raw[at]! / total : 0), 0);
      const step = lawAfter(reference, [])[token]! * Math.exp((softValue([token]) - softValue([])) / beta);
      expect(step).toBeCloseTo(marginal, 12);
    }
  });
  it('from rollouts aligned with one reward they give the value under another', () => {
    const baseline = aligned(other);
    const target = aligned(rewards);
    // As many rollouts as their law says, to within a 10^5th.
    const counts = baseline.map((probability) => Math.round(probability * 2e5));
    const drawn = (values: readonly number[]): number[] =>
      values.flatMap((value, index) => new Array<number>(counts[index]!).fill(value));
    const value = valueOf(drawn(rewards), drawn(other), 'self_normalised', 1 / beta);
    expect(value).toBeCloseTo(mean(target, rewards), 4);
    expect(Math.abs(valueOf(drawn(rewards), drawn(other), 'none', 1 / beta) - value)).toBeGreaterThan(0.1);
    expect(Math.abs(valueOf(drawn(rewards), drawn(other), 'code', 1 / beta) - value)).toBeGreaterThan(0.1);
  });
  it('equal rewards are direct transfer; a constant in both moves the value by it; great exponents do no harm', () => {
    const numbers = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(numbers, fc.double({ min: 0, max: 3, noNaN: true }), (r, inverseBeta) => {
        const own = valueOf(r, r, 'self_normalised', inverseBeta);
        expect(own).toBeCloseTo(valueOf(r, [], 'none', inverseBeta), 10);
        const b = r.map((one, index) => Math.sin(one + index));
        const shifted = valueOf(
          r.map((one) => one + 3),
          b,
          'self_normalised',
          inverseBeta,
        );
        expect(shifted - 3).toBeCloseTo(valueOf(r, b, 'self_normalised', inverseBeta), 10);
        expect(valueOf([1000, 999], [0, 0], 'self_normalised', 3)).toBeCloseTo(1000 - 1 / (1 + Math.exp(3)), 10);
      }),
    );
  });
  it('a forbidden answer (−∞) has no weight among others, and is the value where there are no others', () => {
    expect(valueOf([1, -Infinity, 3], [0, 0, 0], 'self_normalised', 1)).toBe(
      valueOf([1, 3], [0, 0], 'self_normalised', 1),
    );
    expect(valueOf([-Infinity, -Infinity], [0, 1], 'self_normalised', 1)).toBe(-Infinity);
    expect(valueOf([1, -Infinity], [0, 0], 'code', 1)).toBe(valueOf([1], [0], 'code', 1) / 2);
    expect(valueOf([1, -Infinity], [], 'none', 1)).toBe(-Infinity);
  });
  it('the published form is not monotone in the reward, and a constant changes its order', () => {
    const code = (r: number): number => valueOf([r], [0], 'code', 0.5);
    expect(code(-2)).toBeLessThan(code(-3));
    expect(code(-2)).toBeLessThan(code(-6));
    expect(code(-3)).toBeCloseTo(-3 * Math.exp(-1.5), 12);
  });
});

describe('identities of the whole search', () => {
  it('with nothing looked ahead it is args: tokens, chances and story', () => {
    fc.assert(
      fc.property(salts, requests, fc.boolean(), fc.boolean(), (salt, { weight, ...request }, isDrawn, bounded) => {
        const world = toy(salt);
        const { candidates, block } = request;
        const shared = { candidates, block, reward_weight: weight, reward: table(0, bounded ? [-1, 1] : null) };
        const change = isDrawn ? { sampling: DRAWN, seed: salt } : {};
        const ahead = runToy(
          transferQ,
          { ...spec, baseline: 'B', ...shared, lookahead: Math.min(block - 1, request.lookahead) },
          world,
          change,
        );
        const without = runToy(args, { inner: 'L', ...shared }, world, change);
        expect(ahead.tokens).toEqual(without.tokens);
        expect(ahead.traces).toEqual(without.traces);
        expect(ahead.counts).toEqual(without.counts);
        expect(ahead.plan.branches).toEqual(without.plan.branches);
      }),
    );
  });
  it('rewards of baseline and target alike: indirect is direct, under each seed', () => {
    for (let seed = 0; seed < 20; seed++) {
      const given = { ...spec, ...sampled, rollouts: 4, reward_weight: 2 };
      const direct = runToy(transferQ, given, toy(seed), { seed });
      const alike = runToy(transferQ, { ...given, ...indirect, baseline_reward: table(0) }, toy(seed), { seed });
      expect(alike.tokens).toEqual(direct.tokens);
      const values = (run: typeof direct): number[] =>
        decisions(run.traces).flatMap(({ candidates }) => candidates.map(({ value }) => value));
      values(direct).forEach((value, at) => expect(values(alike)[at]).toBeCloseTo(value, 12));
      // "none" pays for no weights, and has none.
      expect(runToy(transferQ, { ...given, ...indirect, importance: 'none' }, toy(seed), { seed })).toEqual(direct);
    }
  });
  it('bounds skip nothing where tokens are drawn, nor where the published form leaves them', () => {
    for (let seed = 0; seed < 30; seed++) {
      const given = { ...spec, reward_weight: 0.3 };
      const code = { ...given, ...indirect, importance: 'code', inverse_beta: 2 };
      for (const [request, sampling] of [
        [given, DRAWN],
        [code, GREEDY],
      ] as const) {
        const [free, bounded] = [table(0), table(0, [-1, 1])].map((reward) =>
          runToy(transferQ, { ...request, reward }, toy(seed), { seed, sampling }),
        );
        expect(bounded!.traces).toEqual(free!.traces);
        expect(bounded!.counts).toEqual(free!.counts);
      }
    }
  });
  it('a constant added to the reward changes nothing, but in the published form', () => {
    let changed = 0;
    for (let seed = 0; seed < 30; seed++) {
      const world = toy(seed);
      const [r, b] = [world.rewards[0]!, world.rewards[1]!];
      const shifted = { ...world, rewards: [(tokens: readonly number[]) => r(tokens) - 4, b] };
      const given = { ...spec, reward_weight: 4 };
      const many = { ...given, ...sampled, ...indirect, rollouts: 3 };
      for (const request of [given, many])
        expect(runToy(transferQ, request, shifted, { seed }).tokens).toEqual(
          runToy(transferQ, request, world, { seed }).tokens,
        );
      const code = { ...given, ...indirect, importance: 'code' };
      const [before, after] = [world, shifted].map((each) => runToy(transferQ, code, each).tokens.join(' '));
      changed += before === after ? 0 : 1;
    }
    expect(changed).toBeGreaterThan(3);
  });
  it('rollouts and draws are those of the seed', () => {
    const given = { ...spec, ...sampled, rollouts: 2, block: 2 };
    const draw = (seed: number): ReturnType<typeof runToy> =>
      runToy(transferQ, given, toy(9, 6, 6), { sampling: DRAWN, seed });
    const answers = Array.from({ length: 20 }, (_, seed) => draw(seed));
    answers.forEach((answer, seed) => expect(draw(seed)).toEqual(answer));
    expect(new Set(answers.map(({ tokens }) => tokens.join(' '))).size).toBeGreaterThan(8);
  });
  it('the request’s temperature and filters are not the rollouts’', () => {
    const world = toy(6);
    const values = (temperature: number, topK: number): number[] => {
      const sampling = { ...DRAWN, temperature, topK };
      const given = { ...spec, ...sampled, rollouts: 5 };
      const [first] = decisions(runToy(transferQ, given, world, { sampling }).traces);
      return first!.candidates.map(({ value }) => value);
    };
    expect(values(0.1, 1)).toEqual(values(1, 0));
    expect(values(0, 0)).toEqual(values(1, 0));
  });
  it('frees every fork, draws no more branches than it priced, whatever is asked', () => {
    const wild = fc.record({
      request: requests,
      rollouts: fc.integer({ min: 1, max: 3 }),
      isGreedyAhead: fc.boolean(),
      isIndirect: fc.boolean(),
      importance: fc.constantFrom('self_normalised', 'code', 'none'),
      halving: fc.boolean(),
      temperature: fc.constantFrom(0, 1),
    });
    let ran = 0;
    fc.assert(
      fc.property(salts, wild, (salt, options) => {
        const { weight, ...request } = options.request;
        const given = {
          ...spec,
          ...request,
          reward_weight: weight,
          rollouts: options.rollouts,
          rollout_sampling: options.isGreedyAhead ? 'greedy' : 'sampled',
          halving: options.halving,
          ...(options.isIndirect ? { ...indirect, importance: options.importance } : {}),
        };
        try {
          planToy(transferQ, given);
        } catch {
          return;
        }
        ran++;
        const sampling = { ...DRAWN, temperature: options.temperature };
        const { leaked, mostAlive, plan, tokens } = runToy(transferQ, given, toy(salt, 6, 6), { sampling });
        expect(tokens.length).toBeGreaterThan(0);
        expect(leaked).toBe(0);
        expect(mostAlive).toBeLessThanOrEqual(plan.branches.reduce((sum, each) => sum + each, 0));
      }),
      { numRuns: 300 },
    );
    expect(ran).toBeGreaterThan(80);
  });
  it.each([
    ['a reward of the baseline', { baseline_reward: table(1) }],
    ['weights', { importance: 'code' }],
    ['1/β', { inverse_beta: 1 }],
    ['no reward of the baseline', { transfer: 'indirect', ...sampled, rollouts: 2 }],
    ['one weighted rollout', { ...indirect, ...sampled }],
    ['greedy rollouts that are alike', { rollouts: 2 }],
    ['rollouts of no length', { rollouts: 2, lookahead: 0, ...sampled }],
    ['halving of nothing', { halving: true, lookahead: 3, block: 4 }],
    ['weights of no rollout', { ...indirect, importance: 'code', lookahead: 0 }],
  ])('refuses %s', (_, more) => {
    expect(() => planToy(transferQ, { ...spec, ...more })).toThrow(/It|Indirect|single|alike|rollout/);
  });
});
