// Rows whose views all have logits for the same position → decisions. The only place where several models meet: groups rows that share
// a kernel, binds their views' logits (without copying when they come from one forward), runs it, and reads one id per row back.
import { logits as plainLogits, structureKey, viewsOf, type Scores } from '../../decoders/expr.js';
import { lookUp } from '../../decoders/lookup.js';
import { uniform } from '../../decoders/random.js';
import { draftUniforms } from '../../decoders/speculation.js';
import {
  samplerClass,
  type FuseResult,
  type FuseTrace,
  type KernelNeed,
  type LogitKernels,
  type SamplerRow,
  type ViewLogits,
} from '../../kernels/logits/kernels.js';
import type { Tensor } from '../../kernels/session.js';
import { computesInFloat16 } from '../models/weight-format.js';
import type { LogprobsParams } from '../wire/decode.js';
import type { Run } from './run.js';
import type { Decision, Sequence } from './sequence.js';
import type { LogitsBatch, LogitsRef } from './view.js';

/** What the engine needs of the logit kernels. */
export type Kernels = Pick<LogitKernels, 'run'> & {
  /** `onDevice`: the logits will be. */
  prepare?(need: KernelNeed, onDevice: boolean): Promise<boolean>;
  /** Rows of several tensors in one, where there is a device. */
  join?(parts: readonly Tensor[], index: Int32Array): Promise<Tensor>;
};

/** A position of a sequence whose logits are all there. */
export interface ReadyRow {
  readonly run: Run;
  readonly sequence: Sequence;
  readonly position: number;
  /** Of the branch. */
  readonly distribution: Scores;
  /** The token whose probability is asked for, instead of choosing one. */
  readonly forcedId: number | null;
  /** How many drafts of the sequence come before it. */
  readonly ahead: number;
  /** One per view of the distribution. */
  readonly logits: readonly LogitsRef[];
  /** Of the draft model, where the request has one. */
  readonly draft: LogitsRef | null;
  /** The next token is only asked about, not drawn. */
  readonly looksOnly: boolean;
  /** What is to be told of the outcome. */
  readonly tell: LogprobsParams | null;
}

interface Bound {
  readonly ready: ReadyRow;
  readonly distribution: Scores;
  readonly logits: readonly LogitsRef[];
  readonly sampler: SamplerRow;
  /** Where the row's proposal was drawn from; null for one that was looked up. */
  readonly draftLogits: LogitsRef | null;
  readonly fallback: Decision['fallback'];
  /** Null for a proposal: nobody sees it. */
  readonly tell: LogprobsParams | null;
  readonly traced: boolean;
}

interface Outcome {
  readonly bound: Bound;
  readonly status: number;
  readonly decision: Decision | null;
}

const NO_EXPERTS: readonly number[] = [];
const OK = 0;
const NAN = 2;

/** One kernel serves all drafts: which model it is makes no difference to it. */
const DRAFT = plainLogits('draft');

export class Fuser {
  readonly #kernels: Kernels;
  seconds = 0;
  nanRows = 0;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /**
   * Decides every row, in the order given. A row whose distribution is broken falls back to its first view and says so; null where that
   * is broken too.
   */
  async decide(rows: readonly ReadyRow[]): Promise<(Decision | null)[]> {
    const started = performance.now();
    const proposals = await this.#missingProposals(rows);
    const first = await this.#runAll(rows.map((ready, r) => bind(ready, proposals[r] ?? null)));
    const broken = first.flatMap(({ bound, status }, r) =>
      status === OK ? [] : [{ r, bound: this.#fallback(bound, status) }],
    );
    const second = await this.#runAll(broken.map(({ bound }) => bound));
    const decisions = first.map(({ decision }) => decision);
    broken.forEach(({ r, bound }, b) => {
      const decision = second[b]?.decision ?? null;
      decisions[r] = decision && { ...decision, fallback: bound.fallback };
    });
    this.seconds += (performance.now() - started) / 1000;
    return decisions;
  }

  /** What the draft of each row proposes for its position; null where it has nothing to propose, or is broken. */
  async propose(rows: readonly ReadyRow[]): Promise<(number | null)[]> {
    const started = performance.now();
    const proposals = await this.#proposals(rows);
    this.seconds += (performance.now() - started) / 1000;
    return proposals;
  }

  async #proposals(rows: readonly ReadyRow[]): Promise<(number | null)[]> {
    const proposals = rows.map(({ draft, sequence, ahead }) => (draft ? null : lookUp(knownIds(sequence, ahead))));
    const drawn = rows.flatMap((ready, r) => (ready.draft ? [{ r, bound: bindDraft(ready, ready.draft) }] : []));
    const outcomes = await this.#runAll(drawn.map(({ bound }) => bound));
    drawn.forEach(({ r }, d) => {
      const outcome = outcomes[d];
      if (outcome?.status === NAN) this.#countNan(outcome.bound.ready.run);
      proposals[r] = outcome?.decision?.tokenId ?? null;
    });
    return proposals;
  }

  /** By row of a call, null where none is needed. A greedy token needs none: it is the best one, whoever proposed it. */
  async #missingProposals(rows: readonly ReadyRow[]): Promise<(number | null)[]> {
    const proposals = rows.map(({ sequence, ahead }) => sequence.drafts[ahead] ?? null);
    const missing = rows.flatMap((ready, r) => (draws(ready) && proposals[r] === null ? [r] : []));
    if (missing.length === 0) return proposals;
    const found = await this.#proposals(missing.map((r) => rows[r] as ReadyRow));
    missing.forEach((r, m) => (proposals[r] = found[m] ?? null));
    return proposals;
  }

