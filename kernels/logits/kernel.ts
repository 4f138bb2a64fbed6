// One expression structure + one variant → the graph that combines, checks and samples. A variant holds what the rows
// of a call have in common and what therefore costs nothing: no gather where rows come in order, no multiplication by a
// weight of 1, no sort without top_p.
import { mayForbid, viewKey, viewsOf } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { type Graph, GraphBuilder, type Value } from '../graph.js';
import {
  Abs,
  And,
  Cast,
  Concat,
  Equal,
  Gather,
  Greater,
  IsNaN,
  Less,
  Or,
  ReduceMax,
  ReduceSum,
  Slice,
  Squeeze,
  Where,
} from '../ops.js';
import type { Fusion } from './fusion.js';
import { type Coefficient, lower } from './lower.js';
import { type DraftScores, edit, mask, sample } from './sampler.js';
import type { SamplerVariant } from './stage.js';
import { traceOutputs } from './trace.js';

/** How the rows of one view's logits come. */
export interface ViewVariant {
  /** Rows are picked by index; otherwise row r is row r. */
  readonly gathered: boolean;
  /** Columns; those beyond the vocabulary are padding. */
  readonly width: number;
}

/** A scalar's slot: the same unit in every row, or a number per row. */
export type SlotVariant = 'one' | 'minus one' | 'bound';

/**
 * `assumed`: views are taken to be finite, which is checked on the side; a row that is not comes back unsound.
 * `checked`: −∞ is legal everywhere and the row's status is exact. The first costs one pass, the second many.
 */
export type Soundness = 'assumed' | 'checked';

export interface KernelVariant {
  readonly vocabSize: number;
  readonly views: readonly ViewVariant[];
  readonly slots: readonly SlotVariant[];
  readonly soundness: Soundness;
  readonly sampler: SamplerVariant;
  /** Thousands of tokens are sorted at once. */
  readonly sortsMany: boolean;
  /** Rows are told the likeliest tokens and choose the first of them. */
  readonly looks?: boolean;
  readonly trace: boolean;
  /** Tokens come by way of drafts: how the logits come that these were drawn from, or that they were looked up. */
  readonly draft: ViewVariant | 'looked up' | null;
}

/** Values of the output `status`. UNSOUND is internal: the row has to be run again with `checked`. */
export const STATUS = { ok: 0, dead: 1, nan: 2, unsound: 3 } as const;

/** By output that is a whole number per row: how many values it has. */
export const valuesOf = ({ vocabSize }: KernelVariant): Readonly<Record<string, number>> => ({
  id: vocabSize,
  status: Object.keys(STATUS).length,
  masks_covered: 2,
  covered: 2,
});

const perRow = { axes: [1], keepdims: true } as const;

export function buildKernel(name: string, expr: Scores, variant: KernelVariant): Graph {
  const graph = new GraphBuilder(name);
  const views = viewInputs(graph, expr, variant);
  const scalar = scalarInputs(graph, variant.slots);
  let k: Value | null = null;
  const preselection = (): Value => (k ??= graph.input('preselection', 'int64', [1]));
  const isChecked = variant.soundness === 'checked';
  const lowered = lower(expr, {
    graph,
    view: (model, prompt) => views.get(viewKey({ model, prompt })) as Value,
    scalar,
    viewsMayForbid: isChecked,
    preselection,
  });
  const scores = steered(graph, lowered.scores, variant);
  const sampled = sample(
    graph,
    { scores, mayForbid: isChecked || variant.sampler.mask || mayForbid(expr) },
    variant.vocabSize,
    variant.sampler,
    preselection,
    draftScores(graph, variant),
  );
  const status = isChecked
    ? exactStatus([...views.values()], scores)
    : Where(
        [
          sampled.drawn,
          isSound(expr, [...views.values()], lowered.scores),
          ...lowered.fusions.flatMap(soundnessOf),
        ].reduce((a, b) => And(a, b)),
        graph.constant('int32', [], [STATUS.ok]),
        graph.constant('int32', [], [STATUS.unsound]),
      );
  graph.output('id', Squeeze(Cast(sampled.id, 'int32'), [1]));
  if (sampled.logprob) graph.output('logprob', Squeeze(sampled.logprob, [1]));
  graph.output('status', Squeeze(status, [1]));
  if (lowered.fusions.length > 0) {
    graph.output(
      'fusion_weights',
      Concat(
        lowered.fusions.map(({ weights }) => weights),
        1,
      ),
    );
    graph.output(
      'fusion_at_bound',
      Concat(
        lowered.fusions.map(({ atBound }) => atBound),
        1,
      ),
    );
  }
  if (lowered.covered) graph.output('masks_covered', Squeeze(Cast(lowered.covered, 'int32'), [1]));
  if (sampled.covered) graph.output('covered', Squeeze(Cast(sampled.covered, 'int32'), [1]));
  if (sampled.topIds && sampled.topLogprobs) {
    graph.output('top_ids', sampled.topIds);
    graph.output('top_logprobs', sampled.topLogprobs);
  }
  if (sampled.full) graph.output('full', sampled.full);
  if (variant.trace) traceOutputs(graph, { views: [...views.values()], scores, id: sampled.id, kept: sampled.kept() });
  return graph.finish();
}

