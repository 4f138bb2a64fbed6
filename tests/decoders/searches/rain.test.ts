// rain on toy worlds through the naive twin: every step of its story is checked against the paper's rules (T14-T16, the properties of
// methods.md §7.7), and what it comes to against an enumeration where there is one.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uniform } from '../../../decoders/random.js';
import {
  BudgetSpent,
  type Branch,
  type Search,
  type SearchAnswer,
  type SearchRequest,
} from '../../../decoders/search.js';
import { rain } from '../../../decoders/searches/rain.js';
import { plainly } from '../../../decoders/searches/sample.js';
import { audit, type AuditRules } from '../../support/rain-audit.js';
import { published } from '../../support/rain-published.js';
import { exactLaw, expectSameLaw } from '../../support/search-law.js';
import {
  completions,
  endOf,
  greedyFrom,
  planToy,
  randomReward,
  randomTable,
  runToy,
  table,
  type Reward,
  type Toy,
  type ToyRun,
} from '../../support/search-toy.js';
import { runTwin, type TwinResult, type TwinWorld } from '../../support/search-twin.js';

const RULES = {
  max_iterations: 50,
  extra_iterations: 15,
  min_visits: 6,
  value_threshold: 0.8,
  exploration: 2,
  smoothing: 0.25,
  similarity_threshold: 0.95,
  similarity_discount: 0.2,
  max_children: 20,
  add_spread: 0.03,
  add_below: 0,
  set_tokens: [1, 2, 4, 10],
} satisfies AuditRules;

/** Token 0 is a full stop, so that simulations end at different places. */
const textOf = (token: number): string => (token === 0 ? '.' : String.fromCharCode(97 + token));

/** A toy whose judge sees texts: the end token is none. */
function toy(salt: number, judge: Reward = randomReward(salt + 1), vocabSize = 5, maxTokens = 9): Toy {
  const table = randomTable(salt, vocabSize);
  // Ends are rare before the fourth token, for longer answers.
  const L = (tokens: readonly number[]): Float64Array =>
    table(tokens).map((score, id) => (id === vocabSize - 1 && tokens.length < 3 ? score - 3 : score));
  return { vocabSize, maxTokens, models: { L }, rewards: [judge] };
}

const withoutEnd = ({ vocabSize }: Toy, tokens: readonly number[]): number[] =>
  tokens.filter((token) => token !== vocabSize - 1);

/** A bag of its letters: texts of the same letters are alike. */
function embeddingOf(world: Toy, tokens: readonly number[]): number[] {
  const counts = new Array<number>(world.vocabSize - 1).fill(0);
  for (const token of withoutEnd(world, tokens)) counts[token]! += 1;
  return counts;
}

/** Source 0 embeds, source 1 is the judge. */
function run(world: Toy, fields: object = {}, more: Partial<TwinWorld> = {}): ToyRun {
  return runToy(rain, { inner: 'L', judge: table(1, [-1, 1]), ...fields }, world, { ...reading(world), ...more });
}

const reading = (world: Toy): Partial<TwinWorld> => ({
  textOf,
  read: (source, _, tokens) =>
    source === 0 ? embeddingOf(world, tokens) : [world.rewards[0]!(withoutEnd(world, tokens))],
});

/** Does it take forwards? Only while a search waits for some can its budget end. */
const takesTime = (request: SearchRequest): boolean =>
  request.kind === 'all'
    ? request.requests.some(takesTime)
    : request.kind === 'sample' || request.kind === 'logprobs' || request.kind === 'read';

/** As the engine goes on when a search does not. Notes which requests take time. */
function* orPlainly(search: Search, trunk: Branch, waits: boolean[]): Search {
  try {
    for (let step = search.next(); step.done !== true;) {
      waits.push(takesTime(step.value));
      let answer: SearchAnswer;
      try {
        answer = yield step.value;
      } catch (error) {
        step = search.throw(error);
        continue;
      }
      step = search.next(answer);
    }
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
    yield* plainly(trunk);
  }
}

const check = (world: Toy, { traces }: ToyRun, fields: Partial<AuditRules> = {}, isSimilar = false) =>
  audit(
    traces,
    { ...RULES, ...fields },
    (tokens) => world.rewards[0]!(withoutEnd(world, tokens)),
    isSimilar ? (tokens) => embeddingOf(world, tokens) : undefined,
  );

