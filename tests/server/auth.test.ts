// Keys, on a scripted engine: who gets in, who does not and why, that no answer and no log shows a key, and that no route was forgotten.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type RouteOptions } from 'fastify';
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { WebSocket } from 'ws';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Trimtab } from '../../clients/typescript/src/index.js';
import { loadConfig } from '../../server/config.js';
import type { ApiKey } from '../../server/config/keys.js';
import { AppError } from '../../server/errors.js';
import { authPlugin } from '../../server/plugins/auth.js';
import { errorsPlugin } from '../../server/plugins/errors.js';
import { pagePlugin } from '../../server/plugins/page.js';
import { RequestCounts } from '../../server/plugins/request-limits.js';
import { apiKey, hash } from '../support/api-key.js';
import { chat, completion, config as httpConfig, harness, hello, type Harness } from './http/support.js';

const alice = 'alice-0123456789abcdef';
const admin = 'admin-0123456789abcdef';
const onlyAdmin = 'only-admin-0123456789abcdef';
const expired = 'expired-0123456789abcdef';

const keys: readonly ApiKey[] = [
  apiKey('alice', alice, { expiresMs: Date.parse('2999-01-01') }),
  apiKey('root', admin, { scopes: ['use', 'admin'] }),
  apiKey('operator', onlyAdmin, { scopes: ['admin'] }),
  apiKey('gone', expired, { expiresMs: Date.parse('2020-02-03') }),
];
const auth = { keys, openMetrics: false };

interface Refusal {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
  };
}

