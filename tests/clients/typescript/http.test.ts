// What the client does when a server refuses, is slow, breaks off or says nonsense: against a real HTTP server that does so.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import * as client from '../../../clients/typescript/src/index.js';
import { retryAfterMs, retryDelayMs } from '../../../clients/typescript/src/retry.js';
import {
  account,
  ask,
  closing,
  delta,
  end,
  json,
  refusal,
  scripted,
  sse,
  whole,
  type Reply,
  type Scripted,
} from './support.js';

const { Trimtab } = client;

let server: Scripted | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

async function serving(...replies: readonly Reply[]): Promise<client.Trimtab> {
  server = await scripted(...replies);
  return new Trimtab({ baseUrl: server.url });
}

const at_once = { 'retry-after-ms': '1' };

describe('retries', () => {
  test.each([408, 429, 502, 503, 504])('a passing %i is asked again, as often as allowed', async (status) => {
    const patient = await serving(refusal(status, 'busy', at_once), refusal(status, 'busy', at_once), json(200, whole));
    expect((await patient.decode(ask)).text).toBe('Hello');
    expect(server!.requests).toHaveLength(3);
  });

  test('no more often', async () => {
    const patient = await serving(refusal(503, 'busy', at_once));
    await expect(patient.decode(ask, { maxRetries: 1 })).rejects.toMatchObject({ status: 503, code: 'busy' });
    expect(server!.requests).toHaveLength(2);
    await expect(patient.decode(ask, { maxRetries: 0 })).rejects.toBeInstanceOf(client.ServerError);
    expect(server!.requests).toHaveLength(3);
  });

  test.each([400, 401, 403, 404, 409, 422, 500, 501])('%i is not: it would fail again', async (status) => {
    const patient = await serving(refusal(status, 'no'));
    await expect(patient.decode(ask)).rejects.toMatchObject({ status });
    expect(server!.requests).toHaveLength(1);
  });

  test('what the server says about it counts more', async () => {
    const told = await serving(refusal(502, 'scorer_failed', { 'x-should-retry': 'false' }));
    await expect(told.decode(ask)).rejects.toMatchObject({ shouldRetry: false });
    expect(server!.requests).toHaveLength(1);
    await server!.close();
    const other = await serving(refusal(500, 'odd', { 'x-should-retry': 'true', ...at_once }), json(200, whole));
    expect((await other.decode(ask)).text).toBe('Hello');
  });

  test('the body is the same each time', async () => {
    const patient = await serving(refusal(429, 'busy', at_once), json(200, whole));
    await patient.decode({ ...ask, seed: 3 });
    const [first, second] = server!.requests.map(({ body }) => body);
    expect(JSON.parse(first!)).toEqual({ ...ask, seed: 3, stream: false });
    expect(second).toBe(first);
  });

  test('a connection that breaks before the reply is tried again', async () => {
    const patient = await serving((response) => response.destroy(), json(200, whole));
    expect((await patient.decode(ask)).text).toBe('Hello');
    expect(server!.requests).toHaveLength(2);
  });

  test('a stream is tried again until it has begun, and not after', async () => {
    const patient = await serving(refusal(503, 'busy', at_once), sse([delta('Hel')], 'breaks'));
    const seen: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const text of patient.stream(ask).texts()) seen.push(text);
    };
    await expect(reading()).rejects.toBeInstanceOf(client.ConnectionError);
    expect(seen).toEqual(['Hel']);
    expect(server!.requests).toHaveLength(2);
  });

  test('a wait ends with the signal', async () => {
    const patient = await serving(refusal(503, 'busy', { 'retry-after': '30' }));
    const controller = new AbortController();
    const asked = patient.decode(ask, { signal: controller.signal });
    asked.catch(() => undefined);
    await vi.waitFor(() => expect(server!.requests).toHaveLength(1));
    await sleep(20);
    controller.abort('enough');
    await expect(asked).rejects.toMatchObject({ name: 'AbortedError', cause: 'enough' });
  });

  test('nobody is at that address', async () => {
    await serving(json(200, whole));
    const lost = new Trimtab({ baseUrl: server!.url, maxRetries: 0 });
    await server!.close();
    const asked = lost.models();
    server = null;
    await expect(asked).rejects.toMatchObject({ name: 'ConnectionError', message: /ECONNREFUSED/ });
  });

  test('back-off grows, shrinks by a quarter at most, and has an end', () => {
    const lost = new client.ConnectionError('lost');
    expect([0, 1, 2, 3, 4, 5].map((attempt) => retryDelayMs(lost, attempt, () => 0))).toEqual([
      500, 1000, 2000, 4000, 8000, 8000,
    ]);
    expect(retryDelayMs(lost, 0, () => 1)).toBe(375);
    expect(retryDelayMs(new client.TimeoutError('late'), 0)).toBeNull();
    expect(retryDelayMs(new TypeError('a bug'), 0)).toBeNull();
  });

  test('when the server says when, that is when; who is told to wait for long decides for himself', () => {
    const told = (headers: Record<string, string>): number | null => retryAfterMs(new Headers(headers), 1_000_000);
    expect(told({ 'retry-after-ms': '120', 'retry-after': '9' })).toBe(120);
    expect(told({ 'retry-after': '2' })).toBe(2000);
    expect(told({ 'retry-after': new Date(1_005_000).toUTCString() })).toBe(5000);
    expect(told({ 'retry-after': new Date(0).toUTCString() })).toBe(0);
    expect(told({ 'retry-after': 'soon' })).toBeNull();
    const details = { message: '', type: null, code: null, param: null };
    const busy = (retryAfter: number): client.ApiError =>
      new client.ServerError(details, { status: 503, requestId: null, retryAfterMs: retryAfter, shouldRetry: null });
    expect(retryDelayMs(busy(60_000), 0)).toBe(60_000);
    expect(retryDelayMs(busy(60_001), 0)).toBeNull();
  });
});

