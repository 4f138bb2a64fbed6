// Rows of a call → which kernel serves them, and what it is fed. Pure functions between kernels.ts (who runs what when)
// and kernel.ts (graphs): what the rows have in common becomes the variant, what differs becomes tensors with one row
// each.
import { scalarsOf, slotsOf } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { type Feeds, Tensor } from '../session.js';
import { FIRST_UNIFORM, LAST_UNIFORM } from './blocks.js';
import type { KernelVariant, SlotVariant, Soundness } from './kernel.js';
import type { FuseCall, SamplerRow, ViewLogits } from './kernels.js';
import type { SamplerClass, SamplerKind } from './stage.js';

/** Some rows of a call, to be run through one kernel. */
export interface Pass {
  readonly rows: readonly number[];
  readonly kind: SamplerKind;
  /** How many tokens are sorted, where anything is. */
  readonly preselection: number;
  readonly soundness: Soundness;
}

export interface Batch {
  readonly call: FuseCall;
  readonly pass: Pass;
}

/** Few enough to sort in a tenth of a millisecond, enough for nearly every nucleus of a trained model. */
const USUAL_PRESELECTION = 256;

export function classOf(row: SamplerRow): SamplerClass {
  if (isGreedy(row)) return 'greedy';
  return row.topK > 0 || row.topP < 1 ? 'filtered' : 'full';
}

/** top_k rows say how many they need; a nucleus, in a row or in a mask, does not. */
export function firstPreselection({ distribution, rows, vocabSize }: FuseCall): number {
  const needed = rows.map((row) => (isGreedy(row) ? 1 : row.topK > 0 ? row.topK : USUAL_PRESELECTION));
  const masks = needsPreselection(distribution[0] as Scores) ? USUAL_PRESELECTION : 1;
  return Math.min(vocabSize, Math.max(masks, ...needed));
}

/** How many fusion weights a row of the call has. */
export function boundsOf({ distribution }: FuseCall): number {
  return slotsOf(distribution[0] as Scores).filter(({ kind }) => kind === 'bound').length;
}

/** How many floats of a row a processor keeps at hand while it passes over them again and again. */
const FLOATS_AT_HAND = 2 ** 17;

/** How many rows to run through a kernel at once: a solver's many passes are dear over rows that the cache cannot hold. */
export function rowsTogether(call: FuseCall): number {
  return boundsOf(call) > 0 ? Math.max(1, Math.floor(FLOATS_AT_HAND / call.vocabSize)) : call.rows.length;
}

export function variantOf({ call, pass }: Batch): KernelVariant {
  const rows = pass.rows.map((row) => call.rows[row] as SamplerRow);
  const drawn = rows.filter((row) => !isGreedy(row));
  return {
    vocabSize: call.vocabSize,
    views: call.views.map((view) => ({ gathered: rowsOf(view, pass.rows) !== null, width: view.logits.width })),
    slots: slotVariants(pass.rows.map((row) => call.distribution[row] as Scores)),
    soundness: pass.soundness,
    sampler: {
      kind: pass.kind,
      edits: rows.some(({ edits }) => edits.ids.length > 0),
      temperature: drawn.some(({ temperature }) => temperature !== 1),
      minP: drawn.some(({ minP }) => minP > 0),
      greedyRows: pass.kind === 'full' && drawn.length < rows.length,
      wholeMass:
        pass.kind === 'filtered' &&
        drawn.some(({ topP, topK }) => topP < 1 && (topK === 0 || topK > pass.preselection)),
      logprob: call.logprobs,
      top: call.topLogprobs > 0,
      full: call.full,
    },
    trace: call.trace ?? false,
    draft: draftVariant(call, pass),
  };
}

/** Inputs of the kernel of `variant`. Inputs that it does not have are left out. */
export function feedsOf({ call, pass }: Batch, variant: KernelVariant): Feeds {
  const { sampler } = variant;
  const rows = pass.rows.map((row) => call.rows[row] as SamplerRow);
  const drawn = <T>(row: SamplerRow, value: T, otherwise: T): T => (isGreedy(row) ? otherwise : value);
  const column = (value: (row: SamplerRow) => number): Tensor =>
    new Tensor('float32', Float32Array.from(rows, value), [rows.length, 1]);
  const feeds: Record<string, Tensor> = {
    forced_id: new Tensor(
      'int32',
      Int32Array.from(rows, ({ forcedId }) => forcedId ?? -1),
      [rows.length, 1],
    ),
  };
  call.views.forEach((view, index) => {
    const { data, rows: count, width } = view.logits;
    feeds[`view_${index}`] = new Tensor('float32', data, [count, width]);
    const picked = rowsOf(view, pass.rows);
    if (picked) feeds[`rows_${index}`] = new Tensor('int32', picked, [picked.length]);
  });
  const bound = variant.slots.flatMap((slot, index) => (slot === 'bound' ? [index] : []));
  if (bound.length > 0) {
    const scalars = pass.rows.flatMap((row) => {
      const own = scalarsOf(call.distribution[row] as Scores);
      return bound.map((slot) => own[slot] ?? NaN);
    });
    feeds['scalars'] = new Tensor('float32', Float32Array.from(scalars), [rows.length, bound.length]);
  }
  if (sampler.edits) Object.assign(feeds, editFeeds(rows));
  if (sampler.top)
    feeds['top'] = new Tensor('int64', BigInt64Array.of(BigInt(Math.min(call.topLogprobs, call.vocabSize))), [1]);
  if (sampler.temperature) feeds['inverse_temperature'] = column((row) => 1 / drawn(row, row.temperature, 1));
  if (variant.draft !== null) Object.assign(feeds, draftFeeds(call, pass, rows));
  if (sampler.minP) feeds['min_p'] = column((row) => drawn(row, row.minP, 0));
  if (sampler.kind === 'filtered' || sampler.kind === 'nucleus' || needsPreselection(call.distribution[0] as Scores))
    feeds['preselection'] = new Tensor('int64', BigInt64Array.of(BigInt(pass.preselection)), [1]);
  if (sampler.greedyRows)
    feeds['greedy'] = new Tensor(
      'bool',
      Uint8Array.from(rows, (row) => (isGreedy(row) ? 1 : 0)),
      [rows.length, 1],
    );
  if (sampler.kind !== 'greedy') {
    const uniform = (row: SamplerRow): number => Math.min(Math.max(row.uniform, FIRST_UNIFORM), LAST_UNIFORM);
    feeds['uniform'] = new Tensor('float64', Float64Array.from(rows, uniform), [rows.length, 1]);
  }
  if (sampler.kind === 'filtered') {
    const topK = (row: SamplerRow): number => drawn(row, row.topK === 0 ? call.vocabSize : row.topK, 1);
    feeds['top_k'] = new Tensor('int32', Int32Array.from(rows, topK), [rows.length, 1]);
  }
  if (sampler.kind === 'nucleus')
    feeds['nucleus_floor'] = column((row) => Math.log(1 - row.topP) - Math.log(call.vocabSize));
  if (sampler.kind === 'filtered' || sampler.kind === 'nucleus') {
    feeds['top_p'] = new Tensor(
      'float64',
      Float64Array.from(rows, (row) => drawn(row, row.topP, 1)),
      [rows.length, 1],
    );
  }
  return feeds;
}

