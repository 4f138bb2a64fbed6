// Cases of the logit kernels, one row each, and how they become one call. Used by the kernels' tests.
import { viewsOf } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { NO_EDITS } from '../../decoders/warp.js';
import { isOnHost } from '../../kernels/logits/call.js';
import type { FuseCall, SamplerRow, ViewLogits } from '../../kernels/logits/kernels.js';
import { rowOf } from './arbitrary.js';
import type { Rows } from './arbitrary.js';

export const greedy: SamplerRow = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  uniform: 0,
  forcedId: null,
  edits: NO_EDITS,
};

export interface Case {
  readonly expr: Scores;
  readonly rows: Rows;
  readonly sampler: SamplerRow;
}

/** All cases in one call: they must share a structure. */
export function callOf(cases: readonly Case[], more: Partial<FuseCall> = {}): FuseCall {
  const views = viewsOf(cases[0]!.expr);
  const width = cases[0]!.rows.values().next().value!.length;
  return {
    distribution: cases.map(({ expr }) => expr),
    views: views.map((_, index) => {
      const data = new Float32Array(cases.length * width);
      cases.forEach(({ expr, rows }, row) => data.set(rowOf(rows)(viewsOf(expr)[index]!), row * width));
      return { logits: { data, rows: cases.length, width }, rowIndex: null };
    }),
    vocabSize: width,
    rows: cases.map(({ sampler }) => sampler),
    logprobs: true,
    topLogprobs: 0,
    full: false,
    ...more,
  };
}

/** Of logits that a test has made in one array. */
export function hostData({ data }: ViewLogits['logits']): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error('these logits are not in one array');
}

/** What row r of the call has of a view on the host. */
export function hostRow({ logits: { data, width }, rowIndex }: ViewLogits, r: number): Float32Array {
  const row = rowIndex ? rowIndex[r]! : r;
  if (data instanceof Float32Array) return data.subarray(row * width, (row + 1) * width);
  if (isOnHost(data)) return data[row]!;
  throw new Error('these logits are on a device');
}
