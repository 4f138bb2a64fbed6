// Dynamic fusion as the kernel solves it, against the float64 solver of decoders/fusion.ts. Weights are compared by what they are for: the
// objective is flat near its minimum and may have several, so two right solvers differ in the weights before they differ in it.
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { evaluate, evaluateFusion } from '../../decoders/evaluate.js';
import {
  expertSets,
  fold,
  fused,
  linear,
  logits,
  logSoftmax,
  masked,
  membersOf,
  plausible,
  rewrite,
  viewKey,
} from '../../decoders/expr.js';
import type { Expr, Fused, FusionSearch, Scores } from '../../decoders/expr.js';
import { FusionRow } from '../../decoders/fusion.js';
import { print } from '../../decoders/print.js';
import { normalise } from '../../decoders/rows.js';
import { logprobsOf, statusOf } from '../../decoders/warp.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import { rowOf, rowsFor, scoresTree } from '../support/arbitrary.js';
import type { Rows } from '../support/arbitrary.js';
import { callOf, greedy } from '../support/kernel-calls.js';
import { expectClose, isFragile } from '../support/laws.js';
import { isBrief, runs, testDevice } from '../support/device.js';

const kernels = new LogitKernels({ threads: 1, device: testDevice });
afterAll(() => kernels.release());

interface Solved {
  readonly expr: Scores;
  readonly rows: Rows;
}

interface Answer {
  readonly status: number;
  readonly weights: readonly number[];
  readonly atBound: readonly boolean[];
  readonly full: Float32Array;
}

async function solve(cases: readonly Solved[]): Promise<Answer[]> {
  const result = await kernels.run(
    callOf(
      cases.map((one) => ({ ...one, sampler: greedy })),
      { full: true },
    ),
  );
  const vocabSize = result.full!.length / cases.length;
  const bounds = result.fusion!.weights.length / cases.length;
  return cases.map((_, row) => ({
    status: result.status[row]!,
    weights: Array.from(result.fusion!.weights.subarray(row * bounds, (row + 1) * bounds)),
    atBound: Array.from(result.fusion!.atBound.subarray(row * bounds, (row + 1) * bounds), (hit) => hit === 1),
    full: result.full!.subarray(row * vocabSize, (row + 1) * vocabSize),
  }));
}

const normal = (model: string) => logSoftmax(logits(model));
const experts = ['e', 'f', 'g'];
const fusion = (bounds: readonly number[], search: FusionSearch = 'single'): Fused =>
  fused({
    base: normal('base'),
    reference: normal('small'),
    experts: experts.slice(0, bounds.length).map(normal),
    search,
    bounds,
  }) as Fused;
const rowsOf = (rows: Readonly<Record<string, ArrayLike<number>>>): Rows =>
  new Map(Object.entries(rows).map(([model, row]) => [viewKey({ model, prompt: 'default' }), Float32Array.from(row)]));

/** The objective of these weights, in float64; the members by the twin. */
function objectiveOf(node: Fused, rows: Rows, weights: readonly number[]): number {
  const row = fusionRow(node, rows);
  return row.objective(row.at(weights));
}

function fusionRow({ base, reference, experts: tuned }: Fused, rows: Rows): FusionRow {
  const member = (of: Scores): Float64Array => normalise(evaluate(of, rowOf(rows)));
  return new FusionRow({ base: member(base), reference: member(reference), experts: tuned.map(member) });
}

/** The best of the published grid: one expert at a time, 21 points up to its bound. */
function gridObjective(node: Fused, rows: Rows): number {
  const row = fusionRow(node, rows);
  const points = Array.from({ length: 21 }, (_, point) => point / 20);
  return Math.min(
    ...node.bounds.flatMap((bound, acting) =>
      points.map((point) => row.objective(row.at(node.bounds.map((_, t) => (t === acting ? point * bound : 0))))),
    ),
  );
}

/** float32 has found the minimum: what it may be off by in divergences of up to a hundred nats. */
function expectBest(node: Fused, rows: Rows, { weights, atBound }: Answer, what: string): void {
  const reached = objectiveOf(node, rows, weights);
  const grid = gridObjective(node, rows);
  expect(reached, `${what}: grid`).toBeLessThanOrEqual(grid + 1e-6 * (1 + grid));
  const { objective } = evaluateFusion(node, rowOf(rows));
  expect(reached, `${what}: twin`).toBeLessThanOrEqual(objective + 1e-5 + 1e-3 * objective);
  expect(atBound, what).toEqual(weights.map((weight, t) => weight > 0 && weight === Math.fround(node.bounds[t]!)));
  const acting = weights.flatMap((weight, t) => (weight > 0 ? [t] : []));
  const sets = [[], ...expertSets(weights.length, node.search)];
  expect(sets, what).toContainEqual(acting);
}

