import { describe, expect, it } from 'vitest';
import type { Engine, RequestEvent } from '../../server/engine/engine.js';
import type { DecodeEvent } from '../../server/wire/decode.js';
import { ToldPace } from '../support/told-pace.js';
import { drain, eft, expectNaive, makeEngine, request } from '../support/toy-engine.js';

const setup = (limits: object) => makeEngine({ limits, pace: new ToldPace() });
const long = { maxTokens: 200, stopTokenIds: [] };
const promptIds = (length: number) => [Int32Array.from({ length }, (_, i) => i % 5)];
const failure = (event: DecodeEvent | undefined) => (event?.kind === 'failed' ? event.error : null);
const refusals = (engine: Engine) =>
  engine.takeRefusals().map(({ requestId, event }) => [requestId, failure(event)?.code]);
const ended = (log: readonly RequestEvent[]) =>
  log.flatMap(({ requestId, event }) => (event.kind === 'done' ? [requestId] : []));

async function ticks(engine: Engine, count: number): Promise<RequestEvent[]> {
  const log: RequestEvent[] = [];
  for (let i = 0; i < count; i++) log.push(...(await engine.tick()));
  return log;
}

describe('admission by the wait', () => {
  const limits = { maxRows: 2, waitMs: 20, firstTokenMs: 1000 };

  it('refuses at once, with the figures, what would wait too long for rows; takes it when they are nearly free', async () => {
    const { engine, models } = setup(limits);
    engine.submit(request('a', long));
    engine.submit(request('b', { ...long, maxTokens: 30 }));
    const log = await ticks(engine, 10);
    const rows = models.get('large')!.cache.rowsInUse;
    engine.submit(request('c', long));
    const [refused, ...others] = engine.takeRefusals();
    expect(others).toEqual([]);
    expect(refused!.requestId).toBe('c');
    // b has 20 of 30 steps left, of 2 ms each with two rows.
    expect(failure(refused!.event)).toMatchObject({
      code: 'overloaded',
      status: 503,
      retryAfterSeconds: 1,
      message:
        'The server is busy: this request (price 203, rows × tokens) would wait 40 ms for the 2 requests that run and the 0 that wait before it (price 236); the limit is 20 ms (limits.waitMs). Try again in 1 s, or at another replica.',
    });
    expect(models.get('large')!.cache.rowsInUse).toBe(rows);
    expect(engine.stats()).toMatchObject({ running: 2, waiting: 0, price: { running: 236, waiting: 0 }, stepMs: 2 });
    log.push(...(await ticks(engine, 10)));
    engine.submit(request('d', { ...long, maxTokens: 3 }));
    expect(refusals(engine)).toEqual([]);
    const events = await drain(engine, log);
    expect(ended(log)).toEqual(['b', 'd', 'a']);
    expectNaive(events.get('a'), request('a', long));
    expect(models.get('large')!.cache.rowsInUse).toBe(0);
  });

  it('neither a cold engine nor an idle one refuses for its estimate', async () => {
    const cold = makeEngine({ limits: { maxRows: 1, waitMs: 0, firstTokenMs: 0 } }).engine;
    for (const id of ['a', 'b', 'c']) cold.submit(request(id, long));
    expect(refusals(cold)).toEqual([]);
    await drain(cold);
    const { engine } = setup({ ...limits, waitMs: 0, firstTokenMs: 0 });
    for (const id of ['a', 'b']) {
      engine.submit(request(id, { maxTokens: 5, n: 2, promptIds: promptIds(90) }));
      expect(refusals(engine)).toEqual([]);
      await drain(engine);
    }
  });

  it('without limits everything waits, as long as the queue has places; retry-after is the estimate', async () => {
    const { engine } = setup({ maxRows: 1, maxWaiting: 3 });
    engine.submit(request('first', { ...long, maxTokens: 400 }));
    await ticks(engine, 5);
    for (const id of ['a', 'b', 'c', 'd']) engine.submit(request(id, { ...long, maxTokens: 1000 }));
    const [refused] = engine.takeRefusals();
    // 395 + 3 × 1000 steps of a millisecond.
    expect(failure(refused!.event)).toMatchObject({ code: 'queue_full', retryAfterSeconds: 4 });
    for (const id of ['first', 'a', 'b', 'c']) engine.cancel(id);
    await drain(engine);
  });

  it('only what is served before counts: an urgent request waits for no queue', async () => {
    const { engine } = setup({ maxRows: 1, waitMs: 40, firstTokenMs: 1000 });
    engine.submit(request('first', { ...long, maxTokens: 30 }));
    const log = await ticks(engine, 2);
    engine.submit(request('batch', { ...long, priority: 5 }));
    engine.submit(request('urgent', { ...long, maxTokens: 2, priority: -5 }));
    engine.submit(request('late', { ...long, priority: 5 }));
    expect(refusals(engine)).toEqual([['late', 'overloaded']]);
    await drain(engine, log);
    expect(ended(log)).toEqual(['first', 'urgent', 'batch']);
  });

  it("of one client's request all prompts are taken or none", async () => {
    const { engine } = setup(limits);
    engine.submit(request('a', { ...long, n: 2, maxTokens: 9 }));
    await ticks(engine, 2);
    engine.submit(request('list-0', { ...long, maxTokens: 50 }));
    for (const index of [1, 2, 3, 4])
      engine.submit(request(`list-${index}`, { ...long, maxTokens: 50, follows: true }));
    expect(refusals(engine)).toEqual([]);
    const events = await drain(engine);
    for (const index of [0, 1, 2, 3, 4]) expect(events.get(`list-${index}`)?.at(-1)?.kind).toBe('done');
  });

  it("others' prompts count by what an equal share of them takes, and what is slow itself may wait as long", async () => {
    const { engine } = setup({ tokensPerTick: 16, firstTokenMs: 1, waitMs: 1 });
    engine.submit(request('long', { maxTokens: 1, promptIds: promptIds(400) }));
    await ticks(engine, 1);
    engine.submit(request('short', { maxTokens: 1, promptIds: promptIds(4) }));
    engine.submit(request('as long', { maxTokens: 1, promptIds: promptIds(400) }));
    engine.submit(request('one more', { maxTokens: 1, promptIds: promptIds(400) }));
    expect(refusals(engine)).toEqual([['one more', 'overloaded']]);
    await drain(engine);
  });

  it('learns how much of what is asked for requests use', async () => {
    const pace = new ToldPace();
    const { engine } = makeEngine({ limits: { maxRows: 1, waitMs: 30, firstTokenMs: 1000 }, pace });
    for (let i = 0; i < 60; i++) pace.ended('plain', 10, 100);
    engine.submit(request('first', { ...long, maxTokens: 300 }));
    await ticks(engine, 3);
    // 30 steps of 300 tokens, 3 of them done.
    engine.submit(request('second', long));
    expect(refusals(engine)).toEqual([]);
    engine.cancel('first');
    engine.cancel('second');
    await drain(engine);
  });
});

