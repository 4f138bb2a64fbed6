// What the logit kernels are asked and what they answer, and what is wrong with a call. Types for everyone, from the engine's fuser to the
// graphs; no logic but the check.
import { slotsOf, structureKey } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import type { Tensor } from '../session.js';

/** One array, or one for each row where they lie apart. */
export type HostLogits = Float32Array | readonly Float32Array[];

/** [rows, width], on the host or where the device made them. */
export interface Logits {
  readonly data: HostLogits | Tensor;
  readonly rows: number;
  readonly width: number;
}

export interface ViewLogits {
  /** [rows, width]; width may exceed the vocabulary (padding, ignored). Read during the call only. */
  readonly logits: Logits;
  /** Which of its rows belongs to each row of the call; null when row r is row r. */
  readonly rowIndex: Int32Array | null;
}

export interface SamplerRow {
  /** 0 is greedy. */
  readonly temperature: number;
  /** 0 is off. */
  readonly topK: number;
  /** 1 is off. */
  readonly topP: number;
  /** 0 is off. */
  readonly minP: number;
  /** In [0, 1). */
  readonly uniform: number;
  /** The token whose log-probability is asked for, instead of choosing one. */
  readonly forcedId: number | null;
  /**
   * Sparse changes of the combined scores: (s > 0 ? s / repetition : s · repetition) + add; −Infinity forbids. Each id
   * once.
   */
  readonly edits: {
    readonly ids: readonly number[];
    readonly add: readonly number[];
    readonly repetition: readonly number[];
  };
  /** Per token: 1 where it may be chosen; null or left out: any may. Applied after the edits. */
  readonly allowed?: Uint8Array | null;
  /** The token comes by way of this proposal (decoders/speculation.ts). Greedy rows and rows with a forced id have none. */
  readonly draft?: RowDraft | null;
}

/** A proposal and the numbers that accept it or replace it, each in [0, 1). */
export interface RowDraft {
  readonly id: number;
  readonly accept: number;
  readonly residual: number;
}

export interface FuseCall {
  /** One per row, all of one structure. */
  readonly distribution: readonly Scores[];
  /** One per view, in the order of `viewsOf`. */
  readonly views: readonly ViewLogits[];
  readonly vocabSize: number;
  readonly rows: readonly SamplerRow[];
  /**
   * The logits that the rows' proposals were drawn from, filtered as the row is; all rows have a draft then. Null where proposals were
   * looked up, that is, drawn from a distribution with all mass on them.
   */
  readonly draft?: ViewLogits | null;
  /** Log-probabilities of the chosen tokens are wanted. */
  readonly logprobs: boolean;
  /** Alternatives per row, at most the vocabulary; 0 for none. */
  readonly topLogprobs: number;
  /** Log-probabilities of the whole vocabulary. */
  readonly full: boolean;
  /** What the members of every row think of its token: passes over the vocabulary that nobody else pays. Off by default. */
  readonly trace?: boolean;
}

/** How each row came about. Meaningless where the status is not 0. */
export interface FuseTrace {
  /** [R · views]: the chosen token's log-probability by each view alone, in the order of `viewsOf`. */
  readonly members: Float32Array;
  /** [R]: KL(row ‖ its first view alone) in nats; the row's edits count, temperature and filters do not. */
  readonly kl: Float32Array;
  /** [R]: how many tokens masks, bans and filters (top_k, top_p, min_p) left; a greedy row has no filters. */
  readonly kept: Int32Array;
}

/** What the row's dynamic fusions found: one entry per bound, in the order of the slots of kind 'bound'. */
export interface FusionResult {
  /** [R · bounds]: the weight of each expert. */
  readonly weights: Float32Array;
  /** [R · bounds]: 1 where a longer step would have matched better than the bound allows. */
  readonly atBound: Int8Array;
}

export interface FuseResult {
  /** Meaningless where the status is not 0. */
  readonly ids: Int32Array;
  /** log softmax of the edited scores, before temperature; NaN where none was asked for. */
  readonly logprobs: Float32Array;
  /** 0 ok, 1 dead (everything is forbidden), 2 NaN or +∞ in a view or in the combination. */
  readonly status: Uint8Array;
  /** [R · n], falling. */
  readonly topIds?: Int32Array;
  readonly topLogprobs?: Float32Array;
  /** [R · V] */
  readonly full?: Float32Array;
  /** Where it was asked for. */
  readonly trace?: FuseTrace;
  /** Where the distribution has a node `fused`; costs nothing. */
  readonly fusion?: FusionResult;
}