/**
 * What the kernel's own weights make of the tree. A fusion forbids what a member of weight 0 forbids, a sum does not: hence a trace of
 * every member.
 */
function withWeights(expr: Scores, weights: readonly number[]): Scores {
  const inRewriteOrder: Expr[] = [];
  fold<null>(expr, (node) => {
    if (node.kind === 'fused') inRewriteOrder.push(node);
    return null;
  });
  const ownWeights = new Map<Expr, readonly number[]>();
  const assign = (node: Expr, used: number): number => {
    let next = used;
    if (node.kind === 'fused') ownWeights.set(node, weights.slice(used, (next += node.bounds.length)));
    return membersOf(node).reduce((at, member) => assign(member, at), next);
  };
  assign(expr, 0);
  return rewrite(expr, {
    logits: (node) => {
      if (node.kind !== 'fused') return node;
      const own = ownWeights.get(inRewriteOrder.shift()!)!.map((weight) => weight || 1e-12);
      return linear([
        [1, node.base],
        ...node.experts.map((expert, t) => [own[t]!, expert] as const),
        [-own.reduce((a, b) => a + b), node.reference],
      ]);
    },
    logprobs: (node) => node,
    mask: (node) => node,
  });
}

const logitOf = (width: number): fc.Arbitrary<number> =>
  fc.integer({ min: -1024, max: 1024 }).map((step) => (width * step) / 1024);
const randomRows = (models: readonly string[], vocabSize: number): fc.Arbitrary<Rows> =>
  fc.constantFrom(1, 3, 8, 25).chain((width) =>
    fc
      .array(fc.array(logitOf(width), { minLength: vocabSize, maxLength: vocabSize }), {
        minLength: models.length,
        maxLength: models.length,
      })
      .map((rows) => rowsOf(Object.fromEntries(models.map((model, index) => [model, rows[index]!])))),
  );
const boundOf = fc.constantFrom(0, 0.25, 1, 2, 2, 2, 5);

