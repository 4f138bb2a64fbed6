// Credits: a choice without credit is not computed, at no cost to anybody; with credit again it goes on as if it had never waited.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commit, sample, type Branch, type Search } from '../../decoders/search.js';
import type { Engine, RequestEvent } from '../../server/engine/engine.js';
import type { DecodeEvent } from '../../server/wire/decode.js';
import {
  answerOf,
  arbitraryRequest,
  drain,
  eft,
  expectNaive,
  makeEngine,
  request,
  requestOf,
} from '../support/toy-engine.js';
import { searchRequest, toldOf } from '../support/toy-search.js';

const long = { maxTokens: 20, stopTokenIds: [], distribution: eft(1) };

/** Ticks until the engine says that it has nothing to do; the forwards that it took. */
async function rest(engine: Engine, log: RequestEvent[]): Promise<number> {
  const forwards = (): number => Object.values(engine.stats().forwards).reduce((sum, { count }) => sum + count, 0);
  const before = forwards();
  for (let tick = 0; engine.waits === null && !engine.idle; tick++) {
    if (tick > 1000) throw new Error('the engine does not come to rest');
    log.push(...(await engine.tick()));
  }
  return forwards() - before;
}

const tokensOf = (log: readonly RequestEvent[], id: string, choice = 0): number =>
  log.reduce(
    (sum, { requestId, event }) =>
      sum + (requestId === id && event.kind === 'delta' && event.choice === choice ? event.ids.length : 0),
    0,
  );

const kinds = (log: readonly RequestEvent[], kind: DecodeEvent['kind']): number =>
  log.filter(({ event }) => event.kind === kind).length;

