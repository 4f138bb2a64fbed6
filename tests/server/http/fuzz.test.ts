// Random bodies against both text routes: every answer is either 200 or an OpenAI error body with a 4xx status; nothing throws inside.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ChatRequest } from '../../../server/wire/chat.js';
import { CompletionRequest } from '../../../server/wire/completions.js';
import { chat, completion, harness, hello, type Harness } from './support.js';

let server: Harness;
beforeAll(async () => {
  server = await harness(hello);
});
afterAll(async () => server.app.close());

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -0,
    1,
    -1,
    0.5,
    5,
    257,
    1e300,
    -1e300,
    2 ** 31,
    2 ** 53,
    '',
    '5',
    [],
    {},
  ),
  fc.constantFrom<unknown>(
    [[]],
    [''],
    ['a', 1],
    [1, 'a'],
    [[1], ['a']],
    { '5': 1 },
    { x: 1 },
    { method: 'plain' },
    '\ud800',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.jsonValue({ maxDepth: 4 }),
);

const keys = (known: readonly string[]) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...known) },
    fc.constantFrom(
      'tools',
      'response_format',
      'store',
      'suffix',
      'best_of',
      'guided_json',
      'user',
      'constructor',
      'toString',
    ),
    fc.string({ unit: 'binary', maxLength: 8 }),
  );

const routes = [
  ['/v1/chat/completions', chat, Object.keys(ChatRequest.properties)],
  ['/v1/completions', completion, Object.keys(CompletionRequest.properties)],
] as const;

test.each(routes)('%s', async (url, body, known) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(keys(known), odd), { minLength: 1, maxLength: 4 }), async (changes) => {
      const payload = JSON.stringify({ ...body(), ...Object.fromEntries(changes) });
      const headers = { 'content-type': 'application/json' };
      const response = await server.app.inject({ method: 'POST', url, payload, headers });
      if (response.statusCode === 200) return;
      expect(response.statusCode).toBeGreaterThanOrEqual(400);
      expect(response.statusCode).toBeLessThan(500);
      const { error } = response.json<{ error: { message: string; code: string; param: string } }>();
      expect(error.message.length).toBeGreaterThan(10);
      expect(error.message.length).toBeLessThan(2000);
      expect(error.code).toMatch(/^[a-z_]+$/);
    }),
    { numRuns: 500 },
  );
});
