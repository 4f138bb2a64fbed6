import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { logits } from '../../decoders/expr.js';
import { buildDecoding } from '../../decoders/spec.js';
import { logprobsOf } from '../../decoders/warp.js';
import { Engine, type RequestEvent } from '../../server/engine/engine.js';
import { toyLogits, toyModel } from '../support/toy-decoder.js';
import {
  answerOf,
  arbitraryRequest,
  drain,
  eft,
  END,
  expectNaive,
  makeEngine,
  naive,
  request,
  requestOf,
  SALTS,
  toyServices,
  type Setup,
} from '../support/toy-engine.js';
import { twinKernels } from '../support/twin-kernels.js';

async function serveAll(
  setup: Setup,
  items: readonly (typeof arbitraryRequest extends fc.Arbitrary<infer T> ? T : never)[],
) {
  const { engine, models } = makeEngine(setup);
  const requests = items.map((item, i) => requestOf(`r${i}`, item));
  const log: RequestEvent[] = [];
  for (let tick = 0; tick <= 8; tick++) {
    items.forEach(({ after }, i) => after === tick && engine.submit(requests[i]!));
    log.push(...(await engine.tick()));
  }
  const events = await drain(engine, log);
  for (const model of models.values()) expect(model.cache.bytes).toBe(0);
  return { events, requests, stats: engine.stats() };
}

