// self_evaluation: votes, ties, silence and order over tables of a judge's log-probabilities, as a request writes it; and what of a template is
// refused, with the place and the remedy.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ScoreSource } from '../../../decoders/plan.js';
import { rangeOf, scoreAll } from '../../../decoders/scorers/index.js';
import { all, commit, force, fork, release, type Branch, type Search } from '../../../decoders/search.js';
import { buildDecoding, SpecError, type SpecOptions } from '../../../decoders/spec.js';
import { runSearch } from '../../../decoders/searches/index.js';
import type { Scorer } from '../../../decoders/plan.js';
import { JUDGING } from '../../../models/pocket/world/judging.js';
import { runTwin, type TwinWorld } from '../../support/search-twin.js';

const options: SpecOptions = {
  models: ['L', 'J'],
  deployments: new Map<string, unknown>([
    ['alias', { method: 'plain', model: 'J' }],
    ['steered', { method: 'eft', base: 'L', tuned: 'J', reference: 'L' }],
  ]),
  allowNegativeWeights: false,
};
const { template, labels, options: words } = JUDGING.harmless;
const judge = { kind: 'self_evaluation', model: 'J', template, options: words };
const rain = (own: object): object => ({ method: 'rain', inner: 'L', judge: own });

function built(own: object): { scorer: Scorer; sources: readonly ScoreSource[] } {
  const { search } = buildDecoding(rain(own), options);
  return { scorer: (search!.values as { judge: Scorer }).judge, sources: search!.sources };
}

/** Of each variant: the log-probabilities of the labels. */
type Reading = readonly (readonly [first: number, second: number])[];

/** The scores of answers that the judge reads so: answer i is the token i. */
function score(own: object, readings: readonly Reading[]): { scores: number[]; counts: Record<string, number> } {
  const { scorer } = built(own);
  const scores: number[] = [];
  function* search(trunk: Branch): Search {
    const answers = yield* all(readings.map(() => fork(trunk)));
    yield* all(answers.map((answer, token) => force(answer, [token])));
    scores.push(...(yield* scoreAll(scorer, answers)));
    yield* all(answers.map(release));
    yield* force(trunk, [0]);
    yield* commit(trunk);
  }
  const { counts, leaked } = runTwin(search, {
    scores: () => new Float64Array(readings.length),
    read: (_, variant, [token = 0]) => readings[token]![variant]!,
    stopTokenIds: [],
    maxTokens: 4,
  });
  expect(leaked).toBe(0);
  return { scores, counts };
}

const log = (a: number, b: number): [number, number] => [Math.log(a), Math.log(b)];
const scoreOf = (own: object, reading: Reading): number => score(own, [reading]).scores[0]!;

describe('the source', () => {
  it('has one variant per order of the options, in which only they are filled in', () => {
    expect(built(judge).sources).toEqual([
      {
        kind: 'judge',
        model: 'J',
        options: ['A', 'B'],
        variants: [
          'Request: {request}\nAnswer: {answer}\nIs the answer (A) harmless or (B) harmful? The verdict is: (',
          'Request: {request}\nAnswer: {answer}\nIs the answer (A) harmful or (B) harmless? The verdict is: (',
        ],
      },
    ]);
    expect(built({ ...judge, swap: false }).sources[0]).toMatchObject({ variants: { length: 1 } });
    expect(built({ ...judge, labels: ['1', '2'] }).sources[0]).toMatchObject({ options: ['1', '2'] });
  });
  it('takes options as they are, whatever they look like to a replacement', () => {
    const { sources } = built({ ...judge, options: { good: '$& fine', bad: '{second-rate}' } });
    expect(sources[0]).toMatchObject({
      variants: [expect.stringContaining('(A) $& fine or (B) {second-rate}?'), expect.stringContaining('(B) $& fine?')],
    });
  });
  it('is asked without options where the labels are the verdicts', () => {
    const truth = { kind: 'self_evaluation', model: 'J', template: '{answer}\nTrue? ', labels: ['yes', 'no'] };
    expect(built(truth).sources[0]).toMatchObject({ variants: ['{answer}\nTrue? '], options: ['yes', 'no'] });
    expect(scoreOf(truth, [log(0.6, 0.3)])).toBe(1);
    expect(scoreOf(truth, [log(0.3, 0.6)])).toBe(-1);
  });
  it('is the model itself where a deployment is nothing but one', () => {
    expect(built({ ...judge, model: 'alias' }).sources[0]).toMatchObject({ model: 'J' });
    expect(rangeOf(built(judge).scorer)).toEqual([-1, 1]);
  });
});

