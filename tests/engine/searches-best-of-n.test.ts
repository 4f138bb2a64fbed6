// best_of_n, blockwise, rejection and dpa by reward through the real engine: token for token what the naive twin of the engine makes of them,
// whoever shares the batch; wound up when the budget ends; and cancelled at any step they leave nothing behind (T24, T25).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SearchPlan } from '../../decoders/plan.js';
import { runSearch } from '../../decoders/searches/index.js';
import { buildDecoding } from '../../decoders/spec.js';
import type { Engine } from '../../server/engine/engine.js';
import { greedySampling, type DecodeEvent, type DecodeRequest } from '../../server/wire/decode.js';
import { expectAllFreed } from '../support/cancelled.js';
import { drain, END, makeEngine, request, SALTS } from '../support/toy-engine.js';
import { emittedOf, searchRequest, toldOf, twinOf } from '../support/toy-search.js';

const heads = {
  heads: ['first', 'second', 'third'],
  statistics: [
    { mean: 0.1, deviation: 0.8 },
    { mean: -0.2, deviation: 1.5 },
    { mean: 0, deviation: 1 },
  ],
};
const steered = { method: 'eft', base: 'large', tuned: 'tuned', reference: 'small' };
const first = { kind: 'reward', model: 'tuned', head: 'first' };
const implicit = { kind: 'implicit', tuned: 'tuned', reference: 'small', weight: 0.3 };
const drawn = { ...greedySampling, temperature: 1 };

function planOf(spec: object): SearchPlan {
  const { search } = buildDecoding(spec, {
    models: Object.keys(SALTS),
    allowNegativeWeights: false,
    rewardModels: new Map([['tuned', heads]]),
  });
  if (!search) throw new Error('the spec is no search');
  return structuredClone(search);
}

function asked(id: string, spec: object, change: Partial<DecodeRequest> = {}): DecodeRequest {
  return searchRequest(id, planOf(spec), { sampling: drawn, traceLimit: 1000, maxTokens: 9, ...change });
}

async function run(engine: Engine, requests: readonly DecodeRequest[]): ReturnType<typeof drain> {
  for (const one of requests) engine.submit(one);
  return drain(engine);
}

const scorers = fc.constantFrom<object>(
  first,
  { kind: 'reward', model: 'tuned', weights: { first: 1, third: -0.4 }, range: [-1, 1] },
  { kind: 'direction', model: 'tuned', direction: { first: 0.8, second: -0.6 } },
  implicit,
  { ...implicit, tuned: 'large' },
  { kind: 'ensemble', members: [first, { ...first, head: 'second' }, implicit], aggregate: 'min' },
  { kind: 'ensemble', members: [first, { ...first, head: 'third' }], aggregate: 'mean_minus_std' },
);
const inners = fc.constantFrom<object | string>('large', steered);
const softness = fc.constantFrom<object>({}, {}, { soft: 0.5 });
const specs: fc.Arbitrary<object> = fc.oneof(
  fc
    .tuple(inners, scorers, fc.integer({ min: 1, max: 5 }), softness)
    .map(([inner, scorer, n, soft]) => ({ method: 'best_of_n', inner, scorer, n, ...soft })),
  fc
    .tuple(inners, scorers, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 }), softness)
    .map(([inner, scorer, candidates, block, soft]) => ({
      method: 'blockwise',
      inner,
      scorer,
      candidates,
      block,
      ...soft,
    })),
  fc
    .tuple(inners, scorers, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 }))
    .map(([inner, scorer, tries, at_once]) => ({
      method: 'rejection',
      inner,
      // An answer is judged by itself: there is nothing to centre it on.
      scorer: 'aggregate' in scorer ? { ...scorer, centre: false } : scorer,
      most: 2,
      tries,
      at_once,
    })),
  fc
    .tuple(inners, fc.constantFrom<object | string>('best_of_n', { method: 'args', candidates: 3 }, 'blockwise'))
    .map(([inner, search]) => ({
      method: 'dpa',
      mode: 'reward',
      inner,
      reward: 'tuned',
      axes: ['first', 'second'],
      direction: -30,
      search,
    })),
);
const samplings = fc.record({
  temperature: fc.constantFrom(0, 0.8, 1, 1),
  topP: fc.constantFrom(1, 0.9),
  repetitionPenalty: fc.constantFrom(1, 1.2),
});
const requests = fc.record({ spec: specs, sampling: samplings, seed: fc.nat(), n: fc.constantFrom(1, 2) });

