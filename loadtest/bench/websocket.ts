// What websockets cost: the server's memory for idle ones, and 200 streaming clients, half of them on websockets, against the same over
// server-sent events alone, in turn. The server is a process of its own; every stream is checked to come in order and whole.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { WebSocket } from 'ws';
import { targetAt, traceRequest, type Target } from '../stream.js';
import { loopDelayP99Ms } from './http.js';
import { checkpointOf } from './in-process.js';
import { atLeast, atMost, median, type Row } from './rows.js';
import { benchCache, startServer, type RunningServer } from './server.js';
import { firstTextId } from './tokenizer.js';

const IDLE = 500;
const IDLE_MB = 50;
const CLIENTS = 200;
const TOKENS = 96;
const ROUNDS = 3;
const LOOP_DELAY_MS = 20;
const SHARE_PERCENT = 95;
/** For what is freed late to be freed. */
const SETTLE_MS = 1500;

interface Frame {
  readonly type: string;
  readonly position?: number;
  readonly error?: { readonly message: string };
}

const body = (seed: number): object => ({
  model: 'model',
  prompt: Array.from({ length: 24 }, (_, i) => firstTextId + ((i * 31 + seed * 7) % 200)),
  max_tokens: TOKENS,
  ignore_eos: true,
  return_token_ids: true,
  seed,
});

async function connected(server: RunningServer): Promise<WebSocket> {
  const socket = new WebSocket(`${server.url.replace(/^http/, 'ws')}/v1/decode/ws`);
  await once(socket, 'open');
  return socket;
}

async function closed(socket: WebSocket): Promise<void> {
  socket.close();
  await once(socket, 'close');
}

/** Linux only, as the kernel counts it. */
async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN) / 1024;
}

const settled = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

async function idleMb(server: RunningServer): Promise<number> {
  const warm = await Promise.all(Array.from({ length: 50 }, async () => connected(server)));
  await Promise.all(warm.map(closed));
  await settled();
  const before = await residentMb(server.pid);
  const idle = await Promise.all(Array.from({ length: IDLE }, async () => connected(server)));
  await settled();
  const after = await residentMb(server.pid);
  await Promise.all(idle.map(closed));
  return after - before;
}

async function overSse(target: Target, seed: number): Promise<void> {
  const request = { ...body(seed), stream: true, stream_options: { include_usage: true } };
  const trace = await traceRequest(target, '/v1/completions', request, performance.now());
  if (trace.error !== null) throw new Error(`a stream failed: ${trace.error}`);
}

async function overSocket(socket: WebSocket, seed: number): Promise<void> {
  let tokens = 0;
  await new Promise<void>((resolve, reject) => {
    socket.removeAllListeners('message');
    socket.on('message', (data: Buffer) => {
      const { type, position, error } = JSON.parse(data.toString()) as Frame;
      if (type === 'token' && position !== tokens++) reject(new Error(`token ${tokens} came as ${position}`));
      if (type === 'failed') reject(new Error(error?.message));
      if (type === 'finished') resolve();
    });
    socket.send(JSON.stringify({ type: 'start', id: 'only', body: body(seed) }));
  });
  if (tokens !== TOKENS) throw new Error(`${tokens} of ${TOKENS} tokens came`);
}

/** Tokens per second over all clients. */
async function rate(clients: readonly (() => Promise<void>)[]): Promise<number> {
  const started = performance.now();
  await Promise.all(clients.map(async (client) => client()));
  return (clients.length * TOKENS * 1000) / (performance.now() - started);
}

export async function benchWebsocket(): Promise<Row[]> {
  const server = await startServer({
    models: { model: { path: await checkpointOf('pocket', 1), weights: 'f32' } },
    limits: { prefixCacheBytes: 0, maxRows: 256 },
    threads: 2,
    directory: path.join(benchCache, 'websocket'),
  });
  const target = targetAt(server.url);
  try {
    const megabytes = await idleMb(server);
    const sockets = await Promise.all(Array.from({ length: CLIENTS / 2 }, async () => connected(server)));
    const sse = Array.from({ length: CLIENTS }, (_, i) => async () => overSse(target, i));
    const half = sse.map((client, i) => {
      const socket = sockets[(i - 1) / 2];
      return socket ? async () => overSocket(socket, i) : client;
    });
    const shares: number[] = [];
    const delays: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const alone = await rate(sse);
      await loopDelayP99Ms(server);
      const mixed = await rate(half);
      const delay = await loopDelayP99Ms(server);
      if (round === 0) continue;
      shares.push((100 * mixed) / alone);
      delays.push(delay);
    }
    await Promise.all(sockets.map(closed));
    const range = (values: readonly number[]): string =>
      `${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`;
    const what = `${CLIENTS} streams, half websocket`;
    return [
      atMost(`memory of ${IDLE} idle connections`, megabytes, 'MB', IDLE_MB),
      atMost(`p99 delay of the main loop, ${what}`, median(delays), 'ms', LOOP_DELAY_MS, range(delays)),
      atLeast(`tokens per second, ${what}, of SSE alone`, median(shares), '%', SHARE_PERCENT, range(shares)),
    ];
  } finally {
    target.agent.destroy();
    await server.stop();
  }
}
