// Rows whose views all have logits for the same position → decisions. The only place where several models meet: groups rows that share
// a kernel, binds their views' logits (without copying when they come from one forward), runs it, and reads one id per row back.
import { logits as plainLogits, viewsOf } from '../../decoders/expr.js';
import { lookUp } from '../../decoders/lookup.js';
import type { FuseResult, KernelNeed, LogitKernels, ViewLogits } from '../../kernels/logits/kernels.js';
import type { Tensor } from '../../kernels/session.js';
import { computesInFloat16 } from '../models/weight-format.js';
import { bind, bindDraft, draws, groupKey, knownIds, tellsAll, type Bound, type ReadyRow } from './bound-row.js';
import { decisionAt } from './outcome.js';
import type { Run } from './run.js';
import type { Decision } from './sequence.js';
import type { LogitsBatch, LogitsRef } from './view.js';

/** What the engine needs of the logit kernels. */
export type Kernels = Pick<LogitKernels, 'run'> & {
  /** `onDevice`: the logits will be. */
  prepare?(need: KernelNeed, onDevice: boolean): Promise<boolean>;
  /** Rows of several tensors in one, where there is a device. */
  join?(parts: readonly Tensor[], index: Int32Array): Promise<Tensor>;
};

interface Outcome {
  readonly bound: Bound;
  readonly status: number;
  readonly decision: Decision | null;
}

const OK = 0;
const NAN = 2;

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
