import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { logits, logSoftmax, masked, plausible, type Scores } from '../../decoders/expr.js';
import { lawOf } from '../../decoders/warp.js';
import type { BlockPolicy } from '../../server/engine/block-policy.js';
import type { RequestEvent } from '../../server/engine/engine.js';
import type { DecodeEvent, DecodeRequest } from '../../server/wire/decode.js';
import { toyLogits } from '../support/toy-decoder.js';
import {
  answerOf,
  arbitraryRequest,
  drain,
  eft,
  expectNaive,
  makeEngine,
  naive,
  plain,
  request,
  requestOf,
} from '../support/toy-engine.js';

const fixed = (length: number): BlockPolicy => ({
  lengthsFor: ({ candidates }) => candidates.map(({ limit }) => Math.min(length, limit)),
  timed: () => undefined,
  tested: () => undefined,
  ticked: () => undefined,
});
/** Every sequence another length in every tick, by chance. */
const ragged = (seed: number): BlockPolicy => {
  let state = seed;
  return {
    ...fixed(0),
    lengthsFor: ({ candidates }) =>
      candidates.map(({ limit }) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.min(limit, Math.floor((state / 2 ** 32) * 7));
      }),
  };
};

const ids = [1, 2, 3, 1, 2];
const prompts = (count: number): Int32Array[] => Array.from({ length: count }, () => Int32Array.from(ids));
const maskedEft: Scores = masked(eft(0.3), plausible(logSoftmax(logits('large')), 0.02));
const greedy = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1.2,
  presencePenalty: 0.2,
  frequencyPenalty: 0.4,
};

function reportOf(events: readonly DecodeEvent[] | undefined): { drafted: number; accepted: number; blocks: number } {
  const done = events?.at(-1);
  if (done?.kind !== 'done' || !done.applied.speculation) throw new Error('no report of speculation');
  return done.applied.speculation;
}

async function serve(requests: readonly DecodeRequest[], blocks: BlockPolicy): Promise<Map<string, DecodeEvent[]>> {
  const { engine, models } = makeEngine({ blocks });
  requests.forEach((req) => engine.submit(req));
  const events = await drain(engine);
  for (const model of models.values()) expect(model.cache.bytes).toBe(0);
  return events;
}

const drafts = ['tuned', 'small', 'near', 'lookup', 'large'] as const;