  async #runAll(rows: readonly Bound[]): Promise<Outcome[]> {
    const outcomes = new Map<Bound, Outcome>();
    for (const group of groupBy(rows, groupKey)) {
      const result = await this.#run(group);
      group.forEach((bound, r) => {
        const status = result.status[r] ?? NAN;
        outcomes.set(bound, { bound, status, decision: status === OK ? decisionAt(result, r, bound) : null });
      });
    }
    return rows.map((bound) => outcomes.get(bound) as Outcome);
  }

  async #run(group: readonly Bound[]): Promise<FuseResult> {
    const [first] = group;
    if (!first) throw new Error('an empty group');
    const { request } = first.ready.run;
    const drafts = group.flatMap(({ draftLogits }) => draftLogits ?? []);
    const joined: Tensor[] = [];
    const views: ViewLogits[] = [];
    for (const v of first.logits.keys())
      views.push(
        await this.#gather(
          group.map((bound) => bound.logits[v] as LogitsRef),
          joined,
        ),
      );
    const draft = drafts.length > 0 ? await this.#gather(drafts, joined) : null;
    const result = this.#kernels.run({
      distribution: group.map(({ distribution }) => distribution),
      views,
      vocabSize: request.vocabSize,
      rows: group.map(({ sampler }) => sampler),
      draft,
      // What may follow comes with its own.
      logprobs: group.some(({ ready, tell }) => tell !== null && !ready.looksOnly),
      topLogprobs: Math.max(...group.map(({ tell }) => tell?.top ?? 0)),
      full: tellsAll(first),
      trace: first.traced,
    });
    // Where it fails too: no tensor outlives the session that made it.
    return result.finally(() => {
      for (const tensor of joined) tensor.dispose();
    });
  }

  /** Logits of one view over the rows: by reference on the host, and where one forward made them all; else joined on the device. */
  async #gather(refs: readonly LogitsRef[], joined: Tensor[]): Promise<ViewLogits> {
    const batches = [...new Set(refs.map(({ batch }) => batch))];
    const tensors = batches.flatMap(({ data }) => (data instanceof Float32Array ? [] : [data]));
    const [only] = batches;
    const { width } = only as LogitsBatch;
    if (tensors.length < batches.length) return hostRows(refs, width);
    const rows = tensors.map(({ size }) => size / width);
    const starts = rows.map((_, b) => rows.slice(0, b).reduce((sum, count) => sum + count, 0));
    const index = Int32Array.from(refs, ({ batch, row }) => (starts[batches.indexOf(batch)] ?? 0) + row);
    const [single] = tensors;
    if (tensors.length === 1 && single) {
      const identity = rows[0] === refs.length && index.every((row, r) => row === r);
      return { logits: { data: single, rows: rows[0] ?? 0, width }, rowIndex: identity ? null : index };
    }
    const whole = await this.#kernels.join?.(tensors, index);
    if (!whole) throw new Error('logits of several forwards on a device, and nothing that joins them');
    joined.push(whole);
    return { logits: { data: whole, rows: refs.length, width }, rowIndex: null };
  }

  /** The stated fallback: the first view's own distribution, greedily. */
  #fallback(bound: Bound, status: number): Bound {
    if (status === NAN) this.#countNan(bound.ready.run);
    const [view] = viewsOf(bound.distribution);
    if (!view) throw new Error('a distribution without views');
    return {
      ...bound,
      distribution: plainLogits(view.model, view.prompt),
      logits: bound.logits.slice(0, 1),
      sampler: { ...bound.sampler, temperature: 0, draft: null },
      draftLogits: null,
      fallback: status === NAN ? notFiniteIn(bound) : 'dead',
    };
  }

  #countNan(run: Run): void {
    run.metNan = true;
    this.nanRows++;
  }
}