describe('the solved weights', () => {
  const searches: readonly FusionSearch[] = ['single', 'joint'];
  const every = [1, 2, 3].flatMap((count) =>
    searches.flatMap((search) => [1, 2, 4, 60].map((vocabSize) => ({ count, search, vocabSize }))),
  );
  const shapes = isBrief
    ? every.filter(({ count, search, vocabSize }) => vocabSize === 60 && count === (search === 'single' ? 1 : 2))
    : every;

  it.each(shapes)('$count experts, $search, $vocabSize tokens: no worse than grid and twin', async (shape) => {
    const { count, search, vocabSize } = shape;
    const models = ['base', 'small', ...experts.slice(0, count)];
    const one = fc
      .tuple(randomRows(models, vocabSize), fc.array(boundOf, { minLength: count, maxLength: count }))
      .map(([rows, bounds]) => ({ rows, expr: fusion(bounds, search) }));
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: 8, maxLength: 8 }), async (cases) => {
        const answers = await solve(cases);
        answers.forEach((answer, row) => {
          const { expr, rows } = cases[row]!;
          expect(answer.status).toBe(0);
          expectBest(expr, rows, answer, `row ${row}`);
          const expected = logprobsOf(evaluate(withWeights(expr, answer.weights), rowOf(rows)));
          expectClose(answer.full, expected, 1e-3, `row ${row}`);
        });
      }),
      { endOnFailure: true, numRuns: runs(6) },
    );
  });

  it('the same model twice: weight 1, and the expert comes out', async () => {
    const base = [0.5, -1, 2, 0.25, -3];
    const expert = [2, -1.5, 0, 0.5, -1];
    const rows = rowsOf({ base, small: base, e: expert });
    const [answer] = await solve([{ expr: fusion([2]), rows }]);
    expect(answer!.weights[0]).toBeCloseTo(1, 4);
    expectClose(answer!.full, logprobsOf(Float64Array.from(expert)), 1e-4);
  });

  it('an expert that was not tuned: weight 0, the base to the last digit', async () => {
    const [base, small] = [Float32Array.of(0.5, -1, 2, 0.25, -3), [2, -1.5, 0, 0.5, -1]];
    const fusedRow = await solve([
      { expr: fusion([2, 2], 'joint'), rows: rowsOf({ base, small, e: small, f: small }) },
    ]);
    const plain = await kernels.run(
      callOf([{ expr: logSoftmax(logits('base')), rows: rowsOf({ base }), sampler: greedy }], { full: true }),
    );
    expect(fusedRow[0]!.weights).toEqual([0, 0]);
    expect(fusedRow[0]!.full).toEqual(plain.full);
  });

  it('copies of one expert: the first one acts, as it does alone', async () => {
    const rows = rowsOf({ base: [1, 0, -1, 2], small: [0, 0, 1, 0], e: [3, 0, 0, 1], f: [3, 0, 0, 1] });
    const [alone] = await solve([{ expr: fusion([2]), rows }]);
    const [both] = await solve([{ expr: fusion([2, 2]), rows }]);
    expect(both!.weights[0]).toBeCloseTo(alone!.weights[0]!, 5);
    expect(both!.weights[1]).toBe(0);
  });

  it('experts in another order: weights in that order', async () => {
    await fc.assert(
      fc.asyncProperty(randomRows(['base', 'small', 'e', 'f', 'g'], 9), async (rows) => {
        const turned = fused({ ...fusion([2, 2, 2]), experts: ['g', 'e', 'f'].map(normal) });
        const [[here], [there]] = [
          await solve([{ expr: fusion([2, 2, 2]), rows }]),
          await solve([{ expr: turned, rows }]),
        ];
        const [e, f, g] = here!.weights;
        const objectives = [here!.weights, [there!.weights[1]!, there!.weights[2]!, there!.weights[0]!]].map((own) =>
          objectiveOf(fusion([2, 2, 2]), rows, own),
        );
        expect(Math.abs(objectives[0]! - objectives[1]!)).toBeLessThanOrEqual(1e-6 * (1 + objectives[0]!));
        // Where two experts tie the first wins, whichever that is.
        if (Math.abs(there!.weights[1]! - e!) < 1e-3) expectClose(there!.weights, [g!, e!, f!], 1e-3);
      }),
      { endOnFailure: true, numRuns: runs(20) },
    );
  });

  it('a bound that is too low is reached and reported; a higher one is not', async () => {
    const rows = rowsOf({ base: [0, 0, 0.1, 0], small: [0, 0, 0, 0], e: [4, 0, 0, 0] });
    const answers = await solve([0.5, 2].map((bound) => ({ expr: fusion([bound]), rows })));
    expect(answers.map(({ atBound }) => atBound)).toEqual([[true], [false]]);
    expect(answers[0]!.weights).toEqual([0.5]);
  });

  it('a row does not notice its batch', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(randomRows(['base', 'small', 'e', 'f'], 30), { minLength: 5, maxLength: 5 }),
        async (several) => {
          const cases = several.map((rows, row) => ({ expr: fusion([2, row / 2]), rows }));
          const together = await solve(cases);
          for (const [row, one] of cases.entries()) {
            const [alone] = await solve([one]);
            expectClose(together[row]!.weights, alone!.weights, 1e-4);
            expectClose(together[row]!.full, alone!.full, 1e-3);
          }
        },
      ),
      { endOnFailure: true, numRuns: runs(10) },
    );
  });
});

describe('rows that float32 cannot hold', () => {
  it('a token that is nothing in the base and much after the step is not lost', async () => {
    const rows = rowsOf({ base: [0, -1, -95, -96], small: [0, 0, -40, -45], e: [0, -1, 1, 2] });
    for (const bound of [2, 4]) {
      const [answer] = await solve([{ expr: fusion([bound]), rows }]);
      expectBest(fusion([bound]), rows, answer!, `bound ${bound}`);
    }
  });

  it('steps of hundreds of nats end where float64 says', async () => {
    const rows = rowsOf({ base: [0, -30, 5, -60], small: [200, 0, 0, -300], e: [-100, 0, 150, 0] });
    const [answer] = await solve([{ expr: fusion([2]), rows }]);
    expect(answer!.status).toBe(0);
    expectBest(fusion([2]), rows, answer!, 'far');
  });
});

