// 10 000 damaged requests against every HTTP route of a server with real weights, first those of the corpus. No answer is a 5xx, every error
// has its body, every stream its end; afterwards no row is held, nothing waits, and the server says what it said before.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { folders, startPocket, type Pocket } from '../conformance/pocket.js';
import { bodies, httpCase, type HttpCase } from './cases.js';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

const cases = 10_000;
/** Sent side by side, so that good and bad ones share the engine's ticks. */
const atOnce = 20;

let server: Pocket;
let before: string;
beforeAll(async () => {
  server = await startPocket({
    models: { small: { path: folders['small'] } },
    deployments: {},
    limits: { tokensPerRequest: 96, maxN: 4, maxPrompts: 4, bodyBytes: 16_384, prefixCacheBytes: 0 },
  });
  before = await probe();
});
afterAll(async () => server.close());

/** An answer that depends on everything that decoding remembers. */
async function probe(): Promise<string> {
  const body = { model: 'small', prompt: 'The harbour', max_tokens: 12, seed: 1 };
  const reply = await server.client.completions.create(body);
  return reply.choices[0]!.text;
}

interface ErrorReply {
  readonly error?: { readonly message?: unknown; readonly type?: unknown; readonly code?: unknown };
}

const streamEnd = /(data: \[DONE\]|event: response\.(completed|incomplete)\ndata: .*)\n\n$/;

/** What is wrong with the answer to a case; null when nothing is. */
async function fault({ method, url, body, headers = {} }: HttpCase): Promise<string | null> {
  const response = await fetch(server.url + url, { method, headers, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  const { status } = response;
  if (status >= 500) return `status ${status}: ${text.slice(0, 300)}`;
  if (status >= 400) {
    if (method === 'HEAD') return null;
    const { error } = JSON.parse(text) as ErrorReply;
    if (typeof error?.message !== 'string' || error.message.length < 10 || error.message.length > 4000) return text;
    if (typeof error.code !== 'string' || typeof error.type !== 'string') return text;
    return /\n\s+at |node_modules|\/tmp\/|\/home\//.test(error.message) ? `it shows too much: ${text}` : null;
  }
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  if (isStream && !streamEnd.test(text)) return `the stream ends with ${text.slice(-300)}`;
  return isStream && text.includes('"server_error"') ? `a stream failed: ${text.slice(-300)}` : null;
}

async function expectNoFault(some: readonly HttpCase[]): Promise<void> {
  const faults = await Promise.all(some.map(fault));
  faults.forEach((found, index) => {
    if (found !== null) throw new Error(`${JSON.stringify(some[index])}\n→ ${found}`);
  });
}

async function expectUnharmed(): Promise<void> {
  await server.idle();
  expect((await fetch(`${server.url}/health`)).status).toBe(200);
  expect(await probe()).toBe(before);
}

test('the good bodies from which all others are made are good', async () => {
  for (const [url, body] of bodies) {
    const response = await fetch(server.url + url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect([url, response.status, (await response.text()).slice(0, 200)]).toEqual([url, 200, expect.any(String)]);
  }
});

test('the corpus', async () => {
  const corpus = JSON.parse(readFileSync(new URL('corpus.json', import.meta.url), 'utf8')) as HttpCase[];
  expect(corpus.length).toBeGreaterThan(40);
  for (const one of corpus) await expectNoFault([one]);
  await expectUnharmed();
});

test(`${cases} cases`, async () => {
  const batch = fc.array(httpCase, { minLength: atOnce, maxLength: atOnce });
  await fc.assert(fc.asyncProperty(batch, expectNoFault), { numRuns: cases / atOnce, endOnFailure: true });
  await expectUnharmed();
});
