// What some runs need together: rows and bytes of each model, prompts, and the step that they take. Knows no limits; admission.ts compares
// with them.
import type { EngineModel } from './model.js';
import type { Rows } from './pace.js';
import type { Run } from './run.js';

interface Share {
  rows: number;
  longest: number;
  /** Of those that have not started. */
  prompts: number;
  promptTokens: number;
  /** What each of the others has still to take in of its prompt. */
  pending: number[];
}

const NOTHING: Readonly<Share> = { rows: 0, longest: 0, prompts: 0, promptTokens: 0, pending: [] };

/** What some runs need together. */
export class Company {
  readonly #models = new Map<EngineModel, Share>();
  /** Rows by model that take a step together; those of a run that stands still take none. */
  readonly stepRows = new Map<string, number>();
  isEmpty = true;

  /** `standsStill`: its rows take no steps at present. */
  add(run: Run, standsStill = false): void {
    this.isEmpty = false;
    const { hasStarted } = run;
    for (const [model, { rows, promptLength }] of run.demand) {
      const share = this.#share(model);
      share.rows += rows;
      if (promptLength > share.longest) share.longest = promptLength;
      if (hasStarted) {
        share.longest = Math.max(share.longest, longestLive(run, model) - 1);
        const pending = run.pendingPromptTokens(model);
        if (pending > 0) share.pending.push(pending);
      } else {
        share.prompts++;
        share.promptTokens += run.promptTokens.get(model) ?? 0;
      }
      if (!run.pool && !standsStill) this.#step(model.name, rows);
    }
  }

  join(other: Company): void {
    this.isEmpty &&= other.isEmpty;
    for (const [model, { rows, longest, prompts, promptTokens, pending }] of other.#models) {
      const share = this.#share(model);
      share.rows += rows;
      share.longest = Math.max(share.longest, longest);
      share.prompts += prompts;
      share.promptTokens += promptTokens;
      share.pending.push(...pending);
    }
    for (const [model, rows] of other.stepRows) this.#step(model, rows);
  }

  of(model: EngineModel): Readonly<Share> {
    return this.#models.get(model) ?? NOTHING;
  }

  rowsWith(run: Run): Rows {
    const rows = new Map(this.stepRows);
    if (!run.pool) for (const [{ name }, demand] of run.demand) rows.set(name, (rows.get(name) ?? 0) + demand.rows);
    return rows;
  }

  #share(model: EngineModel): Share {
    let share = this.#models.get(model);
    if (!share) this.#models.set(model, (share = { ...NOTHING, pending: [] }));
    return share;
  }

  #step(model: string, rows: number): void {
    this.stepRows.set(model, (this.stepRows.get(model) ?? 0) + rows);
  }
}

/** Rows that a run alone takes a step with. */
export function rowsOf(run: Run): Rows {
  return new Company().rowsWith(run);
}

export function longestLive(run: Run, model: EngineModel): number {
  let longest = 0;
  if (!run.hasStarted) return longest;
  for (const sequence of run.live)
    for (const view of sequence.views) if (view.model === model) longest = Math.max(longest, view.length);
  return longest;
}
