// Speed of the logit kernels alone: combine + sample at a vocabulary of 128 256, on random logits, as the engine calls
// them. Greedy and sampled rows, one and eight at a time; every kind of method that has a kernel of its own; filters and
// a wide nucleus inform.
import { fused, linear, logits, logSoftmax, masked, plausible, viewsOf } from '../../decoders/expr.js';
import type { FusionSearch, Logprobs, Scores } from '../../decoders/expr.js';

import { type FuseCall, LogitKernels, type SamplerRow, type ViewLogits } from '../../kernels/logits/kernels.js';
import { atMost, informs, median, type Row } from './rows.js';

const vocabSize = 128_256;
/**
 * Dozens of megabytes per step of eight rows: enough calls for a median, few enough to stay below a second per row of
 * the table.
 */
const callsPerRow = 100;

const sampled: SamplerRow = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  uniform: 0.5,
  forcedId: null,
  edits: { ids: [], add: [], repetition: [] },
};

const eft = (weight: number): Scores =>
  linear([
    [1, logits('large')],
    [
      weight,
      linear([
        [1, logits('small-chat')],
        [-1, logits('small')],
      ]),
    ],
  ]);

const normal = (model: string): Logprobs => logSoftmax(logits(model));

/** Contrastive decoding and DCD: scores over a plausibility mask. */
const contrast = masked(
  linear([
    [1.5, logits('large')],
    [-0.5, logits('small')],
  ]),
  plausible(normal('large'), 0.1),
);

const fusion = (experts: number, search: FusionSearch): Scores =>
  fused({
    base: normal('large'),
    reference: normal('small'),
    experts: Array.from({ length: experts }, (_, index) => normal(`expert-${index}`)),
    search,
    bounds: Array.from({ length: experts }, () => 2),
  });

/**
 * A few likely tokens over a long tail, as a trained model's rows are; a bell curve's would spread over thousands of
 * tokens.
 */
function peakedLogits(rows: number, seed: number): Float32Array {
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Float32Array.from({ length: rows * vocabSize }, () => -3 * Math.log(next() * 20));
}

/** Views of one call agree in most of what they say, as models of one family do. */
function viewsFor(count: number, rows: number, flat: boolean): ViewLogits[] {
  const base = peakedLogits(rows, 1);
  return Array.from({ length: count }, (_, view): ViewLogits => {
    const own = view === 0 ? base : base.map((score, at) => score + Math.sin(at * (view + 0.37)) * (1 + view / 2));
    return { logits: { data: flat ? own.map((score) => score / 4) : own, rows, width: vocabSize }, rowIndex: null };
  });
}

function callOf(expr: Scores, rows: number, sampler: Partial<SamplerRow> = {}, flat = false): FuseCall {
  return {
    distribution: Array.from({ length: rows }, () => expr),
    views: viewsFor(viewsOf(expr).length, rows, flat),
    vocabSize,
    rows: Array.from({ length: rows }, (_, row) => ({ ...sampled, ...sampler, uniform: (row + 0.37) / rows })),
    logprobs: false,
    topLogprobs: 0,
    full: false,
  };
}

export async function benchLogits(): Promise<Row[]> {
  // One thread, as the engine does: the passes are short, and threads that wait for each other cost more than they
  // save.
  const kernels = new LogitKernels({ threads: 1 });
  const time = async (call: FuseCall): Promise<number> => {
    await kernels.run(call);
    const times: number[] = [];
    for (let index = 0; index < callsPerRow; index++) {
      const started = performance.now();
      await kernels.run(call);
      times.push(performance.now() - started);
    }
    return median(times);
  };
  const note = 'three-view EFT, V = 128256, one thread';
  const perRow = async (expr: Scores, rows: number): Promise<number> => (await time(callOf(expr, rows))) / rows;
  const sampledNote = 'sampled, V = 128256, one thread';
  const greedy = { temperature: 0 };
  try {
    return [
      atMost('logits: sample, 1 row', await time(callOf(eft(0.5), 1)), 'ms', 0.5, note),
      atMost('logits: sample, 8 rows', await time(callOf(eft(0.5), 8)), 'ms', 4, note),
      atMost('logits: greedy, 1 row', await time(callOf(eft(0.5), 1, greedy)), 'ms', 0.5, note),
      atMost('logits: greedy, 8 rows', await time(callOf(eft(0.5), 8, greedy)), 'ms', 4, note),
      atMost('logits: contrast, 1 row', await perRow(contrast, 1), 'ms', 0.8, sampledNote),
      atMost('logits: contrast, a row of 8', await perRow(contrast, 8), 'ms', 0.8, sampledNote),
      atMost('logits: fusion of 1 expert, 1 row', await perRow(fusion(1, 'single'), 1), 'ms', 2.5, sampledNote),
      atMost('logits: fusion of 1 expert, a row of 8', await perRow(fusion(1, 'single'), 8), 'ms', 2.5, sampledNote),
      atMost('logits: fusion of 3 experts, 1 row', await perRow(fusion(3, 'single'), 1), 'ms', 8, sampledNote),
      atMost('logits: fusion of 3 experts, a row of 8', await perRow(fusion(3, 'single'), 8), 'ms', 8, sampledNote),
      informs('logits: joint fusion of 3 experts, 1 row', await perRow(fusion(3, 'joint'), 1), 'ms', sampledNote),
      informs('logits: EFT with a trace, 1 row', await time({ ...callOf(eft(0.5), 1), trace: true }), 'ms', note),
      informs('logits: temperature 0.7, 1 row', await time(callOf(eft(0.5), 1, { temperature: 0.7 })), 'ms', note),
      informs('logits: temperature 0.05, 1 row', await time(callOf(eft(0.5), 1, { temperature: 0.05 })), 'ms', note),
      informs('logits: top_p 0.95, 1 row', await time(callOf(eft(0.5), 1, { topP: 0.95 })), 'ms', note),
      informs(
        'logits: top_p 0.95 of a flat row, 1 row',
        await time(callOf(eft(0.5), 1, { topP: 0.95 }, true)),
        'ms',
        note,
      ),
      informs('logits: top_k 50, 8 rows', await time(callOf(eft(0.5), 8, { topK: 50 })), 'ms', note),
    ];
  } finally {
    await kernels.release();
  }
}
