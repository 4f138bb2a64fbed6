import { describe, expect, it } from 'vitest';
import { buildDecoding, explainDistribution, SpecError } from '../../decoders/spec.js';
import type { SpecOptions } from '../../decoders/spec.js';
import { print } from '../../decoders/print.js';
import { methods } from '../../decoders/distributions/index.js';

const options: SpecOptions = { models: ['large', 'small', 'small-chat'], allowNegativeWeights: false };
const eft = { method: 'eft', base: 'large', tuned: 'small-chat', reference: 'small' };

function refusal(spec: unknown, more: Partial<SpecOptions> = {}): SpecError {
  try {
    buildDecoding(spec, { ...options, ...more });
  } catch (error) {
    if (error instanceof SpecError) return error;
    throw error;
  }
  return expect.fail(`accepted ${JSON.stringify(spec)}`);
}

describe('a spec that holds', () => {
  it.each<[unknown, string]>([
    ['large', 'large'],
    [{ method: 'plain', model: 'large' }, 'large'],
    [eft, 'large + 1·(small-chat − small)'],
    [{ ...eft, weight: 0.5, form: 'amplified' }, 'small-chat + 0.5·(large − small)'],
    [{ ...eft, base: { ...eft, weight: 2 } }, 'large + 2·(small-chat − small) + 1·(small-chat − small)'],
    [{ ...eft, tuned: { method: 'plain', model: 'small-chat' } }, 'large + 1·(small-chat − small)'],
  ])('%j', (spec, formula) => {
    expect(print(buildDecoding(spec, options).distribution)).toBe(formula);
  });

  it('reports what was applied, defaults filled in', () => {
    expect(buildDecoding({ ...eft, base: { method: 'plain', model: 'large' } }, options)).toMatchObject({
      method: 'eft',
      effective: {
        method: 'eft',
        base: { method: 'plain', model: 'large' },
        tuned: 'small-chat',
        reference: 'small',
        weight: 1,
        form: 'proxy',
      },
    });
    expect(buildDecoding('small', options).effective).toEqual({ method: 'plain', model: 'small' });
  });

  it('the effective spec builds the same distribution again', () => {
    const first = buildDecoding({ ...eft, base: { ...eft, weight: 2 } }, options);
    expect(buildDecoding(first.effective, options)).toEqual(first);
  });

  it('a deployment may stand where a model may', () => {
    const deployments = new Map<string, unknown>([['pocket-eft', eft]]);
    const nested = buildDecoding({ ...eft, base: 'pocket-eft' }, { ...options, deployments });
    expect(nested.distribution).toEqual(buildDecoding({ ...eft, base: eft }, options).distribution);
    expect(buildDecoding('pocket-eft', { ...options, deployments }).method).toBe('eft');
  });

  it('negative weights where the operator allows them', () => {
    const built = buildDecoding({ ...eft, weight: -0.3 }, { ...options, allowNegativeWeights: true });
    expect(print(built.distribution)).toBe('large − 0.3·(small-chat − small)');
  });
});

