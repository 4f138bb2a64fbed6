// What a kernel call says of one of its rows, as a decision. Called by fuse.ts.
import type { FuseResult, FuseTrace } from '../../kernels/logits/kernels.js';
import type { Bound } from './bound-row.js';
import type { Decision } from './sequence.js';

const NO_EXPERTS: readonly number[] = [];

export function decisionAt(result: FuseResult, r: number, { ready, logits, tell }: Bound): Decision {
  const { vocabSize } = ready.run.request;
  const perRow = result.topIds ? result.topIds.length / result.ids.length : 0;
  const wanted = Math.min(tell?.top ?? 0, perRow);
  return {
    tokenId: result.ids[r] ?? 0,
    logprob: result.logprobs[r] ?? NaN,
    top: Array.from({ length: wanted }, (_, i) => ({
      id: result.topIds?.[r * perRow + i] ?? 0,
      logprob: result.topLogprobs?.[r * perRow + i] ?? NaN,
    })),
    full: result.full ? result.full.slice(r * vocabSize, (r + 1) * vocabSize) : null,
    atBound: expertsAtBound(result, r),
    trace: result.trace ? traceAt(result, result.trace, r, logits.length) : null,
    fallback: null,
  };
}

function expertsAtBound({ ids, fusion }: FuseResult, r: number): readonly number[] {
  if (!fusion) return NO_EXPERTS;
  const bounds = fusion.atBound.length / ids.length;
  const hits = fusion.atBound.subarray(r * bounds, (r + 1) * bounds);
  return [...hits.keys()].filter((expert) => hits[expert] === 1);
}

function traceAt(
  { ids, fusion }: FuseResult,
  { members, kl, kept }: FuseTrace,
  r: number,
  views: number,
): Decision['trace'] {
  const bounds = fusion ? fusion.weights.length / ids.length : 0;
  return {
    members: [...members.subarray(r * views, (r + 1) * views)],
    kl: kl[r] ?? NaN,
    weights: [...(fusion?.weights.subarray(r * bounds, (r + 1) * bounds) ?? [])],
    kept: kept[r] ?? 0,
  };
}
