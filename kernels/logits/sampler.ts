// Combined scores → one token id per row, as nodes of a graph: edits, temperature, top_k, top_p, min_p, one uniform
// number, log-probabilities. What each parameter means is defined by the naive twin, decoders/warp.ts. Knows nothing of
// expressions; kernel.ts puts the two together.
//
// Passes over the vocabulary are what costs, so there are several samplers. `greedy` searches a maximum; `full`
// softmaxes the row and searches its cumulation in two levels; `filtered` and `nucleus` (filters.ts) look at K tokens
// and say whether these were enough.
import type { GraphBuilder, Value } from '../graph.js';
import {
  Add,
  And,
  Cast,
  Div,
  GatherElements,
  Greater,
  GreaterOrEqual,
  Log,
  Mul,
  ScatterElements,
  Softmax,
  Sub,
  TopK,
  Where,
} from '../ops.js';
import { blockArgMax, blockDraw } from './blocks.js';
import { drawByDraft } from './draw.js';
import { chooseFromNucleus, chooseFromTop } from './filters.js';
import { aboveMinP, allowed, at, type Choice, count, deepSoftmax, type SamplerVariant, type Stage } from './stage.js';

/** [R, width], edited: what a row's proposal was drawn from; null where it was looked up. */
export interface DraftScores {
  readonly scores: Value | null;
}

export interface Sampled {
  /** [R, 1] int64 */
  readonly id: Value;
  /** [R, 1] float32, log softmax of the edited scores before temperature. */
  readonly logprob: Value | null;
  /** [R, 1] bool: false when the row was NaN or held nothing to draw. */
  readonly drawn: Value;
  /** [R, 1] bool: the tokens that were looked at were enough; null where all are. */
  readonly covered: Value | null;
  /** As in `Choice`. */
  readonly kept: () => Value;
  readonly topIds: Value | null;
  readonly topLogprobs: Value | null;
  /** [R, V] */
  readonly full: Value | null;
}

/**
 * new = (s > 0 ? s / repetition : s · repetition) + add, for a few tokens of each row. Equal ids of a row carry equal
 * edits.
 */
export function edit(graph: GraphBuilder, scores: Value): Value {
  const ids = graph.input('edit_ids', 'int32', ['R', 'E']);
  const add = graph.input('edit_add', 'float32', ['R', 'E']);
  const repetition = graph.input('edit_repetition', 'float32', ['R', 'E']);
  const old = GatherElements(scores, ids, { axis: 1 });
  const scaled = Where(Greater(old, 0), Div(old, repetition), Mul(old, repetition));
  return ScatterElements(scores, ids, Add(scaled, add), { axis: 1 });
}

/** Only what the rows' masks allow. */
export function mask(graph: GraphBuilder, scores: Value, width: number): Value {
  return Where(graph.input('allowed', 'bool', ['R', width]), scores, -Infinity);
}

/**
 * `scores`: [R, width], edited; `mayForbid`: many of them may be −∞. `preselection`: [1] int64, how many tokens
 * `filtered` sorts.
 */
export function sample(
  graph: GraphBuilder,
  { scores, mayForbid }: { readonly scores: Value; readonly mayForbid: boolean },
  width: number,
  variant: SamplerVariant,
  preselection: () => Value,
  draft: DraftScores | null = null,
): Sampled {
  const probs = mayForbid ? deepSoftmax(scores).probs : Softmax(scores);
  const inverseTemperature = variant.temperature ? graph.input('inverse_temperature', 'float32', ['R', 1]) : null;
  const tempered = inverseTemperature ? deepSoftmax(Mul(scores, inverseTemperature)).probs : probs;
  const stage = { scores, tempered, inverseTemperature, width, variant, preselection };
  const choice = draft ? chooseByDraft(graph, stage, draft) : choose(graph, stage);
  // log Σ exp(scores), read off a token that is not improbable: its score minus its log-probability.
  const normaliser = Sub(at(scores, choice.probable), Log(at(probs, choice.probable)));
  const forced = Cast(graph.input('forced_id', 'int32', ['R', 1]), 'int64');
  const id = Where(GreaterOrEqual(forced, 0), forced, choice.id);
  const top = variant.top ? TopK(scores, { value: graph.input('top', 'int64', [1]), dim: 'N' }) : null;
  return {
    id,
    logprob: variant.logprob ? Sub(at(scores, id), normaliser) : null,
    drawn: choice.drawn,
    covered: choice.covered,
    kept: choice.kept,
    topIds: top && Cast(top.indices, 'int32'),
    topLogprobs: top && Sub(top.values, normaliser),
    full: variant.full ? Sub(scores, normaliser) : null,
  };
}

/** The token that p emits by way of a proposal from q, both as the sampler leaves them. */
function chooseByDraft(graph: GraphBuilder, stage: Stage, { scores }: DraftScores): Choice {
  const p = choose(graph, stage);
  if (scores === null) return drawByDraft(graph, p, null, stage.width);
  const { inverseTemperature } = stage;
  const tempered = deepSoftmax(inverseTemperature ? Mul(scores, inverseTemperature) : scores).probs;
  return drawByDraft(graph, p, choose(graph, { ...stage, scores, tempered }), stage.width);
}

function choose(graph: GraphBuilder, stage: Stage): Choice {
  switch (stage.variant.kind) {
    case 'greedy': {
      const best = blockArgMax(stage.scores, stage.width);
      return {
        id: best,
        probable: best,
        drawn: Greater(at(stage.scores, best), -Infinity),
        covered: null,
        kept: () => allowed(stage.scores),
        weights: () => stage.tempered,
        areProbs: true,
      };
    }
    case 'full':
      return chooseFromAll(graph, stage);
    case 'filtered':
      return chooseFromTop(graph, stage);
    case 'nucleus':
      return chooseFromNucleus(graph, stage);
    default:
      return stage.variant.kind satisfies never;
  }
}

function chooseFromAll(graph: GraphBuilder, { scores, tempered, width, variant }: Stage): Choice {
  const best = variant.minP || variant.greedyRows ? blockArgMax(scores, width) : null;
  const isAbove = variant.minP && best ? aboveMinP(graph, tempered, best) : null;
  const weights = isAbove ? Where(isAbove, tempered, 0) : tempered;
  const { place, total } = blockDraw(weights, graph.input('uniform', 'float64', ['R', 1]), width);
  const isGreedy = variant.greedyRows ? graph.input('greedy', 'bool', ['R', 1]) : null;
  const id = isGreedy && best ? Where(isGreedy, best, place) : place;
  const kept = (): Value => (isAbove ? count(And(isAbove, Greater(scores, -Infinity))) : allowed(scores));
  const drawn = Greater(total, 0);
  return { id, probable: id, drawn, covered: null, kept, weights: () => weights, areProbs: isAbove === null };
}