const salts = fc.integer({ min: 0, max: 2 ** 30 });
const rules = fc.record({
  max_iterations: fc.integer({ min: 0, max: 40 }),
  extra_iterations: fc.integer({ min: 0, max: 15 }),
  min_visits: fc.integer({ min: 0, max: 6 }),
  value_threshold: fc.constantFrom(-1, 0, 0.3, 0.8),
  exploration: fc.constantFrom(0, 0.5, 2, 8),
  smoothing: fc.constantFrom(0, 0.25, 1),
  candidates: fc.integer({ min: 1, max: 5 }),
  set_tokens: fc.constantFrom([1, 2, 4, 10], [1], [2, 3], [3, 1]),
  lookahead: fc.constantFrom(1, 3, 64),
  parallel: fc.constantFrom(1, 2, 5),
});

describe('the accounts of the tree', () => {
  it('every look, value, visit and commit is by the rules', () => {
    fc.assert(
      fc.property(salts, fc.nat(), rules, (salt, seed, fields) => {
        const world = toy(salt);
        const result = run(world, fields, { seed });
        const said = check(world, result, fields);
        // T16: what was said one after the other is the answer, which has ended.
        expect(said.flatMap(({ tokens }) => tokens)).toEqual(result.tokens);
        expect(result.commits).toEqual(said.map((_, s) => said.slice(0, s + 1).flatMap(({ tokens }) => tokens).length));
        expect(result.tokens.at(-1) === endOf(world) || result.tokens.length === world.maxTokens).toBe(true);
        expect(result.tokens.indexOf(endOf(world))).toBeOneOf([-1, result.tokens.length - 1]);
        const by = (reason: string): number => said.filter((each) => each.by === reason).length;
        expect(result.counts['said_by_threshold'] ?? 0).toBe(by('threshold'));
        expect(result.counts['said_by_budget'] ?? 0).toBe(by('budget'));
        expect(result.counts['looks'] ?? 0).toBe(said.reduce((sum, { looks }) => sum + looks, 0));
        expect(result.leaked).toBe(0);
        expect(result.mostAlive).toBeLessThanOrEqual(result.plan.branches[0]!);
      }),
    );
  });
  it('with embeddings too: similar siblings share, and sets are added where all are bad and alike', () => {
    const alike = fc.record({
      candidates: fc.integer({ min: 2, max: 4 }),
      max_iterations: fc.integer({ min: 15, max: 60 }),
      similarity_threshold: fc.constantFrom(0, 0.7, 0.95),
      similarity_discount: fc.constantFrom(0, 0.2, 1),
      max_children: fc.constantFrom(3, 4, 20),
      add_spread: fc.constantFrom(0.03, 0.3, 100),
      add_below: fc.constantFrom(0, 0.5),
    });
    let [shared, added] = [0, 0];
    fc.assert(
      fc.property(salts, fc.nat(), rules, alike, (salt, seed, fields, similar) => {
        const world = toy(salt, randomReward(salt + 1, -1, 0.5), 6, 6);
        const result = run(world, { ...fields, ...similar, similarity: 'E' }, { seed });
        check(world, result, { ...fields, ...similar }, true);
        expect(result.leaked).toBe(0);
        expect(result.mostAlive).toBeLessThanOrEqual(result.plan.branches[0]!);
        added += result.counts['added'] ?? 0;
        for (const { event, children } of result.traces)
          if (event === 'say')
            for (const { visits, ownVisits } of children as { visits: number; ownVisits: number }[]) {
              if (similar.similarity_discount === 0) expect(visits).toBe(ownVisits);
              if (visits > ownVisits) shared++;
            }
      }),
    );
    expect(shared).toBeGreaterThan(50);
    expect(added).toBeGreaterThan(50);
  });
  it('without embeddings visits are whole numbers, nothing is read but judgements, and no set is added', () => {
    const world = toy(3, () => -1);
    const result = run(world);
    expect(result.traces.filter(({ event }) => event === 'say').length).toBeGreaterThan(2);
    for (const { event, children } of result.traces)
      if (event === 'say')
        for (const { visits, ownVisits } of children as { visits: number; ownVisits: number }[])
          expect(visits).toBe(ownVisits);
    expect(result.counts['added']).toBeUndefined();
    const sources = new Set<number>();
    run(world, {}, { read: (source) => [sources.add(source).size - 2] });
    expect([...sources]).toEqual([1]);
  });
  it('reads an embedding for every set of every new look, of the text from the set on', () => {
    const world = toy(4, randomReward(9), 5, 6);
    const embedded: string[] = [];
    const result = run(
      world,
      { similarity: 'E', max_iterations: 12 },
      {
        read: (source, _, tokens) => {
          if (source === 1) return [world.rewards[0]!(withoutEnd(world, tokens))];
          embedded.push(tokens.join());
          return embeddingOf(world, tokens);
        },
      },
    );
    const sets = new Map<number, number[]>();
    const seen = new Set<number>();
    const expected = result.traces.flatMap(({ event, children, path, ahead }) => {
      if (event === 'expand')
        for (const { node, tokens } of children as { node: number; tokens: number[] }[]) sets.set(node, tokens);
      const leaf = (path as number[] | undefined)?.at(-1);
      // Where an answer ends, it is looked at once and counts as often as somebody comes there.
      if (leaf === undefined || seen.has(leaf)) return [];
      seen.add(leaf);
      const below = (path as number[]).slice(1).map((id) => sets.get(id)!);
      return below
        .map((_, at) => [...below.slice(at).flat(), ...(ahead as number[])])
        .filter((tokens) => withoutEnd(world, tokens).length > 0);
    });
    expect(embedded).toEqual(expected.map((tokens) => tokens.join()));
  });
  it('the same seed gives the same tree, another one another', () => {
    const world = toy(5);
    const stories = [1, 1, 2].map((seed) => JSON.stringify(run(world, { similarity: 'E' }, { seed }).traces));
    expect(stories[1]).toBe(stories[0]);
    expect(stories[2]).not.toBe(stories[0]);
  });
});

