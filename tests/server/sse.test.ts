// Streams as such: deltas add up to the whole text, one write per batch, pings in silence, a reader that stops is cut, a client that
// leaves cancels its request. Over real sockets where sockets matter.
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';
import Fastify from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { writeGuard } from '../../server/plugins/write-guard.js';
import type { DecodeEvent, DecodeRequest } from '../../server/wire/decode.js';
import { chat, completion, harness, hello, payloads, says, silent, type Harness, type Piece } from './http/support.js';

let running: Harness | null = null;
afterEach(async () => {
  running?.app.server.closeAllConnections();
  await running?.app.close();
  running = null;
});

interface StreamChoice {
  readonly index: number;
  readonly text?: string;
  readonly delta?: { readonly content?: string; readonly role?: string };
  readonly finish_reason: string | null;
}

const post = (path: string, body: object): string => {
  const json = JSON.stringify(body);
  return `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`;
};

async function opened(server: Harness, bytes: string): Promise<Socket> {
  running = server;
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((server.app.server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(bytes);
  return socket;
}

/** Resolves when what was received contains `text` `times` times. */
function received(socket: Socket, text: string, times = 1): Promise<string> {
  return new Promise((resolve, reject) => {
    let all = '';
    let searched = 0;
    let found = 0;
    socket.on('data', (chunk) => {
      all += chunk.toString();
      for (let at = all.indexOf(text, searched); at >= 0; at = all.indexOf(text, searched)) {
        found++;
        searched = at + text.length;
      }
      searched = Math.max(searched, all.length - text.length + 1);
      if (found >= times) resolve(all);
    });
    socket.on('close', () => reject(new Error(`closed before ${text}: ${all.slice(0, 1000)}`)));
  });
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

/** Waits until the engine has the request. */
async function submission(server: Harness): Promise<Harness['submitted'][number]> {
  while (server.submitted.length === 0) await new Promise((resolve) => setImmediate(resolve));
  return server.submitted[0]!;
}

/** The route counts a few turns of the event loop after the signal. */
async function counted(server: Harness, line: string): Promise<void> {
  for (;;) {
    const { body } = await server.app.inject('/metrics');
    if (body.split('\n').includes(line)) return;
  }
}

describe('deltas add up', () => {
  const piece = fc.record({
    choice: fc.integer({ min: 0, max: 2 }),
    text: fc.string({ unit: 'binary', maxLength: 12 }),
  });

  test.each(['/v1/chat/completions', '/v1/completions'])('%s: concat(deltas) = whole text', async (url) => {
    let pieces: readonly Piece[] = [];
    running = await harness((request, signal) => says({ pieces })(request, signal));
    const { app } = running;
    const body = url === '/v1/completions' ? completion({ n: 3, echo: true }) : chat({ n: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async (drawn) => {
        pieces = drawn;
        const whole = await app.inject({ method: 'POST', url, payload: body });
        const streamed = await app.inject({ method: 'POST', url, payload: { ...body, stream: true } });
        const wanted = whole.json<{ choices: { text?: string; message?: { content: string } }[] }>().choices;
        const texts = ['', '', ''];
        const ends = [0, 0, 0];
        for (const chunk of payloads(streamed.body)) {
          for (const choice of chunk['choices'] as StreamChoice[]) {
            expect(ends[choice.index]).toBe(0);
            texts[choice.index] += choice.text ?? choice.delta?.content ?? '';
            if (choice.finish_reason !== null) ends[choice.index]!++;
          }
        }
        expect(texts).toEqual(wanted.map(({ text, message }) => text ?? message?.content));
        expect(ends).toEqual([1, 1, 1]);
        expect(streamed.body.endsWith('data: [DONE]\n\n')).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe('writes', () => {
  test('everything that one message of the engine brought is one write', async () => {
    const pieces = Array.from({ length: 50 }, (_, index) => ({ text: String(index % 10) }));
    running = await harness(says({ pieces }));
    const writes: string[] = [];
    running.app.addHook('onRequest', (_request, reply, done) => {
      const { raw } = reply;
      const write = raw.write.bind(raw) as (chunk: string) => boolean;
      raw.write = ((chunk: string) => (writes.push(chunk), write(chunk))) as typeof raw.write;
      done();
    });
    const url = '/v1/chat/completions';
    const { body } = await running.app.inject({ method: 'POST', url, payload: chat({ stream: true }) });
    expect(payloads(body)).toHaveLength(52);
    expect(writes.length).toBeLessThanOrEqual(1);
  });

  test('headers of a stream', async () => {
    running = await harness(hello);
    const payload = chat({ stream: true, colour: 1 });
    const response = await running.app.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      payload,
      headers: { 'x-request-id': 'mine' },
    });
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
      'x-request-id': 'mine',
      'x-trimtab-ignored': 'colour',
    });
  });
});

describe('silence', () => {
  test('opens the stream after a while and is broken by pings', async () => {
    const server = await harness(silent, { pingMs: 5 });
    const socket = await opened(server, post('/v1/chat/completions', chat({ stream: true })));
    const all = await received(socket, ': ping\n\n', 3);
    expect(all).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(all.indexOf('"role":"assistant"')).toBeLessThan(all.indexOf(': ping'));
    socket.destroy();
    await aborted((await submission(server)).signal);
  });
});

describe('a client that leaves', () => {
  async function* talk(_request: DecodeRequest, signal: AbortSignal): AsyncGenerator<DecodeEvent> {
    yield { kind: 'delta', choice: 0, text: 'x', ids: [], tokens: [] };
    await aborted(signal);
  }

  test.each([true, false])('cancels its request (stream %s)', async (stream) => {
    const server = await harness(talk);
    const socket = await opened(server, post('/v1/chat/completions', chat({ stream })));
    if (stream) await received(socket, '"content":"x"');
    const { signal } = await submission(server);
    expect(signal.aborted).toBe(false);
    socket.destroy();
    await aborted(signal);
    await counted(server, 'trimtab_aborted_requests_total{model_name="bytes",engine="0"} 1');
    await counted(server, 'vllm:request_success_total{model_name="bytes",engine="0",finished_reason="abort"} 1');
  });

  test('cancels all prompts of a list', async () => {
    const server = await harness(talk);
    const socket = await opened(server, post('/v1/completions', completion({ stream: true, prompt: ['a', 'b'] })));
    await received(socket, '"text":"x"', 2);
    expect(server.submitted).toHaveLength(2);
    socket.destroy();
    await Promise.all(server.submitted.map(({ signal }) => aborted(signal)));
  });
});

describe('a drain', () => {
  test('lets a stream finish, then closes its connection and unused ones', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const server = await harness(
      async function* (request, signal) {
        yield { kind: 'delta', choice: 0, text: 'first', ids: [], tokens: [] };
        await released;
        yield* hello(request, signal);
      },
      { keepAliveTimeoutMs: 60_000 },
    );
    const socket = await opened(server, post('/v1/chat/completions', chat({ stream: true })));
    const unused = connect(socket.remotePort!, '127.0.0.1');
    await Promise.all([once(unused, 'connect'), received(socket, '"content":"first"')]);
    const rest = received(socket, 'data: [DONE]');
    const ended = server.app.close();
    release();
    expect(await rest).toContain('"finish_reason":"stop"');
    await ended;
  });
});

describe('a reader that stops reading', () => {
  const flood = { kind: 'delta', choice: 0, text: 'x'.repeat(64 * 1024), ids: [], tokens: [] } as const;

  test('is cut after the deadline; until then the engine is not asked for more', async () => {
    let taken = 0;
    const server = await harness(
      async function* (_request, signal) {
        while (!signal.aborted) {
          taken++;
          yield flood;
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
      { writeTimeoutMs: 50 },
    );
    const socket = await opened(server, post('/v1/chat/completions', chat({ stream: true })));
    socket.pause();
    await aborted((await submission(server)).signal);
    // What the kernel's buffers took, and little more.
    expect(taken * flood.text.length).toBeLessThan(64 * 1024 * 1024);
    await counted(server, 'trimtab_slow_readers_total{model_name="bytes",engine="0"} 1');
    socket.destroy();
  });

  test('is cut although the engine has finished', async () => {
    const server = await harness(says({ pieces: [{ text: 'x'.repeat(16 * 1024 * 1024), ids: [] }] }), {
      writeTimeoutMs: 50,
    });
    const closed = new Promise<void>((resolve) =>
      server.app.server.on('connection', (peer) => peer.on('close', resolve)),
    );
    const socket = await opened(server, post('/v1/chat/completions', chat({ stream: true })));
    socket.pause();
    await closed;
    socket.destroy();
  });

  test('of a whole answer is cut as well', async () => {
    const app = Fastify();
    await app.register(writeGuard, { writeTimeoutMs: 50, leastBytesPerSecond: 1e12 });
    app.get('/', () => 'x'.repeat(16 * 1024 * 1024));
    const closed = new Promise<void>((resolve) => app.server.on('connection', (peer) => peer.on('close', resolve)));
    await app.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    socket.pause();
    await closed;
    socket.destroy();
    await app.close();
  });

  test('a slow reader that reads gets everything', async () => {
    const texts = Array.from({ length: 24 }, (_, index) => `${index}.`.padEnd(64 * 1024, 'y'));
    const server = await harness(says({ pieces: texts.map((text) => ({ text, ids: [] })) }), { writeTimeoutMs: 5000 });
    const socket = await opened(server, post('/v1/chat/completions', chat({ stream: true })));
    socket.on('data', () => {
      socket.pause();
      setImmediate(() => socket.resume());
    });
    const all = await received(socket, 'data: [DONE]');
    for (const text of texts) expect(all.includes(text.slice(0, 8))).toBe(true);
    socket.destroy();
  });
});
