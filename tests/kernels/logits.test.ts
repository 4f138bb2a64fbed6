// The compiled kernels against their naive twins (decoders/evaluate.ts, decoders/warp.ts): random trees, rows, edits
// and batches.
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import {
  linear,
  logits,
  logSoftmax,
  masked,
  nucleus,
  plausible,
  viewKey,
  viewsOf,
  where,
} from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { print } from '../../decoders/print.js';
import { applyEdits, draw, lawOf, logprobsOf, NO_EDITS, statusOf } from '../../decoders/warp.js';
import type { Edits, Warp } from '../../decoders/warp.js';
import { LogitKernels, samplerClass } from '../../kernels/logits/kernels.js';
import type { FuseCall, FuseResult, SamplerRow } from '../../kernels/logits/kernels.js';
import { edits as anyEdits, rowOf, rowsFor, scoresTree, warp as anyWarp } from '../support/arbitrary.js';
import type { Rows } from '../support/arbitrary.js';
import { callOf, greedy } from '../support/kernel-calls.js';
import type { Case } from '../support/kernel-calls.js';
import { expectClose, isFragile } from '../support/laws.js';
import { runs, testDevice } from '../support/device.js';

const kernels = new LogitKernels({ threads: 1, device: testDevice });
afterAll(() => kernels.release());

const plainWarp: Warp = { temperature: 1, topK: 0, topP: 1, minP: 0 };

const fuse = (cases: readonly Case[], more: Partial<FuseCall> = {}): Promise<FuseResult> =>
  kernels.run(callOf(cases, more));

/** The twin's edited scores. */
function twin({ expr, rows, sampler }: Case): Float64Array {
  return applyEdits(evaluate(expr, rowOf(rows)), sampler.edits);
}

/**
 * A row's token, by the twin's law of the kernel's own log-probabilities: what float32 did to the scores is not the
 * sampler's fault.
 */
function expectDrawn(id: number, logprobs: ArrayLike<number>, sampler: SamplerRow, what: string): void {
  const scores = Float64Array.from(logprobs);
  const nudge = 3e-6;
  const warps = [1 - nudge, 1, 1 + nudge].map((factor) => ({
    ...sampler,
    topP: sampler.topP === 1 ? 1 : sampler.topP * factor,
    minP: sampler.minP * factor,
  }));
  // A uniform number within float32's reach of a boundary may fall on either side of it.
  const legal = warps.flatMap((warp) => {
    const law = lawOf(scores, warp);
    return [-nudge, 0, nudge].map((by) => draw(law, Math.min(Math.max(sampler.uniform + by, 0), 1 - 2 ** -53)));
  });
  expect(legal, what).toContain(id);
}

const uniformArbitrary = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

function samplerFor(vocabSize: number): fc.Arbitrary<SamplerRow> {
  const forced = fc.option(fc.integer({ min: 0, max: vocabSize - 1 }), { freq: 8 });
  const edits: fc.Arbitrary<Edits> = fc.oneof(fc.constant(NO_EDITS), anyEdits(vocabSize));
  return fc
    .tuple(anyWarp, uniformArbitrary, forced, edits)
    .map(([warp, uniform, forcedId, own]) => ({ ...warp, uniform, forcedId, edits: own }));
}

function caseFor(expr: Scores, vocabSize: number): fc.Arbitrary<Case> {
  return fc.tuple(rowsFor(expr, vocabSize), samplerFor(vocabSize)).map(([rows, sampler]) => ({ expr, rows, sampler }));
}

async function expectTwin(cases: readonly Case[]): Promise<void> {
  const vocabSize = cases[0]!.rows.values().next().value!.length;
  const result = await fuse(cases, { full: true, topLogprobs: Math.min(3, vocabSize) });
  cases.forEach((one, row) => {
    const what = `row ${row} of ${cases.length}: ${print(one.expr)} ${JSON.stringify(one.sampler)}`;
    const scores = twin(one);
    const status = statusOf(scores);
    expect(['ok', 'dead', 'nan'][result.status[row]!], what).toBe(status);
    if (status !== 'ok') return;
    const full = result.full!.subarray(row * vocabSize, (row + 1) * vocabSize);
    expectClose(full, logprobsOf(scores), 2e-4, what);
    expectClose([result.logprobs[row]!], [full[result.ids[row]!]!], 1e-5, what);
    if (one.sampler.forcedId === null) expectDrawn(result.ids[row]!, full, one.sampler, what);
    else expect(result.ids[row]).toBe(one.sampler.forcedId);
    const best = Array.from(full, (logprob, id) => ({ logprob, id }))
      .sort((a, b) => b.logprob - a.logprob || a.id - b.id)
      .slice(0, 3);
    const n = best.length;
    expectClose(
      result.topLogprobs!.subarray(row * n, (row + 1) * n),
      best.map(({ logprob }) => logprob),
      1e-5,
      what,
    );
    best.forEach((_, index) => {
      const id = result.topIds![row * n + index]!;
      expectClose([full[id]!], [best[index]!.logprob], 1e-5, what);
    });
  });
}

