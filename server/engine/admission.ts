// Who may start: prices each request in rows, cache bytes and time before anything is allocated; refuses what can never fit and what would
// wait too long, lets the rest wait in order of priority and arrival. Claims nothing itself. Called by the engine at the start of a tick.
import { AppError, errorData, type ErrorData } from '../errors.js';
import { Company, longestLive, rowsOf } from './company.js';
import type { EngineLimits } from './engine.js';
import { Forecast, refusalOf, tokensAhead, type Expected } from './estimate.js';
import type { EngineModel } from './model.js';
import type { Pace, Rows } from './pace.js';
import { Roster, rosterOf, rowsOn, stepsLeft, type Lack } from './roster.js';
import type { Run } from './run.js';

/**
 * A step may take as long as this many steps of the request alone. If a step costs f + r·s for r rows, f some five times s, then rows up to
 * three steps' time answer most of what the machine can, and at full load a step takes 1.5 times what it takes at 80 % of it.
 */
const COMPANY = 3;

export class Admission {
  readonly #limits: EngineLimits;
  readonly #pace: Pace;
  #queue: Run[] = [];
  /** Everyone in the queue. */
  #waiting = new Roster();
  /** Everyone who runs, as they were at the end of the last tick. */
  #running = new Roster();
  /** Of everyone who runs and waits, by what is lacked: worked out when somebody first asks, and after a tick for those who will. */
  #forecasts = new Map<Lack, Forecast>();

