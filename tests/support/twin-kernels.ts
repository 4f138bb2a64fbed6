// The logit kernels as their naive twin computes them: for engine tests that are about rows, rewinds and batches, not about rounding.
import type { FuseCall, FuseResult, ViewLogits } from '../../kernels/logits/kernels.js';
import { viewKey, viewsOf } from '../../decoders/expr.js';
import { evaluate } from '../../decoders/evaluate.js';
import { drawSpeculated, pointMass, probabilities } from '../../decoders/speculation.js';
import { applyEdits, applyMask, draw, lawOf, logprobsOf, statusOf } from '../../decoders/warp.js';
import type { Kernels } from '../../server/engine/fuse.js';
import { hostRow } from './kernel-calls.js';

export const twinKernels: Kernels = {
  async run(call: FuseCall): Promise<FuseResult> {
    const ids = new Int32Array(call.rows.length);
    const logprobs = new Float32Array(call.rows.length);
    const status = new Uint8Array(call.rows.length);
    const topIds = new Int32Array(call.rows.length * call.topLogprobs);
    const topLogprobs = new Float32Array(topIds.length);
    const full = new Float32Array(call.full ? call.rows.length * call.vocabSize : 0);
    call.rows.forEach((row, r) => {
      const distribution = call.distribution[r]!;
      const order = viewsOf(distribution).map(viewKey);
      const rowAt = (view: ViewLogits): Float32Array => hostRow(view, r).subarray(0, call.vocabSize);
      const edited = (own: Float64Array): Float64Array => applyMask(applyEdits(own, row.edits), row.allowed ?? null);
      const scores = edited(evaluate(distribution, (view) => rowAt(call.views[order.indexOf(viewKey(view))]!)));
      const state = statusOf(scores);
      status[r] = state === 'ok' ? 0 : state === 'dead' ? 1 : 2;
      if (state !== 'ok') return;
      const normal = logprobsOf(scores);
      const law = lawOf(scores, row);
      if (row.draft && row.temperature > 0 && row.forcedId === null) {
        const proposals = call.draft
          ? probabilities(lawOf(edited(Float64Array.from(rowAt(call.draft))), row), call.vocabSize)
          : pointMass(row.draft.id, call.vocabSize);
        ids[r] = drawSpeculated(probabilities(law, call.vocabSize), proposals, row.draft.id, row.draft).id;
      } else ids[r] = row.forcedId ?? draw(law, row.uniform);
      logprobs[r] = normal[ids[r]]!;
      [...normal.keys()]
        .sort((a, b) => normal[b]! - normal[a]! || a - b)
        .slice(0, call.topLogprobs)
        .forEach((id, i) => {
          topIds[r * call.topLogprobs + i] = id;
          topLogprobs[r * call.topLogprobs + i] = normal[id]!;
        });
      if (call.full) full.set(normal, r * call.vocabSize);
    });
    return {
      ids,
      logprobs,
      status,
      ...(call.topLogprobs > 0 ? { topIds, topLogprobs } : {}),
      ...(call.full ? { full } : {}),
    };
  },
};