describe('what it says', () => {
  const said = (world: Toy, fields: object = {}, more: Partial<TwinWorld> = {}) =>
    check(world, run(world, fields, more), fields);

  it('a judge that is always content: each set after min_visits + 1 visits, whatever it says of them beyond that', () => {
    for (let salt = 0; salt < 20; salt++) {
      const sets = said(toy(salt, () => 1));
      expect(sets.every(({ by, visits }) => by === 'threshold' && visits === RULES.min_visits + 1)).toBe(true);
      expect(said(toy(salt, () => 0.9)).map(({ tokens }) => tokens)).toEqual(sets.map(({ tokens }) => tokens));
    }
  });
  it('a judge that is never content, or has no opinion, spends every budget: the flag says so', () => {
    for (const value of [-1, 0, 0.75]) {
      const sets = said(
        toy(7, () => value),
        { value_threshold: 0.75 },
      );
      expect(sets.every(({ by }) => by === 'budget')).toBe(true);
      expect(sets.map(({ looks, inherited }) => looks - Math.max(50 - inherited, 15))).toEqual(sets.map(() => 0));
    }
  });
  it('terminates within Σ max(max_iterations, extra_iterations) looks', () => {
    fc.assert(
      fc.property(salts, rules, (salt, fields) => {
        const sets = said(
          toy(salt, () => -1),
          fields,
        );
        const looks = sets.reduce((sum, each) => sum + each.looks, 0);
        expect(looks).toBeLessThanOrEqual(sets.length * Math.max(fields.max_iterations, fields.extra_iterations));
      }),
    );
  });
  it('no budget at all: the likeliest, set by set, without asking the judge', () => {
    for (let salt = 0; salt < 20; salt++) {
      const world = toy(salt);
      const result = run(world, { max_iterations: 0, extra_iterations: 0 }, { read: () => expect.unreachable() });
      expect(result.tokens).toEqual(greedyFrom(world, world.models['L']!, [], world.maxTokens));
    }
  });
  it('no exploration and a judge that is not wholly against it: nothing but the likeliest is ever looked at', () => {
    for (let salt = 0; salt < 20; salt++) {
      const world = toy(salt, randomReward(salt, -0.9, 1));
      const result = run(world, { exploration: 0 });
      expect(result.tokens).toEqual(greedyFrom(world, world.models['L']!, [], world.maxTokens));
    }
  });
  it('finds the one answer that the judge likes, whichever it is', () => {
    for (let salt = 0; salt < 4; salt++) {
      const world = { ...toy(salt, undefined, 3, 3), models: { L: randomTable(salt, 3, 0.7) } };
      for (const { tokens } of completions(world, world.models.L, [])) {
        const liked = withoutEnd(world, tokens).join();
        const judge: Reward = (text) => (text.join() === liked ? 1 : -1);
        const fields = { set_tokens: [1], candidates: 3, max_iterations: 400 };
        expect(withoutEnd(world, run({ ...world, rewards: [judge] }, fields).tokens).join()).toBe(liked);
      }
    }
  });
});

