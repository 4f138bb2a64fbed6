// Combined scores → one token id per row, as nodes of a graph: edits, temperature, top_k, top_p, min_p, one uniform number, log-probabilities. What
// each parameter means is defined by the naive twin, decoders/warp.ts. Knows nothing of expressions; kernel.ts puts the two together.
//
// Passes over the vocabulary are what costs, so there are three samplers: `greedy` searches a maximum; `full` softmaxes the row and searches its
// cumulation in two levels; `filtered` sorts the K best tokens and says whether they were enough (`covered`), the caller asks again with more.
import type { GraphBuilder, Value } from '../graph.js';
import {
  Add,
  And,
  Cast,
  CumSum,
  Exp,
  GatherElements,
  Greater,
  GreaterOrEqual,
  Less,
  LessOrEqual,
  Log,
  Mul,
  Or,
  Range,
  ScatterElements,
  Slice,
  Softmax,
  Squeeze,
  Sub,
  TopK,
  Div,
  Where,
} from '../ops.js';
import { blockArgMax, blockDraw, countUpTo } from './blocks.js';
import { lastOf } from './lower.js';

export type SamplerClass = 'greedy' | 'full' | 'filtered';

export interface SamplerVariant {
  readonly kind: SamplerClass;
  readonly edits: boolean;
  /** Some row's temperature is not 1. A greedy row counts as 1. */
  readonly temperature: boolean;
  /** Some row has min_p. */
  readonly minP: boolean;
  /** `full` only: some row is greedy. */
  readonly greedyRows: boolean;
  /** `filtered` only: some row's top_p counts the mass of more tokens than were sorted. */
  readonly wholeMass: boolean;
  /** Alternatives with their log-probabilities. */
  readonly top: boolean;
  /** Log-probabilities of the whole vocabulary. */
  readonly full: boolean;
}

export interface Sampled {
  /** [R, 1] int64 */
  readonly id: Value;
  /** [R, 1] float32, log softmax of the edited scores before temperature. */
  readonly logprob: Value;
  /** [R, 1] bool: false when the row was NaN or held nothing to draw. */
  readonly drawn: Value;
  /** [R, 1] bool: the sorted tokens were enough; null if nothing was sorted. */
  readonly covered: Value | null;
  readonly topIds: Value | null;
  readonly topLogprobs: Value | null;
  /** [R, V] */
  readonly full: Value | null;
}

/** new = (s > 0 ? s / repetition : s · repetition) + add, for a few tokens of each row. Equal ids of a row carry equal edits. */
export function edit(graph: GraphBuilder, scores: Value): Value {
  const ids = graph.input('edit_ids', 'int32', ['R', 'E']);
  const add = graph.input('edit_add', 'float32', ['R', 'E']);
  const repetition = graph.input('edit_repetition', 'float32', ['R', 'E']);
  const old = GatherElements(scores, ids, { axis: 1 });
  const scaled = Where(Greater(old, 0), Div(old, repetition), Mul(old, repetition));
  return ScatterElements(scores, ids, Add(scaled, add), { axis: 1 });
}

/** `scores`: [R, width], edited. `preselection`: [1] int64, how many tokens `filtered` sorts. */
export function sample(
  graph: GraphBuilder,
  scores: Value,
  width: number,
  variant: SamplerVariant,
  preselection: () => Value,
): Sampled {
  const probs = Softmax(scores);
  const inverseTemperature = variant.temperature ? graph.input('inverse_temperature', 'float32', ['R', 1]) : null;
  const tempered = inverseTemperature ? Softmax(Mul(scores, inverseTemperature)) : probs;
  const choice = choose(graph, { scores, tempered, inverseTemperature, width, variant, preselection });
  // log Σ exp(scores), read off a token that is not improbable: its score minus its log-probability.
  const normaliser = Sub(at(scores, choice.probable), Log(at(probs, choice.probable)));
  const forced = Cast(graph.input('forced_id', 'int32', ['R', 1]), 'int64');
  const id = Where(GreaterOrEqual(forced, 0), forced, choice.id);
  const top = variant.top ? TopK(scores, { value: graph.input('top', 'int64', [1]), dim: 'N' }) : null;
  return {
    id,
    logprob: Sub(at(scores, id), normaliser),
    drawn: choice.drawn,
    covered: choice.covered,
    topIds: top && Cast(top.indices, 'int32'),
    topLogprobs: top && Sub(top.values, normaliser),
    full: variant.full ? Sub(scores, normaliser) : null,
  };
}

