// transfer_q and args through the real engine: token for token what the naive twin of the engine makes of them, whoever shares the batch; and
// cancelled at any step they leave nothing behind (T24, T25).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SearchPlan } from '../../decoders/plan.js';
import { force } from '../../decoders/search.js';
import { runSearch } from '../../decoders/searches/index.js';
import { plainly } from '../../decoders/searches/sample.js';
import { buildDecoding, SpecError } from '../../decoders/spec.js';
import { planViews, rowsPerView } from '../../decoders/views-plan.js';
import type { Engine } from '../../server/engine/engine.js';
import { greedySampling, type DecodeRequest } from '../../server/wire/decode.js';
import { expectAllFreed } from '../support/cancelled.js';
import { drain, makeEngine, request, SALTS } from '../support/toy-engine.js';
import { emittedOf, expectAsTwin, searchRequest, toldOf, twinOf } from '../support/toy-search.js';

const heads = { heads: ['first', 'second'], statistics: null };
const steered = { method: 'eft', base: 'large', tuned: 'tuned', reference: 'small' };
const reward = { kind: 'reward', model: 'tuned', head: 'first' };
const implicit = { kind: 'implicit', tuned: 'tuned', reference: 'small' };
const transferQ = { method: 'transfer_q', proposal: 'large', baseline: steered, reward };

/** Null where the fields do not go together. */
function planOf(spec: object): SearchPlan | null {
  try {
    const { search } = buildDecoding(spec, {
      models: Object.keys(SALTS),
      allowNegativeWeights: false,
      rewardModels: new Map([['tuned', heads]]),
    });
    return search && structuredClone(search);
  } catch (error) {
    if (error instanceof SpecError && error.problem === 'not allowed') return null;
    throw error;
  }
}

function asked(id: string, spec: object, change: Partial<DecodeRequest> = {}): DecodeRequest {
  const plan = planOf(spec);
  if (!plan) throw new Error('the fields do not go together');
  return searchRequest(id, plan, { sampling: greedySampling, traceLimit: 1000, ...change });
}

async function run(engine: Engine, requests: readonly DecodeRequest[]): ReturnType<typeof drain> {
  for (const one of requests) engine.submit(one);
  return drain(engine);
}

const specs: fc.Arbitrary<object> = fc.oneof(
  fc.record({
    method: fc.constant('transfer_q'),
    proposal: fc.constant('large'),
    baseline: fc.constantFrom<object | string>('large', 'small', steered),
    reward: fc.constantFrom<object>(reward, { ...reward, range: [-2, 2] }, implicit),
    transfer: fc.constantFrom('direct', 'indirect'),
    importance: fc.constantFrom('self_normalised', 'code'),
    candidates: fc.integer({ min: 1, max: 6 }),
    rollouts: fc.integer({ min: 1, max: 3 }),
    lookahead: fc.integer({ min: 0, max: 5 }),
    rollout_sampling: fc.constantFrom('greedy', 'sampled'),
    reward_weight: fc.constantFrom(0.3, 1, 3),
    block: fc.integer({ min: 1, max: 4 }),
    halving: fc.boolean(),
    reuse: fc.boolean(),
  }),
  fc.record({
    method: fc.constant('args'),
    inner: fc.constantFrom<object | string>('large', steered),
    reward: fc.constantFrom<object>(reward, { ...reward, range: [-2, 2] }, implicit),
    candidates: fc.integer({ min: 1, max: 6 }),
    reward_weight: fc.constantFrom(0.3, 1, 3),
    block: fc.integer({ min: 1, max: 4 }),
  }),
);

/** With what its own choices call for. */
function whole(spec: object): object {
  const { transfer, importance, ...rest } = spec as Record<string, unknown>;
  if (transfer === undefined) return spec;
  const baselineReward = { ...reward, head: 'second' };
  return transfer === 'direct' ? rest : { ...rest, transfer, importance, baseline_reward: baselineReward };
}

const samplings = fc.record({
  temperature: fc.constantFrom(0, 0, 0.8, 1),
  topP: fc.constantFrom(1, 0.9),
  repetitionPenalty: fc.constantFrom(1, 1.2),
});
const requests = fc
  .record({ spec: specs.map(whole), sampling: samplings, seed: fc.nat(), n: fc.constantFrom(1, 2) })
  .filter(({ spec }) => planOf(spec) !== null);

