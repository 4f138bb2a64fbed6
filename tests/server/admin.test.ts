// What an operator changes while the server runs, on a process with real threads and weights: models come and go, configurations are taken
// or refused, and whoever is being answered meanwhile is answered.
import { once } from 'node:events';
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { root, serve, type Served } from '../support/served.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const use = 'use-0123456789abcdef';
const admin = 'admin-0123456789abcdef';
const pocket = (name: string): string => path.join(root, 'models/pocket', name);

interface Reply {
  readonly status: number;
  readonly body: {
    readonly error?: { readonly code: string; readonly message: string };
    readonly engine?: string;
    readonly changed?: readonly string[];
    readonly requests?: { readonly finished: number; readonly cut: number };
    readonly memory?: { readonly resident_bytes_before: number; readonly resident_bytes_after: number };
    readonly model?: { readonly state: string };
    readonly choices?: readonly { readonly text: string }[];
    readonly data?: readonly {
      readonly id: string;
      readonly state?: string;
      readonly deployments?: readonly string[];
    }[];
  };
}

describe('a server with keys', () => {
  let directory: string;
  let file: string;
  let server: Served;

  const eft = { method: 'eft', base: 'large', tuned: 'chat', reference: 'small' };
  const base = {
    models: {
      small: { path: 'small' },
      chat: { path: pocket('small-chat') },
      large: { path: pocket('large'), load: false },
    },
    deployments: {
      steered: { decoding: eft },
      guided: { decoding: { method: 'contrastive', expert: 'chat', amateur: 'small' } },
    },
    limits: { drainTimeoutMs: 60_000 },
  };
  const configure = (changes: object): void => writeFileSync(file, JSON.stringify({ ...base, ...changes }));

  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'trimtab-admin-'));
    cpSync(pocket('small'), path.join(directory, 'small'), { recursive: true });
    file = path.join(directory, 'trimtab.config.json');
    configure({});
    server = await serve(['--config', file], { TRIMTAB_API_KEYS: use, TRIMTAB_ADMIN_KEYS: admin });
  });
  // What a test has taken, or should not have taken, is not there for the next.
  beforeEach(async () => {
    configure({});
    await ask('POST', '/v1/admin/reload');
    await ask('POST', '/v1/admin/models/chat/load');
  });
  afterAll(async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function ask(method: string, url: string, body?: unknown, key = admin): Promise<Reply> {
    const reply = await fetch(server.url + url, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: reply.status, body: (await reply.json()) as Reply['body'] };
  }
  const complete = async (model: string): Promise<Reply> =>
    ask('POST', '/v1/completions', { model, prompt: 'The lighthouse', max_tokens: 12, temperature: 0 }, use);
  async function text(model: string): Promise<string> {
    const { body } = await complete(model);
    return body.choices?.[0]?.text ?? JSON.stringify(body);
  }
  const served = async (): Promise<string[]> => (await ask('GET', '/v1/models')).body.data!.map(({ id }) => id).sort();

  /** A decode on a websocket that waits for credit. */
  async function held(model: string) {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/decode/ws`, {
      headers: { 'x-api-key': use },
    });
    const frames: { readonly type: string; readonly error?: { readonly code: string } }[] = [];
    socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as { type: string }));
    await once(socket, 'open');
    const body = { model, prompt: 'The', max_tokens: 8, ignore_eos: true };
    socket.send(JSON.stringify({ type: 'start', id: 'a', body, credit: 1 }));
    const until = async (type: string) => {
      for (;;) {
        const found = frames.find((frame) => frame.type === type);
        if (found) return found;
        await once(socket, 'message');
      }
    };
    await until('paused');
    return { until, grant: () => socket.send(JSON.stringify({ type: 'credit', id: 'a', set: null })), socket };
  }

  it('says what there is', async () => {
    const { status, body } = await ask('GET', '/v1/admin/models');
    expect(status).toBe(200);
    expect(body.data).toMatchObject([
      { id: 'small', state: 'loaded', deployments: ['steered', 'guided'] },
      { id: 'chat', state: 'loaded', deployments: ['steered', 'guided'] },
      { id: 'large', state: 'unloaded', deployments: ['steered'] },
    ]);
    expect(await served()).toEqual(['chat', 'guided', 'small']);
  });

  it.each(['large', 'steered'])('what is not loaded is a 404 that says how to load it: %s', async (model) => {
    const { status, body } = await complete(model);
    expect([status, body.error?.code]).toEqual([404, 'model_not_loaded']);
    expect(body.error?.message).toContain('POST /v1/admin/models/large/load');
  });

  it('loads and unloads, and answers are what they were', async () => {
    const before = [await text('small'), await text('guided')];
    const loaded = await ask('POST', '/v1/admin/models/large/load');
    expect(loaded).toMatchObject({ status: 200, body: { engine: 'replaced', model: { state: 'loaded' } } });
    expect(await served()).toEqual(['chat', 'guided', 'large', 'small', 'steered']);
    expect([await text('small'), await text('guided')]).toEqual(before);
    const steered = await text('steered');
    expect(steered).not.toBe('');

    const unloaded = await ask('POST', '/v1/admin/models/large/unload', { order: 'after' });
    expect(unloaded).toMatchObject({ status: 200, body: { engine: 'replaced', model: { state: 'unloaded' } } });
    expect(unloaded.body.memory?.resident_bytes_before).toBeGreaterThan(0);
    expect(await served()).toEqual(['chat', 'guided', 'small']);
    expect([await text('small'), await text('guided')]).toEqual(before);

    await ask('POST', '/v1/admin/models/large/load');
    expect(await text('steered')).toBe(steered);
    expect((await ask('POST', '/v1/admin/models/large/load')).body.engine).toBe('kept');
    await ask('POST', '/v1/admin/models/large/unload');
  });

  it('what runs is finished on the engine that it began on, and what is new is served beside it', async () => {
    const { until, grant, socket } = await held('chat');
    const unloading = ask('POST', '/v1/admin/models/chat/unload');
    while ((await complete('chat')).status === 200);
    expect((await complete('chat')).body.error?.code).toBe('model_not_loaded');
    expect((await complete('small')).status).toBe(200);
    expect((await ask('POST', '/v1/admin/models/large/load')).body.error?.code).toBe('admin_busy');
    grant();
    expect(await until('finished')).toMatchObject({
      choices: [{ finish_reason: 'length' }],
      usage: { completion_tokens: 8 },
    });
    const { status, body } = await unloading;
    expect([status, body.requests?.cut]).toEqual([200, 0]);
    expect(body.requests?.finished).toBeGreaterThan(0);
    socket.close();
    await ask('POST', '/v1/admin/models/chat/load');
  });

  it('a model that has vanished is told, and the others are served on', async () => {
    const folder = path.join(directory, 'small');
    await ask('POST', '/v1/admin/models/small/unload');
    renameSync(folder, `${folder}.away`);
    const { status, body } = await ask('POST', '/v1/admin/models/small/load');
    expect([status, body.error?.code]).toEqual([409, 'model_load_failed']);
    expect(body.error?.message).toMatch(/small\/config\.json is missing/);
    expect(await text('chat')).not.toBe('');
    renameSync(`${folder}.away`, folder);
    expect((await ask('POST', '/v1/admin/models/small/load')).status).toBe(200);
  });

  it('one that vanishes while it is served is served on', async () => {
    const folder = path.join(directory, 'small');
    const before = await text('small');
    renameSync(folder, `${folder}.away`);
    expect(await text('small')).toBe(before);
    renameSync(`${folder}.away`, folder);
  });

  it('takes new deployments without touching the engine', async () => {
    configure({ deployments: { other: { decoding: { method: 'plain', model: 'small' } } } });
    const { status, body } = await ask('POST', '/v1/admin/reload');
    expect(status).toBe(200);
    expect(body).toMatchObject({ engine: 'kept', changed: ['deployments'] });
    expect(await served()).toEqual(['chat', 'other', 'small']);
    configure({});
    server.process.kill('SIGHUP');
    await server.printed(/SIGHUP: changed: deployments; engine kept/);
    expect(await served()).toEqual(['chat', 'guided', 'small']);
  });

  it.each([
    ['no JSON', () => writeFileSync(file, '{'), /not JSON/],
    ['an unknown key', () => configure({ modells: {} }), /unknown key modells/],
    [
      'a deployment that makes no sense',
      () => configure({ deployments: { a: { decoding: { method: 'eft' } } } }),
      /deployments\.a/,
    ],
    [
      'a model that is not there',
      () => configure({ models: { ...base.models, b: { path: 'b' } } }),
      /models\.b\.path: there is no such folder/,
    ],
    [
      'another port',
      () => configure({ server: { logLevel: 'info' } }),
      /server\.logLevel: it cannot change while the server runs/,
    ],
    ['no file', () => rmSync(file), /there is no such file/],
  ])('%s is refused, and everything stays', async (_, spoil, reason) => {
    const before = await text('guided');
    spoil();
    const { status, body } = await ask('POST', '/v1/admin/reload');
    expect([status, body.error?.code]).toEqual([400, 'reload_refused']);
    expect(body.error?.message).toMatch(reason);
    expect(server.output()).toContain('"code":"reload_refused"');
    expect(await text('guided')).toBe(before);
    expect(await served()).toEqual(['chat', 'guided', 'small']);
  });

  it('takes keys: a new one opens at once, one that is gone does not', async () => {
    const lena = 'lena-0123456789abcdef';
    writeFileSync(path.join(directory, 'keys'), `${lena} name=lena\n`);
    configure({ auth: { keyFile: 'keys' } });
    expect((await ask('GET', '/v1/models', undefined, lena)).status).toBe(401);
    expect((await ask('POST', '/v1/admin/reload')).body).toMatchObject({ engine: 'kept', changed: ['auth'] });
    expect((await ask('GET', '/v1/models', undefined, lena)).status).toBe(200);
    configure({});
    await ask('POST', '/v1/admin/reload');
    expect((await ask('GET', '/v1/models', undefined, lena)).status).toBe(401);
  });

  it('needs the scope, a model that exists, and a body that is understood', async () => {
    expect((await ask('POST', '/v1/admin/reload', undefined, use)).body.error?.code).toBe('missing_scope');
    expect((await ask('GET', '/v1/admin/models', undefined, use)).status).toBe(403);
    expect((await ask('POST', '/v1/admin/models/nobody/load')).body.error?.code).toBe('model_not_found');
    expect((await ask('POST', '/v1/admin/models/small/sing')).status).toBe(404);
    expect((await ask('POST', '/v1/admin/reload', { order: 'sideways' })).body.error).toMatchObject({
      code: 'invalid_value',
      message: expect.stringContaining('Send {"order": "beside"}, {"order": "after"} or no body at all.') as unknown,
    });
  });

  it('is in the metrics', async () => {
    const reply = await fetch(`${server.url}/metrics`, { headers: { 'x-api-key': admin } });
    const metrics = await reply.text();
    expect(metrics).toMatch(/^process_resident_memory_bytes [1-9]/m);
    expect(metrics).toMatch(/^trimtab_model_loaded\{model="large"\} 0$/m);
    expect(metrics).toMatch(/^trimtab_engine_replacements_total [1-9]/m);
    expect(metrics).toMatch(/^trimtab_config_reloads_total\{outcome="refused"\} [1-9]/m);
  });

  it('what does not finish within the deadline is cut, and told', async () => {
    configure({ limits: { drainTimeoutMs: 200 } });
    expect((await ask('POST', '/v1/admin/reload')).body).toMatchObject({ engine: 'kept', changed: ['limits'] });
    const { until, socket } = await held('chat');
    expect(await ask('POST', '/v1/admin/models/small/unload')).toMatchObject({
      status: 200,
      body: { requests: { finished: 0, cut: 1 } },
    });
    expect((await until('failed')).error?.code).toBe('engine_replaced');
    socket.close();
  });
});

it('without keys nobody may change anything', async () => {
  const server = await serve(['--model', `m=${pocket('small')}`]);
  try {
    for (const [method, url] of [
      ['GET', '/v1/admin/models'],
      ['POST', '/v1/admin/models/m/unload'],
      ['POST', '/v1/admin/reload'],
    ] as const) {
      const reply = await fetch(server.url + url, { method });
      const { error } = (await reply.json()) as { error: { code: string } };
      expect([reply.status, error.code]).toEqual([403, 'admin_needs_key']);
    }
  } finally {
    await server.stop();
  }
});
