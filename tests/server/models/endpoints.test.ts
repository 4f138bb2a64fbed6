// Scoring endpoints against a real HTTP server: what is sent, what is taken for a score, and what is not.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askEndpoints } from '../../../server/models/endpoints.js';

let server: Server;
let url: string;
const bodies: unknown[] = [];
let authorization: string | undefined;
const replies: Record<string, [number, string]> = {
  '/score': [200, '{"score": 1.5}'],
  '/scores': [200, '{"scores": [1, -2]}'],
  '/busy': [503, 'come back later'],
  '/words': [200, '{"score": "high"}'],
  '/nothing': [200, '{}'],
  '/html': [200, '<html>'],
  '/long': [200, JSON.stringify({ scores: Array.from({ length: 40_000 }, () => 1) })],
  '/moved': [302, ''],
};

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(JSON.parse(body));
      authorization = request.headers.authorization;
      const reply = replies[request.url ?? ''];
      if (!reply) return;
      response.writeHead(reply[0], reply[0] === 302 ? { location: '/score' } : {}).end(reply[1]);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const body = { messages: [{ role: 'user', content: 'Well?' }], answer: 'Yes.' };
const ask = (path: string, timeoutMs = 2000): Promise<readonly number[]> =>
  askEndpoints({ judge: { url: url + path, timeoutMs, headers: { authorization: 'Bearer secret' } } })(
    'judge',
    body,
    new AbortController().signal,
  );

test('sends the conversation and the answer, with the configured headers, and takes one number or several', async () => {
  await expect(ask('/score')).resolves.toEqual([1.5]);
  await expect(ask('/scores')).resolves.toEqual([1, -2]);
  expect(bodies.at(-1)).toEqual(body);
  expect(authorization).toBe('Bearer secret');
});

test.each([
  ['/busy', /status 503/],
  ['/words', /neither/],
  ['/nothing', /neither/],
  ['/html', /JSON|Unexpected/],
  ['/long', /longer than 65536 bytes/],
  ['/moved', /./],
])('what %s says is no score', async (path, reason) => {
  await expect(ask(path)).rejects.toThrow(reason);
});

test('gives up after its time', async () => {
  const started = performance.now();
  await expect(ask('/never', 50)).rejects.toThrow(/time/i);
  expect(performance.now() - started).toBeLessThan(1500);
});
