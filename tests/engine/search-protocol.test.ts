// Random programs of everything that a search can ask for, through the engine and through its naive twin: the same answers, the same tokens
// told, nothing left behind. The twin evaluates every law from its whole prefix, so a rewind that left a trace, a fork that shared a row, or
// a draft that was seen would show.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  all,
  become,
  BudgetSpent,
  commit,
  force,
  fork,
  logprobs,
  read,
  release,
  rewind,
  sample,
  text,
  trace,
  uniform,
  type Branch,
  type Search,
  type Searching,
} from '../../decoders/search.js';
import type { DecodeRequest } from '../../server/wire/decode.js';
import { textGrammar } from '../support/toy-constraint.js';
import { drain, eft, END, makeEngine, plain } from '../support/toy-engine.js';
import { emittedOf, searchRequest, toldOf, twinOf, type ToyPlan } from '../support/toy-search.js';

const op = fc.record({
  what: fc.constantFrom(
    'sample',
    'force',
    'score',
    'look',
    'fork',
    'other',
    'rewind',
    'become',
    'release',
    'commit',
    'text',
    'read',
    'uniform',
    'side by side',
  ),
  /** Which branch, how many, which tokens: taken modulo what there is. */
  branch: fc.nat(7),
  count: fc.integer({ min: 1, max: 6 }),
  ids: fc.array(fc.nat(END), { minLength: 1, maxLength: 4 }),
  until: fc.boolean(),
});
type Op = typeof op extends fc.Arbitrary<infer T> ? T : never;

// The price is below what a program may come to use: then memory runs short.
const plan: ToyPlan = {
  distributions: [plain, eft(1)],
  branches: [4, 4],
  scored: 1,
  sources: [
    { kind: 'reward', model: 'small' },
    { kind: 'judge', model: 'tuned', variants: ['first', 'second'], options: ['k', 'p'] },
  ],
};

/** Runs the program as far as it makes sense on what is there, and writes every answer down. */
function* program(trunk: Branch, ops: readonly Op[], log: unknown[], isConstrained = false): Search {
  let branches: Branch[] = [trunk];
  let committed = 0;
  const options = ({ count, until }: Op) => ({
    tokens: count,
    ...(until ? { until: ['c', 'h', 'm'] } : {}),
    logprobs: true,
  });
  for (const each of ops) {
    const branch = branches[each.branch % branches.length]!;
    const open = branches.filter(({ ended }) => !ended);
    switch (each.what) {
      case 'sample':
        if (!branch.ended) log.push(yield* sample(branch, options(each)));
        break;
      case 'force':
      case 'score':
        if (!branch.ended) {
          // What a constraint forbids, no search may give: it looks first.
          const open = isConstrained ? (yield* logprobs(branch, Infinity)).ids : [];
          const ids = isConstrained ? [open[each.ids[0]! % open.length]!] : each.ids;
          log.push(yield* force(branch, ids, { logprobs: each.what === 'score' }));
        }
        break;
      case 'look':
        if (!branch.ended) log.push(yield* logprobs(branch, each.count === 6 ? Infinity : each.count));
        break;
      case 'fork':
        if (branches.length < 8) branches.push(yield* fork(branch, each.until ? { sampling: { temperature: 0 } } : {}));
        break;
      case 'other':
        // Of any branch: what it does not read itself sets out from the trunk.
        if (branches.length < 8) branches.push(yield* fork(branch, { distribution: each.until ? 0 : 1 }));
        break;
      case 'rewind': {
        const least = branch === trunk ? committed : 0;
        yield* rewind(branch, least + ((each.branch * 3) % (branch.tokens.length - least + 1)));
        break;
      }
      case 'become': {
        const fits = branch !== trunk && branch.tokens.length >= committed;
        if (!fits || trunk.tokens.slice(0, committed).some((id, at) => id !== branch.tokens[at])) break;
        yield* become(trunk, branch);
        branches = branches.filter((other) => other !== branch);
        break;
      }
      case 'release':
        if (branch === trunk) break;
        yield* release(branch);
        branches = branches.filter((other) => other !== branch);
        break;
      case 'commit':
        yield* commit(trunk);
        committed = trunk.tokens.length;
        // The answer is whole: a search ends here.
        if (trunk.ended) return;
        break;
      case 'text':
        log.push(yield* text(branch, Math.min(each.count, branch.tokens.length)));
        break;
      case 'read':
        log.push(
          (yield* all([read(0, branch), read(1, branch, 0), read(1, branch, 1)])).map((numbers) => numbers.slice(0, 3)),
        );
        break;
      case 'uniform':
        log.push(yield* uniform(branch));
        break;
      case 'side by side':
        log.push(yield* all(open.map((other): Searching<unknown> => sample(other, options(each)))));
        break;
      default:
        each.what satisfies never;
    }
    log.push([branches.length, ...branches.map(({ tokens, ended }) => [[...tokens], ended])]);
  }
  yield* trace({ event: 'over', branches: branches.length });
}

