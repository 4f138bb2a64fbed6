// POST /tokenize, /detokenize and /v1/chat/completions/render on the byte tokenizer: the ids that a request of the same words would have.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { chat, eos, harness, hello, type Harness } from './support.js';

let server: Harness;
beforeAll(async () => {
  server = await harness(hello);
});
afterAll(async () => server.app.close());
afterEach(() => {
  server.submitted.length = 0;
});

const post = (url: string, payload: object) => server.app.inject({ method: 'POST', url, payload });
const bytes = (text: string): number[] => Array.from(Buffer.from(text));
const messages = [{ role: 'user', content: 'hi' }];

test('a prompt, with the pieces of its tokens', async () => {
  const reply = await post('/tokenize', { model: 'bytes', prompt: 'hé', return_token_strs: true });
  expect(reply.json()).toEqual({
    count: 3,
    max_model_len: 100,
    tokens: [104, 0xc3, 0xa9],
    token_strs: ['h', 'bytes:\\xc3', 'bytes:\\xa9'],
  });
});

test('messages, as the template gives them', async () => {
  const open = (await post('/tokenize', { model: 'bytes', messages })).json<{ tokens: number[] }>();
  expect(open.tokens).toEqual(bytes('bytes<user:hi>assistant:'));
  const closed = (await post('/tokenize', { model: 'bytes', messages, add_generation_prompt: false })).json<{
    tokens: number[];
  }>();
  expect(closed.tokens).toEqual(bytes('bytes<user:hi>'));
});

test('ids back into text, special tokens too', async () => {
  const reply = await post('/detokenize', { model: 'bytes', tokens: [104, eos, 105] });
  expect(reply.json()).toEqual({ prompt: 'h<eos>i' });
  expect((await post('/detokenize', { model: 'bytes', tokens: [] })).json()).toEqual({ prompt: '' });
});

test('a chat as each view reads it is what the engine is given', async () => {
  const reply = (await post('/v1/chat/completions/render', chat({ model: 'steered' }))).json<{
    views: { model: string; text: string; token_ids: number[] }[];
  }>();
  expect(reply.views.map(({ model, text }) => [model, text])).toEqual([
    ['large', 'large<user:hi>assistant:'],
    ['chat', 'chat<user:hi>assistant:'],
    ['small', 'small<user:hi>assistant:'],
  ]);
  expect(server.submitted).toHaveLength(0);
  await post('/v1/chat/completions', chat({ model: 'steered' }));
  expect(server.submitted[0]!.request.promptIds.map((ids) => Array.from(ids))).toEqual(
    reply.views.map(({ token_ids: ids }) => ids),
  );
});

test.each([
  ['/tokenize', { model: 'bytes' }, 'prompt'],
  ['/tokenize', { model: 'bytes', prompt: 'a', messages }, 'prompt'],
  ['/tokenize', { model: 'bytes', prompt: ['a'] }, 'prompt'],
  ['/tokenize', { model: 'bytes', messages: [] }, 'messages'],
  ['/detokenize', { model: 'bytes' }, 'tokens'],
  ['/detokenize', { model: 'bytes', tokens: [1, 257] }, 'tokens[1]'],
  ['/detokenize', { model: 'bytes', tokens: [-1] }, 'tokens[0]'],
  ['/detokenize', { model: 'bytes', tokens: 'hi' }, 'tokens'],
  ['/v1/chat/completions/render', { model: 'bytes' }, 'messages'],
])('refused: %s %j', async (url, payload, param) => {
  const reply = await post(url, payload);
  expect(reply.statusCode).toBe(400);
  expect(reply.json()).toMatchObject({ error: { param } });
});