describe('against the published schedule', () => {
  /** Probabilities that are multiples of 1 / strata, so that as many strata of a uniform number decide them exactly. Token 1 ends. */
  const shares =
    (salt: number, strata: number) =>
    (tokens: readonly number[]): Float64Array => {
      const share = (1 + Math.floor((strata - 0.8) * uniform(salt, tokens.length, tokens.indexOf(1)))) / strata;
      return Float64Array.of(Math.log(share), Math.log(1 - share));
    };

  /** Of the answers, each with the lengths that it was said in. */
  const lawOf = (start: (trunk: Branch) => Search, salt: number, strata: number): Map<string, number> =>
    exactLaw(
      (decide) =>
        runTwin(start, {
          scores: (_, prefix) => shares(salt, strata)(prefix),
          read: (_, __, prefix) => [randomReward(salt + 1)(prefix.filter((token) => token === 0))],
          textOf,
          stopTokenIds: [1],
          maxTokens: 4,
          decide,
        }),
      ({ tokens, commits }) => `${tokens.join()} in ${commits.join()}`,
      strata,
    );

  it.each([
    { strata: 4, candidates: 2, set_tokens: [2, 1], max_iterations: 5 },
    { strata: 4, candidates: 2, set_tokens: [3, 1], max_iterations: 3 },
    { strata: 2, candidates: 3, set_tokens: [2], max_iterations: 3 },
    { strata: 4, candidates: 2, set_tokens: [2, 1], max_iterations: 5, parallel: 3 },
  ])('has the same law, though sets are drawn together and looks taken ahead: %o', ({ strata, ...own }) => {
    const fields = {
      ...{ extra_iterations: 2, min_visits: 1, value_threshold: 0.2, exploration: 2, smoothing: 0.25, lookahead: 1 },
      ...own,
    };
    const { planned } = planToy(rain, { inner: 'L', judge: table(0, [-1, 1]), ...fields });
    let outcomes = 0;
    for (let salt = 0; salt < 8; salt++) {
      const law = lawOf((trunk) => rain.run(trunk, planned.values), salt, strata);
      expectSameLaw(
        law,
        lawOf((trunk) => published(trunk, fields), salt, strata),
        1e-12,
      );
      outcomes += law.size;
    }
    expect(outcomes).toBeGreaterThan(9);
  });
});

describe('the ends of an answer', () => {
  const end = 4;
  const only = (id: number): Float64Array => Float64Array.from({ length: 5 }, (_, at) => (at === id ? 0 : -Infinity));

  it('an end token at once is an answer', () => {
    const world = { ...toy(1), models: { L: () => only(end) } };
    expect(run(world).tokens).toEqual([end]);
    expect(run(world, { similarity: 'E' }).tokens).toEqual([end]);
    expect(run(world, { set_tokens: [3] }).tokens).toEqual([end]);
  });
  it('nothing is looked at beyond an end token, and an end inside a set cuts it', () => {
    const world = {
      ...toy(1, () => -1),
      models: { L: (tokens: readonly number[]) => only(tokens.length < 4 ? 1 : end) },
    };
    const result = run(world);
    expect(result.tokens).toEqual([1, 1, 1, 1, end]);
    expect(result.commits).toEqual([1, 3, 5]);
    for (const { event, children } of result.traces)
      if (event === 'expand')
        for (const { tokens } of children as { tokens: number[] }[]) expect(tokens.slice(0, -1)).not.toContain(end);
  });
  it('the length cuts the last set', () => {
    const world = { ...toy(1, () => 1), models: { L: () => only(2) } };
    expect(run(world, {}, { maxTokens: 5 }).commits).toEqual([1, 3, 5]);
    expect(run(world, { set_tokens: [64] }, { maxTokens: 5 }).commits).toEqual([5]);
  });
  it('where nothing may follow, the rest is left to plain decoding', () => {
    const world = { ...toy(1), models: { L: () => new Float64Array(5).fill(-Infinity) } };
    const result = run(world, { max_iterations: 0, extra_iterations: 0 });
    expect(result.tokens).toEqual([]);
    expect(result.leaked).toBe(0);
  });
});