const sampling = fc.record({
  temperature: fc.constantFrom(0, 0.8, 1),
  topP: fc.constantFrom(1, 0.9),
  repetitionPenalty: fc.constantFrom(1, 1.2),
  frequencyPenalty: fc.constantFrom(0, 0.4),
});

function expectClose(actual: unknown, expected: unknown): void {
  if (typeof expected === 'number' && typeof actual === 'number') {
    if (Number.isInteger(expected)) expect(actual).toBe(expected);
    else expect(actual).toBeCloseTo(expected, 4);
  } else if (Array.isArray(expected)) {
    expect((actual as unknown[]).length).toBe(expected.length);
    expected.forEach((each, i) => expectClose((actual as unknown[])[i], each));
  } else if (typeof expected === 'object' && expected !== null) {
    expect(Object.keys(actual as object)).toEqual(Object.keys(expected));
    for (const [key, each] of Object.entries(expected)) expectClose((actual as Record<string, unknown>)[key], each);
  } else expect(actual).toBe(expected);
}

const programs = fc.record({
  programs: fc.array(fc.array(op, { maxLength: 14 }), { minLength: 1, maxLength: 3 }),
  seed: fc.nat(),
  sampling,
  maxTokens: fc.integer({ min: 1, max: 18 }),
  minTokens: fc.constantFrom(0, 3),
  logprobs: fc.boolean(),
  n: fc.constantFrom(1, 1, 2),
});
type Programs = typeof programs extends fc.Arbitrary<infer T> ? T : never;

function requestOf(p: Programs, r: number, change: Partial<DecodeRequest> = {}): DecodeRequest {
  return searchRequest(
    `r${r}`,
    { ...plan, values: { program: r } },
    {
      seed: p.seed + r,
      n: p.n,
      maxTokens: p.maxTokens,
      minTokens: Math.min(p.minTokens, p.maxTokens),
      logprobs: p.logprobs ? { top: 1, full: false, prompt: false } : null,
      traceLimit: 100,
      sampling: { ...request0.sampling, ...p.sampling },
      ...change,
    },
  );
}
const request0 = searchRequest('any', plan);

/** Runs all programs side by side; one log per request and choice. */
function engineFor(p: Programs, limits = {}, isConstrained = false) {
  const logs = p.programs.map((): unknown[][] => []);
  const { engine, models } = makeEngine({
    limits,
    services: {
      search: ({ values }, trunk) => {
        const { program: r } = values as { program: number };
        const log: unknown[] = [];
        logs[r]!.push(log);
        return program(trunk, p.programs[r]!, log, isConstrained);
      },
    },
  });
  return { engine, models, logs };
}

async function expectTwin(p: Programs, limits = {}, change: Partial<DecodeRequest> = {}): Promise<number> {
  const isConstrained = change.constraint !== undefined;
  const { engine, models, logs } = engineFor(p, limits, isConstrained);
  const requests = p.programs.map((_, r) => requestOf(p, r, change));
  requests.forEach((each) => engine.submit(each));
  const events = await drain(engine);
  for (const model of models.values()) expect(model.cache.rowsInUse).toBe(0);
  requests.forEach((each, r) => {
    const told = events.get(each.requestId)!;
    expect(told.at(-1)).toMatchObject({ kind: 'done' });
    for (let choice = 0; choice < p.n; choice++) {
      const log: unknown[] = [];
      const search = function* (trunk: Branch): Search {
        yield* program(trunk, p.programs[r]!, log, isConstrained);
        // What the engine does with what is left.
        while (!trunk.ended) yield* sample(trunk, { tokens: 1 });
        yield* commit(trunk);
      };
      const rewound = function* (trunk: Branch): Search {
        let committed = 0;
        const inner = search(trunk);
        let step = inner.next();
        while (step.done !== true) {
          if (step.value.kind === 'commit') committed = trunk.tokens.length;
          const isOver = step.value.kind === 'trace';
          const answer = yield step.value;
          if (isOver && !trunk.ended) yield* rewind(trunk, committed);
          step = inner.next(answer);
        }
      };
      const twin = twinOf(rewound, each, choice);
      expectClose(logs[r]![choice], log);
      expect(toldOf(told, choice).ids).toEqual(emittedOf(twin, each));
      expect(toldOf(told, choice).story).toEqual(twin.traces);
    }
  });
  return engine.stats().preemptions;
}

