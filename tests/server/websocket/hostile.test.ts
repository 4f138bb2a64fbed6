// Every message and every connection that a hostile or a broken client can make: the documented error or close code, the decodes of others
// undisturbed, nothing left behind. Real sockets; the engine is a script, so that what it would say is exact.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { HttpConfig } from '../../../server/context.js';
import type { DecodeEvent, DecodeRequest } from '../../../server/wire/decode.js';
import { chat, completion, config, harness, hello, says, silent, type Harness, type Script } from '../http/support.js';
import { Client, eventually, type Frame } from './support.js';

vi.setConfig({ testTimeout: 60_000 });

const open: { harness: Harness; isClosed: boolean; clients: Client[]; sockets: Socket[] } = {
  harness: null as unknown as Harness,
  isClosed: false,
  clients: [],
  sockets: [],
};

async function serve(script: Script, websocket: Partial<HttpConfig['websocket']> = {}, rest: Partial<HttpConfig> = {}) {
  open.isClosed = false;
  open.harness = await harness(script, { ...rest, websocket: { ...config.websocket, ...websocket } });
  return open.harness.app.listen({ host: '127.0.0.1', port: 0 });
}

async function join(url: string, options = {}): Promise<Client> {
  const client = await Client.open(url, options);
  open.clients.push(client);
  return client;
}

const metric = async (name: string): Promise<number> => {
  const text = (await open.harness.app.inject('/metrics')).body;
  const line = text.split('\n').find((each) => each.startsWith(name));
  return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1));
};

/** Nothing may be left of any connection. */
afterEach(async () => {
  const { app, submitted } = open.harness;
  for (const { socket } of open.clients.splice(0)) socket.terminate();
  for (const socket of open.sockets.splice(0)) socket.destroy();
  await eventually(() => app.websocketServer.clients.size === 0);
  await eventually(() => submitted.every(({ signal, request }) => signal.aborted || done.has(request)));
  if (!open.isClosed) expect(await metric('trimtab_websocket_connections')).toBe(0);
  await app.close();
});

class Gate {
  open = (): void => undefined;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
}

/** Requests whose script came to its end. */
const done = new WeakSet<DecodeRequest>();
const ends = (script: Script): Script =>
  async function* (request, signal) {
    yield* script(request, signal);
    done.add(request);
  };

/** A letter per turn of the event loop, until it is cancelled. */
const endless: Script = async function* (_request, signal): AsyncGenerator<DecodeEvent> {
  while (!signal.aborted) {
    await new Promise((resolve) => setImmediate(resolve));
    yield { kind: 'delta', choice: 0, text: 'x', ids: [120], tokens: [] };
  }
};

const refused = (request: string | null, code: string, rest: object = {}) => ({
  type: 'error',
  ...(request === null ? {} : { request }),
  ...rest,
  error: expect.objectContaining({ code }) as unknown,
});

