// rejection: the law of accepted answers by enumeration, tries that run out, scores above the bound, and nothing left behind.
import { describe, expect, it } from 'vitest';
import { BudgetSpent } from '../../../decoders/search.js';
import {
  addTo,
  answersOf,
  exactLaw,
  expectSameLaw,
  keyOf,
  lawOfSearch,
  listsOf,
  readSearch,
  requestsOf,
  rewardTable,
  runSpec,
  searchOn,
  type TableWorld,
} from '../../support/search-law.js';
import { randomReward, randomTable } from '../../support/search-toy.js';

const [most, temperature] = [2, 0.6];
/** Chances in quarters, so that uniform numbers from the middles of four strata decide them exactly. */
const quarters = (tokens: readonly number[]): number => 1 + Math.floor(4 * randomReward(31, 0, 1)(tokens));
const chanceOf = (tokens: readonly number[]): number => quarters(tokens) / 4;
const models = { L: randomTable(25, 2), F: randomTable(26, 2), S: randomTable(27, 2) };
const world: TableWorld = {
  vocabSize: 2,
  maxTokens: 3,
  models,
  rewards: { rm: rewardTable((tokens) => most + temperature * Math.log(chanceOf(tokens))) },
};
const spec = { method: 'rejection', inner: 'L', scorer: 'rm', most, temperature };
const answers = answersOf(world, 'L');

describe('the law', () => {
  it('of accepted answers is inner · exp(score / temperature) / Z', () => {
    const run = searchOn({ ...spec, tries: 2, at_once: 1 }, world);
    const law = exactLaw(
      (decide) => run({ decide }),
      ({ tokens, counts }) => (counts['accepted'] === 1 ? keyOf({ tokens }) : 'none'),
      4,
    );
    const luck = answers.reduce((sum, { tokens, probability }) => sum + probability * chanceOf(tokens), 0);
    expect(law.get('none')).toBeCloseTo((1 - luck) ** 2, 12);
    for (const answer of answers) {
      const tilted = (answer.probability * chanceOf(answer.tokens)) / luck;
      expect(law.get(keyOf(answer))! / (1 - law.get('none')!)).toBeCloseTo(tilted, 12);
    }
  });

  it('gives the best of the tries after all of them, and does not depend on how many grow side by side', () => {
    const tries = 2;
    const expected = new Map<string, number>();
    for (const list of listsOf(answers, tries)) {
      const drawn = list.reduce((product, { probability }) => product * probability, 1);
      let missed = 1;
      for (const { tokens } of list) {
        addTo(expected, keyOf({ tokens }), drawn * missed * chanceOf(tokens));
        missed *= 1 - chanceOf(tokens);
      }
      const best = list.reduce((kept, next) => (quarters(next.tokens) > quarters(kept.tokens) ? next : kept));
      addTo(expected, keyOf(best), drawn * missed);
    }
    for (const at_once of [1, 2, 5]) expectSameLaw(lawOfSearch({ ...spec, tries, at_once }, world, 4), expected, 1e-12);
  });

  it('is plain where every answer has the greatest score', () => {
    const flat = { ...world, rewards: { rm: rewardTable(() => most) } };
    const law = lawOfSearch({ ...spec, tries: 2, at_once: 1 }, flat, 4);
    expectSameLaw(law, new Map(answers.map((answer) => [keyOf(answer), answer.probability])), 1e-12);
  });
});

