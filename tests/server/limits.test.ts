// What bounds the holder of a key and what bounds those who have none: token quotas, wrong keys, pages of other origins. On a scripted
// engine; clocks are given, so nothing waits.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket } from 'ws';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ApiKey } from '../../server/config/keys.js';
import { AppError } from '../../server/errors.js';
import { TokenQuotas } from '../../server/plugins/token-quotas.js';
import { WrongKeys } from '../../server/plugins/wrong-keys.js';
import { apiKey } from '../support/api-key.js';
import { harness, hello, says, silent, type Harness } from './http/support.js';

const secret = 'alice-0123456789abcdef';
const key = (more: Partial<ApiKey>): ApiKey => apiKey('alice', secret, more);

const minuteMs = 60_000;

function refusal(act: () => unknown): AppError['data'] {
  try {
    act();
  } catch (error) {
    if (error instanceof AppError) return error.data;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('quotas', () => {
  const alice = { name: 'alice', tokensPerMinute: 10, tokensPerDay: 15 };

  it('are exact at the edge', () => {
    const quotas = new TokenQuotas(() => 0);
    quotas.reserve(alice, 4);
    quotas.reserve(alice, 6);
    expect(refusal(() => quotas.reserve(alice, 1))).toMatchObject({
      code: 'token_quota_exceeded',
      retryAfterSeconds: 60,
    });
    expect(quotas.headers(alice)['x-ratelimit-remaining-tokens']).toBe('0');
  });

  it('a window that has just begun has its whole length left, whatever the clock shows', () => {
    for (let nowMs = 0.1; nowMs < 1e5; nowMs += 331.7) {
      const quotas = new TokenQuotas(() => nowMs);
      expect(quotas.headers({ ...alice, tokensPerDay: null })['x-ratelimit-reset-tokens']).toBe('60');
    }
  });

  it('give back what was not used, once, and never more than was reserved', () => {
    const quotas = new TokenQuotas(() => 0);
    const charge = quotas.reserve(alice, 10);
    charge.settle(3);
    charge.settle(0);
    quotas.reserve(alice, 7).settle(99);
    expect(refusal(() => quotas.reserve(alice, 1)).code).toBe('token_quota_exceeded');
  });

  it('begin anew after their time, the day later than the minute', () => {
    let nowMs = 0;
    const quotas = new TokenQuotas(() => nowMs);
    quotas.reserve(alice, 10);
    nowMs = minuteMs - 1;
    expect(refusal(() => quotas.reserve(alice, 1)).retryAfterSeconds).toBe(1);
    nowMs = minuteMs;
    quotas.reserve(alice, 5);
    const { message, retryAfterSeconds } = refusal(() => quotas.reserve(alice, 1));
    expect(message).toContain('15 of its 15 tokens of this day');
    expect(retryAfterSeconds).toBe(86_340);
  });

  it('what ends in a later window gives nothing to it', () => {
    let nowMs = 0;
    const quotas = new TokenQuotas(() => nowMs);
    const minutely = { ...alice, tokensPerDay: null };
    const old = quotas.reserve(minutely, 10);
    nowMs = minuteMs;
    quotas.reserve(minutely, 10);
    old.settle(0);
    expect(refusal(() => quotas.reserve(minutely, 1)).code).toBe('token_quota_exceeded');
  });

  it('a clock that goes backwards opens nothing', () => {
    let nowMs = 1_000_000;
    const quotas = new TokenQuotas(() => nowMs);
    quotas.reserve(alice, 10);
    nowMs = 0;
    expect(refusal(() => quotas.reserve(alice, 1)).code).toBe('token_quota_exceeded');
  });

  it('what could never be had is told as such', () => {
    const quotas = new TokenQuotas(() => 0);
    expect(refusal(() => quotas.reserve(alice, 11))).toMatchObject({ code: 'request_over_quota', status: 400 });
    quotas.reserve(alice, 10);
  });

  it('are of each key', () => {
    const quotas = new TokenQuotas(() => 0);
    quotas.reserve(alice, 10);
    quotas.reserve({ ...alice, name: 'bob' }, 10);
    quotas.reserve({ name: 'carol', tokensPerMinute: null, tokensPerDay: null }, 1e9);
  });
});

describe('on the wire', () => {
  let server: Harness;
  afterEach(async () => server.app.close());
  const open = async (limit: Partial<ApiKey>, script = hello): Promise<void> => {
    server = await harness(script, { auth: { keys: [key(limit)], openMetrics: true } });
  };
  const ask = (body: object = {}, url = '/v1/completions') =>
    server.app.inject({
      method: 'POST',
      url,
      headers: { 'x-api-key': secret },
      payload: { model: 'bytes', prompt: 'hi', max_tokens: 10, ...body },
    });

  it('a request reserves, answers, and pays for what it used', async () => {
    await open({ tokensPerMinute: 20 });
    const first = await ask();
    // 2 + 10 are reserved while it runs; 2 + 5 were used.
    expect(first.statusCode).toBe(200);
    expect(first.headers['x-ratelimit-limit-tokens']).toBe('20');
    expect(first.headers['x-ratelimit-remaining-tokens']).toBe('8');
    expect((await ask({ stream: true })).headers['x-ratelimit-remaining-tokens']).toBe('1');
    const third = await ask();
    expect(third.statusCode).toBe(429);
    expect(third.json<{ error: { code: string } }>().error.code).toBe('token_quota_exceeded');
    expect(Number(third.headers['retry-after'])).toBeGreaterThan(0);
    expect(third.headers['x-ratelimit-remaining-tokens']).toBe('6');
    expect((await ask({ max_tokens: 4 })).statusCode).toBe(200);
    expect(server.submitted).toHaveLength(3);
  });

  it('counts n and every prompt before anything is begun', async () => {
    await open({ tokensPerMinute: 43 });
    expect((await ask({ prompt: ['hi', 'ho'], n: 2 })).statusCode).toBe(400);
    expect(server.submitted).toHaveLength(0);
    await server.app.close();
    await open({ tokensPerMinute: 44 });
    expect((await ask({ prompt: ['hi', 'ho'], n: 2 })).statusCode).toBe(200);
  });

  it('embeddings pay for their input', async () => {
    const pooled: typeof hello = async function* (request) {
      for await (const event of says({ pieces: [] })(request, new AbortController().signal))
        yield event.kind === 'done' ? { ...event, pooled: Float32Array.of(1, 0) } : event;
    };
    await open({ tokensPerMinute: 5 }, pooled);
    expect((await ask({ input: 'abcd', prompt: undefined, max_tokens: undefined }, '/v1/embeddings')).statusCode).toBe(
      200,
    );
    expect((await ask({ input: 'ab', prompt: undefined, max_tokens: undefined }, '/v1/embeddings')).statusCode).toBe(
      429,
    );
  });

  it('both websockets are charged from the same purse, and what goes away gives back', async () => {
    await open({ tokensPerMinute: 60 }, silent);
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.app.server.address() as AddressInfo;
    const connect = async (path: string) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { 'x-api-key': secret } });
      const frames: {
        readonly type: string;
        readonly id?: string;
        readonly code?: string;
        readonly error?: { readonly code: string };
      }[] = [];
      socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as { type: string }));
      await once(socket, 'open');
      const until = async (type: string, id?: string) => {
        for (;;) {
          const found = frames.find((frame) => frame.type === type && frame.id === id);
          if (found) return found;
          await once(socket, 'message');
        }
      };
      return { socket, until };
    };
    const { socket: decodes, until } = await connect('/v1/decode/ws');
    const body = { model: 'bytes', prompt: 'hi', max_tokens: 38 };
    const start = (id: string) => decodes.send(JSON.stringify({ type: 'start', id, body }));
    start('a');
    await until('started', 'a');
    start('b');
    expect((await until('failed', 'b')).error?.code).toBe('token_quota_exceeded');
    const { socket: responses, until: untilOther } = await connect('/v1/responses');
    responses.send(JSON.stringify({ type: 'response.create', model: 'bytes', input: 'hi', max_output_tokens: 16 }));
    expect((await untilOther('error')).code).toBe('token_quota_exceeded');
    decodes.send(JSON.stringify({ type: 'cancel', id: 'a' }));
    await until('failed', 'a');
    const submitted = server.submitted.length;
    start('c');
    await until('started', 'c');
    decodes.send(JSON.stringify({ type: 'cancel', id: 'c' }));
    await until('failed', 'c');
    expect(server.submitted).toHaveLength(submitted + 1);
    decodes.terminate();
    responses.terminate();
  });
});

