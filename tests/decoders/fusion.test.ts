// Properties of dynamic logit fusion (T6, T7): the solver against brute force, the identities that its equations promise, and what it owes
// to rows that are extreme, forbidden or out of order.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate, evaluateFusion } from '../../decoders/evaluate.js';
import { expertSets, fused, FUSION_GRID, logits, logSoftmax } from '../../decoders/expr.js';
import type { Fused, FusionSearch, View } from '../../decoders/expr.js';
import { FusionRow, solveFusion } from '../../decoders/fusion.js';
import type { FusionMembers } from '../../decoders/fusion.js';
import { normalise } from '../../decoders/rows.js';
import { expectClose } from '../support/laws.js';

const vocabSize = 12;
const logprobRow = fc
  .array(fc.double({ min: -6, max: 6, noNaN: true }), { minLength: vocabSize, maxLength: vocabSize })
  .map((scores) => normalise(Float64Array.from(scores)));

const membersOf = (experts: number): fc.Arbitrary<FusionMembers> =>
  fc.record({
    base: logprobRow,
    reference: logprobRow,
    experts: fc.array(logprobRow, { minLength: experts, maxLength: experts }),
  });

const steps = Array.from({ length: FUSION_GRID }, (_, point) => point / (FUSION_GRID - 1));
const twos = (count: number): number[] => Array.from({ length: count }, () => 2);

/** The paper's algorithm word for word: every grid point of every expert alone. */
function publishedGrid(members: FusionMembers): number {
  const row = new FusionRow(members);
  const count = members.experts.length;
  return Math.min(
    ...members.experts.flatMap((_, acting) =>
      steps.map((step) => row.objective(row.at(twos(count).map((bound, t) => (t === acting ? bound * step : 0))))),
    ),
  );
}

/** KL(p‖q) from its definition. */
const klOf = (p: ArrayLike<number>, q: ArrayLike<number>): number =>
  Array.from(p).reduce((sum, logprob, id) => sum + Math.exp(logprob) * (logprob - q[id]!), 0);

const moved = ({ base, reference, experts }: FusionMembers, weights: readonly number[]): Float64Array =>
  normalise(
    Float64Array.from(base, (logprob, id) =>
      experts.reduce((sum, expert, t) => sum + weights[t]! * (expert[id]! - reference[id]!), logprob),
    ),
  );

describe('the objective', () => {
  it('is the squared mismatch of forward and backward divergences, from their definitions', () => {
    fc.assert(
      fc.property(
        membersOf(2),
        fc.tuple(fc.double({ min: 0, max: 2 }), fc.double({ min: 0, max: 2 })),
        (m, weights) => {
          fc.pre(weights.every(Number.isFinite));
          const row = new FusionRow(m);
          const after = moved(m, weights);
          const expected = m.experts.reduce(
            (sum, expert) =>
              sum +
              (klOf(after, m.base) - klOf(expert, m.reference)) ** 2 +
              (klOf(m.base, after) - klOf(m.reference, expert)) ** 2,
            0,
          );
          expect(row.objective(row.at(weights))).toBeCloseTo(expected, 8);
        },
      ),
    );
  });

  it('sees only the mean of the targets: T·(f − mean)² + constant', () => {
    fc.assert(
      fc.property(membersOf(3), fc.double({ min: 0, max: 2, noNaN: true }), (m, weight) => {
        const row = new FusionRow(m);
        const gap = (weights: readonly number[]): number => {
          const at = row.at(weights);
          const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
          const centred =
            (at.forward - mean(row.targets.map((target) => target.forward))) ** 2 +
            (at.backward - mean(row.targets.map((target) => target.backward))) ** 2;
          return row.objective(at) - 3 * centred;
        };
        expect(gap([weight, 0, 0])).toBeCloseTo(gap([0, 0, 0]), 8);
      }),
    );
  });

  it('has lengths that rise along every ray', () => {
    fc.assert(
      fc.property(membersOf(2), (m) => {
        const row = new FusionRow(m);
        const along = steps.map((step) => row.at([2 * step, 2 * step]));
        along.slice(1).forEach((at, index) => {
          expect(at.forward).toBeGreaterThanOrEqual(along[index]!.forward - 1e-12);
          expect(at.backward).toBeGreaterThanOrEqual(along[index]!.backward - 1e-12);
        });
      }),
    );
  });
});

