import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyEdits, draw, editsOf, lawOf, logprobsOf, NO_EDITS, statusOf } from '../../decoders/warp.js';
import type { Warp } from '../../decoders/warp.js';
import { logit, warp as anyWarp } from '../support/arbitrary.js';
import { expectDistribution } from '../support/laws.js';

const off: Warp = { temperature: 1, topK: 0, topP: 1, minP: 0 };
const scoresOf = (probs: readonly number[]): Float64Array => Float64Array.from(probs, Math.log);
const lawAsMap = (scores: Float64Array, warp: Partial<Warp>): Record<number, number> => {
  const law = lawOf(scores, { ...off, ...warp });
  return Object.fromEntries(law.ids.map((id, index) => [id, Number(law.probs[index]!.toFixed(10))]));
};

describe('the law', () => {
  const scores = scoresOf([0.1, 0.4, 0.2, 0.3]);
  it.each<[string, Partial<Warp>, Record<number, number>]>([
    ['everything off', {}, { 0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3 }],
    ['temperature 1/2 squares', { temperature: 0.5 }, { 0: 1 / 30, 1: 16 / 30, 2: 4 / 30, 3: 9 / 30 }],
    ['top_k 2', { topK: 2 }, { 1: 4 / 7, 3: 3 / 7 }],
    ['top_k beyond the vocabulary', { topK: 9 }, { 0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3 }],
    ['top_p 0.7: 0.4 + 0.3 reach it (just about)', { topP: 0.69 }, { 1: 4 / 7, 3: 3 / 7 }],
    ['top_p 0.71 needs a third token', { topP: 0.71 }, { 1: 4 / 9, 2: 2 / 9, 3: 3 / 9 }],
    ['top_p 0 keeps one', { topP: 0 }, { 1: 1 }],
    ['top_p counts what top_k left, renormalised', { topK: 2, topP: 0.57 }, { 1: 1 }],
    ['min_p is relative to the largest', { minP: 0.6 }, { 1: 4 / 7, 3: 3 / 7 }],
    ['min_p 1 keeps the largest', { minP: 1 }, { 1: 1 }],
    ['temperature 0 is greedy, whatever else', { temperature: 0, topK: 3, topP: 0.1, minP: 0.2 }, { 1: 1 }],
    ['min_p after temperature', { temperature: 0.5, minP: 0.5 }, { 1: 16 / 25, 3: 9 / 25 }],
  ])('%s', (_, warp, expected) => {
    const rounded = Object.entries(expected).map(([id, prob]) => [id, Number(prob.toFixed(10))] as const);
    expect(lawAsMap(scores, warp)).toEqual(Object.fromEntries(rounded));
  });

  it('ties go to lower ids', () => {
    const flat = new Float64Array(5);
    expect(lawAsMap(flat, { topK: 2 })).toEqual({ 0: 0.5, 1: 0.5 });
    expect(Object.keys(lawAsMap(flat, { topP: 0.55 }))).toEqual(['0', '1', '2']);
    expect(lawAsMap(flat, { temperature: 0 })).toEqual({ 0: 1 });
  });

  it('is a distribution for all parameters, never empty, forbidden tokens never in it with a probability', () => {
    const rows = fc.array(fc.oneof({ weight: 4, arbitrary: logit }, { weight: 1, arbitrary: fc.constant(-Infinity) }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(rows, anyWarp, (row, warp) => {
        const scores = Float64Array.from(row);
        fc.pre(statusOf(scores) === 'ok');
        const law = lawOf(scores, warp);
        expectDistribution(law.probs);
        law.ids.forEach((id, index) => {
          if (scores[id] === -Infinity) expect(law.probs[index]).toBe(0);
        });
      }),
      { numRuns: 2000 },
    );
  });
});

describe('draw', () => {
  it('enumerating the uniforms gives the law exactly', () => {
    const scores = scoresOf([1 / 8, 0, 3 / 8, 1 / 4, 1 / 4]);
    const law = lawOf(scores, off);
    const counts = new Array<number>(5).fill(0);
    for (let step = 0; step < 64; step++) counts[draw(law, (step + 0.5) / 64)]! += 1;
    expect(counts).toEqual([8, 0, 24, 16, 16]);
  });

  it('cumulates in rising id, whatever was left out', () => {
    const scores = scoresOf([0.1, 0.6, 0.3]);
    for (const warp of [off, { ...off, topK: 3 }, { ...off, topP: 0.99 }, { ...off, minP: 0.1 }]) {
      expect(draw(lawOf(scores, warp), 0.05)).toBe(0);
      expect(draw(lawOf(scores, warp), 0.95)).toBe(2);
    }
    expect(draw(lawOf(scores, { ...off, topK: 2 }), 0.05)).toBe(1);
  });

  it('never draws what has no probability, at the ends neither', () => {
    const law = lawOf(scoresOf([0, 0.5, 0, 0.5, 0]), off);
    expect(draw(law, 0)).toBe(1);
    expect(draw(law, 1 - 2 ** -53)).toBe(3);
  });
});

describe('edits', () => {
  const penalties = { repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, logitBias: [] };

  it('nothing asked, nothing edited', () => {
    expect(editsOf(penalties, [1, 2], new Map([[3, 2]]))).toEqual(NO_EDITS);
  });

  it('repetition counts the prompt and the answer; presence and frequency the answer', () => {
    const all = { ...penalties, repetitionPenalty: 2, presencePenalty: 0.5, frequencyPenalty: 0.25 };
    expect(
      editsOf(
        all,
        [4, 1],
        new Map([
          [1, 3],
          [0, 1],
        ]),
      ),
    ).toEqual({
      ids: [0, 1, 4],
      add: [-0.75, -1.25, 0],
      repetition: [2, 2, 2],
    });
  });

  it('bias adds up with penalties; a ban beats a bias', () => {
    const biased = {
      ...penalties,
      presencePenalty: 1,
      logitBias: [
        [5, 3],
        [2, 10],
      ] as const,
    };
    expect(editsOf(biased, [], new Map([[5, 1]]), [2])).toEqual({
      ids: [2, 5],
      add: [-Infinity, 2],
      repetition: [1, 1],
    });
  });

  it('repetition pulls both signs towards forbidding, then the addition', () => {
    const edited = applyEdits(Float64Array.of(4, -4, 0, 1), {
      ids: [0, 1, 2, 3],
      add: [1, 1, 1, -Infinity],
      repetition: [2, 2, 2, 2],
    });
    expect(Array.from(edited)).toEqual([3, -7, 1, -Infinity]);
  });
});

describe('status and logprobs', () => {
  it.each<[readonly number[], string]>([
    [[0, -Infinity], 'ok'],
    [[-Infinity, -Infinity], 'dead'],
    [[0, NaN], 'nan'],
    [[0, Infinity], 'nan'],
  ])('%j is %s', (row, status) => {
    expect(statusOf(Float64Array.from(row))).toBe(status);
  });

  it('logprobs are before temperature', () => {
    expect(Array.from(logprobsOf(scoresOf([0.25, 0.75])), (x) => Math.exp(x).toFixed(12))).toEqual([
      '0.250000000000',
      '0.750000000000',
    ]);
  });
});