describe('a spec that does not', () => {
  it.each<[string, unknown, Partial<SpecError>]>([
    ['an unknown key', { ...eft, wieght: 1 }, { path: 'decoding.wieght', problem: 'unknown key', nearest: 'weight' }],
    ['a nested unknown key', { ...eft, base: { ...eft, x: 1 } }, { path: 'decoding.base.x', problem: 'unknown key' }],
    ['an unknown method', { method: 'eff' }, { path: 'decoding.method', problem: 'unknown method', nearest: 'eft' }],
    ['no method', { base: 'large' }, { path: 'decoding.method', problem: 'missing' }],
    ['a method that is no text', { method: 3 }, { path: 'decoding.method', problem: 'wrong type', value: 3 }],
    ['a missing field', { method: 'eft', base: 'large' }, { path: 'decoding.tuned', problem: 'missing' }],
    [
      'an unknown model',
      { ...eft, base: 'lage' },
      { path: 'decoding.base', problem: 'unknown name', nearest: 'large' },
    ],
    ['a number as text', { ...eft, weight: '1' }, { path: 'decoding.weight', problem: 'wrong type', value: '1' }],
    ['null for a number', { ...eft, weight: null }, { path: 'decoding.weight', problem: 'wrong type', value: null }],
    ['NaN', { ...eft, weight: NaN }, { path: 'decoding.weight', problem: 'wrong type' }],
    [
      'a weight out of range',
      { ...eft, weight: 1000 },
      { path: 'decoding.weight', problem: 'out of range', value: 1000 },
    ],
    ['a negative weight', { ...eft, weight: -0.3 }, { path: 'decoding.weight', problem: 'not allowed', value: -0.3 }],
    [
      'an unknown form',
      { ...eft, form: 'proxi' },
      { path: 'decoding.form', problem: 'out of range', nearest: 'proxy' },
    ],
    ['a form that is no text', { ...eft, form: 1 }, { path: 'decoding.form', problem: 'wrong type' }],
    ['a member that is a list', { ...eft, base: ['large'] }, { path: 'decoding.base', problem: 'wrong type' }],
    ['a spec that is null', null, { path: 'decoding', problem: 'wrong type' }],
    ['a spec that is a number', 7, { path: 'decoding', problem: 'wrong type' }],
    [
      'a key of the prototype as method',
      { method: 'toString' },
      { path: 'decoding.method', problem: 'unknown method' },
    ],
    [
      'a key of the prototype as field',
      { ...eft, constructor: 1 },
      { path: 'decoding.constructor', problem: 'unknown key' },
    ],
  ])('%s', (_, spec, expected) => {
    const error = refusal(spec);
    expect(error).toMatchObject(expected);
    expect(error.remedy).not.toBe('');
    expect(error.message).toContain(error.path);
  });

  it('deployments that refer to each other', () => {
    const deployments = new Map<string, unknown>([
      ['one', { ...eft, base: 'two' }],
      ['two', { ...eft, base: 'one' }],
    ]);
    expect(refusal('one', { deployments })).toMatchObject({ problem: 'cycle', path: 'decoding.base.base' });
    expect(refusal('one', { deployments }).remedy).toContain('one → two → one');
  });

  it('nests too deep or too wide', () => {
    const nest = (depth: number): unknown => (depth === 0 ? 'large' : { method: 'plain', model: nest(depth - 1) });
    expect(() => buildDecoding(nest(8), options)).not.toThrow();
    expect(refusal(nest(9))).toMatchObject({ problem: 'too large' });
    const wide = (depth: number): unknown =>
      depth === 0 ? 'large' : { ...eft, base: wide(depth - 1), tuned: wide(depth - 1), reference: wide(depth - 1) };
    expect(refusal(wide(5))).toMatchObject({ problem: 'too large' });
    const models = Array.from({ length: 20 }, (_, index) => `m${index}`);
    const many = models
      .slice(2)
      .reduce<unknown>((base, model) => ({ ...eft, base, tuned: model, reference: 'm0' }), 'm1');
    expect(refusal(many, { models }).problem).toBe('too large');
  });
});

describe('explain', () => {
  it('counts one forward per distinct model and prompt', () => {
    const { distribution } = buildDecoding({ ...eft, base: { ...eft, weight: 2 } }, options);
    expect(explainDistribution(distribution).forwardsPerToken).toEqual({ large: 1, 'small-chat': 1, small: 1 });
  });

  it('a model that has no say is not run', () => {
    const costOf = (spec: unknown): object =>
      explainDistribution(buildDecoding(spec, options).distribution).forwardsPerToken;
    expect(costOf({ ...eft, weight: 0 })).toEqual({ large: 1 });
    expect(costOf({ ...eft, weight: 0, form: 'amplified' })).toEqual({ 'small-chat': 1 });
    expect(costOf({ ...eft, tuned: 'small' })).toEqual({ large: 1 });
    expect(costOf({ ...eft, base: 'small' })).toEqual({ 'small-chat': 1 });
    expect(costOf({ ...eft, base: 'small', weight: 0.5 })).toEqual({ 'small-chat': 1, small: 1 });
  });

  it('every method documents itself', () => {
    for (const method of methods) {
      expect(method.summary).not.toBe('');
      expect(method.equation).not.toBe('');
      for (const field of Object.values(method.fields)) expect(field.help).not.toBe('');
    }
  });
});
