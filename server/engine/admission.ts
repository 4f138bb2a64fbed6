// Who may start: prices each request in rows and cache bytes before anything is allocated, refuses what can never fit, lets the rest wait
// in order of priority and arrival. Claims nothing itself. Called by the engine at the start of a tick.
import { AppError } from '../errors.js';
import type { EngineLimits } from './engine.js';
import type { EngineModel } from './model.js';
import type { Run } from './run.js';

const RETRY_AFTER_SECONDS = 2;

export class Admission {
  readonly #limits: EngineLimits;
  #queue: Run[] = [];

  constructor(limits: EngineLimits) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Throws AppError for a request that could never run, or when too many wait already. */
  enqueue(run: Run): void {
    for (const [model, { rows, length }] of run.demand) {
      if (rows > this.#limits.maxRows)
        throw new AppError('invalid_value', {
          param: run.request.search ? 'decoding' : 'n',
          problem: `the request needs ${rows} rows of ${model.name} at once, the limit is ${this.#limits.maxRows}`,
          value: run.request.search ? `${run.request.search.plan.method}, n = ${run.request.n}` : run.request.n,
          remedy: run.request.search
            ? 'Lower n, or the number of candidates and rollouts, or have the operator raise limits.maxRows.'
            : 'Lower n or raise limits.maxRows.',
        });
      if (!model.cache.fits(rows, length))
        throw new AppError('cache_too_small', {
          model: model.name,
          needed: rows * length * model.cache.tokenBytes,
          budget: model.cache.budgetBytes,
        });
    }
    if (this.#queue.length >= this.#limits.maxWaiting)
      throw new AppError('queue_full', {
        waiting: this.#queue.length,
        limit: this.#limits.maxWaiting,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    this.#insert(run);
  }

  get queue(): readonly Run[] {
    return this.#queue;
  }

  /** Would a tick prepare or admit any of them, beside those that run? */
  hasWork(running: readonly Run[]): boolean {
    return this.unprepared !== undefined || this.#admissible(running).size > 0;
  }

  /** A preempted run waits again, at the place that its arrival gives it. */
  putBack(run: Run): void {
    this.#insert(run);
  }

  /** Takes a request out of the queue; returns how many were taken. */
  remove(requestId: string): number {
    const before = this.#queue.length;
    this.#queue = this.#queue.filter((run) => run.request.requestId !== requestId);
    return before - this.#queue.length;
  }

  /** The first that lacks kernels. */
  get unprepared(): Run | undefined {
    return this.#queue.find(({ needs }) => needs.length > 0);
  }

  drain(): Run[] {
    return this.#queue.splice(0);
  }

  /**
   * The runs that may start now, beside those that run. In order per model: a large request is never overtaken for ever on a model
   * that it waits for, and never keeps anyone waiting for another.
   */
  admit(running: readonly Run[]): Run[] {
    const admitted = this.#admissible(running);
    if (admitted.size > 0) this.#queue = this.#queue.filter((run) => !admitted.has(run));
    return [...admitted];
  }

  #admissible(running: readonly Run[]): Set<Run> {
    const admitted = new Set<Run>();
    const awaited = new Set<EngineModel>();
    for (const run of this.#queue) {
      if (run.needs.length > 0) continue;
      const models = [...run.demand.keys()];
      if (!models.some((model) => awaited.has(model)) && this.#hasRoom(run, [...running, ...admitted]))
        admitted.add(run);
      else models.forEach((model) => awaited.add(model));
    }
    return admitted;
  }

  #hasRoom(run: Run, beside: readonly Run[]): boolean {
    for (const [model, demand] of run.demand) {
      let rows = demand.rows;
      // One that comes back from preemption has to take in its answer so far as well.
      let longest = Math.max(demand.promptLength, longestLive(run, model)) + 1;
      for (const other of beside) {
        const known = other.demand.get(model);
        if (!known) continue;
        rows += known.rows;
        longest = Math.max(longest, known.promptLength + 1, longestLive(other, model));
      }
      if (!model.cache.fits(rows, longest)) return false;
    }
    return true;
  }

  #insert(run: Run): void {
    const at = this.#queue.findIndex((other) => servedBefore(run, other) < 0);
    this.#queue.splice(at < 0 ? this.#queue.length : at, 0, run);
  }
}

/** Negative when `a` goes first: by priority, then by arrival. */
export function servedBefore(a: Run, b: Run): number {
  return a.request.priority - b.request.priority || a.arrival - b.arrival;
}

function longestLive(run: Run, model: EngineModel): number {
  let longest = 0;
  for (const sequence of run.live)
    for (const view of sequence.views) if (view.model === model) longest = Math.max(longest, view.length);
  return longest;
}
