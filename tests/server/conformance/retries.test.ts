// How often the stock client asks: a failure that would only repeat itself is asked for once, although the client repeats every 5xx by
// default; a server that cannot answer yet says when to come back. The engine is scripted, so that it fails on purpose.
import type { AddressInfo } from 'node:net';
import OpenAI, { APIError, InternalServerError } from 'openai';
import { afterEach, expect, test } from 'vitest';
import { AppError } from '../../../server/errors.js';
import { harness, hello, type Harness, type Script } from '../http/support.js';

const fails: Script = async function* () {
  yield { kind: 'failed', error: new AppError('nan_logits', { model: 'bytes', position: 3 }).data };
};
const overloaded: Script = async function* () {
  yield { kind: 'failed', error: new AppError('queue_full', { waiting: 9, limit: 9, retryAfterSeconds: 0.01 }).data };
};
const breaks: Script = async function* () {
  yield { kind: 'delta', choice: 0, text: 'He', ids: [72, 101], tokens: [] };
  yield { kind: 'failed', error: new AppError('nan_logits', { model: 'bytes', position: 3 }).data };
};

let server: Harness;
afterEach(async () => server.app.close());

/** A client with its defaults (two retries), and the requests that it made. */
async function counted(script: Script): Promise<{ client: OpenAI; requests: string[] }> {
  server = await harness(script);
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = server.app.server.address() as AddressInfo;
  const requests: string[] = [];
  const counting: typeof fetch = (input, init) => {
    requests.push(input instanceof Request ? input.url : input.toString());
    return fetch(input, init);
  };
  return { client: new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', fetch: counting }), requests };
}

const chat = { model: 'bytes', messages: [{ role: 'user' as const, content: 'hi' }] };
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

test.each([
  ['chat', (client: OpenAI) => client.chat.completions.create(chat)],
  ['completions', (client: OpenAI) => client.completions.create({ model: 'bytes', prompt: 'hi' })],
  ['responses', (client: OpenAI) => client.responses.create({ model: 'bytes', input: 'hi' })],
  ['embeddings', (client: OpenAI) => client.embeddings.create({ model: 'bytes', input: 'hi' })],
  ['a stream that has not begun', (client: OpenAI) => client.chat.completions.create({ ...chat, stream: true })],
] as const)('a failure that would repeat itself is asked for once: %s', async (_name, ask) => {
  const { client, requests } = await counted(fails);
  const error = await caught(ask(client));
  expect(error).toBeInstanceOf(InternalServerError);
  expect(error).toMatchObject({ status: 500, code: 'nan_logits' });
  expect(requests).toHaveLength(1);
});

test('what is wrong with the request is asked for once', async () => {
  const { client, requests } = await counted(hello);
  await caught(client.chat.completions.create({ ...chat, temperature: 9 }));
  await caught(client.chat.completions.create({ ...chat, model: 'nope' }));
  expect(requests).toHaveLength(2);
});

test('an overloaded server is asked again as often as the client likes, and says when', async () => {
  const { client, requests } = await counted(overloaded);
  const error = await caught(client.chat.completions.create(chat, { maxRetries: 1 }));
  expect(error).toMatchObject({ status: 503, code: 'queue_full' });
  expect((error as APIError).headers!.get('retry-after')).toBe('1');
  expect(requests).toHaveLength(2);
});

test('a failure in mid-stream is an error of the stream, and is not repeated', async () => {
  const { client, requests } = await counted(breaks);
  let text = '';
  const error = await caught(
    (async () => {
      for await (const chunk of await client.chat.completions.create({ ...chat, stream: true })) {
        text += chunk.choices[0]?.delta.content ?? '';
      }
    })(),
  );
  expect(text).toBe('He');
  expect(error).toBeInstanceOf(APIError);
  expect(error).toMatchObject({ code: 'nan_logits' });
  expect(requests).toHaveLength(1);
});

test('a response that fails in mid-stream ends with its event', async () => {
  const { client } = await counted(breaks);
  const final = await client.responses.stream({ model: 'bytes', input: 'hi' }).finalResponse();
  expect(final).toMatchObject({ status: 'failed', error: { code: 'server_error' }, output_text: 'He' });
});
