// POST /v1/embeddings on a scripted engine: what reaches the engine, both forms of a vector, and what is refused. That the vectors are the
// pooled hidden states of the model is tests/engine/pool.test.ts.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../../server/errors.js';
import { eos, harness, type Harness, type Script } from './support.js';

const url = '/v1/embeddings';

/** The vector (3, 4, number of tokens), to be told apart and of known length. */
const pools: Script = async function* (request) {
  if (request.priority === 13) {
    yield { kind: 'failed', error: new AppError('nan_logits', { model: 'bytes', position: 3 }).data };
    return;
  }
  const length = request.promptIds[0]!.length;
  yield {
    kind: 'done',
    usage: { promptTokens: length, completionTokens: 0, cachedTokens: 0 },
    timings: { queuedMs: 0, prefillMs: 1, decodeMs: 0 },
    applied: { forwards: {}, rewinds: 0, fallbacks: {}, preemptions: 0, seed: 0 },
    pooled: Float32Array.of(3, 4, length),
  };
};

let server: Harness;
let raw: Harness;
beforeAll(async () => {
  server = await harness(pools);
  raw = await harness(pools, { embeddings: new Map([['bytes', { pooling: 'last', normalise: false }]]) });
});
afterAll(async () => {
  await server.app.close();
  await raw.app.close();
});
beforeEach(() => {
  server.submitted.length = 0;
});

const post = (fields: object, to = server) =>
  to.app.inject({ method: 'POST', url, payload: { model: 'bytes', input: 'hi', ...fields } });

interface Reply {
  readonly object: string;
  readonly data: readonly { readonly index: number; readonly embedding: readonly number[] | string }[];
  readonly usage: object;
}

test.each([
  ['a string', 'abc', [[97, 98, 99]]],
  ['strings', ['a', 'bc'], [[97], [98, 99]]],
  ['ids', [1, eos], [[1, eos]]],
  ['lists of ids', [[1], [2, 3]], [[1], [2, 3]]],
])('%s', async (_name, input, expected) => {
  const reply = (await post({ input })).json<Reply>();
  expect(server.submitted.map(({ request }) => Array.from(request.promptIds[0]!))).toEqual(expected);
  expect(server.submitted.every(({ request }) => request.pooling === 'mean' && request.maxTokens === 0)).toBe(true);
  expect(reply.data.map(({ index }) => index)).toEqual(expected.map((_, index) => index));
  const tokens = expected.flat().length;
  expect(reply).toMatchObject({
    object: 'list',
    model: 'bytes',
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
});

test('a vector has length 1 unless the operator says otherwise', async () => {
  const [unit] = (await post({})).json<Reply>().data;
  const length = Math.sqrt(9 + 16 + 4);
  (unit!.embedding as number[]).forEach((value, index) => expect(value).toBeCloseTo([3, 4, 2][index]! / length, 6));
  const [asIs] = (await post({}, raw)).json<Reply>().data;
  expect(asIs!.embedding).toEqual([3, 4, 2]);
  expect(raw.submitted[0]!.request.pooling).toBe('last');
});

test('base64 is the same numbers, little-endian float32', async () => {
  const [item] = (await post({ encoding_format: 'base64' }, raw)).json<Reply>().data;
  const bytes = Buffer.from(item!.embedding as string, 'base64');
  expect(Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index))).toEqual([3, 4, 2]);
});

describe('refused', () => {
  test.each([
    ['no input', { input: undefined }, 'invalid_value', 'input'],
    ['an empty text', { input: '' }, 'invalid_value', 'input'],
    ['an empty list', { input: [] }, 'invalid_value', 'input'],
    ['an empty text in a list', { input: ['a', ''] }, 'invalid_value', 'input[1]'],
    ['a number', { input: 5 }, 'invalid_value', 'input'],
    ['too many', { input: ['a', 'b', 'c', 'd', 'e'] }, 'invalid_value', 'input'],
    ['an id outside the vocabulary', { input: [1, 257] }, 'token_out_of_range', 'input'],
    ['longer than the context', { input: 'x'.repeat(101) }, 'context_length_exceeded', 'input'],
    ['dimensions', { dimensions: 2 }, 'not_supported', 'dimensions'],
    ['a format of no name', { encoding_format: 'hex' }, 'invalid_value', 'encoding_format'],
    ['a deployment of several models', { model: 'steered' }, 'not_supported', 'model'],
    ['a decoding', { decoding: { method: 'plain' } }, 'not_supported', 'decoding'],
  ])('%s', async (_name, fields, code, param) => {
    const reply = await post(fields);
    expect(reply.json()).toMatchObject({ error: { code, param } });
    expect(reply.statusCode).toBe(400);
    expect(server.submitted).toHaveLength(0);
  });
});

test('a failure ends all inputs', async () => {
  const reply = await post({ input: ['a', 'b'], priority: 13 });
  expect(reply.statusCode).toBe(500);
  expect(reply.headers['x-should-retry']).toBe('false');
  expect(reply.json()).toMatchObject({ error: { code: 'nan_logits' } });
  expect(server.submitted.every(({ signal }) => signal.aborted)).toBe(true);
});
