// rain through the real engine: token for token and look for look what the naive twin of the engine makes of it, whoever shares the batch;
// cancelled at any step it leaves nothing behind (T16, T24, T25). Its rules themselves are checked without an engine, in tests/decoders.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runSearch } from '../../decoders/searches/index.js';
import { buildDecoding } from '../../decoders/spec.js';
import type { Engine } from '../../server/engine/engine.js';
import { greedySampling, type DecodeRequest } from '../../server/wire/decode.js';
import { expectAllFreed } from '../support/cancelled.js';
import { drain, makeEngine, request, SALTS } from '../support/toy-engine.js';
import { expectAsTwin, searchRequest, twinOf } from '../support/toy-search.js';

const heads = { heads: ['first', 'second'], statistics: null };
const steered = { method: 'eft', base: 'large', tuned: 'tuned', reference: 'small' };
const reward = { kind: 'reward', model: 'tuned', head: 'first' };
const judge = {
  kind: 'self_evaluation',
  model: 'small',
  template: '{answer} {first} {second}',
  options: { good: 'c', bad: 'd' },
  labels: ['a', 'b'],
};
const small = { candidates: 3, lookahead: 4, max_iterations: 6, extra_iterations: 2, min_visits: 2 };
const rain = { method: 'rain', inner: 'large', judge: reward, similarity: 'off', ...small };

function asked(id: string, spec: object, change: Partial<DecodeRequest> = {}): DecodeRequest {
  const { search } = buildDecoding(spec, {
    models: Object.keys(SALTS),
    allowNegativeWeights: false,
    rewardModels: new Map([['tuned', heads]]),
  });
  return searchRequest(id, structuredClone(search!), { sampling: greedySampling, traceLimit: 1000, ...change });
}

async function run(engine: Engine, requests: readonly DecodeRequest[]): ReturnType<typeof drain> {
  for (const one of requests) engine.submit(one);
  return drain(engine);
}

const specs = fc.record({
  method: fc.constant('rain'),
  inner: fc.constantFrom<object | string>('large', steered),
  judge: fc.constantFrom<object>(reward, { ...reward, range: [-2, 2] }, judge, { ...judge, swap: false }),
  similarity: fc.constantFrom('off', 'small'),
  candidates: fc.integer({ min: 1, max: 4 }),
  set_tokens: fc.constantFrom([1, 2, 4], [2], [1]),
  lookahead: fc.integer({ min: 1, max: 5 }),
  max_iterations: fc.integer({ min: 0, max: 8 }),
  extra_iterations: fc.integer({ min: 0, max: 3 }),
  min_visits: fc.integer({ min: 1, max: 3 }),
  value_threshold: fc.constantFrom(-0.5, 0, 0.8),
  parallel: fc.integer({ min: 1, max: 3 }),
});
const requests = fc.record({
  spec: specs,
  temperature: fc.constantFrom(0, 0.8, 1),
  seed: fc.nat(),
  n: fc.constantFrom(1, 1, 2),
});

describe('through the engine', () => {
  it('every request is what the twin makes of it, alone or with others, and what was told stands', async () => {
    let [tokens, looks] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { minLength: 1, maxLength: 3 }), async (drawn) => {
        const several = drawn.map(({ spec, temperature, seed, n }, at) =>
          asked(`r${at}`, spec, { seed, n, maxTokens: 8, sampling: { ...greedySampling, temperature } }),
        );
        const { engine } = makeEngine({ limits: { maxRows: 256 } });
        const events = await run(engine, [...several, request('plain', { maxTokens: 9 })]);
        for (const one of several)
          for (const { ids, story } of expectAsTwin(one, events.get(one.requestId)!)) {
            tokens += ids.length;
            looks += story.length;
          }
      }),
      { numRuns: 30 },
    );
    expect(tokens).toBeGreaterThan(100);
    expect(looks).toBeGreaterThan(200);
  });

  it('the reply counts what the twin counts', async () => {
    const { engine } = makeEngine();
    const one = asked('one', rain, { maxTokens: 8, stopTokenIds: [] });
    const done = (await run(engine, [one])).get('one')!.at(-1)!;
    const twin = twinOf((trunk) => runSearch(one.search!.plan, trunk), one);
    expect(done.kind === 'done' && done.applied.search?.counts).toEqual(twin.counts);
    expect(Object.keys(twin.counts).length).toBeGreaterThan(0);
  });
});

describe('cancelled at any step', () => {
  it.each([
    ['a reward', rain],
    ['a judge, swapped', { ...rain, judge }],
    ['embeddings', { ...rain, similarity: 'small' }],
    ['several looks at once', { ...rain, parallel: 3 }],
  ])('%s: every fork is freed, and nobody else notices', async (_, spec) => {
    const change = { maxTokens: 3, stopTokenIds: [] };
    await expectAllFreed((id) => asked(id, spec, change), 6);
  });
});
