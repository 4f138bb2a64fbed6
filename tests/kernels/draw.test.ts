// Tokens by way of drafts: the kernel against decoders/speculation.ts.
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { linear, logits, logSoftmax, masked, plausible, type Scores } from '../../decoders/expr.js';
import { drawSpeculated, pointMass, probabilities } from '../../decoders/speculation.js';
import { applyEdits, draw, lawOf, logprobsOf, NO_EDITS, statusOf } from '../../decoders/warp.js';
import { LogitKernels, type RowDraft, type SamplerRow } from '../../kernels/logits/kernels.js';
import { edits as anyEdits, logit, rowOf, rowsFor, warp as anyWarp } from '../support/arbitrary.js';
import { callOf, type Case } from '../support/kernel-calls.js';
import { runs, testDevice } from '../support/device.js';

const kernels = new LogitKernels({ threads: 1, device: testDevice });
afterAll(() => kernels.release());

const eft: Scores = linear([
  [1, logits('a')],
  [0.5, logits('b')],
  [-0.5, logits('c')],
]);
const exprs: readonly Scores[] = [logits('a'), eft, masked(eft, plausible(logSoftmax(logits('a')), 0.05))];

const uniform = fc.integer({ min: 0, max: 2 ** 20 - 1 }).map((steps) => (steps + 0.5) / 2 ** 20);

const drafted = (vocabSize: number, expr: Scores) =>
  fc.record({
    rows: rowsFor(expr, vocabSize),
    /** Of the draft; near the first view's where `near`. */
    draft: fc.array(logit, { minLength: vocabSize, maxLength: vocabSize }),
    near: fc.boolean(),
    warp: anyWarp.filter(({ temperature }) => temperature > 0),
    edits: fc.oneof(fc.constant(NO_EDITS), anyEdits(vocabSize)),
    numbers: fc.tuple(uniform, uniform, uniform),
  });

type Drafted = ReturnType<typeof drafted> extends fc.Arbitrary<infer T> ? T : never;

const rowOfDraft = ({ draft, near, rows }: Drafted): Float32Array =>
  near ? rows.get([...rows.keys()][0]!)!.map((value, id) => value + draft[id]! / 16) : Float32Array.from(draft);

/** The tokens that may come out when every number is nudged by what float32 does to it. */
function legal(
  expr: Scores,
  row: Drafted,
  sampler: SamplerRow,
  proposal: RowDraft,
  source: Float64Array | null,
): Set<number> {
  const nudge = 1e-5;
  const width = row.draft.length;
  const scores = applyEdits(evaluate(expr, rowOf(row.rows)), sampler.edits);
  const ids = new Set<number>();
  for (const factor of [1 - nudge, 1, 1 + nudge]) {
    const warp = { ...sampler, topP: sampler.topP === 1 ? 1 : sampler.topP * factor, minP: sampler.minP * factor };
    const p = probabilities(lawOf(scores, warp), width);
    for (const q of source
      ? [warp, sampler].map((w) => probabilities(lawOf(source, w), width))
      : [pointMass(proposal.id, width)])
      for (const a of [-nudge, 0, nudge])
        for (const b of [-nudge, 0, nudge])
          ids.add(
            drawSpeculated(p, q, proposal.id, { accept: proposal.accept * (1 + a), residual: proposal.residual + b })
              .id,
          );
  }
  return ids;
}