describe('kernel = twin', () => {
  const vocabSize = 11;

  it('on random trees', async () => {
    await fc.assert(
      fc.asyncProperty(
        scoresTree({ depth: 3, masks: true }).chain((expr) => caseFor(expr, vocabSize)),
        async (one) => {
          fc.pre(!isFragile(one.expr, one.rows, 1e-5));
          await expectTwin([one]);
        },
      ),
      { numRuns: runs(150) },
    );
  });

  const [L, F, S] = [logits('a'), logits('b'), logits('c')];
  const eft = (weight: number): Scores =>
    linear([
      [1, L],
      [
        weight,
        linear([
          [1, F],
          [-1, S],
        ]),
      ],
    ]);
  const filtered = (mass: number): Scores =>
    where(
      nucleus(logSoftmax(F), mass),
      linear([
        [1, F],
        [
          1.5,
          linear([
            [1, L],
            [-1, S],
          ]),
        ],
      ]),
      F,
    );
  const structures: readonly [string, fc.Arbitrary<Scores>][] = [
    ['plain', fc.constant(L)],
    ['eft, weights of its own per row', fc.constantFrom(0, 0.5, 1, 1.5, -0.75).map(eft)],
    ['weight filter', fc.constantFrom(0, 0.3, 0.8, 1).map(filtered)],
    ['plausibility', fc.constantFrom(0, 0.1, 0.7, 1).map((ratio) => masked(eft(1), plausible(logSoftmax(L), ratio)))],
  ];

  it.each(structures)('on mixed batches: %s', async (_, exprs) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          exprs.chain((expr) => caseFor(expr, vocabSize)),
          { minLength: 1, maxLength: 6 },
        ),
        async (cases) => {
          fc.pre(cases.every(({ expr, rows }) => !isFragile(expr, rows, 1e-5)));
          await expectTwin(cases);
        },
      ),
      { numRuns: runs(120) },
    );
  });

  it.each([1, 2, 3, 7, 64, 1009])('on a vocabulary of %i', async (size) => {
    await fc.assert(
      fc.asyncProperty(fc.array(caseFor(eft(1), size), { minLength: 1, maxLength: 3 }), (cases) => expectTwin(cases)),
      { numRuns: runs(12) },
    );
  });

  it('on nuclei wider than what is sorted first', async () => {
    const size = 2000;
    const flat = fc
      .array(fc.integer({ min: -4000, max: 4000 }), { minLength: size, maxLength: size })
      .map((steps) => Float32Array.from(steps, (step) => step / 2048));
    const wide = fc.record({
      row: flat,
      uniform: uniformArbitrary,
      temperature: fc.constantFrom(0.7, 1, 3),
      topP: fc.constantFrom(0.3, 0.8, 0.95, 0.9999),
      minP: fc.constantFrom(0, 0.2),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(wide, { minLength: 1, maxLength: 3 }), async (several) => {
        await expectTwin(
          several.map(({ row, ...sampler }) => ({
            expr: L,
            rows: new Map([[viewKey({ model: 'a', prompt: 'default' }), row]]),
            sampler: { ...greedy, ...sampler },
          })),
        );
      }),
      { numRuns: runs(25) },
    );
  });

  it('on views with −∞, NaN and +∞', async () => {
    const odd = fc.constantFrom(0, 1, -2, -Infinity, -Infinity, NaN, Infinity);
    const common = fc.constantFrom(0, 1, -2, -Infinity);
    const exprs = fc.oneof(
      ...structures.map(([, arbitrary]) => arbitrary),
      fc.constant(
        logSoftmax(
          linear([
            [-1, L],
            [0, S],
          ]),
        ),
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        exprs.chain((expr) =>
          fc
            .tuple(
              ...viewsOf(expr).map(() =>
                fc.oneof(
                  { weight: 5, arbitrary: fc.array(common, { minLength: 4, maxLength: 4 }) },
                  { weight: 1, arbitrary: fc.array(odd, { minLength: 4, maxLength: 4 }) },
                ),
              ),
            )
            .map((rows): Case => ({
              expr,
              rows: new Map(viewsOf(expr).map((view, index) => [viewKey(view), Float32Array.from(rows[index]!)])),
              sampler: { ...greedy, temperature: 1, uniform: 0.4 },
            })),
        ),
        async (one) => {
          fc.pre(!isFragile(one.expr, one.rows, 1e-5));
          await expectTwin([one]);
        },
      ),
      { numRuns: runs(200) },
    );
  });
});

