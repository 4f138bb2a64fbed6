// Weights that change while an answer is drawn: up to the position that the engine names the old ones, from there on the new ones, exactly,
// whoever shares the batch and whatever is drafted.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Scores } from '../../decoders/expr.js';
import { commit, force, fork, next, release, sample, type Branch, type Search } from '../../decoders/search.js';
import type { BlockPolicy } from '../../server/engine/block-policy.js';
import type { RequestEvent } from '../../server/engine/engine.js';
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

const fixed = (length: number): BlockPolicy => ({
  lengthsFor: ({ candidates }) => candidates.map(({ limit }) => Math.min(length, limit)),
  timed: () => undefined,
  tested: () => undefined,
  ticked: () => undefined,
});

const positionsOf = (events: readonly DecodeEvent[]): readonly (readonly (number | null)[])[] =>
  events.flatMap((event) => (event.kind === 'changed' ? [event.positions] : []));

/** Of each choice and position, by what the engine said of its changes. */
function lawsOf(first: Scores, changes: readonly Scores[], events: readonly DecodeEvent[]) {
  const positions = positionsOf(events);
  expect(positions.length).toBeLessThanOrEqual(changes.length);
  return (choice: number, position: number): Scores =>
    positions.reduce((law, at, c) => ((at[choice] ?? Infinity) <= position ? changes[c]! : law), first);
}

describe('change', () => {
  it('tokens before the position are those of the old weights, tokens from it on those of the new (random mixes)', async () => {
    const item = fc.record({
      request: arbitraryRequest,
      draft: fc.constantFrom(null, 'tuned', 'near', 'lookup'),
      changes: fc.array(fc.tuple(fc.nat(30), fc.constantFrom(0, 0.25, 0.75, 2)), { maxLength: 4 }),
    });
    let acted = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 8 }), fc.nat(5), async (items, block) => {
        const { engine, models } = makeEngine({ blocks: fixed(block) });
        const requests = items.map(({ request: r, draft }, i) => ({
          ...requestOf(`r${i}`, { ...r, weight: r.weight ?? 1 }),
          speculation: draft === null ? null : { draft, tokens: 5 },
        }));
        const changed = items.map(({ changes }) =>
          [...changes].sort(([a], [b]) => a - b).map(([at, weight], serial) => ({ at, serial, law: eft(weight) })),
        );
        const log: RequestEvent[] = [];
        for (let tick = 0; tick <= 31; tick++) {
          items.forEach(({ request: { after } }, i) => {
            if (after === tick) engine.submit(requests[i]!);
            for (const { at, serial, law } of changed[i]!)
              if (at === tick) engine.change(`r${i}`, { serial, distributions: [law] });
          });
          log.push(...(await engine.tick()));
        }
        const all = await drain(engine, log);
        requests.forEach((req, i) => {
          const events = all.get(`r${i}`)!;
          // A change that came before its request had nothing to act on.
          const live = changed[i]!.filter(({ at }) => at >= items[i]!.request.after).map(({ law }) => law);
          acted += positionsOf(events)
            .flat()
            .filter((position) => (position ?? 0) > 0).length;
          expectNaive(events, req, Infinity, lawsOf(req.distribution, live, events));
        });
        for (const { cache } of models.values()) expect(cache.bytes).toBe(0);
      }),
      { numRuns: 40 },
    );
    expect(acted).toBeGreaterThan(50);
  });

  it('continues as a request of the new weights that is forced to the same beginning', async () => {
    const { engine } = makeEngine();
    const long = { maxTokens: 30, stopTokenIds: [] };
    engine.submit(request('changed', { ...long, distribution: eft(0.5) }));
    const log: RequestEvent[] = [];
    for (let tick = 0; tick < 9; tick++) log.push(...(await engine.tick()));
    engine.change('changed', { serial: 1, distributions: [eft(2)] });
    const changed = (await drain(engine, log)).get('changed')!;
    const position = positionsOf(changed)[0]![0]!;
    const { ids } = answerOf(changed, 0);
    expect(position).toBeGreaterThan(3);

    function* given(trunk: Branch): Search {
      yield* force(trunk, ids.slice(0, position));
      while (!trunk.ended) yield* next(trunk);
      yield* commit(trunk);
    }
    const forced = makeEngine({ services: { search: (_, trunk) => given(trunk) } });
    const prompts = { promptIds: request('x', { distribution: eft(2) }).promptIds };
    forced.engine.submit(searchRequest('forced', { distributions: [eft(2)] }, { ...long, ...prompts }));
    const answer = (await drain(forced.engine)).get('forced')!;
    expect(toldOf(answer).ids).toEqual(ids);
  });

  it('says null for a choice that has ended, and nothing where the request has', async () => {
    const { engine } = makeEngine();
    engine.submit(request('r', { n: 3, maxTokens: 25, distribution: eft(1), seed: 3 }));
    const log: RequestEvent[] = [];
    const finished = new Set<number>();
    while (finished.size === 0) {
      const events = await engine.tick();
      for (const { event } of events) if (event.kind === 'finished') finished.add(event.choice);
      log.push(...events);
    }
    engine.change('r', { serial: 4, distributions: [eft(0)] });
    log.push(...(await engine.tick()));
    const events = (await drain(engine, log)).get('r')!;
    const positions = positionsOf(events)[0]!;
    expect(positions).toHaveLength(3);
    positions.forEach((position, choice) => expect(position === null).toBe(finished.has(choice)));
    engine.change('r', { serial: 5, distributions: [eft(2)] });
    expect(engine.idle).toBe(true);
    expect(await engine.tick()).toEqual([]);
  });

  it('acts on every distribution of a search, from the tokens that are not committed on', async () => {
    const laws: number[][] = [];
    /** Ten tokens at once, four times, each beside a branch of the other distribution. */
    function* steps(trunk: Branch): Search {
      for (let step = 0; step < 4; step++) {
        const ahead = yield* fork(trunk, { distribution: 1 });
        laws.push([...(yield* sample(ahead, { tokens: 3 })).ids]);
        yield* release(ahead);
        yield* sample(trunk, { tokens: 10 });
        yield* commit(trunk);
      }
    }
    const told = async (first: readonly Scores[], then: readonly Scores[] | null) => {
      laws.length = 0;
      const { engine } = makeEngine({ services: { search: (_, trunk) => steps(trunk) } });
      engine.submit(searchRequest('r', { distributions: first }, { maxTokens: 40, stopTokenIds: [] }));
      const log: RequestEvent[] = [];
      while (!log.some(({ event }) => event.kind === 'delta')) log.push(...(await engine.tick()));
      if (then) engine.change('r', { serial: 1, distributions: then });
      const events = (await drain(engine, log)).get('r')!;
      return { ids: toldOf(events).ids, ahead: structuredClone(laws), positions: positionsOf(events) };
    };
    const old = [eft(0.5), eft(0.25)];
    const whole = await told(old, null);
    const trunk = await told(old, [eft(2), eft(0.25)]);
    const look = await told(old, [eft(0.5), eft(3)]);
    expect(trunk.positions).toEqual([[10]]);
    expect(trunk.ids.slice(0, 10)).toEqual(whole.ids.slice(0, 10));
    expect(trunk.ids.slice(10)).not.toEqual(whole.ids.slice(10));
    expect(look.ids).toEqual(whole.ids);
    expect(look.ahead[0]).toEqual(whole.ahead[0]);
    expect(look.ahead.slice(1)).not.toEqual(whole.ahead.slice(1));
  });
});