describe('a message that cannot be acted on is an error that names what is wrong', () => {
  test.each<[what: string, message: unknown, expected: object, says: RegExp]>([
    ['truncated', '{"type": "start", "id": "b", "bo', refused(null, 'invalid_frame'), /JSON/],
    ['empty', '', refused(null, 'invalid_frame'), /it is empty/],
    ['no object', '[{"type": "ping"}]', refused(null, 'invalid_frame'), /not an object/],
    ['null', 'null', refused(null, 'invalid_frame'), /it is null/],
    ['too deep', `${'['.repeat(100)}${']'.repeat(100)}`, refused(null, 'invalid_frame'), /deeper than 64/],
    ['poison', '{"type": "ping", "__proto__": {"a": 1}}', refused(null, 'invalid_frame'), /forbidden key/],
    [
      'poison inside',
      '{"type":"update","id":"a","decoding":{"__proto__":{}}}',
      refused(null, 'invalid_frame'),
      /forbidden/,
    ],
    ['no type', { id: 'b' }, refused(null, 'invalid_frame', { id: 'b' }), /has no type/],
    [
      'an unknown type',
      { type: 'stop', id: 'b' },
      refused(null, 'invalid_frame', { id: 'b' }),
      /"stop" is none of start/,
    ],
    ['a type of Object', { type: 'constructor' }, refused(null, 'invalid_frame'), /"constructor" is none/],
    ['a number as type', { type: 7 }, refused(null, 'invalid_frame'), /the type 7/],
    [
      'an unknown key',
      { type: 'cancel', id: 'a', now: true },
      refused('cancel', 'invalid_frame', { id: 'a' }),
      /"now"/,
    ],
    ['no id', { type: 'start', body: {} }, refused('start', 'invalid_frame'), /got nothing/],
    ['an empty id', { type: 'cancel', id: '' }, refused('cancel', 'invalid_frame'), /1 to 64 letters/],
    ['a long id', { type: 'cancel', id: 'i'.repeat(65) }, refused('cancel', 'invalid_frame'), /1 to 64 letters/],
    ['an id that breaks JSON', { type: 'cancel', id: '"}' }, refused('cancel', 'invalid_frame'), /1 to 64 letters/],
    ['no body', { type: 'start', id: 'b' }, refused('start', 'invalid_frame', { id: 'b' }), /body must be/],
    [
      'a list as body',
      { type: 'start', id: 'b', body: [] },
      refused('start', 'invalid_frame', { id: 'b' }),
      /body must be/,
    ],
    [
      'credit below zero',
      { type: 'start', id: 'b', body: {}, credit: -1 },
      refused('start', 'invalid_frame', { id: 'b' }),
      /from 0/,
    ],
    [
      'half a credit',
      { type: 'credit', id: 'a', add: 0.5 },
      refused('credit', 'invalid_frame', { id: 'a' }),
      /whole number/,
    ],
    [
      'credits below zero',
      { type: 'credit', id: 'a', add: -1 },
      refused('credit', 'invalid_frame', { id: 'a' }),
      /got -1/,
    ],
    ['set below zero', { type: 'credit', id: 'a', set: -7 }, refused('credit', 'invalid_frame', { id: 'a' }), /got -7/],
    [
      'credit as text',
      { type: 'credit', id: 'a', add: '9' },
      refused('credit', 'invalid_frame', { id: 'a' }),
      /got "9"/,
    ],
    [
      'too much credit',
      { type: 'credit', id: 'a', add: 2 ** 31 },
      refused('credit', 'invalid_frame', { id: 'a' }),
      /2147483647/,
    ],
    [
      'both',
      { type: 'credit', id: 'a', add: 1, set: 1 },
      refused('credit', 'invalid_frame', { id: 'a' }),
      /one of add and set/,
    ],
    ['neither', { type: 'credit', id: 'a' }, refused('credit', 'invalid_frame', { id: 'a' }), /one of add and set/],
    [
      'add without a bound',
      { type: 'credit', id: 'a', add: 1 },
      refused('credit', 'invalid_frame', { id: 'a' }),
      /use set/,
    ],
    ['a long ref', { type: 'ping', ref: 'r'.repeat(65) }, refused('ping', 'invalid_frame'), /up to 64/],
    ['an object as ref', { type: 'ping', ref: {} }, refused('ping', 'invalid_frame'), /up to 64/],
    ['an infinite ref', '{"type": "ping", "ref": 1e999}', refused('ping', 'invalid_frame'), /must be a number/],
    [
      'no decoding',
      { type: 'update', id: 'a', ref: 1 },
      refused('update', 'invalid_frame', { id: 'a', ref: 1 }),
      /decoding must/,
    ],
    [
      'what is fixed',
      { type: 'update', id: 'a', decoding: {} },
      refused('update', 'not_changeable', { id: 'a' }),
      /goes on as it was/,
    ],
    [
      'a duplicate id',
      { type: 'start', id: 'a', body: chat() },
      refused('start', 'duplicate_id', { id: 'a' }),
      /id a is running/,
    ],
    [
      'cancel of nothing',
      { type: 'cancel', id: 'z' },
      refused('cancel', 'decode_not_found', { id: 'z' }),
      /never started/,
    ],
    [
      'credit of nothing',
      { type: 'credit', id: 'z', add: 1 },
      refused('credit', 'decode_not_found', { id: 'z' }),
      /has ended/,
    ],
    [
      'update of nothing',
      { type: 'update', id: 'z', decoding: {} },
      refused('update', 'decode_not_found', { id: 'z' }),
      /ended/,
    ],
    [
      'notices as text',
      { type: 'start', id: 'b', body: {}, notices: 'no' },
      refused('start', 'invalid_frame', { id: 'b' }),
      /true or false/,
    ],
  ])('%s', async (_what, message, expected, pattern) => {
    const url = await serve(endless);
    const [client, other] = [await join(url), await join(url)];
    client.start('a', chat());
    other.start('a', chat());
    await client.until(({ type }) => type === 'text');
    await other.until(({ type }) => type === 'text');
    client.send(message as object | string);
    const frame = await client.until(({ type }) => type === 'error');
    expect(frame).toEqual(expected);
    expect(frame.error!.message).toMatch(pattern);
    // Both decodes go on, and the connection answers.
    for (const each of [client, other]) {
      const from = each.frames.length;
      each.send({ type: 'ping', ref: 'still here' });
      await each.until(({ type, ref }) => type === 'pong' && ref === 'still here', from);
      await each.until(({ type }) => type === 'text', from);
      expect(each.frames.some(({ type }) => type === 'failed')).toBe(false);
    }
  });
});

