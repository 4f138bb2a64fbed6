// Sources of scores as the engine reads them: what fails ends its request or the search, as the operator says, and nothing else; equal texts
// are read once; an endpoint keeps nobody waiting.
import { describe, expect, it } from 'vitest';
import { scoreAll } from '../../decoders/scorers/index.js';
import { commit, fork, read, release, sample, type Branch, type Search } from '../../decoders/search.js';
import type { RequestEvent } from '../../server/engine/engine.js';
import type { AskEndpoint } from '../../server/engine/reads.js';
import { drain, makeEngine, plain, request } from '../support/toy-engine.js';
import { emittedOf, searchRequest, toldOf, twinOf, type ToyPlan } from '../support/toy-search.js';

const endpoint: ToyPlan = { distributions: [plain], sources: [{ kind: 'http', endpoint: 'judge' }] };
const reward: ToyPlan = { distributions: [plain], sources: [{ kind: 'reward', model: 'small' }] };

const scorer = { kind: 'http', endpoint: 'judge', source: 0, index: 1, range: null };

/** Three tokens, then the better of two forks by what the source says. */
function* betterOfTwo(trunk: Branch): Search {
  yield* sample(trunk, { tokens: 3 });
  yield* commit(trunk);
  const other = yield* fork(trunk);
  yield* sample(other, { tokens: 3 });
  yield* scoreAll(scorer, [other]);
  yield* release(other);
}

const plainly = function* (trunk: Branch): Search {
  while (!trunk.ended) yield* sample(trunk, { tokens: 1 });
  yield* commit(trunk);
};

function serverOf(askEndpoint: AskEndpoint, failsWithScorer: boolean) {
  return makeEngine({ services: { search: (_, trunk) => betterOfTwo(trunk), askEndpoint, failsWithScorer } });
}

/** The engine's thread, without the thread: an endpoint's answer wakes it. */
async function run(engine: ReturnType<typeof makeEngine>['engine']) {
  const log = [];
  while (!engine.idle) {
    const { waits } = engine;
    if (waits) await Promise.race(waits);
    log.push(...(await engine.tick()));
  }
  engine.check();
  return log;
}

const whole = { stopTokenIds: [], maxTokens: 9 };

describe.each([
  ['gives no number', () => Promise.resolve([NaN])],
  ['gives fewer numbers than are asked for', () => Promise.resolve([1])],
  ['fails', () => Promise.reject(new Error('status 500'))],
] as const)('an endpoint that %s', (_, askEndpoint) => {
  it('ends its request with an error that names it, and no other', async () => {
    const { engine, models } = serverOf(askEndpoint, true);
    engine.submit(searchRequest('searching', endpoint, whole));
    engine.submit(request('plain', whole));
    const log = await run(engine);
    const last = (id: string) => log.filter(({ requestId }) => requestId === id).at(-1)?.event;
    expect(last('searching')).toMatchObject({ kind: 'failed', error: { code: 'scorer_failed', status: 502 } });
    expect(JSON.stringify(last('searching'))).toContain('judge');
    expect(last('plain')).toMatchObject({ kind: 'done' });
    for (const { cache } of models.values()) expect(cache.rowsInUse).toBe(0);
  });

  it('or, where the operator says so, has the rest decoded plainly, and the reply says where', async () => {
    const { engine, models } = serverOf(askEndpoint, false);
    const asked = searchRequest('r', endpoint, whole);
    engine.submit(asked);
    const told = toldOf((await run(engine)).map(({ event }) => event));
    expect(told.ids).toEqual(emittedOf(twinOf(plainly, asked), asked));
    expect(told.last).toMatchObject({ applied: { search: { ended: [{ choice: 0, reason: 'scorer', at: 3 }] } } });
    for (const { cache } of models.values()) expect(cache.rowsInUse).toBe(0);
  });
});

it('a slow endpoint holds up its own request only, and a cancel does not wait for it', async () => {
  let aborted = false;
  const never: AskEndpoint = (_, __, signal) =>
    new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => {
        aborted = true;
        reject(new Error('aborted'));
      }),
    );
  const { engine, models } = serverOf(never, true);
  engine.submit(searchRequest('slow', endpoint, whole));
  while (engine.waits === null) await engine.tick();
  engine.submit(request('quick', whole));
  const log: RequestEvent[] = [];
  while (!log.some(({ requestId, event }) => requestId === 'quick' && event.kind === 'done'))
    log.push(...(await engine.tick()));
  engine.cancel('slow');
  await engine.tick();
  expect(aborted).toBe(true);
  expect(engine.idle).toBe(true);
  for (const { cache } of models.values()) expect(cache.rowsInUse).toBe(0);
});

it('equal texts are read once, over all requests, and texts that begin alike share their beginning', async () => {
  const seen: number[] = [];
  const { engine } = makeEngine({
    services: {
      *search(_, trunk) {
        yield* sample(trunk, { tokens: 4 });
        for (let i = 0; i < 2; i++) seen.push((yield* read(0, trunk))[0]!);
      },
    },
  });
  engine.submit(searchRequest('first', reward, whole));
  const first = toldOf((await drain(engine)).get('first')!);
  const forwards = engine.stats().forwards['small']!.count;
  engine.submit(searchRequest('again', reward, whole));
  const again = toldOf((await drain(engine)).get('again')!);
  expect(new Set(seen).size).toBe(1);
  expect(first.last).toMatchObject({ applied: { search: { read: 2, readCached: 1 } } });
  expect(again.last).toMatchObject({ applied: { search: { read: 2, readCached: 2 } } });
  expect(engine.stats().forwards['small']!.count).toBe(forwards);
});

it('a text beyond the context of what reads it is refused before anything runs, with both numbers', async () => {
  const { engine, models } = makeEngine();
  engine.submit(searchRequest('r', reward, { maxTokens: 4094 }));
  expect((await drain(engine)).get('r')).toEqual([
    { kind: 'failed', error: expect.objectContaining({ code: 'context_length_exceeded', status: 400 }) as unknown },
  ]);
  for (const { cache } of models.values()) expect(cache.rowsInUse).toBe(0);
});