describe('tokens by way of drafts', () => {
  it.each([3, 40, 700])('come out as the twin draws them, for random rows of %i tokens', async (vocabSize) => {
    for (const expr of exprs)
      await fc.assert(
        fc.asyncProperty(
          fc.array(drafted(vocabSize, expr), { minLength: 1, maxLength: 5 }),
          fc.boolean(),
          async (rows, isLookup) => {
            const cases: Case[] = [];
            const sources: (Float64Array | null)[] = [];
            const proposals: RowDraft[] = [];
            const used: Drafted[] = [];
            for (const row of rows) {
              const sampler = { ...row.warp, uniform: row.numbers[0], forcedId: null, edits: row.edits };
              const source = applyEdits(Float64Array.from(rowOfDraft(row)), row.edits);
              if (statusOf(source) !== 'ok') continue;
              if (statusOf(applyEdits(evaluate(expr, rowOf(row.rows)), row.edits)) !== 'ok') continue;
              const id = isLookup ? row.draft.length >> 1 : draw(lawOf(source, row.warp), row.numbers[0]);
              const proposal = { id, accept: row.numbers[1], residual: row.numbers[2] };
              used.push(row);
              sources.push(isLookup ? null : source);
              proposals.push(proposal);
              cases.push({ expr, rows: row.rows, sampler: { ...sampler, draft: proposal } });
            }
            if (cases.length === 0) return;
            const data = new Float32Array(used.length * vocabSize);
            used.forEach((row, r) => data.set(rowOfDraft(row), r * vocabSize));
            const draft = isLookup ? null : { logits: { data, rows: used.length, width: vocabSize }, rowIndex: null };
            const result = await kernels.run(callOf(cases, { draft }));
            used.forEach((row, r) => {
              expect(result.status[r]).toBe(0);
              const id = result.ids[r]!;
              expect(legal(expr, row, cases[r]!.sampler, proposals[r]!, sources[r]!)).toContain(id);
              const scores = applyEdits(evaluate(expr, rowOf(row.rows)), row.edits);
              expect(result.logprobs[r]).toBeCloseTo(logprobsOf(scores)[id]!, 3);
            });
          },
        ),
        { numRuns: runs(vocabSize > 100 ? 15 : 40) },
      );
  });

  it('picks the rows of the draft by index, beyond a padded width, and each row is as it is alone', async () => {
    const [vocabSize, width, count] = [50, 64, 6];
    const random = (seed: number): Float32Array =>
      Float32Array.from({ length: count * width }, (_, i) => Math.sin(seed * 1.7 + i * 0.37 * seed) * 3);
    const [own, other] = [random(1), random(2)];
    const order = Int32Array.from([3, 1, 5, 0, 2, 4]);
    const source = (r: number): Float64Array =>
      Float64Array.from(other.subarray(order[r]! * width, order[r]! * width + vocabSize));
    const law = { temperature: 0.8, topK: 0, topP: 0.9, minP: 0 };
    const rows = Array.from({ length: count }, (_, r): SamplerRow => ({
      ...law,
      uniform: 0.3,
      forcedId: null,
      edits: NO_EDITS,
      draft: { id: draw(lawOf(source(r), law), 0.1 + 0.15 * r), accept: 0.9 - 0.1 * r, residual: 0.05 + 0.17 * r },
    }));
    const call = {
      distribution: rows.map(() => logits('a')),
      views: [{ logits: { data: own, rows: count, width }, rowIndex: null }],
      draft: { logits: { data: other, rows: count, width }, rowIndex: order },
      vocabSize,
      rows,
      logprobs: false,
      topLogprobs: 0,
      full: false,
    };
    const together = await kernels.run(call);
    for (let r = 0; r < count; r++) {
      const p = probabilities(lawOf(Float64Array.from(own.subarray(r * width, r * width + vocabSize)), law), vocabSize);
      expect(together.ids[r]).toBe(
        drawSpeculated(p, probabilities(lawOf(source(r), law), vocabSize), rows[r]!.draft!.id, rows[r]!.draft!).id,
      );
      const alone = await kernels.run({
        ...call,
        distribution: [logits('a')],
        views: [{ logits: { data: own, rows: count, width }, rowIndex: Int32Array.of(r) }],
        draft: { logits: { data: other, rows: count, width }, rowIndex: Int32Array.of(order[r]!) },
        rows: [rows[r]!],
      });
      expect(alone.ids[0]).toBe(together.ids[r]);
    }
  });

  it('refuses a call in which only some rows have drafts, or a draft is no token', async () => {
    const row: SamplerRow = {
      temperature: 1,
      topK: 0,
      topP: 1,
      minP: 0,
      uniform: 0.5,
      forcedId: null,
      edits: NO_EDITS,
    };
    const draft = { id: 1, accept: 0.5, residual: 0.5 };
    const make = (drafts: (RowDraft | null)[]): Promise<unknown> =>
      kernels.run({
        distribution: drafts.map(() => logits('a')),
        views: [
          { logits: { data: new Float32Array(drafts.length * 3), rows: drafts.length, width: 3 }, rowIndex: null },
        ],
        vocabSize: 3,
        rows: drafts.map((own) => ({ ...row, draft: own })),
        logprobs: false,
        topLogprobs: 0,
        full: false,
      });
    await expect(make([draft, null])).rejects.toThrow('all or none');
    await expect(make([{ ...draft, id: 3 }])).rejects.toThrow('tokens');
  });
});
