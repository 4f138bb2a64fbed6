// Kernels that are made before they are needed: one at a time, all that usual rows meet, and not too many of them.
import { afterEach, describe, expect, it } from 'vitest';
import { fused, linear, logits, logSoftmax, viewsOf, type Scores } from '../../decoders/expr.js';
import { NO_EDITS } from '../../decoders/warp.js';
import { type FuseCall, type KernelNeed, LogitKernels, type SamplerRow } from '../../kernels/logits/kernels.js';
import { greedy, hostData, hostRow } from '../support/kernel-calls.js';

const V = 40;
const normal = (model: string) => logSoftmax(logits(model));
const eft = linear([
  [1, logits('base')],
  [0.7, logits('tuned')],
  [-0.7, logits('reference')],
]);
const fusion = fused({
  base: normal('base'),
  reference: normal('small'),
  experts: [normal('e')],
  search: 'single',
  bounds: [2],
});
const drawn: SamplerRow = { ...greedy, temperature: 0.8, uniform: 0.3 };
const samplers: Readonly<Record<string, SamplerRow>> = {
  greedy,
  drawn,
  top_k: { ...drawn, topK: 5 },
  top_p: { ...drawn, topP: 0.9 },
  min_p: { ...drawn, minP: 0.1 },
  penalties: { ...drawn, edits: { ids: [3], add: [-1], repetition: [1] } },
};

const needOf = (distribution: Scores, row: SamplerRow, more: Partial<KernelNeed> = {}): KernelNeed => ({
  distribution,
  vocabSize: V,
  widths: viewsOf(distribution).map(() => V),
  row,
  draft: null,
  logprobs: false,
  topLogprobs: 0,
  full: false,
  trace: false,
  ...more,
});

/** Peaked rows: a nucleus of 256 sorted tokens covers them. */
const data = (rows: number, seed: number): Float32Array =>
  Float32Array.from({ length: rows * V }, (_, i) => 6 * Math.sin(seed + (i % V) * (1 + seed / 7)));

/** `scattered`: every row of its view's logits lies somewhere among others. */
function callOf({ distribution, row, draft, ...need }: KernelNeed, rows: number, scattered: boolean): FuseCall {
  const view = (seed: number) => ({
    logits: { data: data(scattered ? rows + 1 : rows, seed), rows: scattered ? rows + 1 : rows, width: V },
    rowIndex: scattered ? Int32Array.from({ length: rows }, (_, r) => r + 1) : null,
  });
  const proposal = { id: 1, accept: 0.5, residual: 0.5 };
  return {
    ...need,
    distribution: Array.from({ length: rows }, () => distribution),
    views: need.widths.map((_, seed) => view(seed)),
    rows: Array.from({ length: rows }, () => (draft === null ? row : { ...row, draft: proposal })),
    draft: typeof draft === 'number' ? view(9) : null,
  };
}

let kernels = new LogitKernels({ threads: 1 });
afterEach(async () => {
  await kernels.release();
  kernels = new LogitKernels({ threads: 1 });
});

/** Calls until nothing is missing; each call makes one kernel. */
async function prepareAll(need: KernelNeed): Promise<void> {
  for (let calls = 1; ; calls++) {
    const before = kernels.count;
    const ready = await kernels.prepare(need);
    expect(kernels.count - before).toBeLessThanOrEqual(1);
    if (ready) break;
    expect(calls).toBeLessThan(20);
  }
}

describe('prepare', () => {
  for (const [name, row] of Object.entries(samplers))
    for (const [kind, distribution] of Object.entries({ eft, fusion }))
      it(`${kind}, ${name}: rows find their kernels`, async () => {
        const need = needOf(distribution, row);
        await prepareAll(need);
        const { count } = kernels;
        for (const scattered of [false, true])
          for (const rows of [1, 3]) {
            const { status } = await kernels.run(callOf(need, rows, scattered));
            expect([...status]).toEqual(Array.from({ length: rows }, () => 0));
            const bare = { ...row, edits: NO_EDITS };
            await kernels.run(callOf({ ...need, row: bare }, rows, scattered));
          }
        expect(kernels.count).toBe(count);
        expect(await kernels.prepare(need)).toBe(true);
      });

  it('rows that come by way of drafts, told with alternatives, traced', async () => {
    for (const draft of [V, 'looked up'] as const) {
      const need = needOf(eft, drawn, { draft, logprobs: true, topLogprobs: 3, trace: true });
      await prepareAll(need);
      const { count } = kernels;
      for (const scattered of [false, true]) await kernels.run(callOf(need, 2, scattered));
      expect(kernels.count).toBe(count);
    }
  });

  it('a row that a fusion kernel gives up finds the careful one', async () => {
    const need = needOf(fusion, greedy);
    await prepareAll(need);
    const { count } = kernels;
    const call = callOf(need, 1, false);
    const far = call.views.map(({ logits: one }, v) => ({
      logits: { ...one, data: hostData(one).map((score, i) => (i === v ? 300 : score)) },
      rowIndex: null,
    }));
    expect([...(await kernels.run({ ...call, views: far })).status]).toEqual([0]);
    expect(kernels.count).toBe(count);
  });

  it('some views in order and others not, or each row in an array of its own, are served by the same kernel', async () => {
    const need = needOf(eft, greedy);
    await prepareAll(need);
    const { count } = kernels;
    const [inOrder, scattered] = [callOf(need, 2, false), callOf(need, 2, true)];
    const expected = await kernels.run(scattered);
    const mixed = scattered.views.map((view, v) =>
      v === 1 ? { logits: { data: hostData(view.logits).slice(V), rows: 2, width: V }, rowIndex: null } : view,
    );
    expect((await kernels.run({ ...inOrder, views: mixed })).ids).toEqual(expected.ids);
    const apart = scattered.views.map((view) => ({
      logits: { data: [0, 1].map((r) => hostRow(view, r).slice()), rows: 2, width: V },
      rowIndex: null,
    }));
    expect((await kernels.run({ ...inOrder, views: apart })).ids).toEqual(expected.ids);
    expect(kernels.count).toBe(count);
  });

  it('keeps a bounded number of kernels, the ones used last', async () => {
    const structure = (members: number): Scores =>
      linear(Array.from({ length: members }, (_, m) => [0.5, logits(`m${m}`)] as const));
    const { penalties = greedy } = samplers;
    for (let members = 1; members <= 70; members++) await prepareAll(needOf(structure(members), penalties));
    expect(kernels.count).toBe(128);
    await kernels.run(callOf(needOf(structure(70), penalties), 1, false));
    expect(kernels.count).toBe(128);
  });
});