describe('the score', () => {
  it('is the paper’s vote: (votes/2 − 0.5)·2', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0.3, max: 0.6, noNaN: true }), fc.constantFrom(0.2, 0.7)), {
          minLength: 2,
          maxLength: 2,
        }),
        (pairs) => {
          const reading = pairs.map(([a, b]) => log(a, b));
          const votes = Number(pairs[0]![0] > pairs[0]![1]) + Number(pairs[1]![1] > pairs[1]![0]);
          expect(scoreOf(judge, reading)).toBe((votes / 2 - 0.5) * 2);
        },
      ),
    );
  });
  it('of a judge that always says A, or always B, is 0', () => {
    for (const biased of [log(0.9, 0.05), log(0.05, 0.9)]) expect(scoreOf(judge, [biased, biased])).toBe(0);
  });
  it('is 0 where an order has no opinion: a tie, or little mass on the labels', () => {
    const [good, silent] = [[log(0.9, 0.05), log(0.05, 0.9)], log(0.02, 0.01)];
    expect(scoreOf(judge, good)).toBe(1);
    expect(scoreOf(judge, [good[0]!, log(0.4, 0.4)])).toBe(0);
    expect(scoreOf(judge, [good[0]!, silent])).toBe(0);
    expect(scoreOf({ ...judge, least_mass: 0.01 }, [good[0]!, [silent[1], silent[0]]])).toBe(1);
    expect(
      scoreOf({ ...judge, least_mass: 0 }, [
        [-Infinity, -Infinity],
        [-Infinity, -Infinity],
      ]),
    ).toBe(0);
    expect(
      scoreOf({ ...judge, least_mass: 0, soft: true }, [
        [-Infinity, -Infinity],
        [-Infinity, -Infinity],
      ]),
    ).toBe(0);
    expect(scoreOf({ ...judge, least_mass: 1 }, good)).toBe(0);
  });
  it('softly, is the mean over the orders of 2·P(good)/(P(good) + P(bad)) − 1', () => {
    const soft = { ...judge, soft: true };
    expect(scoreOf(soft, [log(0.6, 0.2), log(0.1, 0.4)])).toBeCloseTo(
      (2 * (0.6 / 0.8) - 1 + (2 * (0.4 / 0.5) - 1)) / 2,
      12,
    );
    expect(scoreOf(soft, [log(0.9, 0.05), log(0.9, 0.05)])).toBeCloseTo(0, 12);
    // A tie is no silence here: it is worth a half.
    expect(scoreOf(soft, [log(0.4, 0.4), log(0.1, 0.3)])).toBeCloseTo(0.25, 12);
  });
  it('of several answers is one each, in their order; silence is counted', () => {
    const good: Reading = [log(0.9, 0.05), log(0.05, 0.9)];
    const bad: Reading = [log(0.1, 0.8), log(0.8, 0.1)];
    const silent: Reading = [log(0.01, 0.001), log(0.01, 0.001)];
    const { scores, counts } = score(judge, [good, silent, bad]);
    expect(scores).toEqual([1, 0, -1]);
    expect(counts).toEqual({ judged: 3, no_opinion: 1 });
  });
});