describe('over HTTP', () => {
  let server: Harness;
  beforeAll(async () => {
    server = await harness(hello, { auth });
  });
  afterAll(async () => server.app.close());

  const ask = (headers: Record<string, string>, url = '/v1/chat/completions') =>
    server.app.inject({ method: 'POST', url, headers, payload: chat() });

  it.each([
    ['Authorization', { authorization: `Bearer ${alice}` }],
    ['Authorization in other letters', { authorization: `bearer ${alice}` }],
    ['x-api-key', { 'x-api-key': alice }],
    ['a key with both scopes', { 'x-api-key': admin }],
  ])('%s opens', async (_, headers) => {
    expect((await ask(headers)).statusCode).toBe(200);
  });

  it.each([
    ['no key', {}, 'none was sent'],
    ['an empty one', { 'x-api-key': '' }, 'is not known here'],
    ['a wrong one', { authorization: 'Bearer wrong-0123456789abcdef' }, 'ends in "cdef" is not known'],
    ['a short one', { 'x-api-key': 'guess' }, 'This API key is not known'],
    ['the beginning of a key', { 'x-api-key': alice.slice(0, -1) }, 'is not known here'],
    ['a key and more', { 'x-api-key': `${alice}0` }, 'is not known here'],
    ['the hash of a key', { 'x-api-key': hash(alice) }, 'is not known here'],
    ['an expired one', { 'x-api-key': expired }, 'ends in "cdef" expired on 2020-02-03'],
    ['another scheme', { authorization: `Basic ${alice}` }, 'not of the form "Bearer KEY"'],
    ['a wrong one beside a right one', { authorization: 'Bearer wrong-0123456789abcdef', 'x-api-key': alice }, 'known'],
  ])('%s is a 401 with the remedy', async (_, headers: Record<string, string>, part) => {
    server.submitted.length = 0;
    const reply = await ask(headers);
    expect(reply.statusCode).toBe(401);
    expect(reply.headers['www-authenticate']).toBe('Bearer');
    const { error } = reply.json<Refusal>();
    expect(error).toMatchObject({ code: 'invalid_api_key', type: 'invalid_request_error', param: null });
    expect(error.message).toContain(part);
    expect(error.message).toContain('Authorization: Bearer KEY');
    for (const sent of [alice, expired, 'wrong-', 'guess', hash(alice)]) expect(reply.body).not.toContain(sent);
    expect(server.submitted).toHaveLength(0);
  });

  it('a missing scope is a 403 that names it', async () => {
    const reply = await ask({ 'x-api-key': onlyAdmin });
    expect(reply.statusCode).toBe(403);
    expect(reply.json<Refusal>().error).toMatchObject({ code: 'missing_scope' });
    expect(reply.json<Refusal>().error.message).toMatch(/operator.*scope use/);
  });

  it.each(['api_key', 'API-Key', 'key', 'access_token', 'token', 'anything'])('?%s=KEY is refused', async (name) => {
    for (const headers of [{}, { 'x-api-key': alice }]) {
      const reply = await ask(headers, `/v1/chat/completions?x=1&${name}=${alice}`);
      expect(reply.statusCode).toBe(400);
      expect(reply.json<Refusal>().error.code).toBe('key_in_url');
      expect(reply.json<Refusal>().error.message).toContain(`"${name}"`);
      expect(reply.json<Refusal>().error.param).toBe(name);
      expect(reply.body).not.toContain(alice);
    }
  });

  it('a key as the whole query is refused and not shown', async () => {
    const reply = await server.app.inject(`/health?${alice}`);
    expect([reply.statusCode, reply.json<Refusal>().error.code]).toEqual([400, 'key_in_url']);
    expect(reply.body).not.toContain(alice);
  });

  it('health and readiness need none; metrics take any key, and count what was refused', async () => {
    expect((await server.app.inject('/health')).statusCode).toBe(200);
    expect((await server.app.inject('/ready')).statusCode).toBe(200);
    expect((await server.app.inject('/metrics')).statusCode).toBe(401);
    const reply = await server.app.inject({ url: '/metrics', headers: { 'x-api-key': onlyAdmin } });
    expect(reply.statusCode).toBe(200);
    expect(reply.body).toMatch(/admission_rejections_total\{.*reason="invalid_api_key"\} [1-9]/);
    expect(reply.body).toMatch(/admission_rejections_total\{.*reason="key_in_url"\} [1-9]/);
  });

  it('metrics can be opened', async () => {
    const open = await harness(hello, { auth: { keys, openMetrics: true } });
    expect((await open.app.inject('/metrics')).statusCode).toBe(200);
    expect((await open.app.inject('/v1/models')).statusCode).toBe(401);
    await open.app.close();
  });

  it('without keys the server is open', async () => {
    const open = await harness(hello);
    const reply = await open.app.inject({ method: 'POST', url: '/v1/completions?key=x', payload: completion() });
    expect(reply.statusCode).toBe(200);
    await open.app.close();
  });

  it('the stock client', async () => {
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const baseURL = `http://127.0.0.1:${(server.app.server.address() as AddressInfo).port}/v1`;
    const messages = [{ role: 'user' as const, content: 'hi' }];
    const reply = await new OpenAI({ baseURL, apiKey: alice }).chat.completions.create({ model: 'bytes', messages });
    expect(reply.choices[0]?.message.content).toBe('Hello');
    const refused = new OpenAI({ baseURL, apiKey: 'wrong' }).chat.completions.create({ model: 'bytes', messages });
    await expect(refused).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  });
});

