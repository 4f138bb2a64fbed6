import { describe, expect, it } from 'vitest';
import { describeDistribution, describeMethods, explainDecoding } from '../../decoders/explain.js';
import { searches } from '../../decoders/searches/index.js';
import { buildDecoding, SpecError } from '../../decoders/spec.js';
import type { SpecOptions } from '../../decoders/spec.js';
import { viewsOf } from '../../decoders/expr.js';
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

  it.each<[string, unknown, string]>([
    ['one prompt or another', { model: 'large', prompt: { system: null } }, 'large[no system]'],
    [
      'a prompt reaches through a method, and not over another prompt',
      { model: { ...eft, base: { model: 'large', prompt: 'last_token' } }, prompt: { system: null } },
      'large[last token] + 1·(small-chat[no system] − small[no system])',
    ],
    ['guidance', { method: 'guidance', model: 'large' }, '1.5·large − 0.5·large[last token]'],
    [
      'fusion',
      { method: 'fusion', base: 'large', reference: 'small', experts: 'small-chat' },
      'fused(log softmax(large) + a1·(log softmax(small-chat) − log softmax(small)); a1 ≤ 2; single)',
    ],
    [
      'a weight filter',
      { ...eft, form: 'amplified', keep: 0.9 },
      'where(nucleus(log softmax(small-chat), 0.9), log softmax(small-chat) + 1·(log softmax(large) − log softmax(small)), log softmax(small-chat))',
    ],
  ])('%s', (_, spec, formula) => {
    expect(print(buildDecoding(spec, options).distribution)).toBe(formula);
  });

  it('equal prompts are one view, and each is told once', () => {
    const negative = { model: 'large', prompt: { system: null } };
    const { distribution, prompts } = buildDecoding(
      { method: 'dcd', positive: 'large', negative: { ...eft, base: negative, tuned: negative } },
      options,
    );
    expect(viewsOf(distribution).map(({ model, prompt }) => `${model} ${prompt}`)).toEqual([
      'large default',
      'large {"system":null}',
      'small default',
    ]);
    expect([...prompts.values()]).toEqual([{ kind: 'own' }, { kind: 'system', text: null }]);
  });

  it('speculation stands beside the method, also in a deployment, and is part of what is reported', () => {
    const speculation = { draft: 'small-chat', tokens: 5 };
    const built = buildDecoding({ ...eft, speculation }, options);
    expect(built.speculation).toEqual(speculation);
    expect(built.effective).toMatchObject({ method: 'eft', speculation });
    expect(buildDecoding(built.effective, options)).toEqual(built);
    const deployments = new Map<string, unknown>([['quick', { ...eft, speculation: { draft: 'lookup' } }]]);
    expect(buildDecoding('quick', { ...options, deployments }).speculation).toEqual({ draft: 'lookup', tokens: 4 });
    expect(buildDecoding({ ...eft, speculation: null }, options).speculation).toBeNull();
    expect(buildDecoding(eft, options).speculation).toBeNull();
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
      { path: 'decoding.weight', problem: 'out of range', value: 1000, remedy: 'Use a number from 0 to 100.' },
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

  const fusion = { method: 'fusion', base: 'large', reference: 'small', experts: ['small-chat'] };
  const formula = (expression: unknown): object => ({ method: 'formula', expression });
  const difference = {
    op: 'sum',
    terms: [
      { weight: 1, of: 'small-chat' },
      { weight: -1, of: 'small' },
    ],
  };
  const dpa = { method: 'dpa', inner: 'small-chat', direction: 30 };
  const experts = { help: 'small-chat', brevity: 'small' };
  it.each<[string, unknown, string, Partial<SpecError>]>([
    ['no experts', { ...fusion, experts: [] }, 'experts', { problem: 'out of range' }],
    [
      'an unknown expert',
      { ...fusion, experts: ['smal'] },
      'experts[0]',
      { problem: 'unknown name', nearest: 'small' },
    ],
    ['too many experts', { ...fusion, experts: Array(9).fill('small') }, 'experts', { problem: 'too large', value: 9 }],
    [
      'a joint search of five',
      { ...fusion, experts: Array(5).fill('small'), search: 'joint' },
      'experts',
      { problem: 'not allowed', value: 5 },
    ],
    ['bounds for other experts', { ...fusion, bounds: [1, 2] }, 'bounds', { problem: 'not allowed' }],
    ['a bound out of range', { ...fusion, bounds: [11] }, 'bounds[0]', { problem: 'out of range' }],
    ['keep in the proxy form', { ...eft, keep: 0.9 }, 'keep', { problem: 'not allowed', value: 0.9 }],
    [
      'a weighted member without weight',
      { ...eft, tuned: [{ model: 'small' }] },
      'tuned[0].weight',
      { problem: 'missing' },
    ],
    [
      'a negative weight in a list',
      { ...eft, tuned: [{ model: 'small', weight: -1 }] },
      'tuned[0].weight',
      { problem: 'not allowed' },
    ],
    [
      'an unknown key in a list',
      { ...eft, tuned: [{ model: 'small', weight: 1, wait: 2 }] },
      'tuned[0].wait',
      { problem: 'unknown key' },
    ],
    ['an unknown prompt', { model: 'large', prompt: { sistem: '' } }, 'prompt.sistem', { nearest: 'system' }],
    [
      'a prompt of two kinds',
      { model: 'large', prompt: { system: 'a', text: 'b' } },
      'prompt',
      { problem: 'out of range' },
    ],
    ['an empty text', { model: 'large', prompt: { text: '' } }, 'prompt.text', { problem: 'out of range' }],
    ['no messages', { model: 'large', prompt: { messages: [] } }, 'prompt.messages', { problem: 'wrong type' }],
    [
      'a message of an unknown role',
      { model: 'large', prompt: { messages: [{ role: 'tool', content: 'x' }] } },
      'prompt.messages[0].role',
      { problem: 'out of range' },
    ],
    [
      'guidance where every view has its own prompt',
      { method: 'guidance', model: { model: 'large', prompt: { text: 'a' } } },
      'negative_prompt',
      { problem: 'not allowed' },
    ],
    [
      'original contrast without mask',
      { method: 'contrastive', expert: 'large', amateur: 'small', form: 'original', plausibility: 0 },
      'plausibility',
      { problem: 'not allowed' },
    ],
    ['a model that was told no directions', { ...dpa, inner: 'large' }, 'inner', { problem: 'not allowed' }],
    ['directions without a model', { ...dpa, inner: undefined }, 'inner', { problem: 'not allowed' }],
    ['an unknown axis', { ...dpa, direction: { hlep: 1 } }, 'direction.hlep', { problem: 'not allowed' }],
    ['a direction of no length', { ...dpa, direction: [0, 0] }, 'direction', { problem: 'not allowed' }],
    ['a direction of other dimensions', { ...dpa, direction: [1, 0, 0] }, 'direction', { problem: 'not allowed' }],
    ['a direction of NaN', { ...dpa, direction: { help: NaN } }, 'direction.help', { problem: 'wrong type' }],
    ['a reward model', { ...dpa, mode: 'reward' }, 'reward', { problem: 'missing' }],
    ['experts in mode prompt', { ...dpa, experts }, 'experts', { problem: 'not allowed' }],
    ['an inner model in mode experts', { ...dpa, mode: 'experts', experts }, 'inner', { problem: 'not allowed' }],
    [
      'experts in a negative direction',
      { method: 'dpa', mode: 'experts', experts, direction: -10 },
      'direction',
      { problem: 'not allowed', value: 'brevity' },
    ],
    [
      'a formula as text',
      formula('large + 0.5*small'),
      'expression',
      { remedy: expect.stringContaining('a formula is an object') as string },
    ],
    ['an unknown operator', formula({ op: 'onion', of: ['large'] }), 'expression.op', { nearest: 'union' }],
    ['an operator of the prototype', formula({ op: 'constructor' }), 'expression.op', { problem: 'unknown name' }],
    [
      'a classifier',
      formula({ op: 'classifier' }),
      'expression.op',
      { problem: 'not allowed', message: expect.stringContaining('a term of the sum at the root') as string },
    ],
    ['a union of nothing', formula({ op: 'union', of: [] }), 'expression.of', { problem: 'wrong type' }],
    [
      'a mask as a member',
      formula({ op: 'plausible', of: 'large', ratio: 0.1 }),
      'expression.op',
      { problem: 'unknown name' },
    ],
    [
      'a member as a mask',
      formula({ op: 'masked', of: 'large', mask: 'small' }),
      'expression.mask',
      { problem: 'wrong type' },
    ],
    [
      'a mask that forbids everything',
      formula({ op: 'masked', of: 'large', mask: { op: 'plausible', of: 'large', ratio: 1.5 } }),
      'expression.mask.ratio',
      { problem: 'out of range' },
    ],
    [
      'a weight that is no number, deep inside',
      formula({ op: 'sum', terms: [{ weight: 1, of: { op: 'sum', terms: [{ weight: 'x', of: 'large' }] } }] }),
      'expression.terms[0].of.terms[0].weight',
      { problem: 'wrong type' },
    ],
    [
      'an unknown model, deep inside',
      formula({ op: 'union', of: ['large', { op: 'log_softmax', of: 'smal' }] }),
      'expression.of[1].of',
      { problem: 'unknown name', nearest: 'small' },
    ],
    [
      'an unknown key of an operator',
      formula({ op: 'union', of: ['large'], off: 1 }),
      'expression.off',
      { nearest: 'of' },
    ],
    [
      'a sum of 0',
      formula({ op: 'sum', terms: [{ weight: 0, of: 'large' }] }),
      'expression',
      { problem: 'not allowed' },
    ],
    [
      'a sum below 0 behind a log softmax',
      formula({ op: 'log_softmax', of: { op: 'sum', terms: [{ weight: -1, of: 'large' }] } }),
      'expression.of',
      { problem: 'not allowed', value: -1 },
    ],
    [
      'a sum of 0 in a union',
      formula({ op: 'union', of: ['large', difference] }),
      'expression.of[1]',
      { problem: 'not allowed', value: 0 },
    ],
    [
      'a mask of what a difference prefers',
      formula({ op: 'masked', of: 'large', mask: { op: 'nucleus', of: difference, mass: 0.5 } }),
      'expression.mask.of',
      { problem: 'not allowed', value: 0 },
    ],
    [
      'more fused experts than the limit',
      formula({
        op: 'fused',
        base: 'large',
        reference: 'small',
        experts: Array.from({ length: 9 }, () => 'small-chat'),
        search: 'single',
        bounds: Array.from({ length: 9 }, () => 2),
      }),
      'expression.experts',
      { problem: 'too large', value: 9 },
    ],
    [
      'more operators than the limit',
      formula({ op: 'union', of: Array.from({ length: 130 }, () => ({ op: 'log_softmax', of: 'large' })) }),
      'expression.of[63].of',
      { problem: 'too large' },
    ],
    [
      'speculation inside',
      { ...eft, base: { ...eft, speculation: { draft: 'small' } } },
      'base.speculation',
      { problem: 'not allowed' },
    ],
    ['an unknown draft', { ...eft, speculation: { draft: 'smoll' } }, 'speculation.draft', { nearest: 'small' }],
    ['no draft', { ...eft, speculation: { tokens: 3 } }, 'speculation.draft', { problem: 'missing' }],
    [
      'a block too long',
      { ...eft, speculation: { draft: 'small', tokens: 17 } },
      'speculation.tokens',
      { problem: 'out of range' },
    ],
    [
      'half a token',
      { ...eft, speculation: { draft: 'small', tokens: 1.5 } },
      'speculation.tokens',
      { problem: 'out of range' },
    ],
    ['speculation that is a word', { ...eft, speculation: 'small' }, 'speculation', { problem: 'wrong type' }],
  ])('%s', (_, spec, path, expected) => {
    const directionCards = new Map([['small-chat', { template: '{help} {brevity}', axes: ['help', 'brevity'] }]]);
    const error = refusal(spec, { directionCards });
    expect(error).toMatchObject({ ...expected, path: path === '' ? 'decoding' : `decoding.${path}` });
    expect(error.remedy).not.toBe('');
  });

  it('nests that grow exponentially', () => {
    const nest = (depth: number): unknown =>
      depth === 0 ? 'small-chat' : { ...eft, tuned: nest(depth - 1), form: 'amplified', keep: 0.9 };
    expect(() => buildDecoding(nest(3), options)).not.toThrow();
    // The innermost method that is too large says so, before anything is built around it.
    expect(refusal(nest(8))).toMatchObject({ path: `decoding${'.tuned'.repeat(4)}`, problem: 'too large', value: 521 });
  });

  it('operators too deep', () => {
    const nest = (depth: number): unknown => (depth === 0 ? 'large' : { op: 'log_softmax', of: nest(depth - 1) });
    expect(() => buildDecoding(formula(nest(16)), options)).not.toThrow();
    expect(refusal(formula(nest(17)))).toMatchObject({ problem: 'too large', value: 17 });
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
    expect(describeDistribution(distribution).forwards_per_token).toEqual({ large: 1, 'small-chat': 1, small: 1 });
  });

  it('a model that has no say is not run', () => {
    const costOf = (spec: unknown): object =>
      describeDistribution(buildDecoding(spec, options).distribution).forwards_per_token;
    expect(costOf({ ...eft, weight: 0 })).toEqual({ large: 1 });
    expect(costOf({ ...eft, weight: 0, form: 'amplified' })).toEqual({ 'small-chat': 1 });
    expect(costOf({ ...eft, tuned: 'small' })).toEqual({ large: 1 });
    expect(costOf({ ...eft, base: 'small' })).toEqual({ 'small-chat': 1 });
    expect(costOf({ ...eft, base: 'small', weight: 0.5 })).toEqual({ 'small-chat': 1, small: 1 });
    const experts = { help: 'small-chat', brevity: 'small' };
    expect(costOf({ method: 'dpa', mode: 'experts', direction: 90, experts })).toEqual({ small: 1 });
  });

  it('every method documents itself', () => {
    const described = describeMethods();
    expect(described.map(({ name }) => name)).toEqual([...methods, ...searches].map(({ name }) => name));
    for (const { summary, equation, parameters } of described) {
      expect(summary).not.toBe('');
      expect(equation).not.toBe('');
      expect(parameters.length).toBeGreaterThan(0);
      for (const { help, type, required, default: usual } of parameters) {
        expect(help).not.toBe('');
        expect(type).not.toBe('');
        if (required) expect(usual).toBeNull();
      }
    }
    expect(JSON.parse(JSON.stringify(described))).toEqual(described);
  });

  it('an explanation says what is computed, with what prompts and at what cost', () => {
    const decoding = buildDecoding(
      { method: 'guidance', model: 'large', negative_prompt: { system: 'Lie.' } },
      options,
    );
    expect(explainDecoding(decoding)).toMatchObject({
      method: { name: 'guidance' },
      formula: '1.5·large − 0.5·large[system "Lie."]',
      views: [
        { model: 'large', prompt: null },
        { model: 'large', prompt: { system: 'Lie.' } },
      ],
      forwards_per_token: { large: 2 },
      kernels: ['linear(0,1)'],
      effective: { method: 'guidance', model: 'large', negative_prompt: { system: 'Lie.' }, weight: 1.5 },
      speculation: null,
    });
  });
  it.each([
    ['small-chat', { large: 1, 'small-chat': 1, small: 1 }],
    ['lookup', { large: 1, 'small-chat': 1, small: 1 }],
    ['other', { large: 1, 'small-chat': 1, small: 1, other: 1 }],
  ])('drafts by %s cost what runs beside the members', (draft, forwards) => {
    const models = [...options.models, 'other'];
    const decoding = buildDecoding({ ...eft, speculation: { draft } }, { ...options, models });
    expect(explainDecoding(decoding).forwards_per_token).toEqual(forwards);
  });
});