describe('a start that is refused fails with the error of its HTTP route', () => {
  test.each<[what: string, body: object, route: string]>([
    ['an unknown model', chat({ model: 'nobody' }), '/v1/chat/completions'],
    ['an unknown key of decoding', chat({ decoding: { wight: 1 } }), '/v1/chat/completions'],
    ['no messages', chat({ messages: [] }), '/v1/chat/completions'],
    ['a wrong type', chat({ n: '5' }), '/v1/chat/completions'],
    ['out of range', completion({ temperature: 9 }), '/v1/completions'],
    ['a token out of range', completion({ prompt: [1, 999] }), '/v1/completions'],
    ['too many tokens', completion({ max_tokens: 99, n: 8 }), '/v1/completions'],
    ['too many choices', chat({ n: 99 }), '/v1/chat/completions'],
    ['too many prompts', completion({ prompt: ['a', 'b', 'c', 'd', 'e'] }), '/v1/completions'],
    ['a control that is not there', chat({ audio: {} }), '/v1/chat/completions'],
    ['no tokens at all', completion({ max_tokens: 0 }), '/v1/completions'],
    ['another dialect’s key', completion({ top_logprobs: 3, logprobs: true }), '/v1/completions'],
  ])('%s', async (_what, body, route) => {
    const client = await join(await serve(ends(hello)));
    client.start('a', body);
    const failed = await client.ended('a');
    const reply = await open.harness.app.inject({ method: 'POST', url: route, payload: body });
    expect(reply.statusCode).toBeGreaterThanOrEqual(400);
    expect(failed).toEqual({ type: 'failed', id: 'a', ...reply.json<object>() });
    expect(client.of('a')).toHaveLength(1);
    // The id is free again.
    client.start('a', chat());
    await client.until(({ type }) => type === 'finished');
    expect(client.textOf('a')).toBe('Hello');
  });

  test('stream: false, both dialects and none', async () => {
    const client = await join(await serve(ends(hello)));
    client.start('a', chat({ stream: false }));
    client.start('b', { ...chat(), ...completion() });
    client.start('c', { model: 'bytes' });
    expect((await client.ended('a')).error).toMatchObject({ code: 'not_supported', param: 'stream' });
    expect((await client.ended('b')).error).toMatchObject({ code: 'invalid_value', param: 'body' });
    expect((await client.ended('c')).error).toMatchObject({ code: 'invalid_value', param: 'body' });
  });

  test('strict mode refuses what the other names', async () => {
    const body = chat({ temprature: 1 });
    const lax = await join(await serve(ends(hello)));
    lax.start('a', body);
    expect(await lax.until(({ type }) => type === 'started')).toMatchObject({ ignored: ['temprature'] });
    await lax.ended('a');
    await lax.close();
    await open.harness.app.close();
    const strict = await join(await serve(ends(hello), {}, { strict: true }));
    strict.start('a', body);
    expect((await strict.ended('a')).error).toMatchObject({ code: 'unknown_key', param: 'temprature' });
  });

  test('more decodes than one connection may have', async () => {
    const url = await serve(silent);
    const [client, other] = [await join(url), await join(url)];
    for (const id of ['a', 'b', 'c', 'd', 'e']) client.start(id, chat());
    expect(await client.ended('e')).toMatchObject({ error: { code: 'too_many_decodes' }, retry_after: 1 });
    expect(client.of('e')).toHaveLength(1);
    other.start('e', chat());
    await other.until(({ type }) => type === 'started');
    client.send({ type: 'cancel', id: 'a' });
    expect((await client.ended('a')).error).toMatchObject({ code: 'cancelled' });
    client.start('e2', chat());
    await client.until(({ id, type }) => id === 'e2' && type === 'started');
  });

  test('an engine that drains, and one that has stopped', async () => {
    const client = await join(await serve(ends(hello)));
    open.harness.state = 'draining';
    client.start('a', chat());
    expect(await client.ended('a')).toMatchObject({ error: { code: 'draining' }, retry_after: 1 });
    open.harness.state = 'failed';
    client.start('a', chat());
    await eventually(() => client.of('a').length === 2);
    expect(client.of('a')[1]).toMatchObject({ type: 'failed', error: { code: 'engine_failed' } });
    expect(client.of('a')[1]).not.toHaveProperty('retry_after');
  });
});