describe('the law', () => {
  const probabilities = [1 / 16, 0, 5 / 16, 2 / 16, 8 / 16, 0];
  const scores = Float32Array.from(probabilities, Math.log);
  const rows: Rows = new Map([[viewKey({ model: 'a', prompt: 'default' }), scores]]);

  it.each<[string, Partial<Warp>, Record<number, number>]>([
    ['full', {}, { 0: 4, 2: 20, 3: 8, 4: 32 }],
    ['full with min_p', { minP: 0.24 }, { 2: 5, 3: 2, 4: 8 }],
    ['full at temperature 1/2', { temperature: 0.5 }, { 0: 1, 2: 25, 3: 4, 4: 64 }],
    ['top_k', { topK: 2 }, { 2: 5, 4: 8 }],
    ['top_p', { topP: 0.82 }, { 2: 5, 3: 2, 4: 8 }],
    ['top_k beyond the vocabulary', { topK: 50 }, { 0: 4, 2: 20, 3: 8, 4: 32 }],
    ['top_k and top_p', { topK: 3, topP: 0.85 }, { 2: 5, 4: 8 }],
    ['top_p 0', { topP: 0 }, { 4: 1 }],
  ])('%s: enumerated uniforms hit every token in proportion', async (_, warp, shares) => {
    const total = Object.values(shares).reduce((sum, share) => sum + share, 0);
    const steps = 4 * total;
    const cases = Array.from({ length: steps }, (_unused, step) => ({
      expr: logits('a'),
      rows,
      sampler: { ...greedy, ...plainWarp, ...warp, uniform: (step + 0.5) / steps },
    }));
    const result = await fuse(cases);
    const counts: Record<number, number> = {};
    for (const id of result.ids) counts[id] = (counts[id] ?? 0) + 1;
    expect(counts).toEqual(Object.fromEntries(Object.entries(shares).map(([id, share]) => [id, share * 4])));
  });

  it.each([
    ['the full sampler', {}],
    ['the filtered sampler', { topK: 6 }],
  ])('%s never draws what is forbidden, at the ends neither', async (_, warp) => {
    const cases = [0, Number.MIN_VALUE, 2 ** -53, 1 - 2 ** -53, 1 - 2 ** -32].map((uniform) => ({
      expr: logits('a'),
      rows: new Map([...rows].map(([key]) => [key, Float32Array.of(-Infinity, -Infinity, 0, -Infinity, 0, -Infinity)])),
      sampler: { ...greedy, ...plainWarp, ...warp, uniform },
    }));
    expect(Array.from((await fuse(cases)).ids)).toEqual([2, 2, 2, 4, 4]);
  });

  it('ties go to the lower id', async () => {
    const flat: Rows = new Map([[viewKey({ model: 'a', prompt: 'default' }), new Float32Array(300)]]);
    const at = (sampler: Partial<SamplerRow>): Case => ({
      expr: logits('a'),
      rows: flat,
      sampler: { ...greedy, ...sampler },
    });
    const last = 1 - 2 ** -40;
    const result = await fuse([
      at({}),
      at({ temperature: 1, topK: 7, uniform: last }),
      at({ temperature: 1, topP: 0.0999, uniform: last }),
      at({ temperature: 1, topP: 0.999, uniform: last }),
      at({ temperature: 1, uniform: last }),
    ]);
    expect(Array.from(result.ids)).toEqual([0, 6, 29, 299, 299]);
  });
});