describe('through the engine', () => {
  it('readings wait for each other where rows are few', async () => {
    // The branches are the small model's, so the reward model has rows for readings only.
    const one = asked('r', { method: 'best_of_n', inner: 'small', scorer: first, n: 4 });
    const emitted: number[][] = [];
    for (const maxRows of [4, 64]) {
      const { engine } = makeEngine({ limits: { maxRows } });
      const events = await run(engine, [one]);
      emitted.push(toldOf(events.get('r')!, 0).ids);
    }
    expect(emitted[0]!.length).toBeGreaterThan(0);
    expect(emitted[0]).toEqual(emitted[1]);
  });

  it('every request is what the twin makes of it, alone or with others', async () => {
    let [tokens, told] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { minLength: 1, maxLength: 3 }), async (several) => {
        const all = several.map(({ spec, sampling, seed, n }, at) =>
          asked(`r${at}`, spec, { seed, n, sampling: { ...greedySampling, ...sampling } }),
        );
        const { engine } = makeEngine({ limits: { maxRows: 256 } });
        const events = await run(engine, [...all, request('plain', { maxTokens: 9 })]);
        for (const one of all) {
          const counts: Record<string, number> = {};
          for (let choice = 0; choice < one.n; choice++) {
            const twin = twinOf((trunk) => runSearch(one.search!.plan, trunk), one, choice);
            const { ids, story } = toldOf(events.get(one.requestId)!, choice);
            expect(ids).toEqual(emittedOf(twin, one));
            expect(story.map(({ event, chosen, tokens }) => [event, chosen, tokens])).toEqual(
              twin.traces.map(({ event, chosen, tokens }) => [event, chosen, tokens]),
            );
            for (const [what, count] of Object.entries(twin.counts)) counts[what] = (counts[what] ?? 0) + count;
            tokens += ids.length;
            told += story.length;
          }
          expect(searchOf(events.get(one.requestId)!).counts).toEqual(counts);
        }
      }),
      { numRuns: 40 },
    );
    expect(tokens).toBeGreaterThan(200);
    expect(told).toBeGreaterThan(100);
  });

  it('nothing is told before it is chosen, and a block as soon as it is', async () => {
    const lengthsTold = async (spec: object): Promise<{ tick: number; tokens: number }[]> => {
      const { engine } = makeEngine();
      engine.submit(asked('one', spec, { stopTokenIds: [] }));
      const told: { tick: number; tokens: number }[] = [];
      for (let tick = 0; !engine.idle; tick++) {
        const events = await engine.tick();
        const tokens = events.flatMap(({ event }) => (event.kind === 'delta' ? event.ids : [])).length;
        if (tokens > 0) told.push({ tick, tokens });
      }
      return told;
    };
    const whole = await lengthsTold({ method: 'best_of_n', inner: 'large', scorer: first, n: 3 });
    expect(whole.map(({ tokens }) => tokens)).toEqual([9]);
    expect(whole[0]!.tick).toBeGreaterThanOrEqual(9);
    const blocks = await lengthsTold({ method: 'blockwise', inner: 'large', scorer: first, candidates: 3, block: 4 });
    expect(blocks.map(({ tokens }) => tokens)).toEqual([4, 4, 1]);
  });

  it('a stop string ends candidates and the answer alike', async () => {
    const spec = { method: 'best_of_n', inner: 'large', scorer: first, n: 4 };
    const open = { stopTokenIds: [], maxTokens: 20 };
    const free = toldOf((await run(makeEngine().engine, [asked('free', spec, open)])).get('free')!).ids;
    const stop = free
      .map((id) => (id === END ? '' : String.fromCharCode(97 + id)))
      .join('')
      .slice(5, 7);
    const events = (await run(makeEngine().engine, [asked('stopped', spec, { ...open, stop: [stop] })])).get(
      'stopped',
    )!;
    const said = events.flatMap((event) => (event.kind === 'delta' ? event.text : [])).join('');
    expect(said).not.toContain(stop);
    expect(said.length).toBeLessThan(20);
    expect(events.find(({ kind }) => kind === 'finished')).toMatchObject({ reason: 'stop', stopReason: stop });
  });
});