describe('errors', () => {
  test.each([
    [400, client.BadRequestError],
    [401, client.AuthenticationError],
    [403, client.PermissionDeniedError],
    [404, client.NotFoundError],
    [409, client.ConflictError],
    [422, client.UnprocessableEntityError],
    [429, client.RateLimitError],
    [500, client.ServerError],
    [503, client.ServerError],
    [418, client.ApiError],
  ])('%i has its class, and what the server said', async (status, Class) => {
    const refused = await serving(refusal(status, 'invalid_value', { 'x-request-id': 'r7', 'retry-after': '3' }));
    const error = await refused.decode(ask, { maxRetries: 0 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Class);
    expect(error).toBeInstanceOf(client.TrimtabError);
    expect((error as Error).constructor).toBe(Class);
    expect(error).toMatchObject({
      name: Class.name,
      status,
      code: 'invalid_value',
      param: 'n',
      type: 'invalid_request_error',
      requestId: 'r7',
      retryAfterMs: 3000,
      message: 'invalid_value it is',
    });
  });

  test('a page of a proxy in place of an error object', async () => {
    const refused = await serving((response) => {
      response.writeHead(502, { 'content-type': 'text/html' });
      response.end(`<h1>Bad gateway</h1>${'x'.repeat(10_000)}`);
    });
    const error = await refused.decode(ask, { maxRetries: 0 }).catch((thrown: unknown) => thrown as client.ApiError);
    expect(error).toMatchObject({ name: 'ServerError', status: 502, code: null });
    expect((error as Error).message).toMatch(/^HTTP 502: <h1>Bad gateway/);
    expect((error as Error).message.length).toBeLessThan(300);
  });

  test.each<[string, Reply]>([
    ['no JSON', (response) => response.end('{"id":')],
    ['no object', json(200, [])],
    ['no choices', json(200, { ...whole, choices: undefined })],
    ['a choice without an index', json(200, { ...whole, choices: [{}] })],
    ['no end', json(200, { ...whole, usage: undefined })],
    ['a choice without an end', json(200, { ...whole, choices: [{ index: 0, message: { content: 'x' } }] })],
  ])('a reply that is none (%s)', async (_, reply) => {
    const odd = await serving(reply);
    await expect(odd.decode(ask)).rejects.toBeInstanceOf(client.ProtocolError);
    expect(server!.requests).toHaveLength(1);
  });

  test('a stream was asked for, and something else came', async () => {
    const odd = await serving(json(200, whole));
    await expect(odd.stream(ask).final()).rejects.toThrow(/content of type application\/json came/);
  });
});

describe('time limits', () => {
  const silent: Reply = () => undefined;

  test('a whole answer', async () => {
    const slow = await serving(silent);
    await expect(slow.decode(ask, { timeoutMs: 30 })).rejects.toBeInstanceOf(client.TimeoutError);
    expect(server!.requests).toHaveLength(1);
  });

  test('a stream that falls silent', async () => {
    const slow = await serving(sse([delta('Hel')], 'hangs'));
    const stream = slow.stream(ask, { timeoutMs: 40 });
    const texts: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const text of stream.texts()) texts.push(text);
    };
    await expect(reading()).rejects.toBeInstanceOf(client.TimeoutError);
    expect(texts).toEqual(['Hel']);
  });

  test('pings are signs of life', async () => {
    const pings = 12;
    const slow = await serving((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(delta('Hello'));
      void (async () => {
        for (let ping = 0; ping < pings; ping++) {
          await sleep(100);
          response.write(': ping\n\n');
        }
        response.end(closing + account + end);
      })();
    });
    expect(await slow.stream(ask, { timeoutMs: 1000 }).text()).toBe('Hello');
  });

  test('a reader that takes its time is none', async () => {
    const prompt = await serving(sse([delta('Hel'), delta('lo'), closing, account, end]));
    const texts: string[] = [];
    for await (const text of prompt.stream(ask, { timeoutMs: 500 }).texts()) {
      texts.push(text);
      await sleep(700);
    }
    expect(texts.join('')).toBe('Hello');
  });

  test.each([0, -1, NaN, 2 ** 31])('%d ms are none', async (timeoutMs) => {
    expect(() => new Trimtab({ baseUrl: 'http://x', timeoutMs })).toThrow(/timeoutMs/);
    const fine = new Trimtab({ baseUrl: 'http://x' });
    await expect(fine.decode(ask, { timeoutMs })).rejects.toThrow(/timeoutMs/);
  });
});

