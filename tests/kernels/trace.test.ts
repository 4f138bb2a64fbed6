// What a traced call tells of each row, against sums in float64; and that tracing changes nothing else.
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { linear, logits, logSoftmax, masked, plausible, viewKey, viewsOf } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { applyEdits, lawOf, logprobsOf, statusOf } from '../../decoders/warp.js';
import { LogitKernels } from '../../kernels/logits/kernels.js';
import { edits, rowOf, rowsFor, warp } from '../support/arbitrary.js';
import { callOf, greedy } from '../support/kernel-calls.js';
import type { Case } from '../support/kernel-calls.js';
import { expectClose, isFragile } from '../support/laws.js';
import { runs, testDevice } from '../support/device.js';

const kernels = new LogitKernels({ threads: 1, device: testDevice });
afterAll(() => kernels.release());

const vocabSize = 13;
const [L, F, S] = [logits('a'), logits('b'), logits('c')];
const eft = (weight: number): Scores =>
  linear([
    [1, L],
    [weight, F],
    [-weight, S],
  ]);
const structures: readonly [string, Scores][] = [
  ['plain', L],
  ['eft', eft(0.75)],
  ['contrast', masked(eft(1), plausible(logSoftmax(L), 0.05))],
];

function keptBy({ expr, rows, sampler }: Case): number {
  const scores = applyEdits(evaluate(expr, rowOf(rows)), sampler.edits);
  const ids = sampler.temperature === 0 ? Array.from(scores.keys()) : lawOf(scores, sampler).ids;
  return ids.filter((id) => scores[id]! > -Infinity).length;
}

/** min_p or top_p at a threshold that rounding decides. */
function isClose({ expr, rows, sampler }: Case): boolean {
  const counts = [1 - 1e-5, 1, 1 + 1e-5].map((factor) =>
    keptBy({
      expr,
      rows,
      sampler: { ...sampler, topP: sampler.topP === 1 ? 1 : sampler.topP * factor, minP: sampler.minP * factor },
    }),
  );
  return new Set(counts).size > 1 || isFragile(expr, rows, 1e-5);
}

it.each(structures)('%s: members, divergence and tokens kept are those of float64', async (_, expr) => {
  const one: fc.Arbitrary<Case> = fc
    .tuple(rowsFor(expr, vocabSize), warp, edits(vocabSize), fc.double({ min: 0, max: 0.999, noNaN: true }))
    .map(([rows, own, changes, uniform]) => ({ expr, rows, sampler: { ...greedy, ...own, uniform, edits: changes } }));
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 1, maxLength: 5 }), async (cases) => {
      fc.pre(!cases.some(isClose));
      const views = viewsOf(expr);
      const [traced, plain] = [
        await kernels.run(callOf(cases, { trace: true })),
        await kernels.run(callOf(cases, { trace: false })),
      ];
      expect(traced.ids).toEqual(plain.ids);
      expect(plain.trace).toBeUndefined();
      cases.forEach((own, row) => {
        const scores = applyEdits(evaluate(own.expr, rowOf(own.rows)), own.sampler.edits);
        if (statusOf(scores) !== 'ok') return;
        const id = traced.ids[row]!;
        const members = views.map((view) => logprobsOf(Float64Array.from(rowOf(own.rows)(view))));
        expectClose(
          traced.trace!.members.subarray(row * views.length, (row + 1) * views.length),
          members.map((member) => member[id]!),
          1e-4,
        );
        const result = logprobsOf(scores);
        const kl = result.reduce(
          (sum, logprob, token) =>
            logprob === -Infinity ? sum : sum + Math.exp(logprob) * (logprob - members[0]![token]!),
          0,
        );
        expectClose([traced.trace!.kl[row]!], [kl], 1e-4);
        expect(traced.trace!.kept[row]).toBe(keptBy(own));
      });
    }),
    { endOnFailure: true, numRuns: runs(40) },
  );
});

it('a nucleus wider than what is sorted first is counted all the same', async () => {
  const size = 1000;
  const flat = Float32Array.from({ length: size }, (_, id) => ((id * 37) % size) / size);
  const cases: Case[] = [0.5, 0.9].map((topP) => ({
    expr: L,
    rows: new Map([[viewKey({ model: 'a', prompt: 'default' }), flat]]),
    sampler: { ...greedy, temperature: 1, topP, uniform: 0.3 },
  }));
  const { trace } = await kernels.run(callOf(cases, { trace: true }));
  expect(Array.from(trace!.kept)).toEqual(cases.map(keptBy));
  expectClose(trace!.kl, [0, 0], 1e-5);
});

it('a token that the base forbids is infinitely far from it', async () => {
  const rows = new Map(
    [
      ['a', [0, -Infinity, 1]],
      ['b', [0, 3, 1]],
    ].map(([model, row]) => [
      viewKey({ model: model as string, prompt: 'default' }),
      Float32Array.from(row as number[]),
    ]),
  );
  const swapped = linear([
    [0, L],
    [1, F],
  ]);
  const { ids, trace } = await kernels.run(callOf([{ expr: swapped, rows, sampler: greedy }], { trace: true }));
  expect(ids[0]).toBe(1);
  expect(trace!.members[0]).toBe(-Infinity);
  expect(trace!.kl[0]).toBe(Infinity);
});
