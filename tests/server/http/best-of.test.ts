// best_of: more choices are generated than shown, and those are shown that are likeliest per token.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { completion, harness, token, type Harness, type Script } from './support.js';

/** Choice i says the letter a + i, with the log-probabilities of its row. */
const rows: readonly (readonly number[])[] = [[-3], [-1, -1, -1, -1], [-0.5], [-0.5, -2.5], []];

const letters: Script = async function* (request) {
  let completionTokens = 0;
  for (let choice = 0; choice < request.n; choice++) {
    const tokens = rows[choice]!.map((logprob) => token(97 + choice, { logprob }));
    completionTokens += tokens.length;
    const text = String.fromCharCode(97 + choice).repeat(tokens.length);
    const records = request.logprobs ? tokens : [];
    yield { kind: 'delta', choice, text, ids: tokens.map(({ id }) => id), tokens: records };
    yield { kind: 'finished', choice, reason: 'stop', stopReason: null };
  }
  yield {
    kind: 'done',
    usage: { promptTokens: 2, completionTokens, cachedTokens: 0 },
    timings: { queuedMs: 0, prefillMs: 0, decodeMs: 0 },
    applied: { forwards: {}, rewinds: 0, fallbacks: {}, preemptions: 0, seed: request.seed },
  };
};

let server: Harness;
beforeAll(async () => {
  server = await harness(letters);
});
afterAll(async () => server.app.close());
beforeEach(() => {
  server.submitted.length = 0;
});

const post = (fields: object) =>
  server.app.inject({ method: 'POST', url: '/v1/completions', payload: completion(fields) });

interface Reply {
  readonly choices: readonly { readonly index: number; readonly text: string; readonly logprobs: object | null }[];
  readonly usage: { readonly completion_tokens: number };
}

test('the likeliest per token, the best first, per prompt; everything generated is counted', async () => {
  const reply = (await post({ prompt: ['x', 'y'], n: 2, best_of: 5 })).json<Reply>();
  expect(server.submitted.map(({ request }) => request.n)).toEqual([5, 5]);
  // Means: −3, −1, −0.5, −1.5 and none.
  expect(reply.choices.map(({ index, text }) => [index, text])).toEqual([
    [0, 'c'],
    [1, 'bbbb'],
    [2, 'c'],
    [3, 'bbbb'],
  ]);
  expect(reply.choices.every(({ logprobs }) => logprobs === null)).toBe(true);
  expect(reply.usage.completion_tokens).toBe(16);
});

test('with log-probabilities they are those of the shown choice', async () => {
  const { choices } = (await post({ best_of: 2, logprobs: 0 })).json<Reply>();
  expect(choices).toHaveLength(1);
  expect(choices[0]!.logprobs).toMatchObject({ tokens: ['b', 'b', 'b', 'b'], token_logprobs: [-1, -1, -1, -1] });
});

test('equal to n it changes nothing, streamed or not', async () => {
  const { choices } = (await post({ n: 2, best_of: 2 })).json<Reply>();
  expect(choices.map(({ text }) => text)).toEqual(['a', 'bbbb']);
  expect((await post({ n: 2, best_of: 2, stream: true })).statusCode).toBe(200);
});

test.each([
  [{ n: 3, best_of: 2 }, 'invalid_value'],
  [{ best_of: 9 }, 'invalid_value'],
  [{ best_of: 0 }, 'invalid_value'],
  [{ best_of: 1e9 }, 'invalid_value'],
  [{ best_of: 2, stream: true }, 'not_supported'],
])('refused: %j', async (fields, code) => {
  const reply = await post(fields);
  expect(reply.statusCode).toBe(400);
  expect(reply.json()).toMatchObject({ error: { code, param: 'best_of' } });
  expect(server.submitted).toHaveLength(0);
});
