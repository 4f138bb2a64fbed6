import { afterEach, describe, expect, it, vi } from 'vitest';
import fc from 'fast-check';
import { Admission } from '../../server/engine/admission.js';
import type { EngineLimits } from '../../server/engine/engine.js';
import type { ErrorData } from '../../server/errors.js';
import type { Run } from '../../server/engine/run.js';
import { naiveDecision } from '../support/naive-admission.js';
import { ToldPace } from '../support/told-pace.js';
import { drain, eft, makeEngine, plain, request } from '../support/toy-engine.js';

/** Every request takes the steps that it asks for. */
class EvenPace extends ToldPace {
  override ended(): void {
    // Nothing is learnt.
  }
  override began(): void {
    // Nothing is learnt.
  }
}

interface Decisions {
  readonly taken: (ErrorData | null)[];
  readonly twins: (Partial<ErrorData> | null)[];
}

const methodOf = <K extends 'admit' | 'changed' | 'enqueue'>(name: K): Admission[K] => Admission.prototype[name];

/** Notes every decision of admission, of real requests in a real engine, and its twin's. */
function watchDecisions(limits: EngineLimits, pace: EvenPace): Decisions {
  const decisions: Decisions = { taken: [], twins: [] };
  let running: Run[] = [];
  const [admit, changed, enqueue] = [methodOf('admit'), methodOf('changed'), methodOf('enqueue')];
  vi.spyOn(Admission.prototype, 'changed').mockImplementation(function (this: Admission, runs) {
    running = [...runs];
    changed.call(this, runs);
  });
  vi.spyOn(Admission.prototype, 'admit').mockImplementation(function (this: Admission) {
    const admitted = admit.call(this);
    running.push(...admitted);
    return admitted;
  });
  vi.spyOn(Admission.prototype, 'enqueue').mockImplementation(function (this: Admission, run) {
    const queue = [...this.queue];
    const decision = enqueue.call(this, run);
    const expected = naiveDecision(run, { running, queue, limits, pace });
    decisions.taken.push(decision);
    decisions.twins.push(expected);
    return decision;
  });
  return decisions;
}

const command = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('arrive' as const),
      distribution: fc.constantFrom(plain, plain, eft(1)),
      n: fc.constantFrom(1, 1, 1, 2, 3),
      maxTokens: fc.integer({ min: 1, max: 24 }),
      promptTokens: fc.integer({ min: 1, max: 40 }),
      priority: fc.constantFrom(0, 0, 0, 1, -1),
      isEmbedding: fc.constantFrom(false, false, false, false, true),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ticks' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat() }) },
);

describe('figures that admission keeps', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each<[string, EngineLimits & { lengths?: number }]>([
    ['few rows', { tokensPerTick: 16, maxRows: 5, maxWaiting: 8, stepMs: null, waitMs: 40, firstTokenMs: 30 }],
    ['a bounded step', { tokensPerTick: 16, maxRows: 64, maxWaiting: 8, stepMs: 6, waitMs: 60, firstTokenMs: 45 }],
    [
      'little memory',
      { tokensPerTick: 16, maxRows: 64, maxWaiting: 30, stepMs: null, waitMs: null, firstTokenMs: 60, lengths: 200 },
    ],
    ['no limits', { tokensPerTick: 16, maxRows: 4, maxWaiting: 5, stepMs: null, waitMs: null, firstTokenMs: null }],
  ])('decide as a look at every request would: %s', async (_, { lengths, ...limits }) => {
    const seen: Record<string, number> = {};
    let preemptions = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 30, maxLength: 70 }), async (program) => {
        const pace = new EvenPace();
        const decisions = watchDecisions(limits, pace);
        const tokenBytes = 2 * (2 * 2 + 3) * 4;
        const cacheBytes = lengths === undefined ? {} : { cacheBytes: lengths * tokenBytes };
        const { engine } = makeEngine({ limits: { ...limits, ...cacheBytes }, pace });
        const arrived: string[] = [];
        for (const step of program) {
          if (step.kind === 'ticks') for (let i = 0; i < step.count; i++) await engine.tick();
          else if (step.kind === 'cancel') engine.cancel(arrived[step.which % arrived.length] ?? '');
          else {
            const { distribution, n, maxTokens, promptTokens, priority, isEmbedding } = step;
            const ids = Int32Array.from({ length: promptTokens }, (_, i) => i % 5);
            const shape = isEmbedding
              ? { pooling: 'mean' as const, promptIds: [ids], maxTokens: 0 }
              : { distribution, n, maxTokens, promptIds: [ids, ids, ids], stopTokenIds: [] };
            arrived.push(`r${arrived.length}`);
            engine.submit(request(arrived.at(-1)!, { ...shape, priority, seed: arrived.length }));
          }
        }
        preemptions += engine.stats().preemptions;
        await drain(engine);
        vi.restoreAllMocks();
        expect(decisions.taken).toHaveLength(arrived.length);
        decisions.taken.forEach((decision, i) => {
          const twin = decisions.twins[i] ?? null;
          if (twin) expect(decision).toMatchObject(twin);
          else expect(decision).toBeNull();
          const what = twin?.code ?? 'taken';
          seen[what] = (seen[what] ?? 0) + 1;
        });
      }),
      { numRuns: 20 },
    );
    expect(seen['taken']).toBeGreaterThan(100);
    expect(seen[limits.firstTokenMs === null ? 'queue_full' : 'overloaded']).toBeGreaterThan(20);
    if (lengths !== undefined) expect(preemptions).toBeGreaterThan(0);
  });
});
