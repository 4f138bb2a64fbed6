// Which logit kernels a request will meet, so that they can be made before it is admitted: the first use of a large formula's kernel would
// otherwise hold up everyone's tick. Pure.
import { LOOKUP } from '../../decoders/speculation-spec.js';
import type { ViewsPlan } from '../../decoders/views-plan.js';
import type { KernelNeed, SamplerRow } from '../../kernels/logits/kernels.js';
import type { DecodeRequest } from '../wire/decode.js';

/** One per distribution. `widths`: columns of each view's logits. */
export function needsOf(request: DecodeRequest, plan: ViewsPlan, widths: readonly number[]): KernelNeed[] {
  const { distribution, search, sampling, logprobs, speculation, vocabSize } = request;
  const widthOf = (view: number): number => widths[view] ?? vocabSize;
  const [own = []] = plan.byDistribution;
  const drafting = plan.views.findIndex(({ model }) => model === speculation?.draft);
  const isDrawn = speculation && sampling.temperature > 0;
  const draft = !isDrawn ? null : speculation.draft === LOOKUP ? 'looked up' : widthOf(plan.draft ?? drafting);
  const needs = (search?.plan.distributions ?? [distribution]).map((each, d): KernelNeed => ({
    distribution: each,
    vocabSize,
    widths: (plan.byDistribution[d] ?? own).map(widthOf),
    row: usualRow(request),
    draft: d === 0 ? draft : null,
    logprobs: logprobs !== null,
    topLogprobs: logprobs?.top ?? 0,
    full: logprobs?.full ?? false,
    trace: (request.traceLimit ?? 0) > 0 && !search,
  }));
  const [trunk] = needs;
  return search?.plan.biased && trunk ? [...needs, { ...trunk, row: usualRow(request, true) }] : needs;
}

function usualRow({ sampling, minTokens, constraint, vocabSize }: DecodeRequest, isBiased = false): SamplerRow {
  const { temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty, logitBias } = sampling;
  const isEdited =
    isBiased ||
    repetitionPenalty !== 1 ||
    presencePenalty !== 0 ||
    frequencyPenalty !== 0 ||
    logitBias.length > 0 ||
    minTokens > 0;
  const edits = isEdited ? { ids: [0], add: [0], repetition: [1] } : { ids: [], add: [], repetition: [] };
  return {
    temperature,
    topK,
    topP,
    minP,
    uniform: 0,
    forcedId: null,
    edits,
    allowed: constraint ? new Uint8Array(vocabSize) : null,
  };
}