describe('what is refused', () => {
  const refusal = (own: object): SpecError => {
    try {
      buildDecoding(rain(own), options);
    } catch (error) {
      if (error instanceof SpecError) return error;
    }
    throw new Error('it was not refused');
  };
  it.each([
    [{ template: 'Is {first} or {second}: (' }, 'decoding.judge.template', '{answer}'],
    [{ template: '{answer} {answer} {first} {second}' }, 'decoding.judge.template', 'once'],
    [{ template: '{answer}: (A) {first}: (' }, 'decoding.judge.template', '{second}'],
    [{ template: '{answer}: (' }, 'decoding.judge.template', 'leave "options" out'],
    [{ options: null }, 'decoding.judge.options', 'good'],
    [{ template: '{requst} {answer} {first} {second}' }, 'decoding.judge.template', '{request}'],
    [{ labels: ['A', 'A'] }, 'decoding.judge.labels', 'different'],
    [{ labels: ['A'] }, 'decoding.judge.labels', '2'],
    [{ options: { good: 'x', bad: 'x' } }, 'decoding.judge.options', 'differ'],
    [{ options: { good: 'x' } }, 'decoding.judge.options.bad', 'text'],
    [{ options: { good: 'x', bad: 'y', ugly: 'z' } }, 'decoding.judge.options.ugly', 'good'],
    [{ options: { good: '{answer}', bad: 'y' } }, 'decoding.judge.options.good', 'slot'],
    [{ options: { good: 1, bad: 'y' } }, 'decoding.judge.options.good', 'text'],
    [{ model: 'steered' }, 'decoding.judge.model', 'one model'],
    [{ model: { model: 'J', prompt: { system: 'x' } } }, 'decoding.judge.model', 'one model'],
    [{ model: 'nobody' }, 'decoding.judge.model', '"J"'],
    [{ tempalte: 'x' }, 'decoding.judge.tempalte', 'template'],
  ])('%j', (change, path, words) => {
    const error = refusal({ ...judge, ...change });
    expect(error.path).toBe(path);
    expect(error.message).toContain(words);
  });
  it('a template with option slots and no options', () => {
    const { options: _, ...without } = judge;
    expect(refusal(without)).toMatchObject({ path: 'decoding.judge.options', problem: 'not allowed' });
  });
  it('the similarity of rain by what is no model', () => {
    const error = (similarity: unknown): string => {
      try {
        buildDecoding({ ...rain(judge), similarity }, options);
      } catch (thrown) {
        return (thrown as SpecError).path;
      }
      return 'taken';
    };
    expect(['off', 'J', 'alias'].map(error)).toEqual(['taken', 'taken', 'taken']);
    expect(['steered', 'nobody', 3].map(error)).toEqual(new Array(3).fill('decoding.similarity'));
  });
});

describe('rain with it', () => {
  const world = (read: NonNullable<TwinWorld['read']>): TwinWorld => ({
    scores: (_, tokens) => Float64Array.from([0, 0.5, 0.2, tokens.length < 4 ? -Infinity : 0]),
    read,
    stopTokenIds: [3],
    maxTokens: 6,
  });
  const run = (own: object, read: NonNullable<TwinWorld['read']>): ReturnType<typeof runTwin> => {
    const { search } = buildDecoding({ ...rain(own), lookahead: 1, set_tokens: 1 }, options);
    const plan = structuredClone(search!);
    return runTwin((trunk) => runSearch(plan, trunk), world(read));
  };
  it('an order-biased judge is worth 0 everywhere, so that budgets decide; both orders are asked once per text', () => {
    const asked: string[] = [];
    const { traces, counts } = run(judge, (_, variant, tokens) => {
      asked.push(`${variant} ${tokens.filter((token) => token !== 3).join()}`);
      return log(0.9, 0.05);
    });
    for (const { event, value } of traces) if (event === 'look') expect(value).toBe(0);
    expect(counts['said_by_threshold']).toBeUndefined();
    expect(new Set(asked).size).toBe(asked.length);
    expect(asked.filter((each) => each.startsWith('0')).length).toBe(asked.length / 2);
    expect(counts['judged']).toBe(asked.length / 2);
  });
  it('says what the judge is content with: no token 1, which is the likeliest', () => {
    const { tokens, counts } = run(judge, (_, variant, said) =>
      said.includes(1) === (variant === 0) ? log(0.1, 0.8) : log(0.8, 0.1),
    );
    expect(tokens).not.toContain(1);
    expect(tokens.length).toBeGreaterThan(4);
    expect(counts['said_by_threshold']).toBeGreaterThan(0);
  });
  it('reports its parameters, defaults filled in', () => {
    const { effective } = buildDecoding(rain(judge), options);
    expect(effective).toMatchObject({
      method: 'rain',
      inner: 'L',
      similarity: 'off',
      max_iterations: 50,
      judge: { ...judge, labels: [...labels], swap: true, least_mass: 0.05, soft: false },
    });
  });
});
