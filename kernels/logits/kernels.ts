// Logits of several models → one token id per row, through compiled kernels. Sessions are cached by structure and
// variant; a call takes the cheapest kernel that can be right, and rows that it could not settle (a nucleus wider than
// what was sorted, a view with −∞) run again through a dearer one: the answer is always exact. Called by the engine's
// fuser, one call per group of rows of one structure.
import { structureKey } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { feedsOf } from './binding.js';
import { check, emptyResult, type FuseCall, type FuseResult, isGreedy, type SamplerRow } from './call.js';
import { type CompiledKernel, compileKernel, type KernelPlace, type Numbers } from './compiled.js';
import { releaseAll } from '../session.js';
import { buildKernel, type KernelVariant, STATUS, valuesOf } from './kernel.js';
import { Scratch } from './scratch.js';
import type { SamplerClass } from './stage.js';
import {
  type Batch,
  classOf,
  firstPreselection,
  type KernelNeed,
  kernelsFor,
  type Pass,
  rowsTogether,
  variantOf,
} from './variants.js';

export type { FuseCall, FuseResult, FuseTrace, FusionResult, RowDraft, SamplerRow, ViewLogits } from './call.js';
export type { KernelNeed } from './variants.js';

/** Compiled kernels kept: a client can ask for ever new structures. */
const MAX_SESSIONS = 128;

/** Rows of one class are cheapest together; a call may mix them. */
export function samplerClass(row: SamplerRow): SamplerClass {
  return classOf(row);
}

export class LogitKernels {
  readonly #place: KernelPlace;
  readonly #scratch = new Scratch();
  /** In order of use, the least recent first. */
  readonly #sessions = new Map<string, Promise<CompiledKernel>>();

  constructor(place: Omit<KernelPlace, 'device'> & Partial<KernelPlace>) {
    this.#place = { device: 'cpu', ...place };
  }

