// GET /v1/decoding/methods and POST /v1/decoding/explain, with the real catalog behind them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { scorers } from '../../../decoders/scorers/index.js';
import { searches } from '../../../decoders/searches/index.js';
import { methods } from '../../../decoders/distributions/index.js';
import { buildApp } from '../../../server/app.js';
import { Catalog } from '../../../server/catalog.js';
import type { Engine } from '../../../server/context.js';
import { noStats } from '../../../server/engine/messages.js';
import { config, constraints, text } from './support.js';

const names = ['large', 'small', 'chat'];
const facts = { vocabSize: 257, vocabularyHash: 'a', contextLength: 99, eosTokenIds: [256], predictsTokens: true };
const eft = { method: 'eft', base: 'large', tuned: 'chat', reference: 'small' };
const catalog = new Catalog(
  {
    file: null,
    models: names.map((name) => ({
      name,
      path: '/',
      weights: 'f32',
      kind: 'causal',
      device: 'cpu',
      contextLength: null,
    })),
    deployments: [{ name: 'steered', decoding: eft, defaults: {} }],
    allowNegativeWeights: false,
  },
  new Map(names.map((name) => [name, facts])),
  0,
);

let app: FastifyInstance;
beforeAll(async () => {
  const submit = (): never => expect.fail('nothing is computed');
  const engine: Engine = {
    submit,
    grant: () => undefined,
    change: () => undefined,
    stats: () => noStats,
    info: [],
    state: 'ready',
  };
  app = await buildApp({ config, engine, catalog, text, constraints });
});
afterAll(async () => app.close());

async function explain(payload: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await app.inject({ method: 'POST', url: '/v1/decoding/explain', payload });
  return { status: response.statusCode, body: response.json() };
}

test('every method is listed with its parameters', async () => {
  const { data, scorers: found } = (await app.inject('/v1/decoding/methods')).json<{
    data: { name: string; parameters: unknown[] }[];
    scorers: { name: string }[];
  }>();
  expect(data.map(({ name }) => name)).toEqual([...methods, ...searches].map(({ name }) => name));
  expect(found.map(({ name }) => name)).toEqual(scorers.map(({ kind }) => kind));
  expect(data.find(({ name }) => name === 'transfer_q')).toMatchObject({ kind: 'search' });
  expect(data.find(({ name }) => name === 'fusion')?.parameters).toContainEqual({
    name: 'bounds',
    type: 'number or list of numbers',
    range: '0 to 10',
    required: false,
    default: 2,
    help: 'Largest weight: one number for all experts, or one for each.',
  });
});

describe('explain', () => {
  test.each<[string, object, object]>([
    [
      'a deployment',
      { model: 'steered' },
      { model: 'steered', formula: 'large + 1·(chat − small)', forwards_per_token: { large: 1, chat: 1, small: 1 } },
    ],
    ['a dial of it', { model: 'steered', decoding: { weight: 0.5 } }, { formula: 'large + 0.5·(chat − small)' }],
    ['a model', { model: 'small' }, { formula: 'small', method: { name: 'plain' }, effective: { model: 'small' } }],
    [
      'a whole spec without a model',
      { decoding: { method: 'guidance', model: 'steered', speculation: { draft: 'chat', tokens: 4 } } },
      {
        method: { name: 'guidance' },
        models: ['large', 'chat', 'small'],
        context_length: 99,
        speculation: { draft: 'chat', tokens: 4 },
        forwards_per_token: { large: 2, chat: 2, small: 2 },
      },
    ],
  ])('%s', async (_, payload, expected) => {
    const { status, body } = await explain(payload);
    expect(body).toMatchObject(expected);
    expect(status).toBe(200);
  });

  test.each<[string, object, string]>([
    ['nothing', {}, 'model'],
    ['a dial without what it turns', { decoding: { weight: 1 } }, 'model'],
    ['plain without a model', { decoding: { method: 'plain' } }, 'model'],
    ['a bad spec', { decoding: { ...eft, base: { ...eft, weight: -1 } } }, 'decoding.base.weight'],
    ['a model that is no name', { model: 7 }, 'model'],
  ])('refuses %s', async (_, payload, param) => {
    const { status, body } = await explain(payload);
    expect(status).toBe(400);
    expect(body['error']).toMatchObject({ param });
  });
});
