// 3 000 damaged frames on the Responses websocket of a server with real weights: each is answered by exactly one error event or one whole
// response, none of them a failure of the server, and nothing is held afterwards.
import { once } from 'node:events';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { folders, startPocket, type Pocket } from '../conformance/pocket.js';
import { httpCase } from './cases.js';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

const frames = 3000;
const perConnection = 20;

let server: Pocket;
beforeAll(async () => {
  server = await startPocket({
    models: { small: { path: folders['small'] } },
    deployments: {},
    limits: { tokensPerRequest: 32, prefixCacheBytes: 0 },
  });
});
afterAll(async () => server.close());

interface Event {
  readonly type: string;
  readonly status?: number;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly sequence_number: number;
}

const ends: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete', 'response.failed', 'error']);

/** Bodies of all routes: most are no response, and all are told so. */
const frame = httpCase.map(({ url, body = '' }) => {
  if (!body.startsWith('{')) return body;
  const type = url === '/v1/detokenize' ? '' : '"type":"response.create",';
  return `{${type}${body.slice(1)}`.replace(',}', '}');
});

async function answered(sent: readonly string[]): Promise<void> {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/responses`);
  await once(socket, 'open');
  const last: Event[] = [];
  const done = new Promise<void>((resolve, reject) => {
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
    socket.on('message', (data: Buffer) => {
      const event = JSON.parse(data.toString()) as Event;
      if (ends.has(event.type)) last.push(event);
      if (last.length === sent.length) resolve();
    });
  });
  for (const text of sent) socket.send(text);
  await done;
  socket.removeAllListeners('close');
  socket.close();
  await once(socket, 'close');
  expect(last).toHaveLength(sent.length);
  for (const event of last) {
    expect(event.type).not.toBe('response.failed');
    if (event.type !== 'error') continue;
    if ((event.status ?? 500) >= 500 || typeof event.message !== 'string')
      throw new Error(JSON.stringify({ sent, event }));
  }
}

test(`${frames} frames`, async () => {
  const batch = fc.array(frame, { minLength: perConnection, maxLength: perConnection });
  await fc.assert(fc.asyncProperty(batch, answered), { numRuns: frames / perConnection, endOnFailure: true });
  await server.idle();
  const reply = await server.client.responses.create({ model: 'small', input: 'hi', max_output_tokens: 2 });
  expect(reply.output_text.length).toBeGreaterThan(0);
});