describe('speculation', () => {
  it('T4: greedy speculation is greedy decoding, for blocks of 1 to 5, with masks and penalties', async () => {
    for (const distribution of [plain, eft(0.1), maskedEft])
      for (const draft of ['near', 'lookup', 'tuned'])
        for (const tokens of [1, 2, 3, 4, 5]) {
          const req = request('r', {
            distribution,
            promptIds: prompts(3),
            sampling: { ...greedy, logitBias: [[4, 1.5]] },
            maxTokens: 24,
            minTokens: 6,
          });
          const events = await serve([{ ...req, speculation: { draft, tokens } }], fixed(tokens));
          expectNaive(events.get('r'), req);
        }
  });

  it('a good draft is accepted, and saves forwards of the base', async () => {
    const req = request('r', { maxTokens: 40, stopTokenIds: [], speculation: { draft: 'near', tokens: 4 } });
    const { engine, models } = makeEngine({ blocks: fixed(4) });
    engine.submit(req);
    const report = reportOf((await drain(engine)).get('r'));
    expect(report.accepted / report.drafted).toBeGreaterThan(0.5);
    expect(models.get('large')!.forwards.count).toBeLessThan(25);
    expect(report.blocks).toBeLessThan(24);
    expect(engine.stats().drafts).toEqual({
      blocks: report.blocks,
      drafted: report.drafted,
      accepted: report.accepted,
    });
  });

  it('emits the token that seed and prefix say, for any block length, alone or in company (random requests)', async () => {
    const arbitrary = fc.tuple(arbitraryRequest, fc.constantFrom(null, ...drafts), fc.integer({ min: 1, max: 6 }));
    await fc.assert(
      fc.asyncProperty(fc.array(arbitrary, { minLength: 1, maxLength: 8 }), fc.nat(1000), async (items, seed) => {
        const requests = items.map(([item, draft, tokens], i) => ({
          ...requestOf(`r${i}`, item),
          speculation: draft === null ? null : { draft, tokens },
        }));
        const events = await serve(requests, seed < 100 ? fixed(seed % 7) : ragged(seed));
        for (const req of requests) expectNaive(events.get(req.requestId), req);
      }),
      { numRuns: 60 },
    );
  });

  it('T3: over many seeds the answers have the law of plain decoding', async () => {
    const seeds = 3000;
    const expected = new Map<string, number>();
    const step = (prefix: readonly number[]): [number, number][] => {
      const scores = evaluate(eft(0.5), ({ model }) =>
        toyLogits([...ids, ...prefix], { large: 1, small: 2, tuned: 3 }[model]!),
      );
      const law = lawOf(scores, { temperature: 0.8, topK: 4, topP: 1, minP: 0 });
      return law.ids.map((id, i) => [id, law.probs[i]!]);
    };
    for (const [a, pa] of step([]))
      for (const [b, pb] of step([a])) for (const [c, pc] of step([a, b])) expected.set(`${a},${b},${c}`, pa * pb * pc);
    for (const draft of ['tuned', 'lookup']) {
      const requests = Array.from({ length: seeds }, (_, seed) =>
        request(`s${seed}`, {
          distribution: eft(0.5),
          promptIds: prompts(3),
          seed,
          maxTokens: 3,
          stopTokenIds: [],
          sampling: { ...request('x').sampling, temperature: 0.8, topK: 4 },
          speculation: { draft, tokens: 2 },
        }),
      );
      const { engine } = makeEngine({ blocks: fixed(2), limits: { maxWaiting: seeds } });
      requests.forEach((req) => engine.submit(req));
      const events = await drain(engine);
      const seen = new Map<string, number>();
      for (const req of requests) {
        const key = answerOf(events.get(req.requestId)!, 0).ids.join(',');
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      let chi = 0;
      let cells = 0;
      let rest = { seen: seeds, expected: seeds };
      for (const [key, probability] of expected) {
        const mean = probability * seeds;
        if (mean < 8) continue;
        chi += ((seen.get(key) ?? 0) - mean) ** 2 / mean;
        rest = { seen: rest.seen - (seen.get(key) ?? 0), expected: rest.expected - mean };
        cells++;
      }
      if (rest.expected > 1) chi += (rest.seen - rest.expected) ** 2 / rest.expected;
      for (const key of seen.keys()) expect(expected.has(key)).toBe(true);
      // Mean `cells`, standard deviation √(2·cells): four of them above.
      expect(chi).toBeLessThan(cells + 4 * Math.sqrt(2 * cells));
    }
  });

  it('T25: a cancel at any moment of a block frees everything, and disturbs nobody', async () => {
    const speculation = { draft: 'tuned', tokens: 4 };
    const victim = request('victim', {
      distribution: eft(0.4),
      promptIds: prompts(3),
      maxTokens: 60,
      stopTokenIds: [],
      speculation,
    });
    const other = request('other', {
      distribution: eft(0.4),
      promptIds: prompts(3),
      maxTokens: 12,
      stopTokenIds: [],
      speculation,
      seed: 3,
    });
    for (let at = 1; at < 40; at++) {
      let forwards = 0;
      const { engine, models } = makeEngine({
        blocks: fixed(4),
        options: { onForward: () => void (++forwards === at && engine.cancel('victim')) },
      });
      engine.submit(victim);
      engine.submit(other);
      const events = await drain(engine);
      expectNaive(events.get('other'), other);
      expect(events.get('victim')?.some(({ kind }) => kind === 'done') ?? false).toBe(false);
      for (const model of models.values()) expect(model.cache.rowsInUse).toBe(0);
    }
  });

  it('survives preemption in the middle of blocks', async () => {
    const tokenBytes = 2 * (2 * 2 + 3) * 4;
    const { engine } = makeEngine({ blocks: fixed(5), limits: { cacheBytes: tokenBytes * 100 } });
    const long = { maxTokens: 80, stopTokenIds: [], speculation: { draft: 'near', tokens: 5 } };
    const requests = [request('late', { ...long, priority: 1 }), request('early', { ...long, priority: 0 })];
    requests.forEach((req) => engine.submit(req));
    const events = await drain(engine);
    expect(engine.stats().preemptions).toBeGreaterThan(0);
    for (const req of requests) expectNaive(events.get(req.requestId), req);
  });

  it('never drafts across a change of the rope', async () => {
    const { engine } = makeEngine({ blocks: fixed(5), options: { ropeSwitchLength: 12 } });
    const req = request('r', { maxTokens: 20, stopTokenIds: [], speculation: { draft: 'near', tokens: 5 } });
    engine.submit(req);
    expectNaive((await drain(engine)).get('r'), req, 12);
  });

  it('stops inside a block: at a string, at an end token, at the length, and counts what was emitted', async () => {
    const base = { promptIds: prompts(1), speculation: { draft: 'near', tokens: 5 }, maxTokens: 17 };
    const free = naive(request('x', { ...base, stopTokenIds: [] }), 0);
    const stop = free.text.slice(7, 9);
    const byString = request('string', { ...base, stop: [stop], stopTokenIds: [] });
    const byToken = request('token', { ...base, stopTokenIds: [free.ids[8]!] });
    const byLength = request('length', { ...base, stopTokenIds: [] });
    const events = await serve([byString, byToken, byLength], fixed(5));
    expect(answerOf(events.get('string')!, 0).text).toBe(free.text.slice(0, free.text.indexOf(stop)));
    expectNaive(events.get('token'), byToken);
    expectNaive(events.get('length'), byLength);
    for (const [id, count] of [
      ['token', naive(byToken, 0).ids.length],
      ['length', 17],
    ] as const) {
      const done = events.get(id)?.at(-1);
      expect(done?.kind === 'done' ? done.usage.completionTokens : null).toBe(count);
    }
  });

  it('T23: NaN that only a wrong draft leads to is not told, and poisons nothing', async () => {
    // Logits are NaN from a total length on that drafts reach and the answer does not.
    const req = request('r', {
      distribution: eft(0.3),
      promptIds: prompts(3),
      maxTokens: 6,
      stopTokenIds: [],
      speculation: { draft: 'tuned', tokens: 5 },
    });
    const { engine } = makeEngine({ blocks: fixed(5), options: { nanFrom: ids.length + 6 } });
    engine.submit(req);
    const events = (await drain(engine)).get('r');
    expectNaive(events, req);
    const done = events?.at(-1);
    expect(done?.kind === 'done' ? done.applied.fallbacks : null).toEqual({});
  });

  it('a broken draft stops drafting, not the answer', async () => {
    const { engine, models } = makeEngine({ blocks: fixed(3) });
    models.set('near', makeEngine({ options: { nanFrom: 1 } }).models.get('near')!);
    const req = request('r', { maxTokens: 9, stopTokenIds: [] });
    engine.submit({ ...req, speculation: { draft: 'near', tokens: 3 } });
    const events = (await drain(engine)).get('r');
    expectNaive(events, req);
    expect(reportOf(events)).toEqual({ draft: 'near', drafted: 0, accepted: 0, blocks: 0 });
  });

  it('tells deltas of a block in order, token by token', async () => {
    const req = request('r', { maxTokens: 20, n: 2, stopTokenIds: [], speculation: { draft: 'near', tokens: 4 } });
    const { engine } = makeEngine({ blocks: fixed(4) });
    engine.submit(req);
    const log: RequestEvent[] = [];
    expectNaive((await drain(engine, log)).get('r'), req);
    expect(
      log
        .filter(({ event }) => event.kind === 'delta')
        .every(({ event }) => event.kind === 'delta' && event.ids.length === 1),
    ).toBe(true);
  });
});
