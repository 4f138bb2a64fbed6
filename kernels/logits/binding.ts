// Rows of a call → what their kernel is fed: what differs between rows becomes tensors with one row each. Pure; which kernel it is has been
// decided by variants.ts.
import { scalarsOf } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { type Feeds, Tensor } from '../session.js';
import { FIRST_UNIFORM, LAST_UNIFORM } from './blocks.js';
import { type FuseCall, type HostLogits, isGreedy, isOnHost, type SamplerRow, type ViewLogits } from './call.js';
import type { KernelVariant } from './kernel.js';
import type { Loan } from './scratch.js';
import { type Batch, needsPreselection, type Pass, rowsOf } from './variants.js';

/** Inputs of the kernel of `variant`. Inputs that it does not have are left out. Rows that lie apart are brought together in `loan`. */
export function feedsOf({ call, pass }: Batch, variant: KernelVariant, loan: Loan): Feeds {
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
    Object.assign(feeds, viewFeeds(`${index}`, view, pass.rows, variant.views[index]?.gathered ?? false, loan));
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
  if (sampler.mask) feeds['allowed'] = maskFeed(rows, call.vocabSize);
  if (sampler.top)
    feeds['top'] = new Tensor('int64', BigInt64Array.of(BigInt(Math.min(call.topLogprobs, call.vocabSize))), [1]);
  if (sampler.temperature) feeds['inverse_temperature'] = column((row) => 1 / drawn(row, row.temperature, 1));
  if (variant.draft !== null) Object.assign(feeds, draftFeeds(call, pass, rows, variant.draft, loan));
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

/** A row without a mask allows everything. */
function maskFeed(rows: readonly SamplerRow[], vocabSize: number): Tensor {
  const [only] = rows;
  if (rows.length === 1 && only?.allowed) return new Tensor('bool', only.allowed, [1, vocabSize]);
  const data = new Uint8Array(rows.length * vocabSize).fill(1);
  rows.forEach(({ allowed }, row) => allowed && data.set(allowed, row * vocabSize));
  return new Tensor('bool', data, [rows.length, vocabSize]);
}

function draftFeeds(
  { draft }: FuseCall,
  pass: Pass,
  rows: readonly SamplerRow[],
  variant: KernelVariant['draft'],
  loan: Loan,
): Record<string, Tensor> {
  const shape = [rows.length, 1];
  const bounded = (uniform: number): number => Math.min(Math.max(uniform, FIRST_UNIFORM), LAST_UNIFORM);
  const gathered = typeof variant === 'object' && (variant?.gathered ?? false);
  return {
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
    ...(draft ? viewFeeds('draft', draft, pass.rows, gathered, loan) : {}),
  };
}

/** The view's rows for these rows of the call. Of a tensor on the device: all of it, or picked rows. */
function viewFeeds(
  name: string,
  view: ViewLogits,
  rows: readonly number[],
  gathered: boolean,
  loan: Loan,
): Record<string, Tensor> {
  const { data, width } = view.logits;
  if (isOnHost(data)) {
    const own = hostRows(data, width, rowsOf(view, rows), loan);
    return { [`view_${name}`]: new Tensor('float32', own, [rows.length, width]) };
  }
  if (!gathered) return { [`view_${name}`]: data };
  const picked = Int32Array.from(rowsOf(view, rows));
  return { [`view_${name}`]: data, [`rows_${name}`]: new Tensor('int32', picked, [picked.length]) };
}

/** These rows one after the other: where they are, if they are so, or else a copy. */
function hostRows(data: HostLogits, width: number, rows: readonly number[], loan: Loan): Float32Array {
  const parts = rows.map((row) =>
    data instanceof Float32Array ? data.subarray(row * width, (row + 1) * width) : (data[row] as Float32Array),
  );
  const [first] = parts;
  if (!first) throw new Error('no rows');
  const { buffer, byteOffset, byteLength } = first;
  if (parts.every((part, r) => part.buffer === buffer && part.byteOffset === byteOffset + r * byteLength))
    return new Float32Array(buffer, byteOffset, parts.length * width);
  const together = loan.take(parts.length * width);
  parts.forEach((part, r) => together.set(part, r * width));
  return together;
}