describe('the step that all share', () => {
  const own = (distribution = eft(1)) => ({ distribution, promptIds: [1, 2, 3].map(() => Int32Array.from([1, 2, 3])) });

  it('is not made longer than it may be; what does not fit waits, and answers stay what they are', async () => {
    const { engine, models } = setup({ stepMs: 7 });
    const requests = [1, 2, 3, 4].map((seed) => request(`r${seed}`, { ...long, ...own(), maxTokens: 10, seed }));
    requests.forEach((each) => engine.submit(each));
    // A tick makes kernels for a few milliseconds only.
    const log = await ticks(engine, 4);
    // Of three rows each: three of them take 9 ms, which is three steps of one alone.
    expect(models.get('large')!.cache.rowsInUse).toBe(3);
    expect(engine.stats()).toMatchObject({ running: 3, waiting: 1 });
    const events = await drain(engine, log);
    for (const each of requests) expectNaive(events.get(each.requestId), each);
  });

  it('one request always runs, and company that keeps a step below three of its own', async () => {
    const { engine } = setup({ stepMs: 0.5 });
    for (const id of ['a', 'b', 'c', 'd']) engine.submit(request(id, { ...long, maxTokens: 10 }));
    await ticks(engine, 4);
    expect(engine.stats()).toMatchObject({ running: 3, waiting: 1 });
    await drain(engine);
  });

  it('who waits for it is overtaken by nobody', async () => {
    const { engine } = setup({ stepMs: 4 });
    engine.submit(request('runs', { ...long, maxTokens: 30, n: 7 }));
    engine.submit(request('wide', { ...long, ...own(), maxTokens: 2 }));
    engine.submit(request('narrow', { ...long, maxTokens: 2 }));
    const log: RequestEvent[] = [];
    await drain(engine, log);
    expect(ended(log)).toEqual(['runs', 'wide', 'narrow']);
  });
});