describe('aborting', () => {
  test('before anything is sent', async () => {
    const never = await serving(json(200, whole));
    const signal = AbortSignal.abort('no need');
    await expect(never.decode(ask, { signal })).rejects.toMatchObject({ name: 'AbortedError', cause: 'no need' });
    await expect(never.stream(ask, { signal }).final()).rejects.toBeInstanceOf(client.AbortedError);
    expect(server!.requests).toHaveLength(0);
  });

  test('while a whole answer is waited for: the server sees it go', async () => {
    const controller = new AbortController();
    let leave = (): void => undefined;
    const gone = new Promise<void>((resolve) => (leave = resolve));
    const slow = await serving((response) => {
      response.on('close', leave);
      controller.abort();
    });
    await expect(slow.decode(ask, { signal: controller.signal })).rejects.toBeInstanceOf(client.AbortedError);
    await gone;
  });

  test.each(['abort', 'signal', 'break'] as const)('a stream by %s', async (how) => {
    let leave = (): void => undefined;
    const gone = new Promise<void>((resolve) => (leave = resolve));
    const slow = await serving((response, request) => {
      response.on('close', leave);
      sse([delta('Hel'), delta('lo')], 'hangs')(response, request);
    });
    const controller = new AbortController();
    const stream = slow.stream(ask, { signal: controller.signal });
    const reading = async (): Promise<void> => {
      for await (const event of stream) {
        if (event.type !== 'text') continue;
        if (how === 'break') break;
        if (how === 'abort') stream.abort();
        else controller.abort();
      }
    };
    if (how === 'break') await reading();
    else await expect(reading()).rejects.toBeInstanceOf(client.AbortedError);
    await gone;
    await expect(stream.final()).rejects.toBeInstanceOf(client.AbortedError);
  });

  test('a signal that outlives many requests is not held on to', async () => {
    const controller = new AbortController();
    const add = vi.spyOn(controller.signal, 'addEventListener');
    const remove = vi.spyOn(controller.signal, 'removeEventListener');
    const busy = await serving(json(200, whole));
    for (let i = 0; i < 5; i++) await busy.decode(ask, { signal: controller.signal });
    expect(add).toHaveBeenCalledTimes(5);
    expect(remove.mock.calls.length).toBeGreaterThanOrEqual(5);
  });
});

