// Searches as a user meets them: the suite in the box, real threads and weights, the stock OpenAI client.
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { serve, type Served } from '../support/served.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

let served: Served;
let url: string;
let client: OpenAI;

beforeAll(async () => {
  served = await serve();
  ({ url } = served);
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
});

afterAll(async () => {
  await served.stop();
});

const ask = { messages: [{ role: 'user' as const, content: 'Can you tell me what Tar Alley smells of?' }] };
const deployments = ['pocket-transfer-q', 'pocket-rain', 'pocket-best-of-8'];

interface SearchReply {
  readonly decoding: { readonly method: string; readonly search: Record<string, unknown>; readonly models: string[] };
}

describe.each(deployments)('%s', (model) => {
  const body = { ...ask, model, seed: 11, max_tokens: 40 };

  test('streams with the stock client what it answers whole, and says what it did', async () => {
    const whole = await client.chat.completions.create(body);
    let streamed = '';
    let last: unknown;
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
      streamed += chunk.choices[0]?.delta.content ?? '';
      last = chunk;
    }
    expect(streamed).toBe(whole.choices[0]!.message.content);
    expect(streamed.length).toBeGreaterThan(0);
    const { decoding } = last as SearchReply;
    expect(decoding.search['ended']).toEqual([]);
    expect(decoding.search['branch_tokens']).toBeGreaterThanOrEqual(whole.usage!.completion_tokens);
    expect(decoding.models).toContain('pocket');
  });

  test('answers where the length is left open', async () => {
    const reply = await client.chat.completions.create({ ...ask, model, seed: 3 });
    expect(reply.choices[0]!.message.content).not.toBe('');
  });

  test('gives every row back when clients leave in the middle', async () => {
    const leaving = Array.from({ length: 6 }, async (_, i) => {
      const controller = new AbortController();
      const stream = client.chat.completions.create({ ...body, seed: i, stream: true }, { signal: controller.signal });
      setTimeout(() => controller.abort(), 30 + 60 * i);
      await stream
        .then(async (chunks) => {
          for await (const _chunk of chunks);
        })
        .catch(() => undefined);
    });
    await Promise.all(leaving);
    await vi.waitFor(
      async () => {
        const metrics = await (await fetch(`${url}/metrics`)).text();
        const rows = [...metrics.matchAll(/^trimtab_cache_rows\{[^}]*\} (\S+)$/gm)].map(([, value]) => Number(value));
        expect(rows.length).toBeGreaterThan(3);
        expect(Math.max(...rows)).toBe(0);
      },
      { timeout: 20_000, interval: 200 },
    );
  });
});

test('best_of_n gives the candidate that its trace scores best', async () => {
  const reply = (await client.chat.completions.create({
    ...ask,
    model: 'pocket',
    seed: 3,
    max_tokens: 40,
    decoding: { method: 'best_of_n', inner: 'pocket', scorer: 'pocket-helpfulness', n: 4 },
    decoding_trace: true,
    return_token_ids: true,
  } as never)) as unknown as {
    choices: [{ token_ids: number[]; search_trace: [{ candidates: { tokens: number[]; score: number }[] }] }];
  };
  const [{ token_ids: emitted, search_trace: story }] = reply.choices;
  const [{ candidates }] = story;
  expect(candidates).toHaveLength(4);
  const best = candidates.reduce((winner, each) => (each.score > winner.score ? each : winner));
  expect(best.tokens.slice(0, emitted.length)).toEqual(emitted);
  expect(best.tokens.length - emitted.length).toBeLessThanOrEqual(1);
});

test.each<[object, RegExp]>([
  [
    { method: 'best_of_n', inner: 'pocket', scorer: 'pocket-helpfullness' },
    /decoding\.scorer.*Did you mean pocket-helpfulness/s,
  ],
  [
    { method: 'best_of_n', inner: 'pocket', scorer: { kind: 'reward', model: 'pocket-reward-1a', head: 'kind' } },
    /head/,
  ],
  [{ method: 'guidance', model: { method: 'rain', inner: 'pocket', judge: 'pocket-harmlessness' } }, /outermost/],
  [
    {
      method: 'transfer_q',
      proposal: 'pocket',
      baseline: 'pocket-eft',
      reward: 'pocket-helpfulness',
      candidates: 200,
      lookahead: 20,
    },
    /the limit is 64/,
  ],
  [
    { method: 'best_of_n', inner: 'pocket', scorer: 'pocket-helpfulness', budget: { token: 5 } },
    /budget.*Did you mean "?tokens/s,
  ],
])('refuses %j with the place and the remedy', async (decoding, message) => {
  const refused = client.chat.completions.create({ ...ask, model: 'pocket', decoding } as never);
  await expect(refused).rejects.toMatchObject({ status: 400, message: expect.stringMatching(message) as unknown });
});
