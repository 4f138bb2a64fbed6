// The definitions of the reported figures, on traces whose answer is known by hand, and the statistics of arrivals.
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { poissonArrivalsMs, promptIds } from '../../loadtest/arrivals.js';
import {
  decodeRate,
  interTokenGaps,
  quantile,
  summarise,
  timePerOutputToken,
  timeToFirstToken,
} from '../../loadtest/measure.js';
import { targetAt, traceRequest } from '../../loadtest/stream.js';
import { trace } from '../support/load-trace.js';

test('quantiles interpolate between order statistics', () => {
  expect(quantile([3, 1, 2, 4], 0.5)).toBe(2.5);
  expect(quantile([5], 0.99)).toBe(5);
  expect(quantile([], 0.5)).toBeNaN();
});

test('TTFT counts from the due time; bundled tokens add no zero gaps; TPOT spreads them', () => {
  // due at 10, sent late at 15; three outputs with 1, 3, 1 tokens
  const bundled = trace([50, 90, 130], { dueMs: 10, sentMs: 15, tokens: [1, 3, 1], endMs: 130 });
  expect(timeToFirstToken(bundled)).toBe(40);
  expect(interTokenGaps(bundled)).toEqual([40, 40]);
  expect(timePerOutputToken(bundled)).toBe(20);
  expect(summarise([bundled], 1).lateMs.p50).toBe(5);
});

test('the decode rate counts only the time in which all streams decode', () => {
  const long = trace([0, 100, 200, 300, 400]);
  const short = trace([150, 250]);
  expect(decodeRate([long], 1)).toBeCloseTo(10, 9);
  // both decode from 150 to 250: 100 ms, one token of each
  expect(decodeRate([long, short], 2)).toBeCloseTo(20, 9);
  expect(decodeRate([long], 2)).toBeNull();
});

test('failed requests are counted by message and are part of no latency', () => {
  const summary = summarise([trace([1, 2]), trace([], { error: 'HTTP 503' }), trace([], { error: 'HTTP 503' })], 1);
  expect(summary).toMatchObject({ requests: 3, failed: 2, errors: { 'HTTP 503': 2 }, completionTokens: 2 });
  expect(summary.ttftMs.p99).toBe(1);
});

test('arrivals are reproducible and have the asked rate', () => {
  const due = poissonArrivalsMs(50, 20_000, 7);
  expect(due).toEqual(poissonArrivalsMs(50, 20_000, 7));
  // the sum of n exponential gaps has a relative deviation of 1/√n: five of them are a miracle
  expect(Math.abs((due.at(-1) ?? 0) / 1000 / 400 - 1)).toBeLessThan(5 / Math.sqrt(20_000));
  expect(promptIds({ tokens: 64, firstId: 5, endId: 9 }, 1, 2).every((id) => id >= 5 && id < 9)).toBe(true);
  expect(promptIds({ tokens: 8, firstId: 0, endId: 1000 }, 1, 2)).not.toEqual(
    promptIds({ tokens: 8, firstId: 0, endId: 1000 }, 1, 3),
  );
});

let server: http.Server | null = null;
afterEach(() => server?.close());

/** A server that answers every request with these bytes. */
async function replying(status: number, body: string): Promise<string> {
  server = http.createServer((_, reply) => reply.writeHead(status).end(body));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const event = (json: object): string => `data: ${JSON.stringify(json)}\n\n`;
const chunk = (more: object): string => event({ choices: [more] });

test('a stream becomes a trace: role chunks and pings carry no token, usage corrects the count', async () => {
  const url = await replying(
    200,
    chunk({ delta: { role: 'assistant', content: '' } }) +
      ': ping\n\n' +
      chunk({ delta: { content: 'ab' } }) +
      chunk({ delta: {}, finish_reason: 'length' }) +
      event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } }) +
      'data: [DONE]\n\n',
  );
  const target = targetAt(url);
  const got = await traceRequest(target, '/v1/chat/completions', {}, performance.now());
  target.agent.destroy();
  expect(got).toMatchObject({ tokens: [4], promptTokens: 3, finishReason: 'length', error: null });
});

test.each([
  ['an HTTP error', 503, '{"error":{"message":"full"}}', /^HTTP 503: .*full/],
  ['an error event', 200, event({ error: { message: 'nan' } }) + 'data: [DONE]\n\n', /^nan$/],
  ['a cut stream', 200, chunk({ text: 'a' }), /without \[DONE\]/],
  ['no usage', 200, chunk({ text: 'a' }) + 'data: [DONE]\n\n', /without usage/],
])('%s is a failed trace', async (_, status, body, message) => {
  const target = targetAt(await replying(status, body));
  const got = await traceRequest(target, '/v1/completions', {}, performance.now());
  target.agent.destroy();
  expect(got.error).toMatch(message);
});