  async run(call: FuseCall): Promise<FuseResult> {
    check(call);
    const result = emptyResult(call);
    const queue: Pass[] = firstPasses(call);
    for (let pass = queue.shift(); pass; pass = queue.shift()) queue.push(...(await this.#settle(call, pass, result)));
    return result;
  }

  /**
   * Makes one of the kernels that rows of this need will meet, if one is missing; true once none is. A kernel takes from a few milliseconds
   * to some tens: called between steps until it is true, nobody waits for more than one, and later calls of `run` for none.
   */
  async prepare(need: KernelNeed): Promise<boolean> {
    const missing = kernelsFor(need, this.#place.device).filter(
      ({ expr, variant }) => !this.#sessions.has(keyOf(expr, variant)),
    );
    const [first] = missing;
    if (first) await this.#session(first.expr, first.variant);
    return missing.length <= 1;
  }

  /** How many kernels are kept. */
  get count(): number {
    return this.#sessions.size;
  }

  /** Frees every kernel. The object can be used again. */
  async release(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await releaseAll(sessions);
  }

  /** Runs one pass, writes the rows it settles, returns what has to run again. */
  async #settle(call: FuseCall, pass: Pass, result: FuseResult): Promise<Pass[]> {
    const batch: Batch = { call, pass };
    const variant = variantOf(batch);
    const [expr] = pass.rows.map((row) => call.distribution[row] as Scores);
    const session = await this.#session(expr as Scores, variant);
    const loan = this.#scratch.lend();
    const outputs = await session.run(feedsOf(batch, variant, loan)).finally(() => loan.end());
    const numbers = (name: string): Numbers | undefined => outputs.get(name);
    const status = numbers('status');
    const isShort = (name: string, r: number): boolean =>
      status?.[r] === STATUS.ok && numbers(name)?.[r] === 0 && pass.preselection < call.vocabSize;
    const [unsound, shortOfMask, shortOfFilter]: [number[], number[], number[]] = [[], [], []];
    pass.rows.forEach((row, r) => {
      if (status?.[r] === STATUS.unsound) unsound.push(row);
      else if (isShort('masks_covered', r)) shortOfMask.push(row);
      else if (isShort('covered', r)) shortOfFilter.push(row);
      else {
        result.ids[row] = numbers('id')?.[r] ?? 0;
        result.logprobs[row] = numbers('logprob')?.[r] ?? NaN;
        result.status[row] = status?.[r] ?? STATUS.nan;
        copyRow(numbers('top_ids'), r, result.topIds, row, pass.rows.length);
        copyRow(numbers('top_logprobs'), r, result.topLogprobs, row, pass.rows.length);
        copyRow(numbers('full'), r, result.full, row, pass.rows.length);
        copyRow(numbers('trace_members'), r, result.trace?.members, row, pass.rows.length);
        copyRow(numbers('trace_kl'), r, result.trace?.kl, row, pass.rows.length);
        const kept = numbers(isGreedy(call.rows[row] as SamplerRow) ? 'trace_allowed' : 'trace_kept');
        copyRow(kept, r, result.trace?.kept, row, pass.rows.length);
        copyRow(numbers('fusion_weights'), r, result.fusion?.weights, row, pass.rows.length);
        copyRow(numbers('fusion_at_bound'), r, result.fusion?.atBound, row, pass.rows.length);
      }
    });
    const { preselection } = pass;
    return [
      { ...pass, rows: unsound, soundness: 'checked' as const },
      { ...pass, rows: shortOfMask, preselection: Math.min(call.vocabSize, preselection * 16) },
      // Row by row: the many passes of these kernels are fastest over what stays in the processor's cache.
      ...shortOfFilter.map((row) =>
        pass.kind === 'filtered'
          ? { ...pass, rows: [row], kind: 'nucleus' as const }
          : { ...pass, rows: [row], kind: 'filtered' as const, preselection: call.vocabSize },
      ),
    ].filter(({ rows }) => rows.length > 0);
  }

  async #session(expr: Scores, variant: KernelVariant): Promise<CompiledKernel> {
    const key = keyOf(expr, variant);
    let session = this.#sessions.get(key);
    if (session) this.#sessions.delete(key);
    else {
      session = compileKernel(buildKernel(structureKey(expr), expr, variant), this.#place, {
        longest: variant.vocabSize,
        areLong: variant.sortsMany,
        values: valuesOf(variant),
        carrier: variant.looks ? { top: 'top_ids', id: 'id', status: 'status' } : null,
      });
    }
    this.#sessions.set(key, session);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) {
      const evicted = this.#sessions.get(oldest);
      this.#sessions.delete(oldest);
      await (await evicted)?.release();
    }
    return session;
  }
}

function keyOf(expr: Scores, variant: KernelVariant): string {
  return `${structureKey(expr)} ${JSON.stringify(variant)}`;
}

/** One pass per way of sampling. Greedy rows join whichever other rows there are. */
function firstPasses(call: FuseCall): Pass[] {
  const preselection = firstPreselection(call);
  const classes = call.rows.map(classOf);
  const others = (['full', 'filtered'] as const).filter((kind) => classes.includes(kind));
  const kinds: readonly SamplerClass[] = others.length > 0 ? others : ['greedy'];
  return kinds.flatMap((kind, index) => {
    const rows = classes.flatMap((own, row) => (own === kind || (own === 'greedy' && index === 0) ? [row] : []));
    return chunks(rows, rowsTogether(call)).map((some) => ({
      kind,
      rows: some,
      preselection,
      soundness: 'assumed' as const,
    }));
  });
}

function chunks(rows: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
    rows.slice(index * size, (index + 1) * size),
  );
}

function copyRow(
  from: Numbers | undefined,
  fromRow: number,
  to: Numbers | undefined,
  toRow: number,
  rows: number,
): void {
  if (!from || !to) return;
  const width = from.length / rows;
  to.set(from.subarray(fromRow * width, (fromRow + 1) * width), toRow * width);
}