describe('Engine', () => {
  it('T24: a mix of plain and EFT requests gives each the answer it gets alone (random mixes)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryRequest, { minLength: 1, maxLength: 24 }), async (items) => {
        const { events, requests } = await serveAll({}, items);
        for (const req of requests) expectNaive(events.get(req.requestId), req);
      }),
      { numRuns: 25 },
    );
  });

  it('gives the same answers under memory pressure, where runs are preempted and computed again', async () => {
    let preemptions = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryRequest, { minLength: 8, maxLength: 16 }), async (items) => {
        const tokenBytes = 2 * (2 * 2 + 3) * 4;
        const { events, requests, stats } = await serveAll({ limits: { cacheBytes: tokenBytes * 340 } }, items);
        for (const req of requests) expectNaive(events.get(req.requestId), req);
        preemptions += stats.preemptions;
      }),
      { numRuns: 25 },
    );
    expect(preemptions).toBeGreaterThan(0);
  });

  it('preempts by priority, and readmits only where there is room for the answer so far', async () => {
    const tokenBytes = 2 * (2 * 2 + 3) * 4;
    const { engine } = makeEngine({ limits: { cacheBytes: tokenBytes * 100 } });
    const long = { maxTokens: 80, stopTokenIds: [] };
    engine.submit(request('late', { ...long, priority: 1 }));
    engine.submit(request('early', { ...long, priority: 0 }));
    const events = await drain(engine);
    const preemptions = (id: string) => {
      const done = events.get(id)?.at(-1);
      return done?.kind === 'done' ? done.applied.preemptions : null;
    };
    expect(preemptions('early')).toBe(0);
    expect(preemptions('late')).toBe(1);
    expect(answerOf(events.get('late')!, 0).ids).toEqual(naive(request('late', long), 0).ids);
  });

  it('gives the same answers when prompts come from the prefix store', async () => {
    const { engine } = makeEngine({ limits: { prefixCacheBytes: 1 << 24 } });
    const prompt = Int32Array.from({ length: 60 }, (_, i) => (i * 5) % END);
    const make = (id: string) => request(id, { distribution: eft(1), promptIds: [prompt, prompt, prompt], seed: 3 });
    engine.submit(make('first'));
    const first = (await drain(engine)).get('first');
    engine.submit(make('second'));
    const second = (await drain(engine)).get('second');
    expectNaive(first, make('first'));
    expectNaive(second, make('second'));
    const usage = second?.at(-1);
    expect(usage?.kind === 'done' ? usage.usage.cachedTokens : 0).toBe(59);
  });

  it('recomputes a row when its length crosses the rope switch', async () => {
    const { engine } = makeEngine({ options: { ropeSwitchLength: 8 } });
    const req = request('r', { maxTokens: 14, stopTokenIds: [] });
    engine.submit(req);
    expectNaive((await drain(engine)).get('r'), req, 8);
  });

  it('choices that begin alike go side by side into one row of the forward, beside rows of other requests', async () => {
    const forwards: number[][] = [];
    const { engine, models } = makeEngine({
      options: { onForward: ({ segments }) => void forwards.push(segments.map((row) => row.length)) },
    });
    const prompt = Int32Array.from({ length: 40 }, (_, i) => (i * 7) % END);
    const choices = request('choices', { promptIds: [prompt], n: 4, maxTokens: 10, stopTokenIds: [] });
    engine.submit(choices);
    engine.submit(request('alone', { maxTokens: 10, stopTokenIds: [] }));
    const log = [...(await engine.tick()), ...(await engine.tick())];
    forwards.length = 0;
    log.push(...(await engine.tick()));
    expect(forwards.map((rows) => rows.sort())).toEqual([[1, 4]]);
    expect(models.get('large')!.cache.tokensInUse).toBeLessThan(80);
    const events = (await drain(engine, log)).get('choices')!;
    for (let choice = 0; choice < 4; choice++) expect(answerOf(events, choice).ids).toEqual(naive(choices, choice).ids);
  });

  it('makes one forward per model and tick for rows of all methods', async () => {
    const widths: string[] = [];
    const { engine } = makeEngine({
      options: { onForward: (batch) => void widths.push(`${batch.rows}x${batch.width}`) },
    });
    for (let i = 0; i < 20; i++)
      engine.submit(
        request(`p${i}`, {
          stopTokenIds: [],
          maxTokens: 6,
          ...(i % 2 ? { distribution: eft(i / 10), promptIds: [1, 2, 3].map(() => Int32Array.from([1, 2, 3])) } : {}),
        }),
      );
    await engine.tick();
    widths.length = 0;
    await engine.tick();
    expect(widths.sort()).toEqual(['10x1', '10x1', '20x1']);
    await drain(engine);
  });

  it('makes one forward of the base per tick for twenty requests of seven methods', async () => {
    const specs = [
      { method: 'plain', model: 'large' },
      { method: 'eft', base: 'large', tuned: 'tuned', reference: 'small' },
      { method: 'fusion', base: 'large', reference: 'small', experts: ['tuned'] },
      { method: 'static_fusion', base: 'large', reference: 'small', experts: [{ model: 'tuned', weight: 0.5 }] },
      { method: 'realign', aligned: 'large', reference: 'small', strength: 0.5 },
      { method: 'contrastive', expert: 'large', amateur: 'small' },
      { method: 'dcd', positive: 'large', negative: 'small' },
    ];
    const options = { models: Object.keys(SALTS), allowNegativeWeights: false };
    const { engine, models } = makeEngine();
    for (let i = 0; i < 20; i++) {
      const { distribution } = buildDecoding(specs[i % specs.length], options);
      engine.submit(request(`r${i}`, { distribution, stopTokenIds: [], maxTokens: 6 }));
    }
    await engine.tick();
    const before = models.get('large')!.forwards;
    const [count, rows] = [before.count, before.rows];
    for (let tick = 1; tick <= 4; tick++) {
      await engine.tick();
      expect(models.get('large')!.forwards).toMatchObject({ count: count + tick, rows: rows + 20 * tick });
    }
    await drain(engine);
  });

  it('cancels within one forward and returns every row', async () => {
    const forwards: string[] = [];
    let cancelAt = Infinity;
    const { engine, models } = makeEngine({
      options: {
        onForward: () => {
          forwards.push('f');
          if (forwards.length === cancelAt) engine.cancel('r');
        },
      },
    });
    engine.submit(
      request('r', {
        distribution: eft(1),
        promptIds: [1, 2, 3].map(() => Int32Array.from([1, 2, 3])),
        maxTokens: 500,
        stopTokenIds: [],
      }),
    );
    for (let i = 0; i < 5; i++) await engine.tick();
    cancelAt = forwards.length + 1;
    const events = await engine.tick();
    expect(forwards).toHaveLength(cancelAt); // the second and third model were not run any more
    expect(events).toEqual([]);
    expect(engine.idle).toBe(true);
    engine.check();
    for (const model of models.values()) expect(model.cache.rowsInUse).toBe(0);
  });

  it('leaks nothing when requests are cancelled at random ticks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(arbitraryRequest, fc.nat(20)), { minLength: 1, maxLength: 12 }),
        async (items) => {
          const { engine, models } = makeEngine({ limits: { maxRows: 8 } });
          items.forEach(([item], i) => engine.submit(requestOf(`r${i}`, item)));
          const log: RequestEvent[] = [];
          for (let tick = 0; tick <= 20; tick++) {
            items.forEach(([, at], i) => at === tick && i % 2 === 0 && engine.cancel(`r${i}`));
            log.push(...(await engine.tick()));
          }
          const events = await drain(engine, log);
          items.forEach(([item], i) => i % 2 === 1 && expectNaive(events.get(`r${i}`), requestOf(`r${i}`, item)));
          for (const model of models.values()) expect(model.cache.bytes).toBe(0);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('T23: NaN logits of one member fall back to the first view, counted and reported; of the first view they fail the request', async () => {
    const models = new Map([
      ['large', toyModel('large', { salt: 1 })],
      ['small', toyModel('small', { salt: 2 })],
      ['tuned', toyModel('tuned', { salt: 3, nanFrom: 5 })],
    ]);
    const engine = new Engine(models, twinKernels, { tokensPerTick: 64, maxRows: 8, maxWaiting: 8 }, toyServices());
    const promptIds = [1, 2, 3].map(() => Int32Array.from([1, 2, 3]));
    engine.submit(request('steered', { distribution: eft(1), promptIds, maxTokens: 6, stopTokenIds: [] }));
    const events = (await drain(engine)).get('steered')!;
    const done = events.at(-1);
    expect(done?.kind === 'done' ? done.applied.fallbacks : null).toEqual({ nan: 4 });
    const ids = answerOf(events, 0).ids;
    for (let i = 2; i < 6; i++) {
      const row = toyLogits([1, 2, 3, ...ids.slice(0, i)], 1);
      expect(ids[i]).toBe(row.indexOf(Math.max(...row)));
    }
    engine.submit(request('broken', { distribution: logits('tuned'), promptIds: [Int32Array.from([1, 2, 3, 4, 5])] }));
    const failed = (await drain(engine)).get('broken')!;
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({ kind: 'failed', error: { code: 'nan_logits', status: 500 } });
    expect(engine.stats().nanRows).toBeGreaterThanOrEqual(5);
  });

  it('leaves no NaN behind in the rows of a run that is preempted', async () => {
    const tokenBytes = 2 * (2 * 2 + 3) * 4;
    const models = new Map([
      ['large', toyModel('large', { salt: 1 }, { cacheBytes: tokenBytes * 100 })],
      ['small', toyModel('small', { salt: 2, nanFrom: 5 })],
      ['tuned', toyModel('tuned', { salt: 3 })],
    ]);
    const scrubs = [...models.values()].map(({ cache }) => vi.spyOn(cache, 'scrub'));
    const engine = new Engine(models, twinKernels, { tokensPerTick: 64, maxRows: 64, maxWaiting: 10 }, toyServices());
    const long = { maxTokens: 80, stopTokenIds: [] };
    engine.submit(request('whole', long));
    const promptIds = [1, 2, 3].map(() => Int32Array.from([1, 2, 3]));
    engine.submit(request('broken', { ...long, distribution: eft(1), promptIds }));
    while (engine.stats().preemptions === 0) await engine.tick();
    for (const scrub of scrubs) expect(scrub).toHaveBeenCalled();
    await drain(engine);
  });

  it('scores the prompt position by position, also steered, in chunks, and then goes on', async () => {
    const prompt = Int32Array.from({ length: 70 }, (_, i) => (i * 11) % END);
    const req = request('r', {
      distribution: eft(0.5),
      promptIds: [prompt, prompt, prompt],
      logprobs: { top: 2, full: false, prompt: true },
      maxTokens: 3,
      n: 2,
      stopTokenIds: [],
    });
    const { engine } = makeEngine({ limits: { tokensPerTick: 24 } });
    engine.submit(req);
    const events = (await drain(engine)).get('r')!;
    expectNaive(events, req);
    const scored = events.find((event) => event.kind === 'prompt');
    if (scored?.kind !== 'prompt') throw new Error('no prompt event');
    expect(scored.tokens.map(({ id }) => id)).toEqual([...prompt]);
    scored.tokens.forEach(({ logprob, top }, i) => {
      if (i === 0) return expect(logprob).toBeNull();
      const expected = logprobsOf(
        evaluate(req.distribution, ({ model }) => toyLogits([...prompt.slice(0, i)], SALTS[model]!)),
      );
      expect(logprob).toBeCloseTo(expected[prompt[i]!]!, 5);
      expect(top[0]?.logprob).toBeCloseTo(Math.max(...expected), 5);
      expect(top).toHaveLength(2);
    });
    const tiny = {
      promptIds: [Int32Array.from([4])],
      logprobs: { top: 0, full: false, prompt: true },
      maxTokens: 0,
      n: 2,
    };
    engine.submit(request('tiny', tiny));
    const kinds = (await drain(engine)).get('tiny')!.map(({ kind }) => kind);
    expect(kinds).toEqual(['prompt', 'finished', 'finished', 'done']);
    engine.submit(
      request('only', { promptIds: [prompt], logprobs: { top: 0, full: false, prompt: true }, maxTokens: 0, n: 2 }),
    );
    const only = (await drain(engine)).get('only')!;
    expect(only.map(({ kind }) => kind)).toEqual(['prompt', 'finished', 'finished', 'done']);
    engine.submit(
      request('one', {
        promptIds: [Int32Array.from([4])],
        logprobs: { top: 0, full: false, prompt: true },
        maxTokens: 2,
        stopTokenIds: [],
      }),
    );
    const one = (await drain(engine)).get('one')!;
    expect(one[0]).toMatchObject({ kind: 'prompt', tokens: [{ id: 4, logprob: null }] });
    expect(answerOf(one, 0).ids).toHaveLength(2);
  });

  it('sends records only where log-probabilities were asked for', async () => {
    const { engine } = makeEngine();
    engine.submit(request('r', { logprobs: null, stopTokenIds: [] }));
    const deltas = (await drain(engine)).get('r')!.flatMap((event) => (event.kind === 'delta' ? [event] : []));
    expect(deltas.flatMap(({ ids }) => ids)).toEqual(naive(request('r', { stopTokenIds: [] }), 0).ids);
    expect(deltas.flatMap(({ tokens }) => tokens)).toEqual([]);
  });

  it('gives the whole vocabulary on request', async () => {
    const { engine } = makeEngine();
    engine.submit(request('r', { logprobs: { top: 0, full: true, prompt: false }, maxTokens: 2, stopTokenIds: [] }));
    const events = (await drain(engine)).get('r')!;
    const tokens = events.flatMap((event) => (event.kind === 'delta' ? event.tokens : []));
    expect(tokens).toHaveLength(2);
    const expected = logprobsOf(Float64Array.from(toyLogits([1, 2, 3], 1)));
    expect([...tokens[0]!.full!]).toEqual([...expected].map(Math.fround));
  });

  it('ends at stop strings across tokens and keeps the text before them', async () => {
    const free = naive(request('x', { stopTokenIds: [], maxTokens: 12 }), 0).text;
    const stop = free.slice(4, 7);
    const { engine } = makeEngine();
    engine.submit(request('r', { stop: [stop], stopTokenIds: [] }));
    const events = (await drain(engine)).get('r')!;
    expect(answerOf(events, 0).text).toBe(free.slice(0, free.indexOf(stop)));
    expect(events).toContainEqual({ kind: 'finished', choice: 0, reason: 'stop', stopReason: stop });
  });

  it('keeps nobody waiting for a model that is free, and overtakes nobody on a model that is not', async () => {
    const { engine } = makeEngine({ limits: { maxRows: 2 } });
    const long = { maxTokens: 30, stopTokenIds: [] };
    const promptIds = [1, 2, 3].map(() => Int32Array.from([1, 2, 3]));
    engine.submit(request('first', long));
    engine.submit(request('wide', { ...long, n: 2 }));
    engine.submit(request('elsewhere', { ...long, distribution: logits('small'), tokenizer: 'small' }));
    engine.submit(request('narrow', { ...long, maxTokens: 1 }));
    engine.submit(request('steered', { ...long, distribution: eft(1), promptIds, maxTokens: 1 }));
    const log: RequestEvent[] = [];
    await drain(engine, log);
    const ended = log.flatMap(({ requestId, event }) => (event.kind === 'done' ? [requestId] : []));
    expect(ended).toEqual(['first', 'elsewhere', 'wide', 'narrow', 'steered']);
  });

  it('refuses what can never fit and what finds the queue full, with figures', async () => {
    const { engine } = makeEngine({ limits: { maxRows: 4, maxWaiting: 2, cacheBytes: 2 * 7 * 4 * 100 } });
    engine.submit(request('rows', { n: 5 }));
    engine.submit(request('bytes', { maxTokens: 200 }));
    engine.submit(request('unknown', { distribution: logits('nobody') }));
    for (const id of ['a', 'b', 'c']) engine.submit(request(id, { maxTokens: 3 }));
    const events = await drain(engine);
    const code = (id: string) => {
      const event = events.get(id)?.[0];
      return event?.kind === 'failed' ? event.error : null;
    };
    expect(code('rows')).toMatchObject({ code: 'invalid_value', param: 'n', status: 400 });
    expect(code('bytes')).toMatchObject({
      code: 'cache_too_small',
      message: expect.stringContaining('11368') as string,
    });
    expect(code('unknown')).toMatchObject({ code: 'model_not_found' });
    expect(code('c')).toMatchObject({ code: 'queue_full', status: 503, retryAfterSeconds: 1 });
    expect(events.get('a')?.at(-1)?.kind).toBe('done');
  });

  it('a bug in a tick fails what runs and frees its rows', async () => {
    const { engine, models } = makeEngine({
      options: {
        onForward: () => {
          throw new Error('boom');
        },
      },
    });
    engine.submit(request('r'));
    await expect(engine.tick()).rejects.toThrow('boom');
    const { AppError } = await import('../../server/errors.js');
    expect(engine.abort(new AppError('engine_failed', { reason: 'boom' }))).toMatchObject([
      { requestId: 'r', event: { kind: 'failed' } },
    ]);
    expect(models.get('large')!.cache.rowsInUse).toBe(0);
    expect(engine.idle).toBe(true);
  });

  it('a request that breaks on arrival fails alone', async () => {
    const { engine } = makeEngine();
    engine.submit(request('whole', { maxTokens: 3 }));
    engine.submit({ ...request('broken'), promptIds: null as unknown as Int32Array[] });
    const events = await drain(engine);
    expect(events.get('whole')?.at(-1)?.kind).toBe('done');
    expect(events.get('broken')).toMatchObject([{ kind: 'failed', error: { code: 'engine_failed', status: 500 } }]);
  });

  it('a run that cannot start takes none of its neighbours with it unheard', async () => {
    const { engine, models } = makeEngine();
    vi.spyOn(models.get('large')!.cache, 'claim').mockImplementationOnce(() => {
      throw new RangeError('Array buffer allocation failed');
    });
    engine.submit(request('a'));
    engine.submit(request('b'));
    await expect(engine.tick()).rejects.toThrow('allocation');
    const { AppError } = await import('../../server/errors.js');
    const events = engine.abort(new AppError('engine_failed', { reason: 'no memory' }));
    expect(events.map(({ requestId, event }) => [requestId, event.kind])).toEqual([
      ['a', 'failed'],
      ['b', 'failed'],
    ]);
    engine.check();
  });
});