describe('what it asks for', () => {
  it('equal texts are judged once', () => {
    const world = toy(11, undefined, 4, 4);
    const judged: string[] = [];
    const result = run(
      world,
      { candidates: 4 },
      {
        read: (_, __, tokens) => {
          judged.push(withoutEnd(world, tokens).join());
          return [-1];
        },
      },
    );
    expect(result.counts['judged_before']).toBeGreaterThan(0);
    expect(result.counts['looks']).toBeGreaterThan(judged.length);
    // Judgements are forgotten with the texts that cannot come up again; the others are kept from set to set.
    expect(judged.length).toBe(new Set(judged).size);
  });
  it('several looks at once take fewer steps', () => {
    const world = toy(13, () => -1);
    const steps = (parallel: number): number => {
      const { planned } = planToy(rain, { inner: 'L', judge: table(1, [-1, 1]), parallel });
      const waits: boolean[] = [];
      runTwin((trunk) => orPlainly(rain.run(trunk, planned.values), trunk, waits), {
        scores: (_, tokens) => world.models['L']!(tokens),
        stopTokenIds: [endOf(world)],
        maxTokens: world.maxTokens,
        ...reading(world),
      });
      return waits.filter((isWait) => isWait).length;
    };
    expect(steps(4)).toBeLessThan(0.6 * steps(1));
  });
});

describe('interrupted', () => {
  it.each([{ similarity: 'off' }, { similarity: 'E', parallel: 3, candidates: 3, add_spread: 100 }])(
    'wherever it waits no fork is left, and what was said stays: %o',
    (fields) => {
      const world = toy(21, randomReward(2, -1, 0.5), 5, 6);
      const spec = { inner: 'L', judge: table(1, [-1, 1]), max_iterations: 14, extra_iterations: 6, ...fields };
      const { planned } = planToy(rain, spec);
      const waits: boolean[] = [];
      const go = (more: Partial<TwinWorld>, noted: boolean[] = []): TwinResult =>
        runTwin((trunk) => orPlainly(rain.run(trunk, planned.values), trunk, noted), {
          scores: (_, tokens) => world.models['L']!(tokens),
          stopTokenIds: [endOf(world)],
          maxTokens: world.maxTokens,
          ...reading(world),
          ...more,
        });
      const whole = go({}, waits);
      const indices = waits.flatMap((isWait, at) => (isWait ? [at + 1] : []));
      expect(indices.length).toBeGreaterThan(15);
      for (const at of indices) {
        const result = go({ interrupt: { at, error: new BudgetSpent('forwards') } });
        expect(result.leaked).toBe(0);
        expect(result.tokens.at(-1) === endOf(world) || result.tokens.length === world.maxTokens).toBe(true);
        // What had been said before is said in either run.
        const said = result.traces.filter(({ event }) => event === 'say').length;
        expect(result.commits.slice(0, said)).toEqual(whole.commits.slice(0, said));
        const kept = whole.commits[said - 1] ?? 0;
        expect(result.tokens.slice(0, kept)).toEqual(whole.tokens.slice(0, kept));
      }
    },
  );
});

describe('its plan', () => {
  const plan = (fields: object) => planToy(rain, { inner: 'L', judge: table(1, [-1, 1]), ...fields });

  it('prices the trunk, and a scout, a simulation and every candidate of each leaf', () => {
    expect(plan({}).planned).toMatchObject({ branches: [13], scored: 1 });
    expect(plan({ parallel: 3, candidates: 4 }).planned).toMatchObject({ branches: [19], scored: 3 });
  });
  it('refuses fractions of tokens', () => {
    expect(() => plan({ set_tokens: [1, 2.5] })).toThrow('whole numbers');
    expect(() => plan({ set_tokens: [] })).toThrow('at least one');
  });
  it('maps scores with bounds onto −1 … 1, and others by tanh', () => {
    const world = toy(31, (tokens) => tokens.length / 9);
    const values = (judge: object): number[] => {
      const { traces } = run(world, { judge });
      return traces.flatMap(({ event, value }) => (event === 'look' ? [value as number] : []));
    };
    for (const value of values(table(1, [0, 1]))) expect(Math.abs(value)).toBeLessThanOrEqual(1);
    expect(values(table(1, [0, 1]))[0]).toBeCloseTo(2 * Math.atanh(values(table(1))[0]!) - 1, 12);
    expect(values(table(1, [-Infinity, 0]))[0]).toBe(values(table(1))[0]);
  });
});