it('ids and status do not depend on whether log-probabilities are asked for', async () => {
  const broken: Rows = new Map([[viewKey({ model: 'a', prompt: 'default' }), Float32Array.of(1, 5, 5, -2, NaN)]]);
  const sound: Rows = new Map([[viewKey({ model: 'a', prompt: 'default' }), Float32Array.of(1, 5, 5, -2, 0)]]);
  const all = [0, 1, 2, 3, 4];
  const forbidden = { ids: all, add: all.map(() => -Infinity), repetition: all.map(() => 1) };
  const cases = [
    { expr: logits('a'), rows: sound, sampler: greedy },
    { expr: logits('a'), rows: sound, sampler: { ...greedy, temperature: 0.7, uniform: 0.3 } },
    { expr: logits('a'), rows: broken, sampler: greedy },
    { expr: logits('a'), rows: sound, sampler: { ...greedy, edits: forbidden } },
  ];
  for (const some of [cases, cases.filter(({ sampler }) => sampler.temperature === 0)]) {
    const [asked, bare] = [await fuse(some), await fuse(some, { logprobs: false })];
    const settled = (result: FuseResult) =>
      Array.from(result.status, (status, r) => [status, status === 0 ? result.ids[r] : null]);
    expect(settled(bare)).toEqual(settled(asked));
    expect(bare.logprobs.slice(0, 1)).toEqual(Float32Array.of(NaN));
    expect(asked.logprobs[0]).toBeCloseTo(5 - Math.log(Math.E + 2 * Math.exp(5) + Math.exp(-2) + 1), 5);
  }
});

describe('a vocabulary of 128 256', () => {
  const width = 128_256;
  // A flat tail with a peak: most of the mass lies in places where a float32 running sum has lost its last digits.
  const row = Float32Array.from({ length: width }, (_, id) => ((id * 7919) % 1000) / 250 + (id === 77_777 ? 9 : 0));
  const rows: Rows = new Map([[viewKey({ model: 'a', prompt: 'default' }), row]]);
  const uniforms = Array.from({ length: 200 }, (_, step) => (step + 0.37) / 200);

  it('log-probabilities are those of float64', async () => {
    const { full } = await fuse([{ expr: logits('a'), rows, sampler: { ...greedy, temperature: 1, uniform: 0.5 } }], {
      full: true,
    });
    expectClose(full!, logprobsOf(Float64Array.from(row)), 5e-6);
  });

  it('draws as float64 does', async () => {
    const law = lawOf(Float64Array.from(row), plainWarp);
    const result = await fuse(
      uniforms
        .map((uniform) => ({ expr: logits('a'), rows, sampler: { ...greedy, temperature: 1, uniform } }))
        .slice(0, 8),
    );
    Array.from(result.ids).forEach((id, step) => {
      const near = [-1e-6, 0, 1e-6].map((by) => draw(law, uniforms[step]! + by));
      expect(id).toBeGreaterThanOrEqual(Math.min(...near));
      expect(id).toBeLessThanOrEqual(Math.max(...near));
    });
  });

  it('a nucleus wider than what is sorted first is exact all the same', async () => {
    for (const warp of [{ topP: 0.6 }, { topP: 0.9, topK: 90_000 }, { topK: 5000 }]) {
      const law = lawOf(Float64Array.from(row), { ...plainWarp, ...warp });
      const [uniform] = [0.83];
      const { ids } = await fuse([{ expr: logits('a'), rows, sampler: { ...greedy, ...plainWarp, ...warp, uniform } }]);
      const near = [-2e-6, 2e-6].map((by) => draw(law, uniform + by));
      expect(ids[0]).toBeGreaterThanOrEqual(near[0]!);
      expect(ids[0]).toBeLessThanOrEqual(near[1]!);
      expect(law.ids).toContain(ids[0]);
    }
  }, 60_000);

  it('rows that lie apart, more than fit into a processor at once, are each as it is alone', async () => {
    const expr = linear([
      [1, logits('a')],
      [0.5, logits('b')],
    ]);
    const rolled = (by: number): Float32Array => Float32Array.from(row, (_, id) => row[(id + by) % width]!);
    const samplers = uniforms.slice(0, 11).map((_, r) => ({ ...greedy, temperature: 1, uniform: uniforms[17 * r]! }));
    const views = [1, 1000].map((step) => samplers.map((_, r) => rolled(r * step)));
    const call = (which: readonly number[]): FuseCall => ({
      distribution: which.map(() => expr),
      views: views.map((arrays) => ({
        logits: { data: which.map((r) => arrays[r]!), rows: which.length, width },
        rowIndex: null,
      })),
      vocabSize: width,
      rows: which.map((r) => samplers[r]!),
      logprobs: true,
      topLogprobs: 0,
      full: false,
    });
    const together = await kernels.run(call([...samplers.keys()]));
    for (const r of samplers.keys()) {
      const alone = await kernels.run(call([r]));
      expect([together.ids[r], together.status[r]]).toEqual([alone.ids[0], 0]);
      expect(together.logprobs[r]).toBeCloseTo(alone.logprobs[0]!, 5);
    }
  });
});