/** A model in float16 that gives no finite numbers has most likely left their range, which has another remedy. */
const notFiniteIn = ({ ready }: Bound): 'nan' | 'overflow' =>
  ready.sequence.views.some(({ model }) => computesInFloat16(model.info.weights)) ? 'overflow' : 'nan';

/** `proposal`: the token by way of which a request that speculates decides. */
function bind(ready: ReadyRow, proposal: number | null): Bound {
  const { request } = ready.run;
  const isProposed = proposal !== null && draws(ready);
  const uniforms = draftUniforms(request.seed, ready.sequence.nature.stream, ready.position);
  return {
    ready,
    distribution: ready.distribution,
    logits: ready.logits,
    draftLogits: isProposed ? ready.draft : null,
    sampler: {
      ...samplerOf(ready),
      forcedId: ready.forcedId,
      draft: isProposed ? { id: proposal, accept: uniforms.accept, residual: uniforms.residual } : null,
    },
    fallback: null,
    tell: ready.tell,
    traced: traces(ready),
  };
}

/** The same sampler over the draft's own distribution. */
function bindDraft(ready: ReadyRow, logits: LogitsRef): Bound {
  return {
    ready,
    distribution: DRAFT,
    logits: [logits],
    draftLogits: null,
    sampler: samplerOf(ready),
    fallback: null,
    tell: null,
    traced: false,
  };
}

function samplerOf({ run: { request }, sequence, position, ahead, looksOnly }: ReadyRow): SamplerRow {
  const { temperature: own, topK, topP, minP } = sequence.nature.sampling;
  const temperature = looksOnly ? 0 : own;
  return {
    temperature,
    topK,
    topP,
    minP,
    uniform: temperature === 0 ? 0 : uniform(request.seed, sequence.nature.stream, position),
    forcedId: null,
    // A prompt is scored as it is; what a search gives is scored as what it might have drawn.
    edits: position >= 0 ? sequence.edits(ahead) : { ids: [], add: [], repetition: [] },
    allowed: position >= 0 ? (sequence.allowed(ahead)?.allowed ?? null) : null,
  };
}

/** Prompt and answer with the first `ahead` drafts, as the first view sees them. */
function knownIds({ views, tokens, drafts }: Sequence, ahead: number): number[] {
  return [...(views[0]?.promptIds ?? []), ...tokens, ...drafts.slice(0, ahead)];
}

function traces({ run: { request }, sequence, forcedId, ahead, looksOnly }: ReadyRow): boolean {
  const limit = request.search ? 0 : (request.traceLimit ?? 0);
  return forcedId === null && !looksOnly && limit > sequence.emitted + ahead;
}

/** Is the token drawn, by way of a proposal, from a law that drafts are made for? */
function draws({ run, sequence, forcedId, looksOnly }: ReadyRow): boolean {
  const { distribution, sampling } = sequence.nature;
  return run.speculation !== null && distribution === 0 && forcedId === null && !looksOnly && sampling.temperature > 0;
}

/** Only the answer's tokens have the whole vocabulary told. */
function tellsAll({ ready, tell }: Bound): boolean {
  return ready.position >= 0 && (tell?.full ?? false);
}

/** Rows of one key share one kernel run. */
function groupKey(bound: Bound): string {
  const { ready, distribution, sampler, logits, draftLogits, tell, traced } = bound;
  const { vocabSize } = ready.run.request;
  const extras = `${tell && tell.top > 0 ? 'top' : ''}${tellsAll(bound) ? 'full' : ''}`;
  const widths = logits.map(({ batch }) => batch.width).join(',');
  return [
    structureKey(distribution),
    samplerClass(sampler),
    ready.forcedId === null ? '' : 'forced',
    sampler.draft ? `draft ${draftLogits?.batch.width ?? 'looked up'}` : '',
    traced ? 'trace' : '',
    sampler.allowed ? 'masked' : '',
    extras,
    vocabSize,
    widths,
  ].join('|');
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const k = key(item);
    const group = groups.get(k);
    if (group) group.push(item);
    else groups.set(k, [item]);
  }
  return [...groups.values()];
}

/** The same on the host, where they lie. */
function hostRows(refs: readonly LogitsRef[], width: number): ViewLogits {
  const data = refs.map(({ batch, row }) => (batch.data as Float32Array).subarray(row * width, (row + 1) * width));
  return { logits: { data, rows: refs.length, width }, rowIndex: null };
}

function decisionAt(result: FuseResult, r: number, { ready, logits, tell }: Bound): Decision {
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
