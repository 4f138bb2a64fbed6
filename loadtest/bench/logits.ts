// Speed of the logit kernels alone: combine + sample at a vocabulary of 128 256, on random logits, as the engine calls
// them. Greedy and sampled rows, one and eight at a time; filters and a wide nucleus inform.
import { linear, logits } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { type FuseCall, LogitKernels, type SamplerRow, type ViewLogits } from '../../kernels/logits/kernels.js';
import { atMost, informs, median, type Row } from './rows.js';

const vocabSize = 128_256;
/**
 * Dozens of megabytes per step of eight rows: enough calls for a median, few enough to stay below a second per row of
 * the table.
 */
const callsPerRow = 200;

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

function callOf(rows: number, sampler: SamplerRow, flat: boolean): FuseCall {
  const views = [1, 2, 3].map((seed): ViewLogits => {
    const data = peakedLogits(rows, seed);
    return {
      logits: { data: flat ? data.map((score) => score / 4) : data, rows, width: vocabSize },
      rowIndex: null,
    };
  });
  return {
    distribution: Array.from({ length: rows }, () => eft(0.5)),
    views,
    vocabSize,
    rows: Array.from({ length: rows }, (_, row) => ({ ...sampler, uniform: (row + 0.37) / rows })),
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
  try {
    return [
      atMost('logits: sample, 1 row', await time(callOf(1, sampled, false)), 'ms', 0.5, note),
      atMost('logits: sample, 8 rows', await time(callOf(8, sampled, false)), 'ms', 4, note),
      atMost('logits: greedy, 1 row', await time(callOf(1, { ...sampled, temperature: 0 }, false)), 'ms', 0.5, note),
      atMost('logits: greedy, 8 rows', await time(callOf(8, { ...sampled, temperature: 0 }, false)), 'ms', 4, note),
      informs(
        'logits: temperature 0.7, 1 row',
        await time(callOf(1, { ...sampled, temperature: 0.7 }, false)),
        'ms',
        note,
      ),
      informs('logits: top_p 0.95, 1 row', await time(callOf(1, { ...sampled, topP: 0.95 }, false)), 'ms', note),
      informs(
        'logits: top_p 0.95 of a flat row, 1 row',
        await time(callOf(1, { ...sampled, topP: 0.95 }, true)),
        'ms',
        note,
      ),
      informs('logits: top_k 50, 8 rows', await time(callOf(8, { ...sampled, topK: 50 }, false)), 'ms', note),
    ];
  } finally {
    await kernels.release();
  }
}