describe('through the engine', () => {
  it('every request is what the twin makes of it, alone or with others', async () => {
    let [tokens, decisions] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { minLength: 1, maxLength: 3 }), async (drawn) => {
        const several = drawn.map(({ spec, sampling, seed, n }, at) =>
          asked(`r${at}`, spec, { seed, n, maxTokens: 9, sampling: { ...greedySampling, ...sampling } }),
        );
        const { engine } = makeEngine({ limits: { maxRows: 256 } });
        const events = await run(engine, [...several, request('plain', { maxTokens: 9 })]);
        for (const one of several)
          for (const { ids, story } of expectAsTwin(one, events.get(one.requestId)!)) {
            tokens += ids.length;
            decisions += story.length;
          }
      }),
      { numRuns: 40 },
    );
    expect(tokens).toBeGreaterThan(200);
    expect(decisions).toBeGreaterThan(200);
  });

  it('a stop string ends rollouts and the answer alike', async () => {
    const free = asked('free', { ...transferQ, candidates: 4, lookahead: 4, reward_weight: 2 }, { stopTokenIds: [] });
    const { engine } = makeEngine();
    const { ids } = toldOf((await run(engine, [free])).get('free')!);
    const text = ids.map((id) => String.fromCharCode(97 + id)).join('');
    const stop = text.slice(4, 6);
    const stopped = asked('stopped', { ...transferQ, candidates: 4, lookahead: 4, reward_weight: 2 }, { stop: [stop] });
    const events = (await run(engine, [{ ...stopped, stopTokenIds: [] }])).get('stopped')!;
    const said = events.flatMap((event) => (event.kind === 'delta' ? event.text : [])).join('');
    expect(said).not.toContain(stop);
    expect(events.find(({ kind }) => kind === 'finished')).toMatchObject({ reason: 'stop', stopReason: stop });
  });

  it('the reply counts what was scored and skipped', async () => {
    const { engine } = makeEngine();
    const bounded = asked('bounded', { ...transferQ, reward: { ...reward, range: [0, 0.5] }, candidates: 5 });
    const done = (await run(engine, [bounded])).get('bounded')!.at(-1)!;
    const twin = twinOf((trunk) => runSearch(bounded.search!.plan, trunk), bounded);
    expect(done.kind === 'done' && done.applied.search?.counts).toEqual(twin.counts);
    expect(twin.counts['skipped']).toBeGreaterThan(0);
  });

  it('where the budget ends, what is committed stays and the rest is decoded plainly', async () => {
    const spec = { ...transferQ, candidates: 3, lookahead: 4, reward_weight: 3 };
    const change = { maxTokens: 12, stopTokenIds: [] };
    const { engine } = makeEngine();
    const free = toldOf((await run(engine, [asked('free', spec, change)])).get('free')!).ids;
    const tight = asked('tight', { ...spec, budget: { tokens: 60 } }, change);
    const events = (await run(engine, [tight])).get('tight')!;
    const { ids, last } = toldOf(events);
    const [ended] = last.kind === 'done' ? (last.applied.search?.ended ?? []) : [];
    expect(ended).toMatchObject({ reason: 'tokens' });
    const at = ended!.at;
    expect(at).toBeGreaterThan(0);
    expect(at).toBeLessThan(12);
    expect(ids.slice(0, at)).toEqual(free.slice(0, at));
    const goneOn = twinOf(function* (trunk) {
      yield* force(trunk, ids.slice(0, at));
      yield* plainly(trunk);
    }, tight);
    expect(ids).toEqual(emittedOf(goneOn, tight));
    expect(ids).not.toEqual(free);
  });

  it('what is kept of the winner is not computed again', async () => {
    const forwards = async (reuse: boolean): Promise<number> => {
      const { engine } = makeEngine();
      const one = asked('one', { ...transferQ, baseline: 'large', candidates: 3, lookahead: 6, reuse });
      const done = (await run(engine, [{ ...one, stopTokenIds: [], maxTokens: 20 }])).get('one')!.at(-1)!;
      return done.kind === 'done' ? done.applied.forwards['large']! : NaN;
    };
    expect(await forwards(true)).toBeLessThan(0.85 * (await forwards(false)));
  });
});

it('no model holds more rows than were priced: what a fork does not draw from, it does not take in', async () => {
  const spec = { ...transferQ, baseline: 'small', candidates: 5, block: 3, lookahead: 6, reuse: false };
  const { engine, models } = makeEngine({ limits: { maxRows: 256 } });
  const one = asked('r', spec, { maxTokens: 12, stopTokenIds: [], n: 2 });
  const { plan } = one.search!;
  const views = planViews(one.distribution, plan, null);
  const priced = rowsPerView(views, plan).map((rows) => rows * one.n);
  engine.submit(one);
  const most = priced.map(() => 0);
  while (!engine.idle) {
    await engine.tick();
    views.views.forEach(({ model }, v) => (most[v] = Math.max(most[v]!, models.get(model)!.cache.rowsInUse)));
  }
  expect(views.views.map(({ model }) => model)).toEqual(['large', 'small']);
  expect(most[0]).toBeLessThanOrEqual(priced[0]!);
  expect(most[1]).toBeLessThanOrEqual(priced[1]!);
  expect(most[1]).toBeGreaterThan(one.n);
});

describe('cancelled at any step', () => {
  it.each([
    ['look-ahead', { ...transferQ, candidates: 4, lookahead: 3 }],
    ['blocks', { ...transferQ, candidates: 3, lookahead: 4, block: 3 }],
    ['blocks of one distribution', { ...transferQ, baseline: 'large', candidates: 3, lookahead: 4, block: 3 }],
    ['halving', { ...transferQ, candidates: 5, lookahead: 4, halving: true }],
    ['several rollouts', { ...transferQ, candidates: 3, lookahead: 3, rollouts: 2, rollout_sampling: 'sampled' }],
    ['args', { method: 'args', inner: steered, reward, candidates: 4 }],
  ])('%s: every fork is freed, and nobody else notices', async (_, spec) => {
    const change = { maxTokens: 4, stopTokenIds: [] };
    await expectAllFreed((id) => asked(id, spec, change), 6);
  });
});
