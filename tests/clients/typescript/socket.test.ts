// The websocket side of the client against a real websocket server that says what a test wants: refusals, nonsense, silence, ends of all kinds. What a
// server really says is in e2e.test.ts.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import * as client from '../../../clients/typescript/src/index.js';
import { scripted } from './support.js';

type Message = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly id: string;
  readonly ref?: string;
};
type Behaviour = (message: Message, say: (message: object) => void, socket: WebSocket) => void;

let server: WebSocketServer | null = null;
let received: Message[] = [];
let connections = 0;

afterEach(async () => {
  for (const socket of server?.clients ?? []) socket.terminate();
  await new Promise<unknown>((resolve) => (server ? server.close(resolve) : resolve(null)));
  server = null;
});

/** Answers pings by itself; the rest is the test's. */
async function serving(
  behaviour: Behaviour,
  greet: (socket: WebSocket) => void = () => undefined,
): Promise<client.Trimtab> {
  received = [];
  connections = 0;
  server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/v1/decode/ws' });
  server.on('connection', (socket) => {
    connections++;
    const say = (message: object): void => socket.send(JSON.stringify(message));
    greet(socket);
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Message;
      received.push(message);
      if (message.type === 'ping' && message.ref !== undefined) say({ type: 'pong', ref: message.ref });
      else behaviour(message, say, socket);
    });
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return new client.Trimtab({ baseUrl: `http://127.0.0.1:${port}`, webSocket: WebSocket });
}

