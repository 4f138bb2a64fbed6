// formula with classifiers through the real engine and kernels: token for token what the naive twin makes of it, whoever shares the batch, with
// one forward a token and no row but the trunk's; cancelled at any step it leaves nothing behind.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildDecoding } from '../../decoders/spec.js';
import { applyEdits, editsOf, logprobsOf } from '../../decoders/warp.js';
import { greedySampling, type DecodeRequest } from '../../server/wire/decode.js';
import { expectAllFreed } from '../support/cancelled.js';
import { textGrammar } from '../support/toy-constraint.js';
import { drain, makeEngine, request, SALTS } from '../support/toy-engine.js';
import { expectAsTwin, searchRequest, toldOf, twinWorld } from '../support/toy-search.js';

const heads = { heads: ['first', 'second'], statistics: null };
const first = { kind: 'reward', model: 'tuned', head: 'first' };
const second = { kind: 'reward', model: 'small', head: 'second' };
const implicit = { kind: 'implicit', tuned: 'tuned', reference: 'small' };
const union = { op: 'union', of: ['large', 'small'] };

type Term = readonly [weight: number, of: unknown];

function asked(id: string, terms: readonly Term[], more: object, change: Partial<DecodeRequest> = {}): DecodeRequest {
  const expression = { op: 'sum', terms: terms.map(([weight, of]) => ({ weight, of })) };
  const { search } = buildDecoding(
    { method: 'formula', expression, ...more },
    {
      models: Object.keys(SALTS),
      allowNegativeWeights: false,
      rewardModels: new Map([
        ['tuned', heads],
        ['small', heads],
      ]),
    },
  );
  return searchRequest(id, structuredClone(search!), { sampling: greedySampling, traceLimit: 1000, ...change });
}

const classifier = (scorer: object, scale = 'log'): object => ({ op: 'classifier', scorer, scale });
const usual: readonly Term[] = [
  [1, 'large'],
  [2, classifier(first)],
];

const requests = fc.record({
  terms: fc.tuple(
    fc.constantFrom<Term>([1, 'large'], [2, 'small']),
    fc.constantFrom<Term>([-0.4, union], [0.5, 'tuned'], [0, 'small']),
    fc.constantFrom<Term>([1, classifier(first)], [-2, classifier(second, 'logit')], [0.7, classifier(implicit)]),
    fc.constantFrom<Term>([0, classifier(first)], [3, classifier(second)]),
  ),
  candidates: fc.integer({ min: 1, max: 8 }),
  normalise: fc.boolean(),
  sampling: fc.record({
    temperature: fc.constantFrom(0, 0.8, 1),
    topP: fc.constantFrom(1, 0.9),
    topK: fc.constantFrom(0, 5),
    repetitionPenalty: fc.constantFrom(1, 1.2),
    presencePenalty: fc.constantFrom(0, 0.5),
    logitBias: fc.constantFrom<readonly (readonly [number, number])[]>([], [[3, 2]]),
  }),
  minTokens: fc.constantFrom(0, 4),
  constraint: fc.constantFrom(null, textGrammar('(ab|c|[d-h]+)*')),
  seed: fc.nat(),
  n: fc.constantFrom(1, 2),
});

describe('through the engine', () => {
  it('every request is what the twin makes of it, alone or with others', async () => {
    let [tokens, unseen] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(requests, { minLength: 1, maxLength: 3 }), async (drawn) => {
        const several = drawn.map(({ terms, candidates, normalise, sampling, constraint, ...rest }, at) =>
          asked(
            `r${at}`,
            terms,
            { candidates, normalise },
            {
              ...rest,
              ...(constraint ? { constraint } : {}),
              maxTokens: 9,
              sampling: { ...greedySampling, ...sampling },
            },
          ),
        );
        const { engine } = makeEngine({ limits: { maxRows: 256 } });
        for (const one of several) engine.submit(one);
        engine.submit(request('plain', { maxTokens: 9 }));
        const events = await drain(engine);
        for (const one of several)
          for (const { ids, story } of expectAsTwin(one, events.get(one.requestId)!)) {
            tokens += ids.length;
            unseen += story.filter(({ chosen }) => chosen === -1).length;
          }
      }),
      { numRuns: 60 },
    );
    expect(tokens).toBeGreaterThan(400);
    expect(unseen).toBeGreaterThan(20);
  });

  it('log-probabilities are those of the whole formula, classifiers included', async () => {
    const change = { logprobs: { top: 3, full: false, prompt: false }, stopTokenIds: [], maxTokens: 6 };
    const sampling = { ...greedySampling, temperature: 1 };
    const one = asked('one', usual, { candidates: 4 }, { ...change, sampling });
    const { engine } = makeEngine();
    engine.submit(one);
    const events = (await drain(engine)).get('one')!;
    const told = events.flatMap((event) => (event.kind === 'delta' ? event.tokens : []));
    const { ids, story } = toldOf(events);
    const world = twinWorld(one);
    expect(told).toHaveLength(6);
    told.forEach(({ logprob, top }, at) => {
      const candidates = story[at]!['candidates'] as { tokens: number[]; value: number }[];
      const logitBias = candidates.map(({ tokens: [id], value }) => [id!, value] as const);
      const law = logprobsOf(
        applyEdits(world.scores(0, ids.slice(0, at)), editsOf({ ...sampling, logitBias }, [], new Map())),
      );
      expect(logprob).toBeCloseTo(law[ids[at]!]!, 4);
      expect(top[0]!.logprob).toBeCloseTo(Math.max(...law), 4);
    });
  });

  it('takes one forward a token, and rows for its trunk and what is read alone', async () => {
    const one = asked('one', usual, { candidates: 6 }, { stopTokenIds: [], maxTokens: 10 });
    const { engine, models } = makeEngine();
    engine.submit(one);
    let most = 0;
    const events = [];
    while (!engine.idle) {
      events.push(...(await engine.tick()));
      most = Math.max(most, models.get('large')!.cache.rowsInUse);
    }
    const done = (events as { event: { kind: string } }[])
      .map(({ event }) => event)
      .find(({ kind }) => kind === 'done');
    // The prompt has three.
    expect(done).toMatchObject({ applied: { forwards: { large: 3 + 9 } } });
    expect(most).toBe(1);
  });

  it('drafts are never made, and the answer has the law without them', async () => {
    const sampling = { ...greedySampling, temperature: 1 };
    const drafted = asked(
      'one',
      usual,
      { candidates: 3, speculation: { draft: 'near', tokens: 4 } },
      {
        sampling,
        speculation: { draft: 'near', tokens: 4 },
      },
    );
    const { engine } = makeEngine();
    engine.submit(drafted);
    const last = (await drain(engine)).get('one')!.at(-1)!;
    expect(last).toMatchObject({ kind: 'done', applied: { speculation: { drafted: 0, accepted: 0 } } });
  });
});

describe('cancelled at any step', () => {
  it.each([
    ['a reward', usual],
    [
      'two distributions as judge',
      [
        [1, 'large'],
        [1, classifier(implicit)],
      ] as readonly Term[],
    ],
  ])('%s: everything is freed, and nobody else notices', async (_, terms) => {
    await expectAllFreed((id) => asked(id, terms, { candidates: 4 }, { maxTokens: 4, stopTokenIds: [] }), 6);
  });
});