describe('when the budget ends', () => {
  it('best_of_n gives the best of the finished answers, however much there is to spend', async () => {
    const spec = { method: 'best_of_n', inner: 'large', scorer: first, n: 5 };
    const change = { maxTokens: 14, seed: 3 };
    let [cut, whole, unfinished] = [0, 0, 0];
    for (let tokens = 1; tokens <= 75; tokens += 2) {
      const { engine, models } = makeEngine();
      const one = asked('one', { ...spec, budget: { tokens } }, change);
      const events = (await run(engine, [one])).get('one')!;
      const { ids, story, last } = toldOf(events);
      expect(last.kind).toBe('done');
      expect(events.find(({ kind }) => kind === 'finished')).toBeDefined();
      for (const { cache } of models.values()) expect(cache.rowsInUse).toBe(0);
      const { ended, counts } = searchOf(events);
      if (ended.length === 0) {
        whole++;
        expect(counts['budget_ended']).toBeUndefined();
        continue;
      }
      cut++;
      expect(counts['budget_ended']).toBe(1);
      expect(ended[0]).toMatchObject({ reason: 'tokens' });
      const { candidates, chosen } = story[0] as unknown as {
        candidates: { tokens: number[]; ended: boolean }[];
        chosen: number;
      };
      const winner = candidates[chosen]!;
      if (candidates.some((candidate) => candidate.ended)) {
        expect(candidates.every((candidate) => candidate.ended)).toBe(true);
        expect(ids).toEqual(winner.tokens.filter((id) => id !== END));
      } else {
        unfinished++;
        // It goes on plainly from there.
        expect(ids.slice(0, winner.tokens.length)).toEqual(winner.tokens);
      }
    }
    expect(cut).toBeGreaterThan(5);
    expect(whole).toBeGreaterThan(0);
    expect(unfinished).toBeGreaterThan(0);
    expect(unfinished).toBeLessThan(cut);
  });

  it('blockwise keeps what is shown, and goes on plainly', async () => {
    const spec = { method: 'blockwise', inner: 'large', scorer: first, candidates: 3, block: 4 };
    const change = { maxTokens: 14, stopTokenIds: [] };
    const free = toldOf((await run(makeEngine().engine, [asked('free', spec, change)])).get('free')!).ids;
    let cut = 0;
    for (let tokens = 1; tokens <= 45; tokens += 2) {
      const one = asked('one', { ...spec, budget: { tokens } }, change);
      const events = (await run(makeEngine().engine, [one])).get('one')!;
      const { ids, story } = toldOf(events);
      expect(ids).toHaveLength(14);
      const { ended } = searchOf(events);
      if (ended.length === 0) continue;
      cut++;
      const kept = Math.floor(ended[0]!.at / 4) * 4;
      expect(ids.slice(0, kept)).toEqual(free.slice(0, kept));
      expect(story.length).toBeLessThanOrEqual(kept / 4 + 1);
    }
    expect(cut).toBeGreaterThan(10);
  });

  it('rejection gives the best so far', async () => {
    const spec = { method: 'rejection', inner: 'large', scorer: first, most: 1000, tries: 8, at_once: 2 };
    let cut = 0;
    for (let tokens = 2; tokens <= 60; tokens += 6) {
      const one = asked('one', { ...spec, budget: { tokens } });
      const { ids, story, last } = toldOf((await run(makeEngine().engine, [one])).get('one')!);
      expect(last.kind).toBe('done');
      if (story.length === 0) continue;
      cut++;
      const scores = story.map(({ score }) => score as number);
      const best = story[scores.indexOf(Math.max(...scores))]!['tokens'] as number[];
      expect(ids).toEqual(best.filter((id) => id !== END));
    }
    expect(cut).toBeGreaterThan(3);
  });
});

describe('cancelled at any step', () => {
  it.each([
    ['best_of_n', { method: 'best_of_n', inner: steered, scorer: first, n: 4 }],
    ['best_of_n with forking scorers', { method: 'best_of_n', inner: 'large', scorer: implicit, n: 3 }],
    ['blockwise', { method: 'blockwise', inner: 'large', scorer: first, candidates: 3, block: 2 }],
    ['rejection', { method: 'rejection', inner: 'large', scorer: first, most: 1000, tries: 6, at_once: 2 }],
  ])('%s: every fork is freed, and nobody else notices', async (_, spec) => {
    const change = { maxTokens: 5, stopTokenIds: [] };
    await expectAllFreed((id) => asked(id, spec, change), 5);
  });
});

function searchOf(events: readonly DecodeEvent[]): {
  ended: readonly { reason: string; at: number }[];
  counts: Readonly<Record<string, number>>;
} {
  const last = events.at(-1)!;
  if (last.kind !== 'done' || !last.applied.search)
    throw new Error(`a search that is not done: ${JSON.stringify(last)}`);
  return last.applied.search;
}