const ask = { model: 'm', prompt: 'x' };
const started = (id: string): object => ({
  type: 'started',
  id,
  reply: 'cmpl-1',
  model: 'm',
  created: 5,
  system_fingerprint: 'fp_1',
  choices: 1,
});
const text = (id: string, position: number, said: string): object => ({
  type: 'text',
  id,
  choice: 0,
  position,
  text: said,
});
const finished = (id: string): object => ({
  type: 'finished',
  id,
  choices: [{ index: 0, finish_reason: 'stop', stop_reason: null }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  decoding: { method: 'plain', seed: 1 },
});
const refusal = (code: string, type = 'invalid_request_error'): object => ({
  error: { message: `${code} it is`, type, param: null, code },
});

/** Says hello to whoever begins. */
const polite: Behaviour = ({ type, id }, say) => {
  if (type !== 'start') return;
  say(started(id));
  say(text(id, 0, 'Hel'));
  say(text(id, 1, 'lo'));
  say(finished(id));
};

async function said(message: Partial<Message>): Promise<void> {
  const [key, value] = Object.entries(message)[0]!;
  while (!received.some((each) => each[key] === value)) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('a decode', () => {
  test('sends its request as it is, and ends with its last message', async () => {
    const connection = await (await serving(polite)).connect();
    const answer = await connection.decode({ ...ask, seed: 3 }, { credit: 4, notices: false });
    expect(answer).toMatchObject({ text: 'Hello', id: 'cmpl-1', requestId: null, ignored: [], decoding: { seed: 1 } });
    expect(received.filter(({ type }) => type !== 'ping')).toEqual([
      { type: 'start', id: expect.any(String) as string, body: { ...ask, seed: 3 }, credit: 4, notices: false },
    ]);
    await connection.close();
  });

  test('messages that this version does not know say nothing', async () => {
    const behaviour: Behaviour = (message, say, socket) => {
      if (message.type === 'start') say({ type: 'weather', id: message.id, sun: true });
      say({ type: 'news' });
      polite(message, say, socket);
    };
    const connection = await (await serving(behaviour)).connect();
    expect(await connection.stream(ask).text()).toBe('Hello');
    await connection.close();
  });

  test.each(['break', 'abort', 'cancel', 'signal'] as const)(
    'left by %s is cancelled; the next one is not disturbed',
    async (how) => {
      const behaviour: Behaviour = ({ type, id }, say) => {
        if (type === 'start') say(started(id));
        if (type === 'start') say(text(id, 0, 'Hel'));
        // Too late, as it may happen.
        if (type === 'cancel') {
          say(text(id, 1, 'lo'));
          say({ type: 'failed', id, ...refusal('cancelled', 'server_error') });
        }
      };
      const connection = await (await serving(behaviour)).connect();
      const controller = new AbortController();
      const stream = connection.stream(ask, { signal: controller.signal });
      const read = async (): Promise<void> => {
        for await (const { type } of stream) {
          if (type !== 'text') continue;
          if (how === 'break') break;
          if (how === 'signal') controller.abort('mine');
          else stream[how]();
        }
      };
      if (how === 'break') await read();
      else await expect(read()).rejects.toBeInstanceOf(client.AbortedError);
      await said({ type: 'cancel' });
      expect(await connection.ping()).toBeGreaterThan(0);
      expect(received.filter(({ type }) => type === 'cancel')).toHaveLength(1);
      await connection.close();
    },
  );

  test('that the server cancels throws AbortedError', async () => {
    const connection = await (
      await serving(({ type, id }, say) => {
        if (type === 'start') say({ type: 'failed', id, ...refusal('cancelled', 'server_error') });
      })
    ).connect();
    await expect(connection.decode(ask)).rejects.toBeInstanceOf(client.AbortedError);
    await connection.close();
  });

  test('that is refused throws the error of its type, and is not sent again', async () => {
    const connection = await (
      await serving(({ type, id }, say) => {
        if (type === 'start') say({ type: 'failed', id, ...refusal('model_not_found', 'not_found_error') });
      })
    ).connect();
    const refused = connection.decode(ask);
    await expect(refused).rejects.toBeInstanceOf(client.NotFoundError);
    await expect(refused).rejects.toMatchObject({ code: 'model_not_found', status: null });
    expect(received.filter(({ type }) => type === 'start')).toHaveLength(1);
    await connection.close();
  });

  test('that the server had no room for is sent again, under another id', async () => {
    let refusals = 2;
    const behaviour: Behaviour = (message, say, socket) => {
      if (message.type === 'start' && refusals-- > 0)
        say({ type: 'failed', id: message.id, ...refusal('queue_full', 'server_error'), retry_after: 0.01 });
      else polite(message, say, socket);
    };
    const connection = await (await serving(behaviour)).connect();
    expect((await connection.decode(ask)).text).toBe('Hello');
    const ids = received.filter(({ type }) => type === 'start').map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    refusals = 1;
    await expect(connection.decode(ask, { maxRetries: 0 })).rejects.toMatchObject({
      code: 'queue_full',
      retryAfterMs: 10,
    });
    await connection.close();
  });

  test('that has begun is not', async () => {
    const connection = await (
      await serving(({ type, id }, say) => {
        if (type !== 'start') return;
        say(started(id));
        say({ type: 'failed', id, ...refusal('draining', 'server_error'), retry_after: 0.01 });
      })
    ).connect();
    await expect(connection.decode(ask)).rejects.toBeInstanceOf(client.ServerError);
    expect(received.filter(({ type }) => type === 'start')).toHaveLength(1);
    await connection.close();
  });

  test('whose start was refused by an error', async () => {
    const connection = await (
      await serving(({ type, id }, say) => {
        if (type === 'start') say({ type: 'error', id, request: 'start', ...refusal('invalid_frame') });
      })
    ).connect();
    await expect(connection.decode(ask)).rejects.toMatchObject({ name: 'BadRequestError', code: 'invalid_frame' });
    await connection.close();
  });
});

describe('steering', () => {
  test('before it begins, and after it has ended, says so', async () => {
    const connection = await (await serving(polite)).connect();
    const stream = connection.stream(ask, { credit: 1 });
    await expect(stream.update({ weight: 1 })).rejects.toThrow(/not running/);
    expect(() => stream.pause()).toThrow(/not running/);
    await stream.final();
    expect(() => stream.grant(1)).toThrow(/not running/);
    await connection.close();
  });

  test('credits are whole numbers, and are added where there is a bound', async () => {
    const behaviour: Behaviour = ({ type, id }, say) => {
      if (type === 'start') say(started(id));
      if (type === 'cancel') say({ type: 'failed', id, ...refusal('cancelled') });
    };
    const connection = await (await serving(behaviour)).connect();
    const stream = connection.stream(ask);
    for await (const _ of stream) {
      expect(() => stream.grant(3)).toThrow(/without a bound/);
      for (const wrong of [-1, 1.5, NaN, Infinity]) expect(() => stream.resume(wrong)).toThrow(/out of range/);
      stream.pause();
      stream.grant(3);
      stream.resume(2);
      stream.resume();
      expect(() => stream.grant(3)).toThrow(/without a bound/);
      break;
    }
    await said({ type: 'cancel' });
    const { id } = received.find(({ type }) => type === 'start')!;
    expect(received.filter(({ type }) => type === 'credit')).toEqual([
      { type: 'credit', id, set: 0 },
      { type: 'credit', id, add: 3 },
      { type: 'credit', id, set: 2 },
      { type: 'credit', id, set: null },
    ]);
    await connection.close();
  });

  test('a change that is still open when the decode ends is refused', async () => {
    const behaviour: Behaviour = ({ type, id }, say) => {
      if (type === 'start') say(started(id));
      if (type === 'update') say(finished(id));
    };
    const connection = await (await serving(behaviour)).connect();
    const stream = connection.stream(ask);
    let change: Promise<unknown> = Promise.resolve();
    for await (const { type } of stream) {
      if (type !== 'started') continue;
      change = stream.update({ weight: 1 });
      change.catch(() => undefined);
    }
    await expect(change).rejects.toThrow(/ended before it could be changed/);
    await connection.close();
  });
});

describe('a connection', () => {
  test('that is closed with a code ends what runs on it with that code', async () => {
    const connection = await (
      await serving(({ type, id }, say, socket) => {
        if (type !== 'start') return;
        say(started(id));
        say(text(id, 0, 'Hel'));
        socket.close(1008, 'too many messages');
      })
    ).connect();
    const seen: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const piece of connection.stream(ask).texts()) seen.push(piece);
    };
    await expect(reading()).rejects.toMatchObject({ name: 'ConnectionError', closeCode: 1008, message: /too many/ });
    // What had come is read before the end is told.
    expect(seen).toEqual(['Hel']);
    expect((await connection.closed) as client.ConnectionError).toMatchObject({ closeCode: 1008 });
    await expect(connection.decode(ask)).rejects.toBeInstanceOf(client.ConnectionError);
    await expect(connection.ping()).rejects.toBeInstanceOf(client.ConnectionError);
  });

  test.each<[string, string | Buffer]>([
    ['no JSON', '{"type"'],
    ['no object', '[1]'],
    ['no type', '{"id":"d1"}'],
    ['binary', Buffer.from('{"type":"pong"}')],
    ['an error about nothing that was said', '{"type":"error","error":{"message":"no"}}'],
  ])('that says nonsense (%s) is closed', async (_, nonsense) => {
    const connection = await (
      await serving(({ type }, _say, socket) => {
        if (type === 'start') socket.send(nonsense);
      })
    ).connect();
    await expect(connection.decode(ask)).rejects.toBeInstanceOf(client.ProtocolError);
    expect(await connection.closed).toBeInstanceOf(client.ProtocolError);
  });

  test('a message about one decode that cannot be read ends that decode alone', async () => {
    const behaviour: Behaviour = (message, say, socket) => {
      if (message.type === 'start' && (message['body'] as { seed?: number }).seed === 9)
        say({ type: 'text', id: message.id, choice: 'a', position: 0, text: 'x' });
      else polite(message, say, socket);
    };
    const connection = await (await serving(behaviour)).connect();
    await expect(connection.decode({ ...ask, seed: 9 })).rejects.toBeInstanceOf(client.ProtocolError);
    expect((await connection.decode(ask)).text).toBe('Hello');
    await said({ type: 'cancel' });
    await connection.close();
  });

  test('that falls silent is asked, and given up', async () => {
    const silent = await serving(() => undefined);
    const connection = await silent.connect({ timeoutMs: 600 });
    await expect(connection.decode(ask)).rejects.toBeInstanceOf(client.TimeoutError);
    expect(received.filter(({ type, ref }) => type === 'ping' && ref === undefined).length).toBeGreaterThan(0);
  });

  test('that is silent but alive is not', async () => {
    let id = '';
    const behaviour: Behaviour = (message, say) => {
      if (message.type === 'start') ({ id } = message);
      if (message.type === 'start') say(started(id));
      if (message.type === 'ping') say({ type: 'pong' });
      if (message.type === 'ping' && received.filter(({ type }) => type === 'ping').length === 5) say(finished(id));
    };
    const connection = await (await serving(behaviour)).connect({ timeoutMs: 900 });
    expect((await connection.decode(ask)).choices[0]!.finish_reason).toBe('stop');
    await connection.close();
  });

  test('with nothing to do is left in peace', async () => {
    const connection = await (await serving(polite)).connect({ timeoutMs: 500 });
    await connection.decode(ask);
    const before = received.length;
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(received).toHaveLength(before);
    expect((await connection.decode(ask)).text).toBe('Hello');
    await connection.close();
  });

  test('close() ends what runs, and says so', async () => {
    const connection = await (await serving(({ type, id }, say) => type === 'start' && say(started(id)))).connect();
    const running = connection.decode(ask);
    await said({ type: 'start' });
    await connection.close();
    await expect(running).rejects.toBeInstanceOf(client.AbortedError);
  });
});