describe('what is said in the wrong order', () => {
  test('cancel twice, and after the end', async () => {
    const url = await serve(ends(says({ pieces: [{ text: 'Hi' }] })));
    const client = await join(url);
    client.start('a', chat());
    await client.ended('a');
    client.send({ type: 'cancel', id: 'a' });
    client.send({ type: 'credit', id: 'a', set: 3 });
    client.send({ type: 'update', id: 'a', decoding: { weight: 1 }, ref: 'late' });
    await eventually(() => client.frames.filter(({ type }) => type === 'error').length === 3);
    expect(client.frames.slice(-3)).toEqual([
      refused('cancel', 'decode_not_found', { id: 'a' }),
      refused('credit', 'decode_not_found', { id: 'a' }),
      refused('update', 'decode_not_found', { id: 'a', ref: 'late' }),
    ]);
    expect(client.of('a', 'finished', 'failed')).toHaveLength(1);
  });

  test('everything at once: start, cancel, cancel, update, start again', async () => {
    const client = await join(await serve(silent));
    client.start('a', chat());
    client.send({ type: 'cancel', id: 'a' });
    client.send({ type: 'cancel', id: 'a' });
    client.send({ type: 'update', id: 'a', decoding: { weight: 1 }, ref: 1 });
    expect((await client.ended('a')).error).toMatchObject({ code: 'cancelled' });
    expect(client.of('a').at(-1)!.type).toBe('failed');
    expect(client.of('a', 'error').map(({ error }) => error!.code)).toEqual(['decode_not_found']);
    client.start('a', chat());
    await eventually(() => open.harness.submitted.some(({ signal }) => !signal.aborted));
  });

  test('an update that its decode outlives answers before the end', async () => {
    const gate = new Gate();
    const script: Script = async function* (request, signal) {
      await gate.opened;
      yield* ends(hello)(request, signal);
    };
    const client = await join(await serve(script));
    client.start('a', chat({ model: 'steered' }));
    await client.until(({ type }) => type === 'started');
    client.send({ type: 'update', id: 'a', decoding: { weight: 0.5 }, ref: 'u' });
    client.send({ type: 'ping' });
    await client.until(({ type }) => type === 'pong');
    gate.open();
    await client.ended('a');
    expect(client.of('a').map(({ type }) => type)).toEqual(['started', 'text', 'text', 'error', 'finished']);
    expect(client.of('a', 'error')[0]).toEqual(refused('update', 'decode_not_found', { id: 'a', ref: 'u' }));
  });

  test('no credit for too long', async () => {
    const script: Script = async function* (_request, signal): AsyncGenerator<DecodeEvent> {
      yield { kind: 'paused' };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    };
    const client = await join(await serve(script, { pauseMs: 50 }));
    client.start('a', chat(), { credit: 0 });
    expect((await client.ended('a')).error).toMatchObject({ code: 'paused_too_long' });
    expect(client.of('a').map(({ type }) => type)).toEqual(['started', 'paused', 'failed']);
  });
});