interface Stage {
  readonly scores: Value;
  /** [R, width] probabilities after temperature. */
  readonly tempered: Value;
  /** [R, 1]; null when it is 1 in every row. */
  readonly inverseTemperature: Value | null;
  readonly width: number;
  readonly variant: SamplerVariant;
  readonly preselection: () => Value;
}

interface Choice {
  readonly id: Value;
  /** [R, 1] int64: some token of a probability far from zero. */
  readonly probable: Value;
  readonly drawn: Value;
  readonly covered: Value | null;
}

function choose(graph: GraphBuilder, stage: Stage): Choice {
  switch (stage.variant.kind) {
    case 'greedy': {
      const best = blockArgMax(stage.scores, stage.width);
      return { id: best, probable: best, drawn: Greater(at(stage.tempered, best), 0), covered: null };
    }
    case 'full':
      return chooseFromAll(graph, stage);
    case 'filtered':
      return chooseFromTop(graph, stage);
    default:
      return stage.variant.kind satisfies never;
  }
}

function chooseFromAll(graph: GraphBuilder, { scores, tempered, width, variant }: Stage): Choice {
  const best = variant.minP || variant.greedyRows ? blockArgMax(scores, width) : null;
  let weights = tempered;
  if (variant.minP && best) {
    const threshold = Mul(at(tempered, best), graph.input('min_p', 'float32', ['R', 1]));
    weights = Where(GreaterOrEqual(tempered, threshold), tempered, 0);
  }
  const { place, total } = blockDraw(weights, graph.input('uniform', 'float64', ['R', 1]), width);
  const isGreedy = variant.greedyRows ? graph.input('greedy', 'bool', ['R', 1]) : null;
  const id = isGreedy && best ? Where(isGreedy, best, place) : place;
  return { id, probable: id, drawn: Greater(total, 0), covered: null };
}

/** Greedy rows come as top_k 1. */
function chooseFromTop(
  graph: GraphBuilder,
  { scores, tempered, inverseTemperature, variant, preselection }: Stage,
): Choice {
  const k = preselection();
  const top = TopK(scores, { value: k, dim: 'K' });
  const best = Slice(top.indices, { axis: 1, start: 0, end: 1, named: 1 });
  const aboveBest = Sub(top.values, Slice(top.values, { axis: 1, start: 0, end: 1, named: 1 }));
  const relative = Exp(inverseTemperature ? Mul(aboveBest, inverseTemperature) : aboveBest);
  // top_k
  const count = Cast(Squeeze(k, [0]), 'int32');
  const rank = Range(graph.constant('int32', [], [0]), count, graph.constant('int32', [], [1]), 'K');
  const topK = graph.input('top_k', 'int32', ['R', 1]);
  const within = Cast(Where(Less(rank, topK), relative, 0), 'float64');
  // top_p: a token stays while the mass before it is below top_p, of what top_k kept.
  const topP = graph.input('top_p', 'float64', ['R', 1]);
  const before = CumSum(within, { axis: 1, exclusive: true });
  const sorted = Add(lastOf(before), lastOf(within));
  const holdsTopK = LessOrEqual(topK, count);
  const mass = variant.wholeMass
    ? Where(holdsTopK, sorted, Cast(Div(graph.constant('float32', [], [1]), at(tempered, best)), 'float64'))
    : sorted;
  const limit = Mul(topP, mass);
  const isUnlimited = GreaterOrEqual(topP, 1);
  const covered = Or(holdsTopK, And(Less(topP, 1), GreaterOrEqual(sorted, limit)));
  let kept = Or(Or(Less(before, limit), isUnlimited), Less(rank, graph.constant('int32', [], [1])));
  // min_p: the best token has the relative probability 1.
  if (variant.minP) kept = And(kept, GreaterOrEqual(relative, graph.input('min_p', 'float32', ['R', 1])));
  const cumulated = CumSum(Where(kept, within, 0), { axis: 1 });
  const total = lastOf(cumulated);
  const target = Mul(graph.input('uniform', 'float64', ['R', 1]), total);
  const place = countUpTo(cumulated, target, Sub(Cast(k, 'int64'), 1));
  return {
    id: GatherElements(top.indices, place, { axis: 1 }),
    probable: best,
    drawn: Greater(total, 0),
    covered,
  };
}

function at(row: Value, ids: Value): Value {
  return GatherElements(row, ids, { axis: 1 });
}