describe('connecting', () => {
  test('a server that is full accepts and closes: it is tried again', async () => {
    const full = await serving(polite, (socket) => {
      if (connections < 3) socket.close(1013, 'too many connections');
    });
    const connection = await full.connect();
    expect(connections).toBe(3);
    expect((await connection.decode(ask)).text).toBe('Hello');
    await connection.close();
    connections = 0;
    await expect(full.connect({ maxRetries: 1 })).rejects.toMatchObject({ closeCode: 1013 });
  });

  test('an upgrade that is refused, and nobody there', async () => {
    const refusing = await scripted((response) => response.writeHead(503).end());
    const lost = new client.Trimtab({ baseUrl: refusing.url, webSocket: WebSocket, maxRetries: 0 });
    await expect(lost.connect()).rejects.toMatchObject({ name: 'ConnectionError', message: /could not be opened/ });
    await refusing.close();
    await expect(lost.connect()).rejects.toMatchObject({ name: 'ConnectionError', message: /ECONNREFUSED/ });
  });

  test('a server that never answers', async () => {
    const silent = await serving(polite, (socket) => socket.removeAllListeners('message').pause());
    await expect(silent.connect({ timeoutMs: 60, maxRetries: 0 })).rejects.toBeInstanceOf(client.TimeoutError);
  });

  test('an upgrade that is never answered', async () => {
    const deaf = createServer();
    deaf.listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { port } = deaf.address() as AddressInfo;
    const waiting = new client.Trimtab({ baseUrl: `http://127.0.0.1:${port}`, webSocket: WebSocket });
    await expect(waiting.connect({ timeoutMs: 90, maxRetries: 0 })).rejects.toBeInstanceOf(client.TimeoutError);
    deaf.close();
  });

  test('a signal', async () => {
    const silent = await serving(polite, (socket) => socket.pause());
    const controller = new AbortController();
    const connecting = silent.connect({ signal: controller.signal });
    setTimeout(() => controller.abort('mine'), 30);
    await expect(connecting).rejects.toMatchObject({ name: 'AbortedError', cause: 'mine' });
    await expect(silent.connect({ signal: AbortSignal.abort() })).rejects.toBeInstanceOf(client.AbortedError);
  });

  test('a platform without websockets', async () => {
    const bare = new client.Trimtab({ baseUrl: 'http://127.0.0.1:1' });
    if ('WebSocket' in globalThis) return;
    await expect(bare.connect()).rejects.toThrow(/package ws/);
  });

  test('the subprotocol is offered', async () => {
    const offered: (string | undefined)[] = [];
    const client_ = await serving(polite);
    server!.on('headers', (_, request) => offered.push(request.headers['sec-websocket-protocol']));
    await (await client_.connect()).close();
    expect(offered).toEqual(['trimtab.v1']);
  });
});