describe('credit', () => {
  it('without credit nothing is computed; with it the answer is the same, to the token', async () => {
    const { engine, models } = makeEngine();
    const req = request('r', { ...long, credit: 0 });
    const log: RequestEvent[] = [];
    engine.submit(req);
    expect(await rest(engine, log)).toBe(0);
    expect(engine.waits).toEqual([]);
    expect(kinds(log, 'paused')).toBe(1);
    engine.grant('r', { kind: 'add', tokens: 7 });
    await rest(engine, log);
    expect(tokensOf(log, 'r')).toBe(7);
    expect(kinds(log, 'paused')).toBe(2);
    expect(engine.stats().generatedTokens).toBe(7);
    // A message without consequence wakes the engine; it does no work.
    const forwards = JSON.stringify(engine.stats().forwards);
    log.push(...(await engine.tick()), ...(await engine.tick()));
    expect(JSON.stringify(engine.stats().forwards)).toBe(forwards);
    engine.grant('r', { kind: 'set', tokens: null });
    const events = (await drain(engine, log)).get('r')!;
    expectNaive(events, req);
    expect(kinds(log, 'paused')).toBe(2);
    for (const { cache } of models.values()) expect(cache.rowsInUse).toBe(0);
  });

  it('taken away between two ticks: the next one tells the pause, which nothing else would', async () => {
    const { engine } = makeEngine();
    const log: RequestEvent[] = [];
    engine.submit(request('r', long));
    while (tokensOf(log, 'r') < 3) log.push(...(await engine.tick()));
    engine.grant('r', { kind: 'set', tokens: 0 });
    expect(await rest(engine, log)).toBe(0);
    expect(kinds(log, 'paused')).toBe(1);
    expect(tokensOf(log, 'r')).toBe(3);
  });

  it('never runs ahead of what was granted, however it is granted, and changes no answer (random grants)', async () => {
    const grant = fc.record({ tick: fc.nat(40), tokens: fc.nat(6), set: fc.boolean() });
    const item = fc.record({
      request: arbitraryRequest,
      credit: fc.option(fc.nat(5)),
      draft: fc.constantFrom(null, 'near', 'lookup'),
      grants: fc.array(grant, { maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 6 }), async (items) => {
        const { engine, models } = makeEngine();
        const requests = items.map(({ request: r, credit, draft }, i) => ({
          ...requestOf(`r${i}`, r),
          credit,
          speculation: draft === null ? null : { draft, tokens: 4 },
        }));
        requests.forEach((req) => engine.submit(req));
        const log: RequestEvent[] = [];
        const limits = items.map(({ credit, request: { n } }) => Array.from({ length: n }, () => credit ?? Infinity));
        for (let tick = 0; tick <= 40; tick++) {
          items.forEach(({ grants }, i) => {
            for (const { tokens, set } of grants.filter((each) => each.tick === tick)) {
              engine.grant(`r${i}`, { kind: set ? 'set' : 'add', tokens });
              limits[i] = limits[i]!.map((limit, c) => (set ? tokensOf(log, `r${i}`, c) : limit) + tokens);
            }
          });
          log.push(...(await engine.tick()));
          limits.forEach((each, i) =>
            each.forEach((limit, c) => expect(tokensOf(log, `r${i}`, c)).toBeLessThanOrEqual(limit)),
          );
        }
        requests.forEach((_, i) => engine.grant(`r${i}`, { kind: 'set', tokens: null }));
        const events = await drain(engine, log);
        for (const req of requests) expectNaive(events.get(req.requestId), req);
        for (const { cache } of models.values()) expect(cache.bytes).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it('a paused request keeps nobody else, and can be cancelled', async () => {
    const { engine, models } = makeEngine();
    const log: RequestEvent[] = [];
    engine.submit(request('paused', { ...long, credit: 3 }));
    const other = request('other', long);
    engine.submit(other);
    while (!log.some(({ requestId, event }) => requestId === 'other' && event.kind === 'done'))
      log.push(...(await engine.tick()));
    expect(tokensOf(log, 'paused')).toBe(3);
    expectNaive(
      log.flatMap(({ requestId, event }) => (requestId === 'other' ? [event] : [])),
      other,
    );
    await rest(engine, log);
    engine.cancel('paused');
    expect(engine.waits).toBeNull();
    await engine.tick();
    expect(engine.idle).toBe(true);
    engine.check();
    for (const { cache } of models.values()) expect(cache.rowsInUse).toBe(0);
  });

  it('what cannot be admitted beside paused requests waits without work, and comes in when they end', async () => {
    const { engine } = makeEngine({ limits: { cacheBytes: 2 * (2 * 2 + 3) * 4 * 30 } });
    const log: RequestEvent[] = [];
    engine.submit(request('paused', { ...long, credit: 2 }));
    await rest(engine, log);
    engine.submit(
      request('waits', {
        ...long,
        maxTokens: 10,
        promptIds: Array.from({ length: 3 }, () => new Int32Array(15).fill(4)),
      }),
    );
    await rest(engine, log);
    expect(engine.stats().waiting).toBe(1);
    expect(engine.waits).toEqual([]);
    engine.cancel('paused');
    const events = await drain(engine, log);
    expect(events.get('waits')?.at(-1)?.kind).toBe('done');
  });

  it('a reader that holds it back pauses it without a word, whatever its credit', async () => {
    const { engine } = makeEngine();
    const log: RequestEvent[] = [];
    const req = request('r', long);
    engine.submit(req);
    log.push(...(await engine.tick()), ...(await engine.tick()));
    engine.grant('r', { kind: 'hold', on: true });
    expect(engine.waits).toEqual([]);
    const before = tokensOf(log, 'r');
    log.push(...(await engine.tick()));
    expect(tokensOf(log, 'r')).toBe(before);
    engine.grant('r', { kind: 'hold', on: false });
    expectNaive((await drain(engine, log)).get('r'), req);
    expect(kinds(log, 'paused')).toBe(0);
  });

  it('a search goes on while any credit is left, and what it overdraws is taken from what comes next', async () => {
    function* sixes(trunk: Branch): Search {
      while (!trunk.ended) {
        yield* sample(trunk, { tokens: 6 });
        yield* commit(trunk);
      }
    }
    const services = { search: (_: unknown, trunk: Branch) => sixes(trunk) };
    const plan = { distributions: [eft(1)] };
    const free = makeEngine({ services });
    free.engine.submit(searchRequest('r', plan, long));
    const whole = toldOf((await drain(free.engine)).get('r')!).ids;

    const { engine } = makeEngine({ services });
    const log: RequestEvent[] = [];
    engine.submit(searchRequest('r', plan, { ...long, credit: 8, notices: true }));
    await rest(engine, log);
    expect(tokensOf(log, 'r')).toBe(12);
    engine.grant('r', { kind: 'add', tokens: 4 });
    await rest(engine, log);
    expect(tokensOf(log, 'r')).toBe(12);
    engine.grant('r', { kind: 'add', tokens: 1 });
    await rest(engine, log);
    expect(tokensOf(log, 'r')).toBe(18);
    engine.grant('r', { kind: 'set', tokens: null });
    const events = (await drain(engine, log)).get('r')!;
    expect(toldOf(events).ids).toEqual(whole);
    expect(answerOf(events, 0).reason).toBe('length');
    expect(events.flatMap((event) => (event.kind === 'commit' ? [event.length] : []))).toEqual([6, 12, 18, 20]);
  });
});