describe('every route', () => {
  const paths = ['/health', '/ready', '/openapi.json'];
  const open: ReadonlySet<string> = new Set(paths.flatMap((path) => [`GET ${path}`, `HEAD ${path}`]));
  /** The page of the API: files, some of which only redirect. */
  const isPage = (path: string): boolean => path === '/docs' || path.startsWith('/docs/');

  it('is guarded, whatever its path begins with, and so is what does not exist', async () => {
    const { app } = await harness(hello, { auth });
    await app.ready();
    // What the router itself knows: "├── /v1/models (GET, HEAD)" in a tree, one whole path per line without common prefixes.
    const listed = app.printRoutes({ commonPrefix: false });
    const routes = [...listed.matchAll(/(\S*\/\S*|\*) \(([A-Z, ]+)\)/g)].flatMap(([, path = '', methods = '']) =>
      methods.split(', ').map((method) => ({ method, path })),
    );
    expect(routes.length).toBeGreaterThan(15);
    expect(routes.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/v1/chat/completions', '/metrics', '/tokenize']),
    );
    const beyond = [
      '/',
      '/nothing',
      '/v1',
      '/v1/',
      '/v2/models',
      '/admin',
      '/healthy',
      '/health/',
      '//health',
      '/HEALTH',
    ];
    const all = [...routes, ...beyond.map((path) => ({ method: 'GET', path })), { method: 'DELETE', path: '/health' }];
    for (const { method, path } of all) {
      const url = path.replaceAll(/:\w+|\*/g, 'x');
      const { statusCode } = await app.inject({ method: method as 'GET', url });
      if (isPage(path)) expect([path, statusCode < 400 || statusCode === 404]).toEqual([path, true]);
      else expect([method, path, statusCode]).toEqual([method, path, open.has(`${method} ${path}`) ? 200 : 401]);
    }
    await app.close();
  });

  it('of the playground alone is open where it is served', async () => {
    const root = mkdtempSync(join(tmpdir(), 'trimtab-page-'));
    mkdirSync(join(root, 'assets'));
    writeFileSync(join(root, 'index.html'), '<p>page</p>');
    writeFileSync(join(root, 'assets', 'a.js'), '1');
    const app = Fastify();
    await app.register(errorsPlugin, { config: httpConfig });
    await app.register(authPlugin, { auth: () => auth });
    await app.register(pagePlugin, { root });
    app.get('/other', () => 'x');
    for (const [url, status] of [
      ['/', 200],
      ['/assets/a.js', 200],
      ['/other', 401],
      ['/assets/b.js', 401],
    ] as const) {
      expect([url, (await app.inject(url)).statusCode]).toEqual([url, status]);
    }
    await app.close();
    rmSync(root, { recursive: true });
  });

  it('says what it needs: the scope admin is not given by use', async () => {
    const app = Fastify();
    await app.register(errorsPlugin, { config: httpConfig });
    await app.register(authPlugin, { auth: () => auth });
    const route: RouteOptions = { method: 'POST', url: '/change', config: { access: 'admin' }, handler: () => 'done' };
    app.route(route);
    const status = async (key: string) =>
      (await app.inject({ method: 'POST', url: '/change', headers: { 'x-api-key': key } })).statusCode;
    expect([await status(alice), await status(admin), await status(onlyAdmin), await status('x')]).toEqual([
      403, 200, 200, 401,
    ]);
    await app.close();
  });
});