describe('what is forbidden', () => {
  it('by any member is forbidden, and the solver does not see it', async () => {
    const common = fc.constantFrom(0, 1, -2, 3, -Infinity);
    const row = fc.array(common, { minLength: 6, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.tuple(row, row, row, row), async ([base, small, e, f]) => {
        const rows = rowsOf({ base, small, e, f });
        const expr = fusion([2, 1]);
        const expected = evaluate(expr, rowOf(rows));
        const [answer] = await solve([{ expr, rows }]);
        expect(['ok', 'dead', 'nan'][answer!.status]).toBe(statusOf(expected));
        if (answer!.status !== 0) return;
        expect(Array.from(answer!.full, (score) => score === -Infinity)).toEqual(
          Array.from(expected, (score) => score === -Infinity),
        );
        expectBest(expr, rows, answer!, JSON.stringify([base, small, e, f]));
        expectClose(answer!.full, logprobsOf(evaluate(withWeights(expr, answer!.weights), rowOf(rows))), 2e-4);
      }),
      { endOnFailure: true, numRuns: runs(150) },
    );
  });

  it('by a mask inside a member is found without looking for it', async () => {
    const expr = fused({
      ...fusion([2]),
      base: logSoftmax(masked(logits('base'), plausible(normal('base'), 0.1))),
    }) as Fused;
    const rows = rowsOf({ base: [3, 2, -4, 2.5, 0], small: [1, 0, 0, 0, 5], e: [0, 2, 0, 1, 4] });
    const [answer] = await solve([{ expr, rows }]);
    expect(Array.from(answer!.full, (score) => score > -Infinity)).toEqual([true, true, false, true, false]);
    expectBest(expr, rows, answer!, 'masked');
  });

  it.each([NaN, Infinity])('%s in any member breaks the row and no other', async (value) => {
    for (const broken of ['base', 'small', 'e', 'f']) {
      const sound = { base: [0, 1, 2], small: [1, 0, 0], e: [2, 0, 1], f: [0, 0, 3] };
      const rows = [sound, { ...sound, [broken]: [0, value, 2] }, sound].map(rowsOf);
      const answers = await solve(rows.map((own) => ({ expr: fusion([2, 2]), rows: own })));
      expect(answers.map(({ status }) => status)).toEqual([0, 2, 0]);
    }
  });
});

it('random trees with fusions: the twin, given the weights', async () => {
  const trees = scoresTree({ depth: 2, masks: true, fusion: true });
  let fusions = 0;
  await fc.assert(
    fc.asyncProperty(
      trees.chain((expr) => rowsFor(expr, 9).map((rows) => ({ expr, rows }))),
      async ({ expr, rows }) => {
        const result = await kernels.run(callOf([{ expr, rows, sampler: greedy }], { full: true }));
        if (!result.fusion) return;
        fusions++;
        const plain = withWeights(expr, [...result.fusion.weights]);
        fc.pre(!isFragile(plain, rows, 1e-5));
        const scores = evaluate(plain, rowOf(rows));
        expect(['ok', 'dead', 'nan'][result.status[0]!]).toBe(statusOf(scores));
        if (result.status[0] === 0) expectClose(result.full!, logprobsOf(scores), 1e-3, print(expr));
      },
    ),
    { endOnFailure: true, numRuns: runs(70) },
  );
  expect(fusions).toBeGreaterThan(isBrief ? 0 : 15);
});

it('a fusion of fusions', async () => {
  await fc.assert(
    fc.asyncProperty(randomRows(['base', 'small', 'e', 'f'], 12), async (rows) => {
      const inner = fused({ ...fusion([1]), experts: [normal('f')] }) as Fused;
      const outer = fused({ ...fusion([2]), base: logSoftmax(inner) }) as Fused;
      const [answer] = await solve([{ expr: outer, rows }]);
      // Slots come in pre-order: the outer bound first.
      const [outerWeight, innerWeight] = answer!.weights;
      expectBest(inner, rows, { ...answer!, weights: [innerWeight!], atBound: [answer!.atBound[1]!] }, 'inner');
      const given = { ...outer, base: logSoftmax(withWeights(inner, [innerWeight!])) };
      expectBest(given, rows, { ...answer!, weights: [outerWeight!], atBound: [answer!.atBound[0]!] }, 'outer');
    }),
    { endOnFailure: true, numRuns: runs(40) },
  );
});

/** Large ones are solved in parts, the last of which may be shorter. */
const large = [
  { width: 20_001, search: 'single' },
  { width: 20_001, search: 'joint' },
  { width: 128_256, search: 'single' },
] as const;
it.skipIf(isBrief).each(large)(
  'a vocabulary of $width, $search: no worse than the published grid',
  async ({ width, search }) => {
    let state = 7;
    const next = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state + 0.5) / 2 ** 32;
    };
    const base = Float32Array.from({ length: width }, () => -3 * Math.log(next() * 20));
    const near = (scale: number): Float32Array => base.map((score) => score + scale * (next() + next() + next() - 1.5));
    const rows = rowsOf({ base, small: near(2), e: near(3), f: near(1), g: near(4) });
    const expr = fusion([2, 2, 2], search);
    const [answer] = await solve([{ expr, rows }]);
    const reached = objectiveOf(expr, rows, answer!.weights);
    expect(reached).toBeLessThanOrEqual(gridObjective(expr, rows) + 1e-6);
    const { objective } = evaluateFusion(expr, rowOf(rows));
    expect(reached).toBeLessThanOrEqual(objective + 1e-5 + 1e-3 * objective);
  },
  60_000,
);
