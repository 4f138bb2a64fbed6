// Embeddings in the engine: the pooled states are those of the definition (each prefix of the prompt through the model), whatever shares the
// ticks, however the prompt is cut into chunks, and also after rows were taken away; and nothing is held afterwards.
import { describe, expect, test } from 'vitest';
import type { RequestEvent } from '../../server/engine/engine.js';
import type { DecodeRequest } from '../../server/wire/decode.js';
import { TOY_VOCAB, toyLogits } from '../support/toy-decoder.js';
import { drain, END, expectNaive, makeEngine, request, SALTS } from '../support/toy-engine.js';

const prompt = (length: number, salt = 0): Int32Array =>
  Int32Array.from({ length }, (_, index) => (index * 7 + salt) % END);

const embedding = (id: string, ids: Int32Array, pooling: 'mean' | 'last' = 'mean'): DecodeRequest =>
  request(id, { promptIds: [ids], pooling, maxTokens: 0, logprobs: null });

/** By the definition, in float64. */
function pooled(ids: Int32Array, pooling: 'mean' | 'last'): number[] {
  const states = Array.from(ids, (_, index) => toyLogits(Array.from(ids.slice(0, index + 1)), SALTS['large']!));
  const used = pooling === 'mean' ? states : states.slice(-1);
  return Array.from({ length: TOY_VOCAB }, (_, v) => used.reduce((sum, state) => sum + state[v]!, 0) / used.length);
}

function expectPooled(events: readonly { readonly kind: string }[] | undefined, expected: readonly number[]): void {
  expect(events?.map(({ kind }) => kind)).toEqual(['done']);
  const { pooled: values } = events![0] as unknown as { pooled: Float32Array };
  expect(values).toHaveLength(expected.length);
  values.forEach((value, v) => expect(value).toBeCloseTo(expected[v]!, 5));
}

describe.each(['mean', 'last'] as const)('%s', (pooling) => {
  test.each([1, 2, 31, 32, 33, 90])('of %i tokens, in chunks of any size', async (length) => {
    for (const tokensPerTick of [1, 7, 64]) {
      const { engine } = makeEngine({ limits: { tokensPerTick } });
      engine.submit(embedding('e', prompt(length), pooling));
      expectPooled((await drain(engine)).get('e'), pooled(prompt(length), pooling));
    }
  });

  test('in company, which it does not disturb', async () => {
    const { engine } = makeEngine({ limits: { tokensPerTick: 16 } });
    const answers = [1, 2, 3].map((seed) => request(`a${seed}`, { seed, n: 2 }));
    for (const answer of answers) engine.submit(answer);
    for (let salt = 0; salt < 4; salt++) engine.submit(embedding(`e${salt}`, prompt(20 + salt, salt), pooling));
    const events = await drain(engine);
    for (let salt = 0; salt < 4; salt++) expectPooled(events.get(`e${salt}`), pooled(prompt(20 + salt, salt), pooling));
    for (const answer of answers) expectNaive(events.get(answer.requestId), answer);
  });

  test('again, with what the first time left in the prefix store', async () => {
    const { engine } = makeEngine();
    engine.submit(request('a', { promptIds: [prompt(60)] }));
    await drain(engine);
    engine.submit(embedding('e', prompt(60), pooling));
    expectPooled((await drain(engine)).get('e'), pooled(prompt(60), pooling));
  });
});

test('rows that are taken away in the middle are computed again', async () => {
  // Two rows of 100 tokens: the answer grows beyond that while the prompt of the embedding is still being read.
  const tokenBytes = 2 * (2 * 2 + 3) * 4;
  const { engine } = makeEngine({ limits: { tokensPerTick: 16, cacheBytes: 200 * tokenBytes } });
  const answer = request('a', { promptIds: [prompt(96, 1)], maxTokens: 30, stopTokenIds: [] });
  engine.submit(answer);
  const log: RequestEvent[] = [];
  while (!log.some(({ event }) => event.kind === 'delta')) log.push(...(await engine.tick()));
  engine.submit(embedding('e', prompt(95, 3)));
  const events = await drain(engine, log);
  expect(engine.stats().preemptions).toBe(1);
  expectPooled(events.get('e'), pooled(prompt(95, 3), 'mean'));
  expectNaive(events.get('a'), answer);
});

test('a cancelled one leaves no row, and a model that gives NaN ends it', async () => {
  const { engine, models } = makeEngine({ limits: { tokensPerTick: 4 } });
  engine.submit(embedding('e', prompt(60)));
  await engine.tick();
  expect(models.get('large')!.cache.rowsInUse).toBe(1);
  engine.cancel('e');
  await drain(engine);
  expect(models.get('large')!.cache.rowsInUse).toBe(0);

  const broken = makeEngine({ options: { nanFrom: 10 } });
  broken.engine.submit(embedding('e', prompt(12)));
  const events = (await drain(broken.engine)).get('e');
  expect(events).toMatchObject([{ kind: 'failed', error: { code: 'nan_logits' } }]);
});