describe.each(['/v1/decode/ws', '/v1/responses'])('the websocket %s', (path) => {
  let server: Harness;
  let address: string;
  let sockets: WebSocket[] = [];
  beforeAll(async () => {
    server = await harness(hello, { auth });
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    address = `127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    for (const socket of sockets) socket.terminate();
    sockets = [];
  });
  afterAll(async () => server.app.close());

  const subprotocol = (key: string): string => `trimtab.key.${Buffer.from(key).toString('base64url')}`;

  function dial(protocols: string[], headers: Record<string, string> = {}, query = ''): WebSocket {
    const socket = new WebSocket(`ws://${address}${path}${query}`, protocols, { headers });
    // Ending one that was refused is an error to ws.
    socket.on('error', () => undefined);
    sockets.push(socket);
    return socket;
  }
  async function opens(protocols: string[], headers: Record<string, string> = {}): Promise<string> {
    const socket = dial(protocols, headers);
    await once(socket, 'open');
    return socket.protocol;
  }
  async function refused(protocols: string[], headers: Record<string, string> = {}, query = ''): Promise<string> {
    const socket = dial(protocols, headers, query);
    const [, reply] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    let body = '';
    for await (const part of reply) body += String(part);
    return `${String(reply.statusCode)} ${(JSON.parse(body) as Refusal).error.code}`;
  }

  it('opens with a header, or with a subprotocol that is not repeated', async () => {
    expect(await opens([], { authorization: `Bearer ${alice}` })).toBe('');
    expect(await opens([], { 'x-api-key': alice })).toBe('');
    expect(await opens(['trimtab.v1', subprotocol(alice)])).toBe('trimtab.v1');
    expect(await opens([subprotocol(alice), 'trimtab.v1'])).toBe('trimtab.v1');
  });

  it('refuses before the upgrade', async () => {
    expect(await refused([])).toBe('401 invalid_api_key');
    expect(await refused(['trimtab.v1', subprotocol('wrong-0123456789abcdef')])).toBe('401 invalid_api_key');
    expect(await refused(['trimtab.v1', 'trimtab.key.'])).toBe('401 invalid_api_key');
    expect(await refused(['trimtab.v1', subprotocol(expired)])).toBe('401 invalid_api_key');
    expect(await refused(['trimtab.v1', subprotocol(onlyAdmin)])).toBe('403 missing_scope');
    expect(await refused(['trimtab.v1', subprotocol(alice)], {}, `?api_key=${alice}`)).toBe('400 key_in_url');
    expect(await refused(['trimtab.v1', subprotocol(alice)], { origin: 'https://evil.example' })).toBe(
      '403 origin_not_allowed',
    );
  });

  it.runIf(path === '/v1/decode/ws')('our client, over HTTP and the websocket', async () => {
    const made = (apiKey?: string): Trimtab =>
      new Trimtab({
        baseUrl: `http://${address}`,
        webSocket: WebSocket,
        maxRetries: 0,
        ...(apiKey === undefined ? {} : { apiKey }),
      });
    expect((await made(alice).decode({ model: 'bytes', prompt: 'hi' })).text).toBe('Hello');
    const connection = await made(alice).connect();
    expect((await connection.decode({ model: 'bytes', prompt: 'hi' })).text).toBe('Hello');
    await connection.close();
    for (const key of [undefined, 'wrong-0123456789abcdef']) {
      await expect(made(key).models()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
      await expect(made(key).connect()).rejects.toThrow(/could not be opened.*401/);
    }
  });

  it.runIf(path === '/v1/responses')('the stock client', async () => {
    const socket = new ResponsesWS(new OpenAI({ baseURL: `http://${address}/v1`, apiKey: alice }));
    socket.send({ type: 'response.create', model: 'bytes', input: 'hi' });
    let text = '';
    for await (const event of socket.stream()) {
      if (event.type === 'error') throw event.error;
      if (event.type !== 'message') continue;
      if (event.message.type === 'response.output_text.delta') text += event.message.delta;
      if (event.message.type === 'response.completed') break;
    }
    socket.close();
    expect(text).toBe('Hello');
  });
});

describe('requests per minute', () => {
  const limited = [apiKey('alice', alice, { requestsPerMinute: 3 }), apiKey('root', admin)];

  it('are counted per key, over HTTP and websockets together', async () => {
    const server = await harness(hello, { auth: { keys: limited, openMetrics: true } });
    await server.app.listen({ port: 0, host: '127.0.0.1' });
    const address = `127.0.0.1:${(server.app.server.address() as AddressInfo).port}`;
    const ask = (key: string) =>
      server.app.inject({
        method: 'POST',
        url: '/v1/completions',
        headers: { 'x-api-key': key },
        payload: completion(),
      });
    const first = await ask(alice);
    expect(first.statusCode).toBe(200);
    expect(first.headers).toMatchObject({ 'x-ratelimit-limit': '3', 'x-ratelimit-remaining': '2' });
    expect(Number(first.headers['x-ratelimit-reset'])).toBeLessThanOrEqual(60);

    const socket = new WebSocket(`ws://${address}/v1/decode/ws`, { headers: { 'x-api-key': alice } });
    await once(socket, 'open');
    const ends: { id: string; type: string; error?: { code: string }; retry_after?: number }[] = [];
    const over = new Promise<void>((resolve) =>
      socket.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString()) as (typeof ends)[number];
        if (frame.type === 'finished' || frame.type === 'failed') ends.push(frame);
        if (ends.length === 2) resolve();
      }),
    );
    for (const id of ['a', 'b']) socket.send(JSON.stringify({ type: 'start', id, body: completion() }));
    await over;
    expect(ends.find(({ id }) => id === 'a')?.type).toBe('finished');
    const refused = ends.find(({ id }) => id === 'b');
    expect(refused).toMatchObject({ type: 'failed', error: { code: 'rate_limit_exceeded' } });
    expect(refused?.retry_after).toBeGreaterThan(0);
    socket.close();

    const last = await ask(alice);
    expect(last.statusCode).toBe(429);
    expect(last.json<Refusal>().error).toMatchObject({ code: 'rate_limit_exceeded', type: 'rate_limit_error' });
    expect(last.json<Refusal>().error.message).toMatch(/^The key alice has made its 3 requests .* in \d+ s\.$/);
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
    expect(last.headers['x-ratelimit-remaining']).toBe('0');
    for (let round = 0; round < 5; round++) {
      const other = await ask(admin);
      expect([other.statusCode, other.headers['x-ratelimit-limit']]).toEqual([200, undefined]);
    }
    const { body } = await server.app.inject('/metrics');
    expect(body).toMatch(/admission_rejections_total\{.*reason="rate_limit_exceeded"\} 2/);
    await server.app.close();
  });

  it('begin anew after a minute, to the millisecond', () => {
    let nowMs = 5000;
    const counts = new RequestCounts(() => nowMs);
    expect([counts.take('a'), counts.take('a'), counts.take('b')]).toEqual([
      { current: 1, ttl: 60_000 },
      { current: 2, ttl: 60_000 },
      { current: 1, ttl: 60_000 },
    ]);
    nowMs += 59_999;
    expect(counts.take('a')).toEqual({ current: 3, ttl: 1 });
    nowMs += 1;
    expect(counts.take('a')).toEqual({ current: 1, ttl: 60_000 });
  });
});