/** [R, V] per view, by key. */
function viewInputs(graph: GraphBuilder, expr: Scores, { vocabSize, views }: KernelVariant): Map<string, Value> {
  return new Map(
    viewsOf(expr).map((view, index) => {
      return [
        viewKey(view),
        rowsInput(graph, `${index}`, views[index] ?? { gathered: false, width: vocabSize }, vocabSize),
      ];
    }),
  );
}

function rowsInput(graph: GraphBuilder, name: string, { gathered, width }: ViewVariant, vocabSize: number): Value {
  let rows = graph.input(`view_${name}`, 'float32', [gathered ? `N${name}` : 'R', width]);
  if (gathered) rows = Gather(rows, graph.input(`rows_${name}`, 'int32', ['R']));
  return width > vocabSize ? Slice(rows, { axis: 1, start: 0, end: vocabSize }) : rows;
}

/** With the rows' edits and masks. */
function steered(graph: GraphBuilder, scores: Value, { sampler, vocabSize }: KernelVariant): Value {
  const edited = sampler.edits ? edit(graph, scores) : scores;
  return sampler.mask ? mask(graph, edited, vocabSize) : edited;
}

function draftScores(graph: GraphBuilder, variant: KernelVariant): DraftScores | null {
  const { draft, vocabSize } = variant;
  if (draft === null) return null;
  if (draft === 'looked up') return { scores: null };
  const scores = rowsInput(graph, 'draft', draft, vocabSize);
  return { scores: steered(graph, scores, variant) };
}

function scalarInputs(graph: GraphBuilder, slots: readonly SlotVariant[]): (slot: number) => Coefficient {
  const bound = slots.flatMap((slot, index) => (slot === 'bound' ? [index] : []));
  const packed = bound.length > 0 ? graph.input('scalars', 'float32', ['R', bound.length]) : null;
  return (slot) => {
    if (slots[slot] === 'one') return 1;
    if (slots[slot] === 'minus one') return -1;
    const column = bound.indexOf(slot);
    if (!packed || column < 0) throw new RangeError(`no scalar in slot ${slot}`);
    return bound.length === 1 ? packed : Slice(packed, { axis: 1, start: column, end: column + 1 });
  };
}

/**
 * Whether every view was finite. A sum of finite terms is, and a sum with one that is not never is: then looking at the
 * result will do.
 */
function isSound(expr: Scores, views: readonly Value[], scores: Value): Value {
  const witnesses = isTransparent(expr) ? [scores] : views;
  const sums = witnesses.map((row) => ReduceSum(row, perRow));
  return Less(Abs(sums.length === 1 ? (sums[0] as Value) : ReduceSum(Concat(sums, 1), perRow)), Infinity);
}

const soundnessOf = ({ sound }: Fusion): Value[] => (sound ? [sound] : []);

/** No node hides one of its members at some token. */
function isTransparent(expr: Scores): boolean {
  switch (expr.kind) {
    case 'logits':
      return true;
    case 'linear':
      return expr.terms.every(({ of }) => isTransparent(of));
    case 'fused':
      return [expr.base, expr.reference, ...expr.experts].every(isTransparent);
    case 'logSoftmax':
      return isTransparent(expr.of);
    case 'maximum':
    case 'minimum':
    case 'where':
    case 'masked':
      return false;
    default:
      return expr satisfies never;
  }
}

function exactStatus(views: readonly Value[], scores: Value): Value {
  const { graph } = scores;
  const isBroken = (row: Value): Value =>
    Greater(ReduceMax(Cast(Or(IsNaN(row), Equal(row, Infinity)), 'float32'), perRow), 0);
  const broken = [...views, scores].map(isBroken).reduce((a, b) => Or(a, b));
  const dead = Equal(ReduceMax(scores, perRow), -Infinity);
  const code = (value: number): Value => graph.constant('int32', [], [value]);
  return Where(broken, code(STATUS.nan), Where(dead, code(STATUS.dead), code(STATUS.ok)));
}