describe('calls', () => {
  const one: Rows = new Map([[viewKey({ model: 'a', prompt: 'default' }), Float32Array.of(0, 1, 2)]]);

  it('pick rows by index and cut padded columns', async () => {
    const data = Float32Array.of(9, 0, 0, 99, 0, 9, 0, 99, 0, 0, 9, 99);
    const result = await kernels.run({
      distribution: [logits('a'), logits('a'), logits('a'), logits('a')],
      views: [{ logits: { data, rows: 3, width: 4 }, rowIndex: Int32Array.of(2, 0, 1, 0) }],
      vocabSize: 3,
      rows: [greedy, greedy, greedy, { ...greedy, temperature: 0.1, uniform: 0.5 }],
      logprobs: true,
      topLogprobs: 9,
      full: true,
    });
    expect(Array.from(result.ids)).toEqual([2, 0, 1, 0]);
    expect(result.full).toHaveLength(12);
    expect(result.topIds).toHaveLength(12);
  });

  it('a forced token gets its log-probability and changes nothing else', async () => {
    const { ids, logprobs } = await fuse([{ expr: logits('a'), rows: one, sampler: { ...greedy, forcedId: 0 } }]);
    expect(ids[0]).toBe(0);
    expect(logprobs[0]).toBeCloseTo(-Math.log(1 + Math.E + Math.E ** 2), 6);
    expect(samplerClass({ ...greedy, temperature: 1, topP: 0.5, forcedId: 0 })).toBe('greedy');
  });

  it('a row does not notice its batch', async () => {
    const make = (weight: number, sampler: Partial<SamplerRow>): Case => ({
      expr: linear([
        [1, logits('a')],
        [weight, logits('b')],
      ]),
      rows: new Map(
        ['a', 'b'].map((model, index) => [
          viewKey({ model, prompt: 'default' }),
          Float32Array.from({ length: 50 }, (_, id) => ((id * 37 + index * 11) % 23) / 4),
        ]),
      ),
      sampler: { ...greedy, ...plainWarp, ...sampler },
    });
    const cases = [
      make(1, { uniform: 0.3 }),
      make(-1, { uniform: 0.6, topP: 0.7 }),
      make(0.25, { uniform: 0.9, temperature: 2 }),
      make(1, { temperature: 0 }),
      make(1, { uniform: 0.1, minP: 0.3, edits: { ids: [4], add: [-Infinity], repetition: [1] } }),
      make(0, { uniform: 0.99, topK: 4 }),
    ];
    const together = await fuse(cases);
    for (const [row, single] of cases.entries()) {
      const alone = await fuse([single]);
      expect(together.ids[row]).toBe(alone.ids[0]);
      expect(together.logprobs[row]).toBeCloseTo(alone.logprobs[0]!, 5);
    }
  });

  it.each<[string, Partial<FuseCall>, string]>([
    [
      'structures that differ',
      { distribution: [logits('a'), linear([[1, logits('a')]])], rows: [greedy, greedy] },
      'share a structure',
    ],
    ['too few rows', { rows: [greedy, greedy] }, 'one distribution per row'],
    ['a view that is too narrow', { vocabSize: 4 }, 'fewer than'],
    [
      'a row index outside',
      { views: [{ logits: { data: new Float32Array(3), rows: 1, width: 3 }, rowIndex: Int32Array.of(1) }] },
      'row index',
    ],
    [
      'data of another size',
      { views: [{ logits: { data: new Float32Array(4), rows: 1, width: 3 }, rowIndex: null }] },
      '1 × 3',
    ],
    ['an edit outside', { rows: [{ ...greedy, edits: { ids: [3], add: [0], repetition: [1] } }] }, 'vocabulary of 3'],
    ['a forced token outside', { rows: [{ ...greedy, forcedId: -1 }] }, 'vocabulary of 3'],
    ['an edit of NaN', { rows: [{ ...greedy, edits: { ids: [0], add: [NaN], repetition: [1] } }] }, 'NaN'],
    ['a repetition of 0', { rows: [{ ...greedy, edits: { ids: [0], add: [0], repetition: [0] } }] }, 'positive'],
    ['a uniform of 1', { rows: [{ ...greedy, uniform: 1 }] }, '[0, 1)'],
  ])('refuse %s', async (_, more, message) => {
    await expect(fuse([{ expr: logits('a'), rows: one, sampler: greedy }], more)).rejects.toThrow(message);
  });
});