describe('the solver', () => {
  it.each([1, 2, 3])('%i experts: never loses to the published grid', (count) => {
    fc.assert(
      fc.property(membersOf(count), (m) => {
        const { objective } = solveFusion(m, twos(count));
        expect(objective).toBeLessThanOrEqual(publishedGrid(m) * (1 + 1e-12) + 1e-12);
      }),
    );
  });

  it('finds what 20 001 points find', () => {
    fc.assert(
      fc.property(membersOf(1), (m) => {
        const row = new FusionRow(m);
        let least = Infinity;
        for (let point = 0; point <= 20_000; point++) least = Math.min(least, row.objective(row.at([point / 10_000])));
        const { objective } = solveFusion(m, [2]);
        expect(objective).toBeLessThanOrEqual(least + 1e-10);
      }),
      { numRuns: 25 },
    );
  });

  it('reports the objective of the weights that it returns, within the bounds', () => {
    const bounds = fc.array(fc.constantFrom(0, 0.3, 1, 2), { minLength: 2, maxLength: 2 });
    const searches = fc.constantFrom<FusionSearch>('single', 'joint');
    fc.assert(
      fc.property(membersOf(2), bounds, searches, (m, limits, search) => {
        const row = new FusionRow(m);
        const { weights, objective, atBound } = solveFusion(m, limits, search);
        expect(row.objective(row.at(weights))).toBe(objective);
        weights.forEach((weight, t) => {
          expect(weight).toBeGreaterThanOrEqual(0);
          expect(weight).toBeLessThanOrEqual(limits[t]!);
          expect(atBound[t]).toBe(weight > 0 && weight === limits[t]);
        });
        if (search === 'single') expect(weights.filter((weight) => weight > 0).length).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('gives weight 1 and the expert itself where base and reference are one model', () => {
    fc.assert(
      fc.property(logprobRow, logprobRow, (small, expert) => {
        const m = { base: small, reference: small, experts: [expert] };
        const { weights } = solveFusion(m, [2]);
        // Nearly equal rows leave the objective flat: what counts is the law that comes out.
        expectClose(moved(m, weights), expert, 1e-6);
        if (klOf(expert, small) > 1e-3) expect(weights[0]).toBeCloseTo(1, 6);
      }),
    );
  });

  it('stays at the base where the expert learned nothing', () => {
    fc.assert(
      fc.property(logprobRow, logprobRow, (base, small) => {
        const { weights, atBound } = solveFusion({ base, reference: small, experts: [small, small] }, [2, 2], 'joint');
        expect(weights).toEqual([0, 0]);
        expect(atBound).toEqual([false, false]);
      }),
    );
  });

  it('treats copies of one expert as that expert, and prefers the first', () => {
    fc.assert(
      fc.property(membersOf(1), (m) => {
        const alone = solveFusion(m, [2]);
        const copies = solveFusion({ ...m, experts: [m.experts[0]!, m.experts[0]!, m.experts[0]!] }, twos(3));
        expect(copies.weights[0]).toBeCloseTo(alone.weights[0]!, 6);
        expect(copies.weights.slice(1)).toEqual([0, 0]);
        expect(copies.objective).toBeCloseTo(3 * alone.objective, 8);
      }),
    );
  });

  it.each<FusionSearch>(['single', 'joint'])('%s: permuted experts give permuted weights', (search) => {
    fc.assert(
      fc.property(membersOf(3), (m) => {
        const forward = solveFusion(m, twos(3), search);
        const backward = solveFusion({ ...m, experts: m.experts.toReversed() }, twos(3), search);
        expect(backward.objective).toBeCloseTo(forward.objective, 9);
        // Two sets of experts may do equally well; then their order decides.
        const [best = 0, second = Infinity] = [0, 1, 2]
          .map(
            (acting) =>
              solveFusion(
                m,
                [0, 1, 2].map((t) => (t === acting ? 2 : 0)),
              ).objective,
          )
          .sort((a, b) => a - b);
        if (search === 'single' && second - best > 1e-6)
          expectClose(backward.weights.toReversed(), forward.weights, 1e-4);
      }),
    );
  });

  it('joint never loses to single', () => {
    fc.assert(
      fc.property(membersOf(3), (m) => {
        expect(solveFusion(m, twos(3), 'joint').objective).toBeLessThanOrEqual(solveFusion(m, twos(3)).objective);
      }),
    );
  });

  it('names a bound that was hit', () => {
    const sharp = normalise(Float64Array.of(30, 0, 0, 0));
    const flat = normalise(Float64Array.of(0, 0, 0, 0));
    const faint = normalise(Float64Array.of(0.01, 0, 0, 0));
    // The expert is nearly certain, and twice the small difference that it made elsewhere cannot match that.
    const { weights, atBound } = solveFusion({ base: flat, reference: flat, experts: [sharp, faint] }, [0.5, 0]);
    expect(weights).toEqual([0.5, 0]);
    expect(atBound).toEqual([true, false]);
  });

  it('gives each row the weights that it has alone, in any order (no state between tokens)', () => {
    fc.assert(
      fc.property(fc.array(membersOf(2), { minLength: 2, maxLength: 5 }), (rows) => {
        const alone = rows.map((m) => solveFusion(m, [2, 2]).weights);
        const backwards = rows.toReversed().map((m) => solveFusion(m, [2, 2]).weights);
        expect(backwards.toReversed()).toEqual(alone);
      }),
    );
  });
});

describe('expert sets', () => {
  it('are the single ones, then jointly all others, smaller first', () => {
    expect(expertSets(3, 'single')).toEqual([[0], [1], [2]]);
    expect(expertSets(3, 'joint')).toEqual([[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]);
  });
});

describe('the node', () => {
  const [large, small, chat] = ['large', 'small', 'chat'].map((model) => logSoftmax(logits(model)));
  const node = fused({ base: large!, reference: small!, experts: [chat!], search: 'single', bounds: [2] }) as Fused;
  const rows =
    (byName: Readonly<Record<string, readonly number[]>>) =>
    ({ model }: View): readonly number[] =>
      byName[model]!;

  it('is the linear combination at the solved weights', () => {
    const views = rows({ large: [1, 2, 0, -1], small: [0, 1, 1, 0], chat: [2, 0, 1, 1] });
    const { weights } = evaluateFusion(node, views);
    const [l, s, f] = ['large', 'small', 'chat'].map((model) =>
      normalise(Float64Array.from(views({ model, prompt: 'default' }))),
    );
    expect(weights[0]).toBeGreaterThan(0);
    expectClose(
      evaluate(node, views),
      l!.map((logprob, id) => logprob + weights[0]! * (f![id]! - s![id]!)),
      1e-12,
    );
  });

  it.each(['large', 'small', 'chat'])('what %s forbids is forbidden, and the others are weighed without it', (name) => {
    const open: Record<string, readonly number[]> = { large: [1, 2, 0], small: [0, 1, 1], chat: [2, 0, 1] };
    const shut = Object.fromEntries(
      Object.entries(open).map(([model, row]) => [model, [...row, model === name ? -Infinity : 3]]),
    );
    const scores = evaluate(node, rows(shut));
    expect(scores[3]).toBe(-Infinity);
    expectClose(normalise(scores.slice(0, 3)), normalise(evaluate(node, rows(open))), 1e-6);
  });

  it('survives one token, no allowed token and NaN', () => {
    expect(Array.from(evaluate(node, rows({ large: [3], small: [1], chat: [2] })))).toEqual([0]);
    const none = { large: [-Infinity, 0], small: [0, -Infinity], chat: [0, 0] };
    expect(Array.from(evaluate(node, rows(none)))).toEqual([-Infinity, -Infinity]);
    expect(Array.from(evaluate(node, rows({ ...none, chat: [NaN, 0] })))).toEqual([NaN, NaN]);
  });
});