/** How many fusion weights a row of the call has. */
export function boundsOf({ distribution }: Pick<FuseCall, 'distribution'>): number {
  return slotsOf(distribution[0] as Scores).filter(({ kind }) => kind === 'bound').length;
}

export function isGreedy(row: SamplerRow): boolean {
  return row.temperature === 0 || row.forcedId !== null;
}

/** To be filled in row by row. */
export function emptyResult(call: FuseCall): FuseResult {
  const count = call.rows.length;
  const top = Math.min(call.topLogprobs, call.vocabSize);
  const bounds = boundsOf(call);
  const trace = {
    members: new Float32Array(count * call.views.length),
    kl: new Float32Array(count),
    kept: new Int32Array(count),
  };
  const fusion = { weights: new Float32Array(count * bounds), atBound: new Int8Array(count * bounds) };
  return {
    ids: new Int32Array(count),
    logprobs: new Float32Array(count),
    status: new Uint8Array(count),
    ...(top > 0 ? { topIds: new Int32Array(count * top), topLogprobs: new Float32Array(count * top) } : {}),
    ...(call.full ? { full: new Float32Array(count * call.vocabSize) } : {}),
    ...(call.trace ? { trace } : {}),
    ...(bounds > 0 ? { fusion } : {}),
  };
}

export function isOnHost(data: Logits['data']): data is HostLogits {
  return data instanceof Float32Array || Array.isArray(data);
}

function countOf(data: Logits['data']): number {
  if (!isOnHost(data)) return data.size;
  return data instanceof Float32Array ? data.length : data.reduce((sum, row) => sum + row.length, 0);
}

/** Throws where the call is not what it says. */
export function check({ distribution, rows, views, draft, vocabSize, topLogprobs }: FuseCall): void {
  const [first] = distribution;
  if (!first || distribution.length !== rows.length)
    throw new RangeError(
      `a call needs one distribution per row, at least one; got ${distribution.length} for ${rows.length} rows`,
    );
  const structure = structureKey(first);
  for (const expr of distribution)
    if (expr !== first && structureKey(expr) !== structure)
      throw new RangeError(`rows of one call share a structure; got ${structure} and ${structureKey(expr)}`);
  if (!(topLogprobs >= 0)) throw new RangeError(`topLogprobs must not be negative; got ${topLogprobs}`);
  const isDrafted = rows.some(({ draft }) => draft);
  if (draft && !isDrafted) throw new RangeError('the logits of drafts, but no row has one');
  const all = draft ? [...views, draft] : views;
  all.forEach(({ logits, rowIndex }, view) => {
    if (logits.width < vocabSize)
      throw new RangeError(`view ${view} has ${logits.width} logits per row, fewer than the vocabulary's ${vocabSize}`);
    const { data } = logits;
    const count = countOf(data);
    if (count !== logits.rows * logits.width)
      throw new RangeError(`view ${view}: ${count} numbers are not ${logits.rows} × ${logits.width}`);
    const given = rowIndex ? rowIndex.length : logits.rows;
    if (given !== rows.length) throw new RangeError(`view ${view} has ${given} rows, the call ${rows.length}`);
    if (rowIndex?.some((row) => row < 0 || row >= logits.rows))
      throw new RangeError(`view ${view}: a row index lies outside its ${logits.rows} rows`);
  });
  for (const row of rows) {
    const { edits, forcedId, uniform, allowed } = row;
    if (allowed && allowed.length !== vocabSize)
      throw new RangeError(`a mask of ${allowed.length} tokens for a vocabulary of ${vocabSize}`);
    const inside = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < vocabSize;
    if (!edits.ids.every(inside) || (forcedId !== null && !inside(forcedId)))
      throw new RangeError(`a token id lies outside the vocabulary of ${vocabSize}`);
    if (isDrafted && (!row.draft || isGreedy(row) || !inside(row.draft.id)))
      throw new RangeError(
        'of the rows of a call all or none come by way of drafts, which are tokens; none is greedy or forced',
      );
    if (!edits.add.every((add) => add < Infinity)) throw new RangeError('an edit adds NaN or +Infinity');
    if (!edits.repetition.every((factor) => factor > 0 && factor < Infinity))
      throw new RangeError('a repetition factor must be positive and finite');
    if (!(uniform >= 0 && uniform < 1)) throw new RangeError(`a uniform number lies in [0, 1); got ${uniform}`);
  }
}