describe('priorities', () => {
  let server: Harness;
  afterEach(() => server.app.close());
  const open = async (more: Partial<ApiKey> | null, script = hello) => {
    server = await harness(script, { auth: { keys: more === null ? [] : [key(more)], openMetrics: true } });
  };
  const ask = (priority: unknown, url = '/v1/completions', body: object = { prompt: 'hi', max_tokens: 4 }) =>
    server.app.inject({
      method: 'POST',
      url,
      headers: { 'x-api-key': secret },
      payload: { model: 'bytes', priority, ...body },
    });

  it.each([
    [0, 0, 200],
    [0, undefined, 200],
    [0, null, 200],
    [0, 1000, 200],
    [0, -1, 403],
    [-5, -5, 200],
    [-5, -6, 403],
    [-1000, -1000, 200],
    [-1000, -1001, 400],
  ])('a key that may ask for %s, a request that asks for %s: %s', async (bound, asked, status) => {
    await open({ priority: bound });
    const reply = await ask(asked);
    expect(reply.statusCode).toBe(status);
    expect(server.submitted.map(({ request }) => request.priority)).toEqual(status === 200 ? [asked ?? 0] : []);
    if (status !== 403) return;
    expect(reply.json<{ error: object }>().error).toMatchObject({
      code: 'priority_not_allowed',
      param: 'priority',
      message: `The key alice may ask for priority ${bound} or a higher number (lower goes first), and the request asks for ${asked}. Send one that it may, or have the operator lower priority of the key.`,
    });
    expect((await server.app.inject('/metrics')).body).toContain('reason="priority_not_allowed"} 1');
  });

  it.each([
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }] }],
    ['/v1/responses', { input: 'hi' }],
    ['/v1/embeddings', { input: 'hi' }],
  ])('%s refuses what the key may not', async (url, body) => {
    await open({ priority: -2 });
    const reply = await ask(-3, url, body);
    expect(reply.statusCode).toBe(403);
    expect(reply.json<{ error: { code: string } }>().error.code).toBe('priority_not_allowed');
    expect(server.submitted).toEqual([]);
  });

  it('without keys anyone may ask for anything', async () => {
    await open(null);
    expect((await ask(-1000)).statusCode).toBe(200);
    expect(server.submitted[0]?.request.priority).toBe(-1000);
  });

  it('both websockets refuse it, and go on', async () => {
    await open({ priority: -2 });
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.app.server.address() as AddressInfo;
    const frames = async (path: string, message: object, last: string): Promise<object> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { 'x-api-key': secret } });
      await once(socket, 'open');
      const found = new Promise<object>((resolve) => {
        socket.on('message', (data: Buffer) => {
          const frame = JSON.parse(data.toString()) as { type: string };
          if (frame.type === last) resolve(frame);
        });
      });
      socket.send(JSON.stringify(message));
      await found;
      socket.terminate();
      return found;
    };
    const start = (priority: number) => ({
      type: 'start',
      id: 'a',
      body: { model: 'bytes', prompt: 'hi', max_tokens: 4, priority },
    });
    const create = (priority: number) => ({ type: 'response.create', model: 'bytes', input: 'hi', priority });
    expect(await frames('/v1/decode/ws', start(-3), 'failed')).toMatchObject({
      error: { code: 'priority_not_allowed' },
    });
    expect(await frames('/v1/responses', create(-3), 'error')).toMatchObject({ code: 'priority_not_allowed' });
    expect(server.submitted).toEqual([]);
    await frames('/v1/decode/ws', start(-2), 'started');
    await frames('/v1/responses', create(-2), 'response.completed');
    expect(server.submitted.map(({ request }) => request.priority)).toEqual([-2, -2]);
  });
});

