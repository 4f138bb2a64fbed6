// Rows whose views all have logits for the same position → decisions. The only place where several models meet: groups rows that share
// a kernel, binds their views' logits (without copying when they come from one forward), runs it, and reads one id per row back.
import { logits as plainLogits, structureKey, viewsOf, type Scores } from '../../decoders/expr.js';
import { uniform } from '../../decoders/random.js';
import {
  samplerClass,
  type FuseResult,
  type LogitKernels,
  type SamplerRow,
  type ViewLogits,
} from '../../kernels/logits/kernels.js';
import { AppError } from '../errors.js';
import type { Run } from './run.js';
import type { Decision, Sequence } from './sequence.js';
import type { LogitsRef } from './view.js';

/** What the engine needs of the logit kernels. */
export type Kernels = Pick<LogitKernels, 'run'>;

/** A position of a sequence whose logits are all there. */
export interface ReadyRow {
  readonly run: Run;
  readonly sequence: Sequence;
  readonly position: number;
  /** The token whose probability is asked for, instead of choosing one. */
  readonly forcedId: number | null;
  /** One per view of the distribution. */
  readonly logits: readonly LogitsRef[];
}

interface Bound {
  readonly ready: ReadyRow;
  readonly distribution: Scores;
  readonly logits: readonly LogitsRef[];
  readonly sampler: SamplerRow;
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

  /** Decides every row; a row whose distribution is broken falls back to its first view and says so, or fails its run. */
  async decide(rows: readonly ReadyRow[]): Promise<{ row: ReadyRow; decision: Decision }[]> {
    const started = performance.now();
    const decided: { row: ReadyRow; decision: Decision }[] = [];
    const broken: Bound[] = [];
    for (const group of groupBy(rows.map(bind), groupKey)) {
      const result = await this.#run(group);
      group.forEach((bound, r) => {
        if (result.status[r] === OK) decided.push({ row: bound.ready, decision: decisionAt(result, r, bound) });
        else broken.push(this.#fallback(bound, result.status[r] ?? NAN));
      });
    }
    for (const group of groupBy(broken, groupKey)) {
      const result = await this.#run(group);
      group.forEach((bound, r) => {
        if (result.status[r] === OK) decided.push({ row: bound.ready, decision: decisionAt(result, r, bound) });
        else fail(bound.ready);
      });
    }
    this.seconds += (performance.now() - started) / 1000;
    return decided;
  }

  async #run(group: readonly Bound[]): Promise<FuseResult> {
    const [first] = group;
    if (!first) throw new Error('an empty group');
    const { request } = first.ready.run;
    return this.#kernels.run({
      distribution: group.map(({ distribution }) => distribution),
      views: first.logits.map((_, v) => gather(group.map((bound) => bound.logits[v] as LogitsRef))),
      vocabSize: request.vocabSize,
      rows: group.map(({ sampler }) => sampler),
      logprobs: group.some(({ ready }) => ready.run.request.logprobs !== null),
      topLogprobs: Math.max(...group.map(({ ready }) => ready.run.request.logprobs?.top ?? 0)),
      // Only the answer's tokens have the whole vocabulary told.
      full: first.ready.forcedId === null && (request.logprobs?.full ?? false),
    });
  }

  /** The stated fallback: the first view's own distribution, greedily. */
  #fallback(bound: Bound, status: number): Bound {
    const { run } = bound.ready;
    const reason = status === NAN ? 'nan' : 'dead';
    run.fallbacks[reason] = (run.fallbacks[reason] ?? 0) + 1;
    if (status === NAN) this.nanRows++;
    const [view] = viewsOf(bound.distribution);
    if (!view) throw new Error('a distribution without views');
    return {
      ...bound,
      distribution: plainLogits(view.model, view.prompt),
      logits: bound.logits.slice(0, 1),
      sampler: { ...bound.sampler, temperature: 0 },
    };
  }
}

function bind(ready: ReadyRow): Bound {
  const { request } = ready.run;
  const { temperature, topK, topP, minP } = request.sampling;
  return {
    ready,
    distribution: request.distribution,
    logits: ready.logits,
    sampler: {
      temperature,
      topK,
      topP,
      minP,
      uniform: temperature === 0 ? 0 : uniform(request.seed, ready.sequence.choice, ready.position),
      forcedId: ready.forcedId,
      edits: ready.forcedId === null ? ready.sequence.edits() : { ids: [], add: [], repetition: [] },
    },
  };
}

/** Rows of one key share one kernel run. */
function groupKey({ ready, distribution, sampler, logits }: Bound): string {
  const { logprobs, vocabSize } = ready.run.request;
  const extras = logprobs ? `${logprobs.top > 0 ? 'top' : ''}${logprobs.full ? 'full' : ''}` : '';
  const widths = logits.map(({ batch }) => batch.width).join(',');
  return [
    structureKey(distribution),
    samplerClass(sampler),
    ready.forcedId === null ? '' : 'forced',
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

/** Logits of one view over the rows: by reference when one forward made them all, else copied together. */
function gather(refs: readonly LogitsRef[]): ViewLogits {
  const [first] = refs;
  if (!first) throw new Error('no rows');
  const { batch } = first;
  if (refs.every((ref) => ref.batch === batch)) {
    const identity = refs.length * batch.width === batch.data.length && refs.every((ref, r) => ref.row === r);
    return {
      logits: { data: batch.data, rows: batch.data.length / batch.width, width: batch.width },
      rowIndex: identity ? null : Int32Array.from(refs, ({ row }) => row),
    };
  }
  const data = new Float32Array(refs.length * batch.width);
  refs.forEach((ref, r) =>
    data.set(ref.batch.data.subarray(ref.row * batch.width, (ref.row + 1) * batch.width), r * batch.width),
  );
  return { logits: { data, rows: refs.length, width: batch.width }, rowIndex: null };
}

function decisionAt(result: FuseResult, r: number, { ready }: Bound): Decision {
  const { vocabSize, logprobs } = ready.run.request;
  const perRow = result.topIds ? result.topIds.length / result.ids.length : 0;
  const wanted = Math.min(logprobs?.top ?? 0, perRow);
  return {
    tokenId: result.ids[r] ?? 0,
    logprob: result.logprobs[r] ?? NaN,
    top: Array.from({ length: wanted }, (_, i) => ({
      id: result.topIds?.[r * perRow + i] ?? 0,
      logprob: result.topLogprobs?.[r * perRow + i] ?? NaN,
    })),
    full: result.full ? result.full.slice(r * vocabSize, (r + 1) * vocabSize) : null,
  };
}

function fail({ run, sequence, position }: ReadyRow): void {
  run.fail(
    new AppError('nan_logits', {
      model: sequence.views[0]?.model.name,
      position: sequence.views[0] ? sequence.views[0].promptIds.length + position : position,
    }),
  );
}
