// Constrained answers are those of naive masked decoding, whoever drafts, searches or shares the batch.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { applyMask, lawOf } from '../../decoders/warp.js';
import type { BlockPolicy } from '../../server/engine/block-policy.js';
import type { DecodeRequest } from '../../server/wire/decode.js';
import { allowedAfter, textGrammar } from '../support/toy-constraint.js';
import { toyLogits } from '../support/toy-decoder.js';
import {
  answerOf,
  arbitraryRequest,
  drain,
  eft,
  END,
  expectNaive,
  makeEngine,
  request,
  requestOf,
} from '../support/toy-engine.js';

const patterns = [
  '[a-w]*',
  'a[b-e]+',
  '(?:[a-k][f-w])*[a-f]?',
  'abc|abd|[g-w]{2,6}',
  '(?:(?:ab|ba)c)+',
  '[a-w]{5}',
  'q',
];
const fixed = (length: number): BlockPolicy => ({
  lengthsFor: ({ candidates }) => candidates.map(({ limit }) => Math.min(length, limit)),
  timed: () => undefined,
  tested: () => undefined,
  ticked: () => undefined,
});

describe('constrained decoding', () => {
  it('is naive masked decoding, for random requests side by side, with and without drafts', async () => {
    const one = fc.record({
      request: arbitraryRequest,
      pattern: fc.constantFrom(null, ...patterns),
      draft: fc.constantFrom(null, null, 'near', 'small', 'lookup'),
      ignoresEnd: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 6 }), fc.nat(5), async (all, length) => {
        const requests = all.map(({ request: r, pattern, draft, ignoresEnd }, i): DecodeRequest => ({
          ...requestOf(`r${i}`, r),
          minTokens: 0,
          constraint: pattern === null ? null : textGrammar(pattern),
          speculation: draft === null ? null : { draft, tokens: 4 },
          // An answer that is complete ends by itself; one that may go on has to be able to end.
          ...(ignoresEnd && pattern === '[a-w]{5}' ? { stopTokenIds: [] } : {}),
        }));
        const { engine, models } = makeEngine({ blocks: fixed(length) });
        requests.forEach((each) => engine.submit(each));
        const events = await drain(engine);
        requests.forEach((each) => expectNaive(events.get(each.requestId), each));
        for (const model of models.values()) expect(model.cache.rowsInUse).toBe(0);
      }),
      { numRuns: 80 },
    );
  });

  it('min_tokens holds the end back where more may come, and only there', async () => {
    for (const [pattern, expected] of [
      ['[a-w]*', 6],
      ['[a-w]{3}', 3],
    ] as const) {
      const { engine } = makeEngine();
      engine.submit(request('r', { constraint: textGrammar(pattern), minTokens: 6, maxTokens: 40 }));
      const { ids } = answerOf((await drain(engine)).get('r')!, 0);
      if (expected === 3) expect(ids).toHaveLength(3);
      else expect(ids.length).toBeGreaterThanOrEqual(expected);
    }
  });

  it('ends by itself where nothing may follow, with length where the text is cut', async () => {
    for (const [maxTokens, reason] of [
      [5, 'stop'],
      [4, 'length'],
    ] as const) {
      const { engine } = makeEngine();
      engine.submit(request('r', { constraint: textGrammar('[a-w]{5}'), maxTokens, stopTokenIds: [] }));
      const answer = answerOf((await drain(engine)).get('r')!, 0);
      expect(answer.ids).toHaveLength(maxTokens);
      expect(answer.reason).toBe(reason);
    }
  });

  it('T3: the law of a speculated answer is that of plain masked decoding, by enumeration', async () => {
    const constraint = textGrammar('[a-d]{2}|[c-f][a-c]{2}');
    const sampling = { ...request('x').sampling, temperature: 0.9 };
    const prompt = [1, 2, 3];
    const law = new Map<string, number>();
    const distribution = eft(0.7);
    const enumerate = (ids: readonly number[], mass: number): void => {
      const { allowed, isOver } = allowedAfter(constraint, ids, [END]);
      if (isOver) {
        law.set(ids.join(), (law.get(ids.join()) ?? 0) + mass);
        return;
      }
      const salts: Record<string, number> = { large: 1, small: 2, tuned: 3 };
      const scores = evaluate(distribution, ({ model }) => toyLogits([...prompt, ...ids], salts[model]!));
      const { ids: next, probs } = lawOf(applyMask(scores, allowed), sampling);
      next.forEach((id, at) => {
        if (probs[at] === 0) return;
        if (id === END) law.set(ids.join(), (law.get(ids.join()) ?? 0) + mass * probs[at]!);
        else enumerate([...ids, id], mass * probs[at]!);
      });
    };
    enumerate([], 1);
    expect([...law.values()].reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 9);
    const draws = 2000;
    for (const draft of ['near', 'lookup'] as const) {
      const { engine } = makeEngine({ blocks: fixed(2), limits: { maxRows: 64, maxWaiting: draws } });
      for (let seed = 0; seed < draws; seed++)
        engine.submit(
          request(`r${seed}`, { distribution, constraint, sampling, seed, speculation: { draft, tokens: 2 } }),
        );
      const seen = new Map<string, number>();
      for (const events of (await drain(engine)).values()) {
        const key = answerOf(events, 0).ids.join();
        expect(law.has(key)).toBe(true);
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      const chi = [...law].reduce((sum, [key, p]) => sum + ((seen.get(key) ?? 0) - draws * p) ** 2 / (draws * p), 0);
      // Beyond it lies less than one in a million, for that many degrees of freedom.
      expect(chi).toBeLessThan(law.size + 5 * Math.sqrt(2 * law.size) + 20);
    }
  }, 60_000);

  it('a vocabulary that cannot spell what is demanded fails that request only, and says so', async () => {
    const { engine, models } = makeEngine();
    engine.submit(request('stuck', { constraint: textGrammar('ab[0-9]c') }));
    engine.submit(request('other'));
    const events = await drain(engine);
    const failed = events.get('stuck')!.at(-1)!;
    expect(failed).toMatchObject({ kind: 'failed', error: { code: 'constraint_stuck', status: 400 } });
    expectNaive(events.get('other'), request('other'));
    for (const model of models.values()) expect(model.cache.rowsInUse).toBe(0);
  });
});