/**
 * Rows of unequal numbers of edits are filled up by repeating one of the row's own, which changes nothing; id 0
 * unchanged if there is none.
 */
function editFeeds(rows: readonly SamplerRow[]): Record<string, Tensor> {
  const width = Math.max(...rows.map(({ edits }) => edits.ids.length));
  const size = rows.length * width;
  const [ids, add, repetition] = [new Int32Array(size), new Float32Array(size), new Float32Array(size)];
  rows.forEach(({ edits }, row) => {
    for (let e = 0; e < width; e++) {
      const own = e < edits.ids.length ? e : 0;
      ids[row * width + e] = edits.ids[own] ?? 0;
      add[row * width + e] = edits.add[own] ?? 0;
      repetition[row * width + e] = edits.repetition[own] ?? 1;
    }
  });
  const shape = [rows.length, width];
  return {
    edit_ids: new Tensor('int32', ids, shape),
    edit_add: new Tensor('float32', add, shape),
    edit_repetition: new Tensor('float32', repetition, shape),
  };
}

function draftVariant({ rows, draft }: FuseCall, pass: Pass): KernelVariant['draft'] {
  if (!rows[pass.rows[0] ?? 0]?.draft) return null;
  return draft ? { gathered: rowsOf(draft, pass.rows) !== null, width: draft.logits.width } : 'looked up';
}

function draftFeeds({ draft }: FuseCall, pass: Pass, rows: readonly SamplerRow[]): Record<string, Tensor> {
  const shape = [rows.length, 1];
  const bounded = (uniform: number): number => Math.min(Math.max(uniform, FIRST_UNIFORM), LAST_UNIFORM);
  const feeds: Record<string, Tensor> = {
    draft_id: new Tensor(
      'int32',
      Int32Array.from(rows, (row) => row.draft?.id ?? 0),
      shape,
    ),
    draft_accept: new Tensor(
      'float64',
      Float64Array.from(rows, (row) => bounded(row.draft?.accept ?? 0)),
      shape,
    ),
    draft_residual: new Tensor(
      'float64',
      Float64Array.from(rows, (row) => bounded(row.draft?.residual ?? 0)),
      shape,
    ),
  };
  if (draft) {
    feeds['view_draft'] = new Tensor('float32', draft.logits.data, [draft.logits.rows, draft.logits.width]);
    const picked = rowsOf(draft, pass.rows);
    if (picked) feeds['rows_draft'] = new Tensor('int32', picked, [picked.length]);
  }
  return feeds;
}

/** The view's rows for these rows of the call; null when they are all of them in order. */
function rowsOf({ logits, rowIndex }: ViewLogits, rows: readonly number[]): Int32Array | null {
  const picked = Int32Array.from(rows, (row) => (rowIndex ? (rowIndex[row] ?? 0) : row));
  return picked.length === logits.rows && picked.every((row, index) => row === index) ? null : picked;
}

/**
 * A weight that is 1 (or −1) in every row is part of the kernel; every other scalar is bound. Thresholds of masks
 * always are.
 */
export function slotVariants(exprs: readonly Scores[]): SlotVariant[] {
  const scalars = exprs.map(scalarsOf);
  return slotsOf(exprs[0] as Scores).map(({ kind }, slot) => {
    if (kind === 'weight' && scalars.every((own) => own[slot] === 1)) return 'one';
    if (kind === 'weight' && scalars.every((own) => own[slot] === -1)) return 'minus one';
    return 'bound';
  });
}

function needsPreselection(expr: Scores): boolean {
  return slotsOf(expr).some(({ kind }) => kind === 'mass');
}

export function isGreedy(row: SamplerRow): boolean {
  return row.temperature === 0 || row.forcedId !== null;
}
