// What names resolve to, the vocabulary gate, and what a wrong spec answers at start (in the file's words) and in a request (in the
// wire's words).
import { describe, expect, it } from 'vitest';
import { Catalog } from '../../server/catalog.js';
import type { ModelFacts } from '../../server/catalog/facts.js';
import type { DeploymentConfig } from '../../server/config.js';
import type { ModelSettings } from '../../server/engine/messages.js';
import { AppError, type ErrorData } from '../../server/errors.js';

const model = (name: string, kind: 'causal' | 'reward' = 'causal'): ModelSettings => ({
  name,
  path: `/checkpoints/${name}`,
  weights: 'f32',
  kind,
  device: 'cpu',
  contextLength: null,
});
const facts = (hash: string, contextLength = 512, eosTokenIds = [0], vocabSize = 1000): ModelFacts => ({
  vocabSize,
  vocabularyHash: hash,
  contextLength,
  eosTokenIds,
  predictsTokens: true,
});
const known = new Map([
  ['large', facts('a', 512, [0])],
  ['small', facts('a', 256, [0])],
  ['chat', facts('a', 1024, [3, 0])],
  ['alien', facts('b')],
  ['foreign', facts('c', 512, [0], 2000)],
  ['rm', { ...facts('a'), predictsTokens: false }],
]);
const models = [...known.keys()].map((name) => model(name, name === 'rm' ? 'reward' : 'causal'));
const eft = { method: 'eft', base: 'large', tuned: 'chat', reference: 'small' };

const catalog = (deployments: readonly DeploymentConfig[] = [], allowNegativeWeights = false): Catalog =>
  new Catalog({ file: '/etc/trimtab.config.json', models, deployments, allowNegativeWeights }, known, 7);
const steered = catalog([
  { name: 'eft', decoding: eft, defaults: { temperature: 0.7, top_p: 0.9, max_tokens: 64 } },
  { name: 'nested', decoding: { ...eft, base: 'eft', weight: 0.5 }, defaults: {} },
]);