describe('what is sent', () => {
  test('headers, a key, an address with or without /v1', async () => {
    server = await scripted(json(200, { object: 'list', data: [] }));
    for (const baseUrl of [server.url, `${server.url}/`, `${server.url}/v1`, `${server.url}/v1/`]) {
      const keyed = new Trimtab({ baseUrl, apiKey: 'sk-1', headers: { 'X-Team': 'a' } });
      await keyed.models({ headers: { 'x-team': 'b', 'x-trace': '1' } });
    }
    expect(server.requests.map(({ request }) => request.url)).toEqual(Array(4).fill('/v1/models'));
    expect(server.requests[0]!.request.headers).toMatchObject({
      authorization: 'Bearer sk-1',
      'x-team': 'b',
      'x-trace': '1',
    });
  });

  test('a fetch of one’s own', async () => {
    const asked: string[] = [];
    const own = new Trimtab({
      baseUrl: 'https://example.invalid/base',
      fetch: async (input) => {
        asked.push(input);
        return new Response(JSON.stringify(whole), { headers: { 'x-request-id': 'r9' } });
      },
    });
    expect(await own.decode(ask)).toMatchObject({ text: 'Hello', requestId: 'r9' });
    expect(asked).toEqual(['https://example.invalid/base/v1/chat/completions']);
  });

  test.each<[object, RegExp]>([
    [{ baseUrl: 'pocket' }, /baseUrl.*no URL/],
    [{ baseUrl: 'ftp://x' }, /ftp:/],
    [{ baseUrl: 'http://me:secret@x' }, /user or a password/],
    [{ baseUrl: 'http://x/?a=1' }, /what follows the path/],
    [{ baseUrl: 'http://x', apiKey: 'a\nb' }, /apiKey/],
    [{ baseUrl: 'http://x', headers: { 'a b': 'c' } }, /headers/],
    [{ baseUrl: 'http://x', maxRetries: -1 }, /maxRetries/],
    [{ baseUrl: 'http://x', maxRetries: 1.5 }, /maxRetries/],
  ])('options that cannot be meant: %j', (options, message) => {
    expect(() => new Trimtab(options as client.ClientOptions)).toThrow(message);
    expect(() => new Trimtab(options as client.ClientOptions)).toThrow(client.TrimtabError);
  });

  test('the secret of a refused address is not repeated', () => {
    expect(() => new Trimtab({ baseUrl: 'http://me:secret@x' })).not.toThrow(/secret/);
  });
});

test('a connection whose stream was read to its end serves again', async () => {
  const ports = new Set<number | undefined>();
  const kept = await serving((response, request) => {
    ports.add(request.socket.remotePort);
    sse([delta('Hello'), closing, account, end])(response, request);
  });
  for (let i = 0; i < 8; i++) expect(await kept.stream(ask).text()).toBe('Hello');
  // The platform frees a connection a turn after its reply has ended, so two of them may take turns.
  expect(ports.size).toBeLessThanOrEqual(2);
});