describe('the engine answers a search as its naive twin does', () => {
  it('random programs, side by side, with every sampler and record', async () => {
    await fc.assert(
      fc.asyncProperty(programs, async (p) => void (await expectTwin(p))),
      { numRuns: 60 },
    );
  });

  it('under memory pressure, where runs are preempted and computed again', async () => {
    const tokenBytes = 2 * (2 * 2 + 3) * 4;
    const limits = { cacheBytes: tokenBytes * 330, prefixCacheBytes: 1 << 12 };
    let preemptions = 0;
    // Many branches that grow, or there is no pressure.
    const growing = op.map((each): Op =>
      each.branch < 4 ? { ...each, what: each.branch < 2 ? 'fork' : 'side by side' } : each,
    );
    const several = fc.array(fc.array(growing, { minLength: 8, maxLength: 20 }), { minLength: 4, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(programs, several, async (p, all) => {
        preemptions += await expectTwin({ ...p, programs: all, n: 1, maxTokens: 18 }, limits, { stopTokenIds: [] });
      }),
      { numRuns: 30 },
    );
    expect(preemptions).toBeGreaterThan(0);
  });

  it('under a constraint, whose state forks, rewinds and commits with its branch', async () => {
    const constraint = textGrammar('(?:[a-k][f-w])*[a-f]?|[c-h]{3}(?:x?[a-d])+');
    await fc.assert(
      fc.asyncProperty(programs, async (p) => void (await expectTwin(p, {}, { constraint }))),
      { numRuns: 60 },
    );
  });

  it('greedily the same with drafts', async () => {
    const greedy = (p: Programs): Programs => ({ ...p, sampling: { ...p.sampling, temperature: 0 } });
    const change = { speculation: { draft: 'near', tokens: 4 } };
    await fc.assert(
      fc.asyncProperty(programs, async (p) => void (await expectTwin(greedy(p), {}, change))),
      { numRuns: 30 },
    );
  });
});

describe('T25: nothing is left behind', () => {
  it('by a cancel at any moment', async () => {
    await fc.assert(
      fc.asyncProperty(programs, fc.nat(25), async (p, after) => {
        const { engine, models } = engineFor(p);
        p.programs.forEach((_, r) => engine.submit(requestOf(p, r)));
        for (let tick = 0; tick < after; tick++) await engine.tick();
        engine.cancel('r0');
        await drain(engine);
        for (const model of models.values()) expect(model.cache.rowsInUse).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it('by a search that throws, and nobody else is disturbed', async () => {
    const { engine, models } = makeEngine({
      services: {
        *search({ values }, trunk) {
          yield* fork(trunk);
          yield* sample(trunk, { tokens: 2 });
          if ((values as { throws: boolean }).throws) throw new Error('a bug in a search');
        },
      },
    });
    engine.submit(searchRequest('good', { ...plan, values: { throws: false } }));
    engine.submit(searchRequest('bad', { ...plan, values: { throws: true } }));
    const events = await drain(engine);
    expect(events.get('bad')).toEqual([
      { kind: 'failed', error: expect.objectContaining({ code: 'engine_failed' }) as unknown },
    ]);
    expect(events.get('good')?.at(-1)).toMatchObject({ kind: 'done' });
    for (const model of models.values()) expect(model.cache.rowsInUse).toBe(0);
  });

  it('when a budget ends: what is not committed is dropped, the rest is plain, and the reply says where', async () => {
    const request = searchRequest(
      'r',
      { ...plan, budget: { forwards: null, timeMs: null, tokens: 7 } },
      { stopTokenIds: [], maxTokens: 12 },
    );
    const { engine, models } = makeEngine({
      services: {
        *search(_, trunk) {
          yield* sample(trunk, { tokens: 3 });
          yield* commit(trunk);
          const other = yield* fork(trunk);
          yield* sample(other, { tokens: 9 });
        },
      },
    });
    engine.submit(request);
    const told = toldOf((await drain(engine)).get('r')!);
    const plainly = twinOf(function* (trunk): Search {
      while (!trunk.ended) yield* sample(trunk, { tokens: 1 });
      yield* commit(trunk);
    }, request);
    expect(told.ids).toEqual(plainly.tokens);
    expect(told.last).toMatchObject({
      kind: 'done',
      applied: { search: { ended: [{ choice: 0, reason: 'tokens', at: 3 }] } },
    });
    for (const model of models.values()) expect(model.cache.rowsInUse).toBe(0);
  });

  it('when a search winds up by itself', async () => {
    const { engine } = makeEngine({
      services: {
        *search(_, trunk) {
          const other = yield* fork(trunk);
          try {
            yield* sample(other, { tokens: 12 });
          } catch (error) {
            if (!(error instanceof BudgetSpent)) throw error;
            yield* become(trunk, other);
            yield* commit(trunk);
          }
        },
      },
    });
    engine.submit(
      searchRequest(
        'r',
        { ...plan, budget: { forwards: null, timeMs: null, tokens: 5 } },
        { stopTokenIds: [], maxTokens: 12 },
      ),
    );
    const told = toldOf((await drain(engine)).get('r')!);
    expect(told.ids).toHaveLength(12);
    expect(told.last).toMatchObject({ applied: { search: { ended: [{ reason: 'tokens', at: 0 }] } } });
  });
});