function refusal(act: () => unknown): ErrorData {
  try {
    act();
  } catch (error) {
    if (error instanceof AppError) return error.data;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('names', () => {
  it('lists what can be asked for, not reward models', () => {
    expect(steered.list().map(({ id, kind }) => `${kind} ${id}`)).toEqual([
      'model large',
      'model small',
      'model chat',
      'model alien',
      'model foreign',
      'deployment eft',
      'deployment nested',
    ]);
    expect(steered.list()[0]).toEqual({ id: 'large', created: 7, ownedBy: 'trimtab', kind: 'model' });
  });

  it('a model is plain over itself', () => {
    expect(steered.resolve('small')).toMatchObject({
      name: 'small',
      method: 'plain',
      parameters: { model: 'small' },
      models: ['small'],
      tokenizerModel: 'small',
      contextLength: 256,
      eosTokenIds: [0],
      defaults: {},
    });
  });

  it('a deployment has its members, the least context, every end and its defaults', () => {
    const strategy = steered.resolve('eft');
    expect(strategy).toMatchObject({
      name: 'eft',
      method: 'eft',
      models: ['large', 'chat', 'small'],
      tokenizerModel: 'large',
      contextLength: 256,
      vocabSize: 1000,
      eosTokenIds: [0, 3],
      defaults: { temperature: 0.7, topP: 0.9, maxTokens: 64 },
      parameters: { base: 'large', tuned: 'chat', reference: 'small', weight: 1, form: 'proxy' },
    });
    expect(strategy.views.map((view) => view.model)).toEqual(['large', 'chat', 'small']);
    expect(steered.resolve('nested').models).toEqual(['large', 'chat', 'small']);
  });

  it('a name nobody knows, and an inherited one, is a 404 with the nearest', () => {
    expect(refusal(() => steered.resolve('larg'))).toMatchObject({
      code: 'model_not_found',
      status: 404,
      param: 'model',
      message: expect.stringContaining('did you mean large?') as string,
    });
    expect(refusal(() => steered.resolve('constructor')).code).toBe('model_not_found');
    expect(refusal(() => steered.resolve('rm'))).toMatchObject({
      code: 'model_not_found',
      message: expect.stringContaining('a reward model, which gives scores') as string,
    });
  });
});

describe('decoding in a request', () => {
  it('with a method replaces what the name stands for, and keeps the name and its defaults', () => {
    const strategy = steered.resolve('eft', { method: 'plain', model: 'chat' });
    expect(strategy).toMatchObject({ name: 'eft', method: 'plain', models: ['chat'], defaults: { temperature: 0.7 } });
  });
  it('without a method changes parameters of the deployment', () => {
    expect(steered.resolve('eft', { weight: 0.25 }).parameters).toMatchObject({ base: 'large', weight: 0.25 });
    expect(steered.resolve('eft').parameters).toMatchObject({ weight: 1 });
  });
  it('plain takes the named model by default', () => {
    expect(steered.resolve('chat', { method: 'plain' }).models).toEqual(['chat']);
    expect(steered.resolve('chat', {}).models).toEqual(['chat']);
  });
  it.each([
    ['unknown key', { ...eft, wieght: 2 }, 'unknown_key', 'decoding.wieght', 'Did you mean weight?'],
    ['unknown key of a dial', { weigth: 2 }, 'unknown_key', 'decoding.weigth', 'Did you mean weight?'],
    [
      'unknown nested key',
      { ...eft, base: { method: 'plain', model: 'large', x: 1 } },
      'unknown_key',
      'decoding.base.x',
      '',
    ],
    ['unknown method', { method: 'etf' }, 'invalid_value', 'decoding.method', 'eft'],
    ['unknown member', { ...eft, base: 'lage' }, 'invalid_value', 'decoding.base', 'Did you mean large?'],
    ['missing member', { method: 'eft', base: 'large', tuned: 'chat' }, 'invalid_value', 'decoding.reference', 'Give'],
    ['wrong type', { ...eft, weight: '1' }, 'invalid_value', 'decoding.weight', '"1"'],
    ['negative weight', { ...eft, weight: -1 }, 'invalid_value', 'decoding.weight', '-1'],
    ['reward model as member', { ...eft, tuned: 'rm' }, 'invalid_value', 'decoding.tuned', 'reward model'],
    ['a list', [eft], 'invalid_value', 'decoding', 'object'],
    ['a string', 'eft', 'invalid_value', 'decoding', 'object'],
  ])('%s', (_, decoding, code, param, part) => {
    const data = refusal(() => steered.resolve('eft', decoding));
    expect(data).toMatchObject({ code, param, status: 400 });
    expect(data.message).toContain(part);
    expect(data.message).not.toContain('/checkpoints');
  });
  it('negative weights are the operator’s choice', () => {
    expect(catalog([], true).resolve('large', { ...eft, weight: -1 }).parameters).toMatchObject({ weight: -1 });
  });
});

describe('the vocabulary gate', () => {
  it('refuses members whose ids differ, with both names and sizes', () => {
    const other = refusal(() => steered.resolve('large', { ...eft, tuned: 'foreign' }));
    expect(other).toMatchObject({ code: 'vocabulary_mismatch', status: 400, param: 'decoding.tuned' });
    expect(other.message).toContain('large (1000 tokens) and foreign (2000 tokens)');
    const sameSize = refusal(() => steered.resolve('large', { ...eft, reference: 'alien' }));
    expect(sameSize.message).toContain('sizes agree');
    const nested = refusal(() => steered.resolve('large', { ...eft, base: { ...eft, reference: 'alien' } }));
    expect(nested).toMatchObject({ code: 'vocabulary_mismatch', param: 'decoding.base.reference' });
  });
  it('names the first token that differs, where it is known', () => {
    const apart = new Map(known);
    const differences = new Map([['alien', { id: 7, piece: ' cat', otherPiece: null }]]);
    apart.set('large', { ...facts('a'), differences });
    const settings = { file: null, models, deployments: [], allowNegativeWeights: false };
    const { message } = refusal(() => new Catalog(settings, apart, 7).resolve('large', { ...eft, tuned: 'alien' }));
    expect(message).toContain('id 7, " cat" in one and nothing in the other');
  });
  it('holds for a model that only drafts', () => {
    const draft = { speculation: { draft: 'alien' } };
    expect(refusal(() => steered.resolve('eft', draft)).code).toBe('vocabulary_mismatch');
    expect(steered.resolve('eft', { speculation: { draft: 'chat', tokens: 3 } }).speculation).toEqual({
      draft: 'chat',
      tokens: 3,
    });
  });
  it('a draft lends its context, and neither its end tokens nor its name', () => {
    expect(steered.resolve('large', { speculation: { draft: 'chat' } })).toMatchObject({
      models: ['large'],
      eosTokenIds: [0],
      contextLength: 512,
    });
    expect(steered.resolve('large', { speculation: { draft: 'small' } }).contextLength).toBe(256);
  });
  it('at start it names the file and the deployment', () => {
    const data = refusal(() => catalog([{ name: 'bad', decoding: { ...eft, tuned: 'alien' }, defaults: {} }]));
    expect(data.code).toBe('config_invalid');
    for (const part of ['/etc/trimtab.config.json', 'deployments.bad.decoding', 'large (1000', 'alien (1000']) {
      expect(data.message).toContain(part);
    }
  });
});

describe('kinds of models', () => {
  it.each([
    ['a reward checkpoint as causal', [model('rm')], 'models.rm.kind', 'reward model'],
    ['a causal checkpoint as reward', [model('large', 'reward')], 'models.large.kind', 'predicts tokens'],
    ['reward models only', [model('rm', 'reward')], 'models', 'nothing can be served'],
  ])('%s stops the start', (_, configured, key, part) => {
    const settings = { file: null, models: configured, deployments: [], allowNegativeWeights: false };
    const data = refusal(() => new Catalog(settings, known, 7));
    expect(data.code).toBe('config_invalid');
    expect(data.message).toContain(`command line: ${key}:`);
    expect(data.message).toContain(part);
  });
});

describe('deployments at start', () => {
  it.each([
    ['unknown key', { ...eft, wieght: 1 }, 'deployments.d.decoding.wieght', 'Did you mean weight?'],
    ['unknown member', { ...eft, base: 'lage' }, 'deployments.d.decoding.base', 'Did you mean large?'],
    ['no method', { base: 'large' }, 'deployments.d.decoding.method', 'eft'],
    ['itself', { ...eft, base: 'd' }, 'deployments.d.decoding', 'd → d'],
  ])('%s', (_, decoding, key, part) => {
    const data = refusal(() => catalog([{ name: 'd', decoding, defaults: {} }]));
    expect(data).toMatchObject({ code: 'config_invalid', type: 'configuration_error' });
    expect(data.message).toContain(key);
    expect(data.message).toContain(part);
  });
});

describe('devices', () => {
  const placed = (devices: Readonly<Record<string, ModelSettings['device']>>): Catalog => {
    const own = models.map((each) => ({ ...each, device: devices[each.name] ?? each.device }));
    return new Catalog(
      { file: '/etc/trimtab.config.json', models: own, deployments: [], allowNegativeWeights: false },
      known,
      7,
    );
  };

  it('members of one distribution share one, and the error says how', () => {
    const { code, message, param } = refusal(() => placed({ large: 'webgpu' }).resolve('large', eft));
    expect([code, param]).toEqual(['device_mismatch', 'decoding']);
    expect(message).toContain('large is on webgpu and chat on cpu');
    expect(message).toContain('Give both the same "device"');
  });

  it('"auto" is where the models are that insist', () => {
    const together = { large: 'webgpu', chat: 'auto', small: 'auto' } as const;
    expect(placed(together).resolve('large', eft).views.length).toBe(3);
    expect(placed({ large: 'auto', chat: 'auto', small: 'auto' }).resolve('large', eft).views.length).toBe(3);
    // Nobody insists: it may be the CPU, or not.
    expect(refusal(() => placed({ large: 'auto' }).resolve('large', eft)).code).toBe('device_mismatch');
  });
});