  constructor(limits: EngineLimits, pace: Pace) {
    this.#limits = limits;
    this.#pace = pace;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Rows × tokens at most. */
  get price(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running.price, waiting: this.#waiting.price };
  }

  /** Throws AppError for a request that could never run; says why one is refused that finds too many waiting or would wait too long. */
  enqueue(run: Run): ErrorData | null {
    this.#checkSize(run);
    run.expectedSteps = this.#pace.stepsOf(run.kind, run.request.maxTokens);
    const place = this.#placeOf(run);
    const ahead = place === this.#queue.length ? this.#waiting : rosterOf(this.#queue.slice(0, place));
    const expected = this.#expect(run, ahead);
    if (this.#queue.length >= this.#limits.maxWaiting)
      return errorData('queue_full', {
        waiting: this.#queue.length,
        limit: this.#limits.maxWaiting,
        retryAfterSeconds: Math.max(1, Math.ceil(expected.roomMs / 1000)),
      });
    const { waitMs = null, firstTokenMs = null } = this.#limits;
    const refusal = refusalOf(expected, { waitMs, firstTokenMs });
    // Whoever is alone waits for nobody, whatever the figures say; and of one request's prompts all are taken or none.
    if (refusal && this.#running.size + ahead.size > 0 && !run.request.follows)
      return errorData('overloaded', {
        price: run.price,
        running: this.#running.size,
        waiting: ahead.size,
        work: this.#running.price + ahead.price,
        estimatedMs: Math.ceil(refusal.waitMs),
        limitMs: Math.ceil(refusal.limitMs),
        limit: refusal.limit,
        retryAfterSeconds: refusal.retryAfterSeconds,
      });
    this.#insert(run, place);
    return null;
  }

  get queue(): readonly Run[] {
    return this.#queue;
  }

  /** Would a tick prepare or admit any of them, beside those that run? */
  get hasWork(): boolean {
    return this.unprepared !== undefined || this.#admissible().size > 0;
  }

  /** What runs is no longer what it was. Looked at here and not at every decision. */
  changed(running: readonly Run[]): void {
    this.#running = new Roster();
    for (const run of running) this.#running.add(run, run.waits !== null);
    this.#forecastAnew();
  }

  /** Rows by model that take a step together now. */
  get stepRows(): Rows {
    return this.#running.needs.stepRows;
  }

  /** A preempted run waits again, at the place that its arrival gives it. */
  putBack(run: Run): void {
    this.#insert(run, this.#placeOf(run));
  }

  /** Takes a request out of the queue; returns how many were taken. */
  remove(requestId: string): number {
    return this.#take((run) => run.request.requestId === requestId).length;
  }

  /** The first that lacks kernels. */
  get unprepared(): Run | undefined {
    return this.#queue.find(({ needs }) => needs.length > 0);
  }

  drain(): Run[] {
    return this.#take(() => true);
  }

  /**
   * The runs that may start now, beside those that run. In order per model: a large request is never overtaken for ever on a model
   * that it waits for, and never keeps anyone waiting for another. The step is everybody's: who waits for it is overtaken by nobody.
   */
  admit(): Run[] {
    const admitted = this.#admissible();
    if (admitted.size === 0) return [];
    for (const run of admitted) this.#running.add(run);
    return this.#take((run) => admitted.has(run));
  }

  #take(isTaken: (run: Run) => boolean): Run[] {
    const taken = this.#queue.filter(isTaken);
    if (taken.length === 0) return taken;
    this.#queue = this.#queue.filter((run) => !isTaken(run));
    this.#waiting = rosterOf(this.#queue);
    this.#forecastAnew();
    return taken;
  }

  #admissible(): Set<Run> {
    const admitted = new Set<Run>();
    if (this.#queue.length === 0) return admitted;
    const awaited = new Set<EngineModel>();
    const company = new Company();
    company.join(this.#running.needs);
    for (const run of this.#queue) {
      if (run.needs.length > 0) continue;
      const models = [...run.demand.keys()];
      const waits = models.some((model) => awaited.has(model));
      const lack = waits ? null : this.#lacking(run, company);
      if (lack === 'step') break;
      if (waits || lack) models.forEach((model) => awaited.add(model));
      else {
        admitted.add(run);
        company.add(run);
      }
    }
    return admitted;
  }

  #checkSize(run: Run): void {
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
  }

  /** What the request would meet if it came to wait behind `ahead`. */
  #expect(run: Run, ahead: Roster): Expected {
    const pace = this.#pace;
    const runs = this.#running.needs;
    const company = new Company();
    company.join(runs);
    company.join(ahead.needs);
    const lack = this.#lacking(run, company);
    const roomMs = lack === null ? 0 : this.#stepsUntil(lack, run, ahead) * pace.tickMs(runs.stepRows);
    let promptsMs = 0;
    let ownMs = pace.firstStepsOf(run.kind) * pace.stepMs(lack === null ? company.rowsWith(run) : runs.stepRows);
    for (const [model, own] of run.promptTokens) {
      const { prompts, promptTokens, pending } = company.of(model);
      let tokens = tokensAhead(promptTokens, prompts, own);
      for (const one of pending) tokens += tokensAhead(one, 1, own);
      promptsMs += pace.promptMs(model.name, tokens);
      ownMs += pace.promptMs(model.name, own);
    }
    return { roomMs, promptsMs, ownMs };
  }

  #stepsUntil(lack: Lack, run: Run, ahead: Roster): number {
    const rows = rowsOn(run, lack);
    // Full as it is; where rows are left, others' or its length is what does not fit beside.
    const capacity = Math.max(this.#running.holders(lack).allRows, rows);
    let forecast = ahead === this.#waiting ? this.#forecasts.get(lack) : undefined;
    if (forecast?.capacity !== capacity) {
      forecast = new Forecast(capacity, this.#running.holders(lack), ahead.holders(lack));
      if (ahead === this.#waiting) this.#forecasts.set(lack, forecast);
    }
    return forecast.stepsUntil(rows);
  }

  /** Who will ask has no time, a tick has. */
  #forecastAnew(): void {
    const asked = this.#waiting.size > 0 ? [...this.#forecasts.keys()] : [];
    this.#forecasts.clear();
    for (const lack of asked) {
      const running = this.#running.holders(lack);
      if (running.allRows > 0)
        this.#forecasts.set(lack, new Forecast(running.allRows, running, this.#waiting.holders(lack)));
    }
  }

  #lacking(run: Run, company: Company): Lack | null {
    for (const [model, { rows, promptLength }] of run.demand) {
      const others = company.of(model);
      // One that comes back from preemption has to take in its answer so far as well.
      const longest = Math.max(others.longest, promptLength, longestLive(run, model)) + 1;
      if (!model.cache.fits(others.rows + rows, longest)) return model;
    }
    return this.#slowsDown(run, company) ? 'step' : null;
  }

  /** Would the step of everything that runs become longer than anyone should wait for a token? */
  #slowsDown(run: Run, company: Company): boolean {
    const { stepMs = null } = this.#limits;
    if (stepMs === null || company.isEmpty) return false;
    const alone = this.#pace.stepMs(rowsOf(run));
    return this.#pace.stepMs(company.rowsWith(run)) > Math.max(stepMs, COMPANY * alone);
  }

  /** Behind all that are served before it. Who arrives goes last but for its priority. */
  #placeOf(run: Run): number {
    let place = this.#queue.length;
    while (place > 0 && servedBefore(run, this.#queue[place - 1] as Run) < 0) place--;
    return place;
  }

  #insert(run: Run, place: number): void {
    this.#queue.splice(place, 0, run);
    if (place === this.#queue.length - 1) {
      this.#waiting.add(run);
      for (const [lack, forecast] of this.#forecasts) forecast.join(rowsOn(run, lack), stepsLeft(run));
    } else {
      this.#waiting = rosterOf(this.#queue);
      this.#forecastAnew();
    }
  }
}

/** Negative when `a` goes first: by priority, then by arrival. */
export function servedBefore(a: Run, b: Run): number {
  return a.request.priority - b.request.priority || a.arrival - b.arrival;
}