/** A raw connection that has upgraded: what a library would never send. */
async function raw(url: string): Promise<Socket> {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  open.sockets.push(socket);
  socket.write(
    `GET /v1/decode/ws HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
      'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  const [head] = (await once(socket, 'data')) as [Buffer];
  expect(head.toString()).toMatch(/^HTTP\/1.1 101/);
  return socket;
}

/** A masked frame; a mask of zeros leaves the payload as it is. */
function frame(firstByte: number, payload: Buffer): Buffer {
  expect(payload.length).toBeLessThan(126);
  return Buffer.concat([Buffer.from([firstByte, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}

async function closeCode(socket: Socket): Promise<number> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await eventually(() => Buffer.concat(chunks).includes(0x88));
  const bytes = Buffer.concat(chunks);
  return bytes.readUInt16BE(bytes.indexOf(0x88) + 2);
}

describe('what breaks the connection closes it with its code, and cancels its decodes only', () => {
  const text = 0x81;
  test.each<[what: string, code: number, act: (url: string) => Promise<Client | Socket>]>([
    ['a binary frame', 1003, async (url) => sent(await join(url), (client) => client.send(Buffer.from('{}')))],
    [
      'a message that is too large',
      1009,
      async (url) => sent(await join(url), (client) => client.send(' '.repeat(65_537))),
    ],
    [
      'a large message in many fragments',
      1009,
      async (url) =>
        sent(await join(url), ({ socket }) => {
          for (let part = 0; part < 40; part++) socket.send(' '.repeat(2000), { fin: part === 39 });
        }),
    ],
    ['text that is not UTF-8', 1007, async (url) => written(url, frame(text, Buffer.from([0xff, 0xfe])))],
    ['a frame without a mask', 1002, async (url) => written(url, Buffer.from([text, 2, 0x7b, 0x7d]))],
    ['reserved bits', 1002, async (url) => written(url, frame(0xf1, Buffer.from('{}')))],
    ['an unknown opcode', 1002, async (url) => written(url, frame(0x83, Buffer.from('{}')))],
    ['a continuation of nothing', 1002, async (url) => written(url, frame(0x80, Buffer.from('{}')))],
    [
      '10 000 messages at once',
      1008,
      async (url) =>
        sent(await join(url), (client) => {
          for (let i = 0; i < 10_000; i++) client.send({ type: 'ping', ref: i });
        }),
    ],
    [
      '10 000 pings of the protocol',
      1008,
      async (url) =>
        sent(await join(url), ({ socket }) => {
          for (let i = 0; i < 10_000; i++) socket.ping();
        }),
    ],
  ])('%s: %i', async (_what, code, act) => {
    const url = await serve(endless, { messagesPerSecond: 100 });
    const bystander = await join(url);
    bystander.start('a', chat());
    await bystander.until(({ type }) => type === 'text');
    const culprit = await act(url);
    if (culprit instanceof Client) expect((await culprit.closed).code).toBe(code);
    else expect(await closeCode(culprit)).toBe(code);
    await eventually(async () => (await metric(`trimtab_websocket_closes_total{code="${code}"}`)) === 1);
    // Of the culprit everything has ended, of the bystander nothing.
    await eventually(() => open.harness.submitted.filter(({ signal }) => !signal.aborted).length === 1);
    const from = bystander.frames.length;
    await bystander.until(({ type }) => type === 'text', from);
    expect(bystander.of('a', 'failed')).toEqual([]);
  });

  /** It has a decode that runs, and then does it. */
  async function sent(client: Client, act: (client: Client) => void): Promise<Client> {
    client.start('a', chat());
    await client.until(({ type }) => type === 'text');
    act(client);
    return client;
  }

  async function written(url: string, bytes: Buffer): Promise<Socket> {
    const socket = await raw(url);
    socket.write(bytes);
    return socket;
  }

  test('a socket that never reads is cut after the write deadline, and held back before', async () => {
    const flood: Script = async function* (_request, signal): AsyncGenerator<DecodeEvent> {
      while (!signal.aborted) {
        await new Promise((resolve) => setImmediate(resolve));
        yield { kind: 'delta', choice: 0, text: 'x'.repeat(4096), ids: [120], tokens: [] };
      }
    };
    const url = await serve(flood, { queueBytes: 16 * 1024 }, { writeTimeoutMs: 300 });
    const { granted } = open.harness;
    const client = await join(url);
    const bystander = await join(url);
    bystander.start('a', completion());
    await bystander.until(({ type }) => type === 'text');
    client.start('a', chat());
    client.socket.pause();
    await eventually(() => granted.some(({ grant }) => grant.kind === 'hold' && grant.on));
    const held = open.harness.submitted[1]!;
    expect(held.signal.aborted).toBe(false);
    await eventually(() => held.signal.aborted);
    await eventually(() => open.harness.app.websocketServer.clients.size === 1);
    client.socket.resume();
    expect([1006, 1008]).toContain((await client.closed).code);
    expect(await metric('trimtab_websocket_closes_total{code="1008"}')).toBe(1);
    await bystander.until(({ type }) => type === 'text', bystander.frames.length);
  });

  test('a client that only asks and never reads is cut as well', async () => {
    const url = await serve(silent, { queueBytes: 1024, messagesPerSecond: 1e6 }, { writeTimeoutMs: 300 });
    const client = await join(url);
    client.socket.pause();
    const asking = setInterval(() => {
      for (let i = 0; i < 2000; i++) client.send({ type: 'ping', ref: 'r'.repeat(64) });
    }, 5);
    await eventually(() => open.harness.app.websocketServer.clients.size === 0);
    clearInterval(asking);
    expect(await metric('trimtab_websocket_closes_total{code="1008"}')).toBe(1);
  });

  test('one that is killed in mid-stream', async () => {
    const client = await join(await serve(endless));
    for (const id of ['a', 'b', 'c']) client.start(id, chat());
    await client.until(({ type, id }) => type === 'text' && id === 'c');
    client.socket.terminate();
    await eventually(() => open.harness.submitted.every(({ signal }) => signal.aborted));
    expect(open.harness.submitted).toHaveLength(3);
  });

  test('silence: 1001 where pings are not answered, none where they are', async () => {
    const url = await serve(silent, { idleMs: 200 });
    const [dead, alive] = [await join(url, { autoPong: false }), await join(url)];
    dead.start('a', chat());
    expect(await dead.closed).toMatchObject({ code: 1001 });
    await eventually(() => open.harness.submitted[0]!.signal.aborted);
    await new Promise((resolve) => setTimeout(resolve, 300));
    alive.send({ type: 'ping', ref: 1 });
    await alive.until(({ type }) => type === 'pong');
  });

  test('one connection too many: 1013, and room again when one goes', async () => {
    const url = await serve(ends(hello), { connections: 2 });
    const [first] = [await join(url), await join(url)];
    const third = new Client(url);
    expect(await third.closed).toMatchObject({ code: 1013 });
    await first.close();
    await eventually(() => open.harness.app.websocketServer.clients.size === 1);
    const again = await join(url);
    again.start('a', chat());
    await again.ended('a');
  });

  test('a close code of the client’s own invention makes no series of its own', async () => {
    const client = await join(await serve(silent));
    client.socket.close(4321, 'mine');
    await client.closed;
    await eventually(async () => (await metric('trimtab_websocket_closes_total{code="other"}')) === 1);
  });
});

describe('the upgrade', () => {
  const upgraded = async (url: string, headers: Record<string, string>, path = '/v1/decode/ws'): Promise<number> => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`, { headers });
    return new Promise((resolve) => {
      socket.once('open', () => {
        socket.close();
        resolve(101);
      });
      socket.once('unexpected-response', (_request, response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      socket.on('error', () => undefined);
    });
  };

  test('is for pages of allowed origins, for this server’s own, and for programs', async () => {
    const url = await serve(hello);
    const { host, port } = new URL(url);
    const cases: [headers: Record<string, string>, status: number][] = [
      [{}, 101],
      [{ origin: 'https://page.example' }, 101],
      [{ origin: `http://${host}` }, 101],
      [{ origin: `http://localhost:${port}`, host: `localhost:${port}` }, 101],
      [{ origin: 'https://evil.example' }, 403],
      [{ origin: 'https://page.example.evil.example' }, 403],
      [{ origin: 'http://page.example' }, 403],
      [{ origin: `http://127.0.0.1:${Number(port) + 1}` }, 403],
      // A name that was made to point here (DNS rebinding) is no page of ours.
      [{ origin: `http://evil.example:${port}`, host: `evil.example:${port}` }, 403],
      [{ origin: 'null' }, 403],
      [{ origin: 'not a url' }, 403],
    ];
    for (const [headers, status] of cases) expect([headers, await upgraded(url, headers)]).toEqual([headers, status]);
    await open.harness.app.close();
    const any = await serve(hello, { origins: ['*'] });
    expect(await upgraded(any, { origin: 'https://evil.example' })).toBe(101);
  });

  test('is not a plain GET, waits for the engine, and is nowhere else', async () => {
    const url = await serve(hello);
    const plain = await fetch(`${url}/v1/decode/ws`);
    expect([plain.status, await plain.json()]).toEqual([
      426,
      { error: expect.objectContaining({ code: 'upgrade_required' }) as unknown },
    ]);
    expect(await upgraded(url, {}, '/v1/decode/wss')).toBe(404);
    open.harness.state = 'starting';
    expect(await upgraded(url, {})).toBe(503);
    open.harness.state = 'ready';
    expect(await upgraded(url, {})).toBe(101);
  });

  test('takes the subprotocol when it is offered', async () => {
    const url = await serve(hello);
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/decode/ws`, ['other', 'trimtab.v1']);
    await once(socket, 'open');
    expect(socket.protocol).toBe('trimtab.v1');
    socket.terminate();
  });
});

describe('shutting down', () => {
  test('running decodes finish, new ones are refused, idle connections go', async () => {
    const gate = new Gate();
    const script: Script = async function* (request, signal) {
      await gate.opened;
      yield* ends(hello)(request, signal);
    };
    const url = await serve(script);
    const [busy, idle] = [await join(url), await join(url)];
    busy.start('a', chat());
    await busy.until(({ type }) => type === 'started');
    const closing = open.harness.app.close();
    expect(await idle.closed).toMatchObject({ code: 1001 });
    busy.start('b', chat());
    expect((await busy.ended('b')).error).toMatchObject({ code: 'draining' });
    gate.open();
    expect((await busy.ended('a')).type).toBe('finished');
    expect(await busy.closed).toMatchObject({ code: 1001 });
    await closing;
    open.isClosed = true;
  });
});

test('frames are one JSON object each, and nothing follows the end', async () => {
  const client = await join(await serve(ends(hello)));
  client.start('a', chat({ logprobs: true, return_token_ids: true, seed: 5 }));
  await client.ended('a');
  client.send({ type: 'ping' });
  await client.until(({ type }) => type === 'pong');
  const shapes = client.frames.map(({ type, position }: Frame) =>
    position === undefined ? type : `${type} ${position}`,
  );
  expect(shapes).toEqual([
    'started',
    'prompt',
    'token 0',
    'token 1',
    'token 2',
    'text 0',
    'token 3',
    'token 4',
    'text 3',
    'finished',
    'pong',
  ]);
});
