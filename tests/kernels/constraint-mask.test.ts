// Rows with masks through the compiled kernels and through their naive twin: the same token, the same log-probabilities, and never a token
// that a mask forbids.
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { linear, logits, logSoftmax, masked, plausible, type Scores } from '../../decoders/expr.js';
import { LogitKernels, type FuseCall, type SamplerRow } from '../../kernels/logits/kernels.js';
import { twinKernels } from '../support/twin-kernels.js';
import { runs, testDevice } from '../support/device.js';

const kernels = new LogitKernels({ threads: 1, device: testDevice });
afterAll(() => kernels.release());
const V = 40;

const [a, b] = [logits('a'), logits('b')];
const distributions: readonly Scores[] = [
  a,
  linear([
    [1, a],
    [0.7, b],
  ]),
  masked(b, plausible(logSoftmax(a), 0.05)),
];

const row = fc.record({
  temperature: fc.constantFrom(0, 0.7, 1),
  topK: fc.constantFrom(0, 0, 5),
  topP: fc.constantFrom(1, 0.8),
  minP: fc.constantFrom(0, 0.1),
  uniform: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
  allowed: fc.option(fc.array(fc.boolean(), { minLength: V, maxLength: V }), { freq: 4 }),
  edits: fc.constantFrom({ ids: [], add: [], repetition: [] }, { ids: [3, 7], add: [1, -0.5], repetition: [1.2, 1] }),
  proposal: fc.nat(V - 1),
  accept: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
});

/** Proposals are drawn under the mask too. */
function possible(proposal: number, allowed: readonly boolean[] | null): number {
  const open = allowed ? [...allowed.keys()].filter((id) => allowed[id]) : [];
  return open.length > 0 ? open[proposal % open.length]! : proposal;
}

describe('masks in the logit kernels', () => {
  it('agree with the naive twin, for every sampler, with proposals and without', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...distributions),
        fc.array(row, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('none', 'model', 'looked up'),
        fc.integer(),
        async (distribution, rows, drafts, salt) => {
          const data = (from: number): Float32Array =>
            Float32Array.from(
              { length: rows.length * V },
              (_, i) => 3 * Math.sin((i + 1) * 12.9898 + from * 78.233 + salt),
            );
          const isDrafted = drafts !== 'none' && rows.every(({ temperature }) => temperature > 0);
          const view = (from: number) => ({
            logits: { data: data(from), rows: rows.length, width: V },
            rowIndex: null,
          });
          const call: FuseCall = {
            distribution: rows.map(() => distribution),
            views: distribution === a ? [view(1)] : [view(1), view(2)],
            vocabSize: V,
            rows: rows.map(({ allowed, proposal, accept, ...rest }): SamplerRow => ({
              ...rest,
              forcedId: null,
              allowed: allowed && Uint8Array.from(allowed, Number),
              draft: isDrafted ? { id: possible(proposal, allowed), accept, residual: rest.uniform } : null,
            })),
            draft: isDrafted && drafts === 'model' ? view(3) : null,
            logprobs: true,
            topLogprobs: 3,
            full: true,
          };
          const [actual, expected] = [await kernels.run(call), await twinKernels.run(call)];
          expect([...actual.status]).toEqual([...expected.status]);
          rows.forEach(({ allowed }, r) => {
            if (expected.status[r] !== 0) return;
            expect(actual.ids[r]).toBe(expected.ids[r]);
            if (allowed) expect(allowed[actual.ids[r]!]).toBe(true);
            expect(actual.logprobs[r]).toBeCloseTo(expected.logprobs[r]!, 4);
            for (let id = 0; id < V; id++) {
              const [one, other] = [actual.full![r * V + id]!, expected.full![r * V + id]!];
              if (other === -Infinity) expect(one).toBe(-Infinity);
              else expect(one).toBeCloseTo(other, 4);
            }
          });
        },
      ),
      { numRuns: runs(150) },
    );
  });
});