describe('the bound', () => {
  it('is the scorer’s own where none is given', () => {
    const bounded = { kind: 'reward', model: 'rm', range: [-3, most] };
    const { plan } = readSearch({ ...spec, most: undefined, scorer: bounded }, world);
    expect(plan.values).toMatchObject({ most });
    expect(() => readSearch({ ...spec, most: undefined }, world)).toThrow(
      'decoding.most: not allowed. This scorer has no bound of its own',
    );
  });

  it('that is too low is told, and what is above it is accepted', () => {
    const { counts, traces } = runSpec({ ...spec, most: -100 }, world);
    expect(counts).toMatchObject({ above_most: 1, tries: 1, accepted: 1 });
    expect(traces[0]).toMatchObject({ event: 'try', chance: 1, accepted: true });
  });

  it('is out of reach for an answer without a score', () => {
    const broken = { ...world, rewards: { rm: rewardTable((tokens) => (tokens.length === 3 ? NaN : -50)) } };
    for (let seed = 0; seed < 20; seed++) {
      const { counts, tokens, traces } = runSpec({ ...spec, tries: 6 }, broken, { seed });
      expect(counts).toMatchObject({ tries: 6, not_accepted: 1 });
      const scored = traces.filter(({ score }) => score !== null);
      expect(tokens.length === 3).toBe(scored.length === 0);
    }
  });
});

describe('the tries', () => {
  it('end with the first that is accepted; the rest of its round is not told', () => {
    for (let seed = 0; seed < 30; seed++) {
      const { counts, traces, leaked, mostAlive, plan, tokens, commits } = runSpec(
        { ...spec, tries: 7, at_once: 3 },
        world,
        {
          seed,
        },
      );
      const accepted = traces.map(({ accepted }) => accepted);
      expect(accepted.indexOf(true)).toBe(counts['accepted'] === 1 ? counts['tries']! - 1 : -1);
      expect(counts['tries']).toBe(accepted.length);
      expect(leaked).toBe(0);
      expect(mostAlive).toBeLessThanOrEqual(plan.branches[0]!);
      expect(commits).toEqual([tokens.length]);
    }
    const hopeless = { ...spec, most: 1000, tries: 7, at_once: 3 };
    const { counts, mostAlive, plan, tokensGrown } = runSpec(hopeless, { ...world, maxTokens: 1 });
    expect(counts).toEqual({ tries: 7, not_accepted: 1 });
    expect([mostAlive, plan.branches[0], plan.scored]).toEqual([5, 5, 3]);
    expect(tokensGrown).toBe(7);
  });
});

describe('chance', () => {
  it('decides every try anew, whatever was drawn', () => {
    const even = { ...world, rewards: { rm: rewardTable(() => most + temperature * Math.log(0.5)) } };
    const run = searchOn({ ...spec, tries: 4, at_once: 4 }, even);
    const accepted = Array.from({ length: 200 }, (_, seed) => {
      const { counts } = run({ seed });
      return counts['accepted'] === 1 ? counts['tries']! : 0;
    });
    const share = (tries: number): number => accepted.filter((each) => each === tries).length / 200;
    // 1/2, 1/4, 1/8, 1/16: four deviations to either side; the seeds are fixed.
    for (const tries of [1, 2, 3, 4])
      expect(Math.abs(share(tries) - 0.5 ** tries)).toBeLessThan(
        4 * Math.sqrt((0.5 ** tries * (1 - 0.5 ** tries)) / 200),
      );
  });
});

describe('when the budget ends', () => {
  it.each([
    ['a reward model', 'rm'],
    ['a forking scorer', { kind: 'implicit', tuned: 'F', reference: 'S' }],
  ])('gives the best so far, at every request, and leaves nothing behind: %s', (_, scorer) => {
    const whole = { ...spec, most: 1000, scorer, tries: 5, at_once: 2 };
    const asked = requestsOf(whole, world);
    let best = -Infinity;
    for (let at = 1; at <= asked; at++) {
      const { leaked, counts, traces, tokens } = runSpec(whole, world, {
        interrupt: { at, error: new BudgetSpent('time') },
      });
      expect(leaked).toBe(0);
      expect(counts['budget_ended']).toBe(1);
      const scores = traces.map(({ score }) => score as number);
      if (scores.length === 0) expect(tokens).toEqual([]);
      else {
        const winner = traces[scores.indexOf(Math.max(...scores))];
        expect(tokens).toEqual(winner!['tokens']);
        expect(Math.max(...scores)).toBeGreaterThanOrEqual(best);
        best = Math.max(...scores);
      }
    }
    expect(best).toBeGreaterThan(-Infinity);
  });
});
