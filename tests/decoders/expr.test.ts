import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ExprError,
  linear,
  logits,
  logSoftmax,
  masked,
  maximum,
  minimum,
  nucleus,
  plausible,
  rewrite,
  scalarsOf,
  structureKey,
  viewsOf,
  where,
} from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { print } from '../../decoders/print.js';
import { promptKey } from '../../decoders/prompt.js';
import { scoresTree } from '../support/arbitrary.js';

const [large, small, chat] = [logits('large'), logits('small'), logits('small-chat')];
const eft = (weight: number): Scores =>
  linear([
    [1, large],
    [
      weight,
      linear([
        [1, chat],
        [-1, small],
      ]),
    ],
  ]);

// The compiler is the judge: an expectation that is not met is an error of its own.
describe('nonsense does not compile', () => {
  const mask = plausible(logSoftmax(large), 0.1);
  it.each<[string, () => unknown]>([
    // @ts-expect-error a mask is a set of tokens and has no score
    ['a mask minus a log-probability', () => [linear([[1, mask]]), linear([[-1, logSoftmax(large)]])]],
    // @ts-expect-error members of a union must be on one scale
    ['a union of unnormalised scores', () => maximum([large, small])],
    // @ts-expect-error only what sums to one has a nucleus
    ['a nucleus of unnormalised scores', () => nucleus(large, 0.9)],
    // @ts-expect-error scores are no set of tokens
    ['scores as a mask', () => masked(large, logSoftmax(small))],
    // @ts-expect-error a mask is no distribution
    ['the distribution of a mask', () => logSoftmax(mask)],
  ])('%s', (_, nonsense) => {
    expect(nonsense).toBeTypeOf('function');
  });
});

describe('constructors', () => {
  it.each([
    ['a weight of NaN', () => linear([[NaN, large]])],
    ['an infinite weight', () => linear([[Infinity, large]])],
    ['no terms', () => linear([])],
    ['no members', () => maximum([])],
    ['no members', () => minimum([])],
    ['a ratio above one', () => plausible(logSoftmax(large), 1.01)],
    ['a negative mass', () => nucleus(logSoftmax(large), -0.1)],
    ['a mass of NaN', () => nucleus(logSoftmax(large), NaN)],
    ['a view without a model', () => logits('')],
  ])('refuse %s', (_, make) => {
    expect(make).toThrow(ExprError);
  });

  it('make plain data that survives a structured clone and JSON', () => {
    fc.assert(
      fc.property(scoresTree({ depth: 3, masks: true, fusion: true }), (expr) => {
        expect(structuredClone(expr)).toEqual(expr);
        expect(structureKey(JSON.parse(JSON.stringify(expr)) as Scores)).toBe(structureKey(expr));
      }),
    );
  });
});

describe('walks', () => {
  it('views come once, in order of first appearance; another prompt is another view', () => {
    const expr = linear([
      [1, chat],
      [1, logits('large', 'negative')],
      [0, large],
      [2, chat],
    ]);
    expect(viewsOf(expr)).toEqual([
      { model: 'small-chat', prompt: 'default' },
      { model: 'large', prompt: 'negative' },
      { model: 'large', prompt: 'default' },
    ]);
  });

  it('the structure key holds no scalar and no name', () => {
    expect(structureKey(eft(0.3))).toBe('linear(0,linear(1,2))');
    expect(structureKey(eft(2))).toBe(structureKey(eft(0.3)));
    expect(scalarsOf(eft(0.3))).toEqual([1, 0.3, 1, -1]);
    const mask = where(nucleus(logSoftmax(chat), 0.9), eft(1.5), chat);
    expect(structureKey(mask)).toBe('where(nucleus(logSoftmax(0)),linear(1,linear(0,2)),0)');
    expect(scalarsOf(mask)).toEqual([0.9, 1, 1.5, 1, -1]);
  });

  it('tells apart what needs another kernel', () => {
    const difference = linear([
      [1, large],
      [1, small],
    ]);
    const double = linear([
      [1, large],
      [1, large],
    ]);
    expect(structureKey(difference)).not.toBe(structureKey(double));
  });

  it('rewriting by identity gives the same tree', () => {
    fc.assert(
      fc.property(scoresTree({ depth: 3, masks: true, fusion: true }), (expr) => {
        expect(rewrite(expr, { logits: (x) => x, logprobs: (x) => x, mask: (x) => x })).toEqual(expr);
      }),
    );
  });
});

describe('print', () => {
  it.each<[Scores, string]>([
    [large, 'large'],
    [eft(1), 'large + 1·(small-chat − small)'],
    [eft(-0.3), 'large − 0.3·(small-chat − small)'],
    [
      linear([
        [1.5, large],
        [-0.5, logits('large', promptKey({ kind: 'system', text: null }))],
      ]),
      '1.5·large − 0.5·large[no system]',
    ],
    [masked(small, plausible(logSoftmax(large), 0.1)), 'masked(small, plausible(log softmax(large), 0.1))'],
    [maximum([logSoftmax(large), logSoftmax(small)]), 'max(log softmax(large), log softmax(small))'],
    [
      where(nucleus(logSoftmax(chat), 0.95), eft(1), chat),
      'where(nucleus(log softmax(small-chat), 0.95), large + 1·(small-chat − small), small-chat)',
    ],
  ])('%#: a formula as in a paper', (expr, text) => {
    expect(print(expr)).toBe(text);
  });
});