it('on an open websocket nothing begins any more once its key is taken away or has expired', async () => {
  const config = { keys: [key({})], openMetrics: true };
  const auth = { ...config };
  const server = await harness(silent, { auth });
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = server.app.server.address() as AddressInfo;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/decode/ws`, { headers: { 'x-api-key': secret } });
  const frames: { readonly type: string; readonly id?: string; readonly error?: { readonly message: string } }[] = [];
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as { type: string }));
  await once(socket, 'open');
  const answered = async (id: string) => {
    const body = { model: 'bytes', prompt: 'hi', max_tokens: 4 };
    socket.send(JSON.stringify({ type: 'start', id, body }));
    for (;;) {
      const found = frames.find((frame) => frame.id === id);
      if (found) return found;
      await once(socket, 'message');
    }
  };
  expect((await answered('a')).type).toBe('started');
  Object.assign(auth, { keys: [key({ expiresMs: 1 })] });
  expect((await answered('b')).error?.message).toContain('has expired');
  Object.assign(auth, { keys: [key({ sha256: '0'.repeat(64) })] });
  expect((await answered('c')).error?.message).toContain('was taken away');
  Object.assign(auth, config);
  expect((await answered('d')).type).toBe('started');
  socket.terminate();
  await server.app.close();
});

it('the log has request ids, and never a prompt, an answer or a key', async () => {
  const lines: string[] = [];
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => lines.push(String(chunk)) > 0);
  const broken: typeof hello = async function* () {
    throw new Error('a bug');
  };
  for (const script of [hello, broken]) {
    const auth = { keys: [key({})], openMetrics: true };
    const server = await harness(script, { auth, logLevel: 'debug' });
    const ask = (payload: object, headers: object = {}) =>
      server.app.inject({
        method: 'POST',
        url: '/v1/completions',
        headers: { 'x-api-key': secret, 'x-request-id': 'request-7', ...headers },
        payload: { model: 'bytes', prompt: 'the heron is grey', max_tokens: 10, ...payload },
      });
    await ask({});
    await ask({ stream: true });
    await ask({ n: 'five' });
    await ask({}, { 'x-api-key': 'wrong-0123456789abcdef' });
    await server.app.close();
  }
  write.mockRestore();
  const log = lines.join('');
  expect(log).toContain('"reqId":"request-7"');
  expect(log).toContain('a bug');
  for (const secretText of ['heron', 'Hello', secret, 'wrong-0123']) expect(log).not.toContain(secretText);
});

describe('wrong keys', () => {
  it('are counted per address and minute; keys that were right before stay right', () => {
    let nowMs = 0;
    const wrong = new WrongKeys(() => nowMs);
    const blocked = (address: string, name: string | null = null) => wrong.blockedMs(address, name, 2);
    wrong.right('192.0.2.1', 'alice');
    wrong.wrong('192.0.2.1');
    expect(blocked('192.0.2.1')).toBeNull();
    wrong.wrong('192.0.2.1');
    expect(blocked('192.0.2.1')).toBe(minuteMs);
    expect(blocked('::ffff:192.0.2.1')).toBe(minuteMs);
    expect(blocked('192.0.2.1', 'bob')).toBe(minuteMs);
    expect(blocked('192.0.2.1', 'alice')).toBeNull();
    expect(blocked('192.0.2.2')).toBeNull();
    nowMs = minuteMs;
    expect(blocked('192.0.2.1')).toBeNull();
    wrong.wrong('2001:db8:0:1::1');
    wrong.wrong('2001:db8:0:1:2::9');
    expect(blocked('2001:db8:0:1::5')).toBe(minuteMs);
    expect(blocked('2001:db8:0:2::5')).toBeNull();
  });

  it('too many get no verdict any more, right or wrong', async () => {
    const auth = {
      keys: [key({}), key({ name: 'bob', sha256: '0'.repeat(64) })],
      openMetrics: true,
      wrongKeysPerMinute: 3,
    };
    const server = await harness(hello, { auth });
    const ask = (candidate: string, address: string) =>
      server.app.inject({ url: '/v1/models', headers: { 'x-api-key': candidate }, remoteAddress: address });
    const wrong = 'wrong-0123456789abcdef';
    expect((await ask(secret, '192.0.2.1')).statusCode).toBe(200);
    for (const status of [401, 401, 401, 429]) {
      expect((await ask(wrong, '192.0.2.1')).statusCode).toBe(status);
      expect((await ask(wrong, '192.0.2.2')).statusCode).toBe(status);
    }
    const reply = await ask(secret, '192.0.2.2');
    expect(reply.json<{ error: { code: string } }>().error.code).toBe('too_many_wrong_keys');
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask(secret, '192.0.2.1')).statusCode).toBe(200);
    expect((await ask(secret, '192.0.2.3')).statusCode).toBe(200);
    expect((await server.app.inject('/health')).statusCode).toBe(200);
    await server.app.close();
  });
});

describe('pages of other origins', () => {
  const page = 'https://chat.example.org';
  const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };
  const opened = (origins: readonly string[]) =>
    harness(hello, { auth: { keys: [key({})], openMetrics: false }, cors: { origins } });

  it('that are listed may ask, and read what an answer says in headers', async () => {
    const { app } = await opened([page]);
    const options = await app.inject({
      method: 'OPTIONS',
      url: '/v1/completions',
      headers: { origin: page, ...preflight },
    });
    expect(options.statusCode).toBe(204);
    expect(options.headers['access-control-allow-origin']).toBe(page);
    expect(options.headers['access-control-allow-headers']).toBe('authorization');
    expect(options.headers['access-control-allow-credentials']).toBeUndefined();
    const reply = await app.inject({ url: '/v1/models', headers: { origin: page, 'x-api-key': secret } });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['access-control-allow-origin']).toBe(page);
    expect(reply.headers['access-control-expose-headers']).toContain('x-request-id');
    // A refusal can be read too: the page has to know why.
    const refused = await app.inject({ url: '/v1/models', headers: { origin: page } });
    expect([refused.statusCode, refused.headers['access-control-allow-origin']]).toEqual([401, page]);
    await app.close();
  });

  it.each([[[]], [[page]]])('others get nothing, whatever they call themselves (%j)', async (origins) => {
    const { app } = await opened(origins);
    for (const origin of [
      'https://evil.example',
      `${page}.evil.example`,
      `${page}:8443`,
      'http://chat.example.org',
      'null',
      '*',
    ]) {
      const options = await app.inject({
        method: 'OPTIONS',
        url: '/v1/completions',
        headers: { origin, ...preflight },
      });
      expect(options.statusCode).toBe(401);
      const reply = await app.inject({ url: '/v1/models', headers: { origin, 'x-api-key': secret } });
      for (const { headers } of [options, reply])
        expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    await app.close();
  });

  it('the list holds for websockets too', async () => {
    const { app } = await opened([page]);
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    const connect = (origin: string) =>
      new WebSocket(`ws://127.0.0.1:${port}/v1/decode/ws`, { origin, headers: { 'x-api-key': secret } });
    const good = connect(page);
    await once(good, 'open');
    good.terminate();
    const [error] = (await once(connect('https://evil.example'), 'error')) as [Error];
    expect(error.message).toContain('403');
    await app.close();
  });
});
