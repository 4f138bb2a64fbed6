// Random messages, likely and unlikely, in any order on one connection: each is answered as documented or acted on, no decode ends twice or
// never, nothing is called the server's fault, and the connection goes on. Then random bytes where frames should be.
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { config, harness, hello, type Script } from '../http/support.js';
import { Client, eventually, type Frame } from './support.js';

vi.setConfig({ testTimeout: 300_000 });

const MESSAGES = 10_000;
const corpus = JSON.parse(readFileSync(new URL('frames.corpus.json', import.meta.url), 'utf8')) as string[];

const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', '', '"', '__proto__', 'i'.repeat(65));
const odd = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(-1, 0.5, 1e999, 2 ** 31, '', null));
const tool = { type: 'function', function: { name: 'weather', parameters: { type: 'object' } } };
const body = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom<object[]>(
      { model: 'bytes', prompt: 'hi' },
      { model: 'steered', messages: [{ role: 'user', content: 'hi' }] },
      { model: 'steered', messages: [{ role: 'user', content: 'hi' }], tools: [tool], tool_choice: 'auto' },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record(
      {
        model: fc.constantFrom('bytes', 'steered', 'nobody'),
        prompt: odd,
        messages: odd,
        n: odd,
        stream: odd,
        logprobs: odd,
        decoding: odd,
        stop: odd,
        seed: odd,
        echo: odd,
        tools: fc.oneof(odd, fc.constant([tool])),
        tool_choice: fc.oneof(odd, fc.constantFrom('auto', 'none', 'required')),
      },
      { requiredKeys: ['model'] },
    ),
  },
  odd,
);
const frame = fc.oneof(
  fc.record(
    { type: fc.constant('start'), id, body, credit: odd, notices: odd },
    { requiredKeys: ['type', 'id', 'body'] },
  ),
  fc.record({ type: fc.constant('cancel'), id }),
  fc.record({ type: fc.constant('credit'), id, add: odd, set: odd }, { requiredKeys: ['type', 'id'] }),
  fc.record(
    { type: fc.constant('update'), id, decoding: fc.oneof(fc.record({ weight: odd }), odd), ref: odd },
    { requiredKeys: ['type', 'id', 'decoding'] },
  ),
  fc.record({ type: fc.constant('ping'), ref: odd }, { requiredKeys: ['type'] }),
  fc.record({ type: odd, id: odd }),
);
const text = fc.oneof({ weight: 6, arbitrary: frame.map((each) => JSON.stringify(each)) }, fc.constantFrom(...corpus));
const message = fc.oneof(
  { weight: 6, arbitrary: text },
  // Cut, or with a character in the wrong place.
  fc.tuple(text, fc.nat(), fc.constantFrom('', '{', '"', '\\', '\u0000', '😀')).map(([whole, at, insert]) => {
    const place = at % (whole.length + 1);
    return insert === '' ? whole.slice(0, place) : whole.slice(0, place) + insert + whole.slice(place);
  }),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

const known = new Set([
  'started',
  'prompt',
  'token',
  'text',
  'tool_call',
  'tool_arguments',
  'finished',
  'failed',
  'error',
  'pong',
  'paused',
  'updated',
]);
const ours = new Set(['internal_error', 'engine_failed', 'nan_logits']);

/** Answers after a turn of the event loop, so that other messages come in between. */
const script: Script = async function* (request, signal) {
  for await (const event of hello(request, signal)) {
    await new Promise((resolve) => setImmediate(resolve));
    if (signal.aborted) return;
    yield event;
  }
};

/** The id of a message that may begin a decode. */
function startedBy(sent: string): string[] {
  try {
    const given: unknown = JSON.parse(sent);
    const { type, id: own } = given as Partial<Record<string, unknown>>;
    return type === 'start' && typeof own === 'string' ? [own] : [];
  } catch {
    return [];
  }
}

/** A refused start has `failed` alone: it never was. */
function runningIn(frames: readonly Frame[]): Set<string> {
  const running = new Set<string>();
  for (const { type, id: own } of frames) {
    if (type === 'started') running.add(own!);
    if (type === 'finished' || type === 'failed') running.delete(own!);
  }
  return running;
}

function expectDocumented(frames: readonly Frame[]): void {
  const running = new Set<string>();
  for (const { type, id: own, error } of frames) {
    expect(known.has(type)).toBe(true);
    if (type === 'failed' || type === 'error') {
      const { message: said, type: kind, code } = error!;
      expect([said, kind, code].map((each) => typeof each)).toEqual(['string', 'string', 'string']);
      expect(ours.has(error!.code)).toBe(false);
    }
    if (own === undefined || type === 'error') continue;
    if (type === 'started') {
      expect(running.has(own)).toBe(false);
      running.add(own);
    } else if (type === 'failed') running.delete(own);
    else {
      expect(running.has(own)).toBe(true);
      if (type === 'finished') running.delete(own);
    }
  }
  expect([...running]).toEqual([]);
}

test(`${MESSAGES} messages`, async () => {
  const { app, submitted } = await harness(script, { websocket: { ...config.websocket, messagesPerSecond: 1e9 } });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  let sent = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 40, maxLength: 80 }), async (messages) => {
        const client = await Client.open(url);
        for (const each of messages) client.send(each);
        sent += messages.length;
        // What is still being read must not begin after the end.
        for (const last of new Set(messages.flatMap(startedBy))) client.send({ type: 'cancel', id: last });
        client.send({ type: 'ping', ref: 'the end' });
        await client.until(({ type, ref }) => type === 'pong' && ref === 'the end');
        await eventually(() => runningIn(client.frames).size === 0);
        await client.close();
        expectDocumented(client.frames);
      }),
      { numRuns: Math.ceil(MESSAGES / 40) },
    );
    expect(sent).toBeGreaterThanOrEqual(MESSAGES);
    await eventually(() => app.websocketServer.clients.size === 0);
    expect(submitted.length).toBeGreaterThan(30);
  } finally {
    await app.close();
  }
});

test('random bytes instead of frames', async () => {
  const { app } = await harness(script);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = new URL(url);
  try {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 2, maxLength: 200 }), async (bytes) => {
        const socket = connect(Number(port), '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write(
          `GET /v1/decode/ws HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
            'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
        );
        await once(socket, 'data');
        socket.end(bytes);
        await once(socket, 'close');
      }),
      { numRuns: 300 },
    );
    await eventually(() => app.websocketServer.clients.size === 0);
    const client = await Client.open(url);
    client.send({ type: 'ping' });
    await client.until(({ type }) => type === 'pong');
    await client.close();
  } finally {
    await app.close();
  }
});
