// The Responses protocol on a websocket, spoken by the stock client, on a scripted engine: the events of the stream, one response after the
// other, refusals as error events, and nothing left running when the connection goes.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { WebSocket } from 'ws';
import { afterEach, expect, test } from 'vitest';
import type { HttpConfig } from '../../../server/context.js';
import { AppError } from '../../../server/errors.js';
import { config, harness, hello, normalised, response, silent, type Harness, type Script } from './support.js';

type Event = Record<string, unknown> & { readonly type: string };

let server: Harness;
let sockets: (ResponsesWS | WebSocket)[] = [];
afterEach(async () => {
  for (const socket of sockets) socket.close();
  sockets = [];
  await server.app.close();
});

async function address(script: Script, overrides: Partial<HttpConfig> = {}): Promise<string> {
  server = await harness(script, overrides);
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  return `127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
}

async function stock(script: Script): Promise<ResponsesWS> {
  const client = new OpenAI({ baseURL: `http://${await address(script)}/v1`, apiKey: 'none' });
  const socket = new ResponsesWS(client);
  sockets.push(socket);
  return socket;
}

async function plain(script: Script, overrides: Partial<HttpConfig> = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${await address(script, overrides)}/v1/responses`);
  sockets.push(socket);
  await once(socket, 'open');
  return socket;
}

const last: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete', 'response.failed', 'error']);

/** The messages of the next `count` answers, as they came. Listens from the call on. */
function answers(socket: WebSocket, count = 1): Promise<string[]> {
  const messages: string[] = [];
  let ended = 0;
  return new Promise((resolve) => {
    const take = (data: Buffer): void => {
      messages.push(data.toString());
      if (last.has((JSON.parse(data.toString()) as Event).type)) ended++;
      if (ended < count) return;
      socket.off('message', take);
      resolve(messages);
    };
    socket.on('message', take);
  });
}

const create = (fields: object = {}): string => JSON.stringify({ type: 'response.create', ...response(fields) });

test('the stock client gets the text and the object', async () => {
  const socket = await stock(hello);
  socket.send({ type: 'response.create', model: 'bytes', input: 'hi' });
  let text = '';
  for await (const event of socket.stream()) {
    if (event.type === 'error') throw event.error;
    if (event.type !== 'message') continue;
    if (event.message.type === 'response.output_text.delta') text += event.message.delta;
    if (event.message.type === 'response.completed') {
      expect(event.message.response.status).toBe('completed');
      expect(event.message.response.usage).toMatchObject({ input_tokens: 24, output_tokens: 5, total_tokens: 29 });
      break;
    }
  }
  expect(text).toBe('Hello');
});

test('the stock client gets a refusal as an error with its fields, and goes on', async () => {
  const socket = await stock(hello);
  const refused = new Promise<unknown>((resolve) => socket.once('error', resolve));
  socket.send({ type: 'response.create', model: 'nope', input: 'hi' });
  expect(await refused).toMatchObject({
    error: { type: 'error', code: 'model_not_found', param: 'model', status: 404 },
  });
  const completed = new Promise((resolve) => socket.once('response.completed', resolve));
  socket.send({ type: 'response.create', model: 'bytes', input: 'hi' });
  expect(await completed).toMatchObject({ response: { status: 'completed' } });
});

test('the events are those of the stream over HTTP', async () => {
  const socket = await plain(hello);
  const payload = response({ stream: true });
  const { body } = await server.app.inject({ method: 'POST', url: '/v1/responses', payload });
  const streamed = body.split('\n').flatMap((line) => (line.startsWith('data: ') ? line.slice('data: '.length) : []));
  socket.send(create());
  expect((await answers(socket)).map(normalised)).toEqual(streamed.map(normalised));
});

test('one response after the other, in the order of their frames', async () => {
  const socket = await plain(hello);
  for (const name of ['a', 'b', 'c']) socket.send(create({ metadata: { name } }));
  const events = (await answers(socket, 3)).map((message) => JSON.parse(message) as Event);
  const named = events.flatMap(({ type, response: whole }) =>
    type === 'response.created' || type === 'response.completed'
      ? `${type} ${(whole as { metadata: { name: string } }).metadata.name}`
      : [],
  );
  expect(named).toEqual(['a', 'b', 'c'].flatMap((name) => [`response.created ${name}`, `response.completed ${name}`]));
});

test.each([
  ['no JSON', '{', 'invalid_json', null],
  ['no object', '[]', 'invalid_value', 'type'],
  ['null', 'null', 'invalid_value', 'type'],
  ['nothing', '', 'invalid_json', null],
  ['no type', '{}', 'invalid_value', 'type'],
  ['an unknown type', '{"type":"session.update"}', 'invalid_value', 'type'],
  ['no input', '{"type":"response.create","model":"bytes"}', 'invalid_value', 'input'],
  ['a value out of range', create({ temperature: 9 }), 'invalid_value', 'temperature'],
  ['an earlier response', create({ previous_response_id: 'resp_1' }), 'not_supported', 'previous_response_id'],
  ['a poisoned prototype', '{"type":"response.create","__proto__":{"model":"bytes"}}', 'invalid_json', null],
  ['nested too deeply', `{"type":${'['.repeat(100)}${']'.repeat(100)}}`, 'invalid_json', null],
])('refused, and the connection stays: %s', async (_name, frame, code, param) => {
  const socket = await plain(hello);
  socket.send(frame);
  const [message] = await answers(socket);
  const event = JSON.parse(message!) as Event;
  expect(event).toMatchObject({ type: 'error', code, param, error: { code, param } });
  expect(event['message']).not.toBe('');
  socket.send(create());
  expect((JSON.parse((await answers(socket)).at(-1)!) as Event).type).toBe('response.completed');
});

test('keys without effect are told in the response', async () => {
  const socket = await plain(hello);
  socket.send(create({ temprature: 1, prediction: { type: 'content', content: 'x' }, user: 'u' }));
  const event = JSON.parse((await answers(socket)).at(-1)!) as Event;
  expect(event['response']).toMatchObject({ user: 'u', ignored_fields: ['temprature', 'prediction'] });
});

test('a failure in mid-response ends that response only', async () => {
  let asked = 0;
  const socket = await plain(async function* (request, signal) {
    asked++;
    if (asked > 1) {
      yield* hello(request, signal);
      return;
    }
    yield { kind: 'delta', choice: 0, text: 'He', ids: [72, 101], tokens: [] };
    yield { kind: 'failed', error: new AppError('nan_logits', { model: 'bytes', position: 3 }).data };
  });
  socket.send(create());
  socket.send(create());
  const ends = (await answers(socket, 2))
    .map((message) => (JSON.parse(message) as Event).type)
    .filter((type) => last.has(type));
  expect(ends).toEqual(['response.failed', 'response.completed']);
});

test('closing the connection cancels what runs and drops what waits', async () => {
  const socket = await plain(silent, { pingMs: 10 });
  socket.send(create());
  socket.send(create());
  // The first event comes after a ping's time of silence.
  await once(socket, 'message');
  socket.terminate();
  const { signal } = server.submitted[0]!;
  if (!signal.aborted) await once(signal, 'abort');
  expect(server.submitted).toHaveLength(1);
});

test('more waiting frames than are allowed are refused', async () => {
  const socket = await plain(silent, { websocket: { ...config.websocket, decodes: 2 } });
  for (let i = 0; i < 4; i++) socket.send(create());
  const [message] = await answers(socket);
  expect(JSON.parse(message!)).toMatchObject({ type: 'error', code: 'too_many_decodes', status: 429 });
});

test('a server that shuts down lets the running response end, refuses the waiting one, and closes with 1001', async () => {
  let finish = (): void => undefined;
  const held = new Promise<void>((resolve) => (finish = resolve));
  let started = (): void => undefined;
  const running = new Promise<void>((resolve) => (started = resolve));
  const socket = await plain(async function* (request, signal) {
    started();
    await held;
    yield* hello(request, signal);
  });
  const closed = once(socket, 'close');
  socket.send(create());
  await running;
  socket.send(create());
  await new Promise((resolve) => socket.ping(resolve));
  await once(socket, 'pong');
  const closing = server.app.close();
  const types: string[] = [];
  socket.on('message', (data: Buffer) => types.push((JSON.parse(data.toString()) as Event).type));
  await once(socket, 'message');
  finish();
  await closed;
  await closing;
  expect(types.filter((type) => last.has(type))).toEqual(['error', 'response.completed']);
});

test('a plain GET is told to upgrade', async () => {
  server = await harness(hello);
  const reply = await server.app.inject('/v1/responses');
  expect(reply.statusCode).toBe(426);
  expect(reply.json()).toMatchObject({ error: { code: 'upgrade_required' } });
});
