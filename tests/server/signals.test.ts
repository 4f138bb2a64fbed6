// How a server ends: a process of its own, real threads and weights. Nothing is timed: what must not end is held by a websocket that gives
// no credit, and the moments of a start are only tried, whatever happens at them on a fast or a slow machine.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { root, serve, start, type Served, type Started } from '../support/served.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let directory: string;
let started: Started | null = null;

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'trimtab-signals-'));
});
afterEach(async () => {
  await started?.stop();
  started = null;
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Two small models and this deadline, converted once for all tests. */
function configured(drainTimeoutMs: number): [string[], Record<string, string>] {
  const file = path.join(directory, `${drainTimeoutMs}.json`);
  const [small, chat] = ['small', 'small-chat'].map((name) => ({ path: path.join(root, 'models/pocket', name) }));
  writeFileSync(file, JSON.stringify({ models: { small, chat }, limits: { drainTimeoutMs } }));
  return [['--config', file], { TRIMTAB_ARTIFACTS: path.join(directory, 'artifacts') }];
}

async function served(drainTimeoutMs: number): Promise<Served> {
  const server = await serve(...configured(drainTimeoutMs));
  started = server;
  return server;
}

/** A decode that waits for credit, and so never ends. */
async function held({ url }: Served): Promise<{ readonly socket: WebSocket; readonly frames: { type: string }[] }> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/decode/ws`);
  const frames: { type: string }[] = [];
  socket.on('message', (data: Buffer) => frames.push(JSON.parse(data.toString()) as { type: string }));
  await once(socket, 'open');
  const body = { model: 'small', prompt: 'The', max_tokens: 8 };
  socket.send(JSON.stringify({ type: 'start', id: 'a', body, credit: 1 }));
  while (!frames.some(({ type }) => type === 'paused' || type === 'tokens')) await once(socket, 'message');
  return { socket, frames };
}

it.each([0, 400, 1200])('SIGTERM %d ms after the port has opened ends a start without a crash', async (ms) => {
  started = await start(...configured(30_000));
  await started.printed(/on http/);
  await sleep(ms);
  started.process.kill('SIGTERM');
  expect(await started.ended).toEqual({ code: 0, signal: null });
  expect(started.output()).toContain('SIGTERM: finishing what runs');
  expect(started.output()).not.toMatch(/error|terminate|engine/i);
});

it('SIGTERM while a model is being converted ends at the next progress', async () => {
  started = await start();
  await started.printed(/on http/);
  started.process.kill('SIGTERM');
  expect(await started.ended).toEqual({ code: 0, signal: null });
});

it('what runs is finished, what is new is refused', async () => {
  const server = await served(60_000);
  const body = { model: 'small', prompt: 'The', max_tokens: 300, ignore_eos: true, stream: true, temperature: 0 };
  const post = (stream: object) =>
    fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(stream),
    });
  const reply = await post(body);
  const { socket, frames } = await held(server);
  server.process.kill('SIGTERM');
  await server.printed(/finishing what runs/);
  socket.send(JSON.stringify({ type: 'start', id: 'b', body: { model: 'small', prompt: 'The' } }));
  while (!frames.some(({ type }) => type === 'failed')) await once(socket, 'message');
  expect(frames.find(({ type }) => type === 'failed')).toMatchObject({ id: 'b', error: { code: 'draining' } });
  const text = await reply.text();
  expect(text).toContain('"finish_reason":"length"');
  expect(text).toMatch(/data: \[DONE\]\s*$/);
  socket.send(JSON.stringify({ type: 'credit', id: 'a', set: null }));
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(frames.at(-1)).toMatchObject({ type: 'finished', id: 'a' });
});

it('what does not finish is cut at the deadline', async () => {
  const server = await served(300);
  const { socket } = await held(server);
  const closed = once(socket, 'close');
  server.process.kill('SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  await closed;
});

it('a second SIGTERM ends at once', async () => {
  const server = await served(600_000);
  await held(server);
  server.process.kill('SIGTERM');
  await server.printed(/finishing what runs/);
  server.process.kill('SIGTERM');
  expect(await server.ended).toEqual({ code: null, signal: 'SIGTERM' });
  expect(server.output()).toContain('SIGTERM again: ending at once');
});

it('a port in use is one line and exit code 1', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const [args, env] = configured(1000);
  started = await start([...args, '--port', String(port)], env);
  expect(await started.ended).toEqual({ code: 1, signal: null });
  expect(started.output().trim()).toBe(
    `error: Cannot listen on 127.0.0.1:${port}: another process uses it. Choose another with --port and --host, or in the configuration.`,
  );
  other.close();
});
