// Rows of a call → which kernel serves them: what the rows have in common becomes the variant. Pure functions between kernels.ts (who runs
// what when) and kernel.ts (graphs); binding.ts feeds what differs.
import { scalarsOf, slotsOf } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { boundsOf, type FuseCall, isGreedy, isOnHost, type SamplerRow, type ViewLogits } from './call.js';
import type { KernelVariant, SlotVariant, Soundness } from './kernel.js';
import type { Device } from '../session.js';
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

/** From here on what is sorted is long for a device (webgpu/rewrites/running-sum.ts). */
const MANY = 2048;

/** top_k rows say how many they need; a nucleus, in a row or in a mask, does not. */
export function firstPreselection({
  distribution,
  rows,
  vocabSize,
}: Pick<FuseCall, 'distribution' | 'rows' | 'vocabSize'>): number {
  const needed = rows.map((row) => (isGreedy(row) ? 1 : row.topK > 0 ? row.topK : USUAL_PRESELECTION));
  const masks = needsPreselection(distribution[0] as Scores) ? USUAL_PRESELECTION : 1;
  return Math.min(vocabSize, Math.max(masks, ...needed));
}

/** How many floats of one view a processor keeps at hand while a solver passes over them again and again. */
const SOLVED_AT_HAND = 2 ** 17;
/** How many floats of all views and their combination, over which a sampler passes a few times. */
const SAMPLED_AT_HAND = 2 ** 21;

/** How many rows to run through a kernel at once: each pass over rows that the cache cannot hold waits for memory. A device has no such bound. */
export function rowsTogether({ views, draft, vocabSize, rows, ...call }: FuseCall): number {
  if (boundsOf(call) > 0) return Math.max(1, Math.floor(SOLVED_AT_HAND / vocabSize));
  if (views.some(isResident)) return rows.length;
  return Math.max(1, Math.floor(SAMPLED_AT_HAND / (vocabSize * (views.length + (draft ? 2 : 1)))));
}

/** What a kernel has to be, but for how its rows' logits lie. */
export interface KernelNeed {
  readonly distribution: Scores;
  readonly vocabSize: number;
  /** Columns of the logits of each view, in the order of `viewsOf`. */
  readonly widths: readonly number[];
  /** One of the rows: what kind of sampling it asks for is looked at, no number. With edits where any row will have some. */
  readonly row: SamplerRow;
  /** Tokens come by way of drafts: columns of the logits that these are drawn from, or that they are looked up. */
  readonly draft: number | 'looked up' | null;
  readonly logprobs: boolean;
  readonly topLogprobs: number;
  readonly full: boolean;
  readonly trace: boolean;
}

export interface NeededKernel {
  readonly expr: Scores;
  readonly variant: KernelVariant;
}

/**
 * The kernels that rows of this need will most likely meet, the likeliest first: alone and among rows of others; of a dynamic fusion also
 * those for rows that the first ones give up, since they take longest to make.
 */
export function kernelsFor(need: KernelNeed, device: Device): NeededKernel[] {
  const { distribution, vocabSize, row } = need;
  const preselection = firstPreselection({ distribution: [distribution], rows: [row], vocabSize });
  const pass = { rows: [0], kind: classOf(row), preselection, soundness: 'assumed' } as const;
  const rows = row.edits.ids.length > 0 ? [{ ...row, edits: { ids: [], add: [], repetition: [] } }, row] : [row];
  const made = (of: SamplerRow, one: Omit<Pass, 'rows'>, gathered: boolean): NeededKernel => ({
    expr: distribution,
    variant: variantFrom(need, [of], [distribution], one, gathered),
  });
  const picks = device === 'webgpu';
  const solves = slotsOf(distribution).some(({ kind }) => kind === 'bound');
  return [
    ...(picks ? [false, true] : [false]).flatMap((gathered) => rows.map((of) => made(of, pass, gathered))),
    ...(solves ? rows.map((of) => made(of, { ...pass, soundness: 'checked' }, picks)) : []),
    ...(solves && pass.kind === 'filtered' && row.topK === 0
      ? rows.map((of) => made(of, { ...pass, kind: 'nucleus' }, picks))
      : []),
  ];
}

export function variantOf({ call, pass }: Batch): KernelVariant {
  const { draft } = call;
  const rows = pass.rows.map((row) => call.rows[row] as SamplerRow);
  const isDrafted = rows.some((row) => row.draft);
  const lie = draft ? [...call.views, draft] : call.views;
  const gathered =
    lie.some(isResident) && (pass.soundness === 'checked' || !lie.every((view) => isWhole(view, pass.rows)));
  const need = {
    ...call,
    trace: call.trace ?? false,
    widths: call.views.map(({ logits }) => logits.width),
    draft: isDrafted ? (draft?.logits.width ?? ('looked up' as const)) : null,
  };
  const exprs = pass.rows.map((row) => call.distribution[row] as Scores);
  return variantFrom(need, rows, exprs, pass, gathered);
}

/** `gathered`: of one view or of all, so that what lies how makes two kernels and not as many as there are subsets of the views. */
function variantFrom(
  { vocabSize, widths, draft, logprobs, topLogprobs, full, trace }: Omit<KernelNeed, 'distribution' | 'row'>,
  rows: readonly SamplerRow[],
  exprs: readonly Scores[],
  { kind, preselection, soundness }: Omit<Pass, 'rows'>,
  gathered: boolean,
): KernelVariant {
  const drawn = rows.filter((row) => !isGreedy(row));
  return {
    vocabSize,
    views: widths.map((width) => ({ gathered, width })),
    slots: slotVariants(exprs),
    soundness,
    sampler: {
      kind,
      edits: rows.some(({ edits }) => edits.ids.length > 0),
      mask: rows.some(({ allowed }) => allowed),
      temperature: drawn.some(({ temperature }) => temperature !== 1),
      minP: drawn.some(({ minP }) => minP > 0),
      greedyRows: kind === 'full' && drawn.length < rows.length,
      wholeMass: kind === 'filtered' && drawn.some(({ topP, topK }) => topP < 1 && (topK === 0 || topK > preselection)),
      logprob: logprobs,
      top: topLogprobs > 0,
      full,
    },
    sortsMany: preselection > MANY,
    looks: kind === 'greedy' && topLogprobs > 0 && !logprobs && rows.every(({ forcedId }) => forcedId === null),
    trace,
    draft: typeof draft === 'number' ? { gathered, width: draft } : draft,
  };
}

const isResident = ({ logits }: ViewLogits): boolean => !isOnHost(logits.data);

/** Which rows of the view's logits belong to these rows of the call. */
export function rowsOf({ rowIndex }: ViewLogits, rows: readonly number[]): number[] {
  return rows.map((row) => (rowIndex ? (rowIndex[row] ?? 0) : row));
}

/** All of the tensor in its order; no part of one on the device can be fed. */
function isWhole(view: ViewLogits, rows: readonly number[]): boolean {
  return rows.length === view.logits.rows && rowsOf(view, rows).every((row, index) => row === index);
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

export function needsPreselection(expr: Scores): boolean {
  return slotsOf(expr).some(({ kind }) => kind === 'mass');
}