describe('where keys come from', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trimtab-keys-'));
  beforeAll(() => {
    mkdirSync(join(folder, 'large'));
    writeFileSync(join(folder, 'large', 'config.json'), '{}');
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, content: unknown): string => {
    const path = join(folder, name);
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const load = (section: unknown, environment: Record<string, string> = {}) =>
    loadConfig(
      { path: write('trimtab.config.json', { models: { large: { path: 'large' } }, auth: section }) },
      environment,
    ).auth.keys;
  function mistake(section: unknown, environment: Record<string, string> = {}): string {
    try {
      load(section, environment);
    } catch (error) {
      if (error instanceof AppError) return error.message;
      throw error;
    }
    throw new Error('it was accepted');
  }

  it('hashes in the configuration', () => {
    const list = [
      { name: 'alice', sha256: hash(alice) },
      { name: 'root', sha256: hash(admin), scopes: ['admin'], expires: '2027-01-31', requestsPerMinute: 5 },
    ];
    expect(load({ keys: list, limits: { requestsPerMinute: 60 } })).toEqual([
      apiKey('alice', alice, { requestsPerMinute: 60 }),
      apiKey('root', admin, { scopes: ['admin'], expiresMs: Date.UTC(2027, 0, 31), requestsPerMinute: 5 }),
    ]);
    expect(load(undefined)).toEqual([]);
  });

  it('the environment', () => {
    const environment = { TRIMTAB_API_KEYS: ` ${alice}, ${expired},`, TRIMTAB_ADMIN_KEYS: admin };
    expect(load({}, environment)).toEqual([
      apiKey('api-key-1', alice),
      apiKey('api-key-2', expired),
      apiKey('admin-key-1', admin, { scopes: ['use', 'admin'] }),
    ]);
  });

  it('a file of lines, beside the configuration or named by the environment', () => {
    const path = write(
      'keys.txt',
      `# ours\r\n\r\n${alice}\r\n  ${admin} name=root scopes=use,admin expires=2027-01-31T18:00:00Z requestsPerMinute=7\n`,
    );
    const expected = [
      apiKey('line-3', alice),
      apiKey('root', admin, { scopes: ['use', 'admin'], expiresMs: Date.UTC(2027, 0, 31, 18), requestsPerMinute: 7 }),
    ];
    expect(load({ keyFile: 'keys.txt' })).toEqual(expected);
    expect(load({}, { TRIMTAB_KEY_FILE: path })).toEqual(expected);
  });

  it('a file in JSON, with keys or hashes', () => {
    write('keys.json', [
      { name: 'alice', key: alice },
      { name: 'root', sha256: hash(admin), scopes: ['admin'] },
    ]);
    expect(load({ keyFile: 'keys.json' })).toEqual([
      apiKey('alice', alice),
      apiKey('root', admin, { scopes: ['admin'] }),
    ]);
  });

  const files: readonly [string, string, ...string[]][] = [
    ['an empty file', '# nothing\n', 'holds no key', 'openssl'],
    ['a short key', 'abc1234', 'line 1', '8 to 512'],
    ['an unknown option', `${alice} nam=x`, 'nam.', 'name?'],
    ['a stray word', `${alice} Alice`, 'line 1', 'only options'],
    ['an unknown scope', `${alice} scopes=root`, 'scopes'],
    ['no number', `${alice} requestsPerMinute=many`, 'requestsPerMinute'],
    ['broken JSON', `[{"name": "a", "key": "${alice}"`, 'not JSON'],
    ['JSON without names', `[{"key": "${alice}"}]`, 'name', 'missing'],
    ['JSON of strings', `["${alice}"]`, 'must be an object'],
    ['a key as a hash in JSON', `[{"name": "a", "sha256": "${alice}"}]`, '64 lower-case', 'sha256sum'],
  ];
  it.each(files)('%s is refused and not shown', (_, content, ...parts) => {
    const path = write('bad', content);
    const message = mistake({ keyFile: 'bad' });
    for (const part of [path, ...parts]) expect(message).toContain(part);
    expect(message).not.toContain(alice);
    expect(message).not.toMatch(/\{\w+\}|undefined/);
  });

  const sections: readonly [string, unknown, ...string[]][] = [
    ['a plain key', { keys: [{ name: 'a', key: alice }] }, 'auth.keys.0.key', 'SHA-256', 'sha256sum'],
    ['a plain key as a hash', { keys: [{ name: 'a', sha256: alice }] }, 'auth.keys.0.sha256', 'sha256sum'],
    ['a hash in capitals', { keys: [{ name: 'a', sha256: hash(alice).toUpperCase() }] }, 'lower-case'],
    ['a list of keys', { keys: [alice] }, 'auth.keys.0', 'sha256sum'],
    ['a key for the list', { keys: alice }, 'auth.keys', 'a list'],
    ['a key for the section', alice, 'auth', 'an object'],
    ['no hash', { keys: [{ name: 'a' }] }, 'auth.keys.0.sha256', 'missing'],
    ['no name', { keys: [{ sha256: hash(alice) }] }, 'auth.keys.0.name', 'missing'],
    ['an unknown scope', { keys: [{ name: 'a', sha256: hash(alice), scopes: ['all'] }] }, 'auth.keys.0.scopes'],
    ['no scope', { keys: [{ name: 'a', sha256: hash(alice), scopes: [] }] }, 'auth.keys.0.scopes'],
    ['no day', { keys: [{ name: 'a', sha256: hash(alice), expires: 'soon' }] }, 'auth.keys.0.expires', 'got "soon"'],
    ['a 30 February', { keys: [{ name: 'a', sha256: hash(alice), expires: '2027-02-30' }] }, 'no such moment'],
    ['an unknown key', { keys: [{ name: 'a', sha256: hash(alice), scope: [] }] }, 'scope', 'scopes?'],
    ['a missing file', { keyFile: 'gone' }, 'cannot be read', 'ENOENT'],
    ['limits without keys', { limits: { requestsPerMinute: 5 } }, 'there is no key'],
    [
      'the same key twice',
      {
        keys: [
          { name: 'a', sha256: hash(alice) },
          { name: 'b', sha256: hash(alice) },
        ],
      },
      'b is the same key as a (got "b")',
    ],
    [
      'the same name twice',
      {
        keys: [
          { name: 'a', sha256: hash(alice) },
          { name: 'a', sha256: hash(admin) },
        ],
      },
      'has the name a already (got "a")',
    ],
  ];
  it.each(sections)('%s is refused and not shown', (_, section, ...parts) => {
    const message = mistake(section);
    for (const part of parts) expect(message).toContain(part);
    expect(message).not.toContain(alice);
    expect(message).not.toMatch(/\{\w+\}|undefined/);
  });

  it('the environment: set but empty, a bad key, one that is known already', () => {
    for (const empty of ['', ' , ,']) expect(mistake({}, { TRIMTAB_API_KEYS: empty })).toContain('holds no key');
    const message = mistake({}, { TRIMTAB_API_KEYS: `${alice},short` });
    expect(message).toContain('TRIMTAB_API_KEYS (key 2)');
    expect(message).not.toContain('short ');
    const same = mistake({ keys: [{ name: 'a', sha256: hash(alice) }] }, { TRIMTAB_ADMIN_KEYS: alice });
    expect(same).toContain('admin-key-1 is the same key as a');
    expect(same).not.toContain(alice);
  });
});
