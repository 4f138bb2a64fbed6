// What admission has to decide about a request, worked out from all requests one by one: the twin of the figures that it keeps.
import { expect } from 'vitest';
import type { ErrorData } from '../../server/errors.js';
import { servedBefore } from '../../server/engine/admission.js';
import type { EngineLimits } from '../../server/engine/engine.js';
import type { EngineModel } from '../../server/engine/model.js';
import type { Pace } from '../../server/engine/pace.js';
import type { Run } from '../../server/engine/run.js';

export interface NaiveEngine {
  readonly running: readonly Run[];
  readonly queue: readonly Run[];
  readonly limits: EngineLimits;
  readonly pace: Pace;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const priceOf = (runs: readonly Run[]): number => sum(runs.map(({ price }) => price));
const rowsOn = (run: Run, model: EngineModel): number => run.demand.get(model)?.rows ?? 0;

/** Null where the request may wait or run. */
export function naiveDecision(run: Run, { running, queue, limits, pace }: NaiveEngine): Partial<ErrorData> | null {
  const ahead = queue.filter((other) => servedBefore(other, run) < 0);
  const others = [...running, ...ahead];
  const stepRows = (runs: readonly Run[]): Map<string, number> => {
    const rows = new Map<string, number>();
    for (const other of runs) {
      if (other.pool || (running.includes(other) && other.waits !== null)) continue;
      for (const [{ name }, own] of other.demand) rows.set(name, (rows.get(name) ?? 0) + own.rows);
    }
    return rows;
  };

  const full = [...run.demand.keys()].find((model) => {
    const users = [...others, run].filter((other) => other.demand.has(model));
    const longest = Math.max(
      ...users.map((other) => other.demand.get(model)?.promptLength ?? 0),
      ...others.flatMap((other) => lengthsOf(other, model).map((length) => length - 1)),
      ...lengthsOf(run, model),
    );
    return !model.cache.fits(sum(users.map((other) => rowsOn(other, model))), longest + 1);
  });
  const { stepMs = null, waitMs = null, firstTokenMs = null } = limits;
  const slows =
    stepMs !== null &&
    others.length > 0 &&
    pace.stepMs(stepRows([...others, run])) > Math.max(stepMs, 3 * pace.stepMs(stepRows([run])));
  const lack = full ?? (slows ? 'step' : null);

  let roomMs = 0;
  if (lack !== null) {
    const rows = (other: Run): number => (lack === 'step' ? other.rows : rowsOn(other, lack));
    roomMs = stepsUntil(running, ahead, rows, rows(run)) * pace.tickMs(stepRows(running));
  }
  let promptsMs = 0;
  let ownMs = pace.firstStepsOf(run.kind) * pace.stepMs(stepRows(lack === null ? [...others, run] : running));
  for (const [model, own] of run.promptTokens) {
    // Prompts that have not begun are taken as alike, of those that have each counts by itself.
    const fresh = others.filter((other) => !other.hasStarted && other.demand.has(model));
    const begun = others.filter((other) => other.hasStarted && other.demand.has(model));
    const pending = (other: Run): number => other.pendingPromptTokens(model);
    const tokens =
      Math.min(sum(fresh.map(pending)), fresh.length * own) + sum(begun.map((other) => Math.min(pending(other), own)));
    promptsMs += pace.promptMs(model.name, tokens);
    ownMs += pace.promptMs(model.name, own);
  }

  if (queue.length >= limits.maxWaiting)
    return { code: 'queue_full', retryAfterSeconds: Math.max(1, Math.ceil(roomMs / 1000)) };
  if (others.length === 0 || run.request.follows) return null;
  for (const [limit, configured, waits] of [
    ['waitMs', waitMs, roomMs],
    ['firstTokenMs', firstTokenMs, Math.max(roomMs, promptsMs)],
  ] as const) {
    if (configured === null || waits <= Math.max(configured, ownMs)) continue;
    const work = `would wait ${Math.ceil(waits)} ms for the ${running.length} requests that run and the ${ahead.length} that wait before it (price ${priceOf(others)})`;
    return {
      code: 'overloaded',
      message: expect.stringContaining(
        `${work}; the limit is ${Math.ceil(Math.max(configured, ownMs))} ms (limits.${limit})`,
      ) as string,
    };
  }
  return null;
}

function lengthsOf(run: Run, model: EngineModel): number[] {
  if (!run.hasStarted) return [];
  return run.live.flatMap(({ views }) => views.filter((view) => view.model === model).map(({ length }) => length));
}

/** Step by step, with nothing but lists. */
function stepsUntil(
  running: readonly Run[],
  ahead: readonly Run[],
  rowsOf: (run: Run) => number,
  wanted: number,
): number {
  const left = (run: Run): number => (run.cancelled ? 0 : Math.max(1, run.expectedSteps - run.ledger.steps));
  let held = running.map((run) => ({ rows: rowsOf(run), until: left(run) }));
  const capacity = Math.max(sum(held.map(({ rows }) => rows)), wanted);
  const line = [...ahead.map((run) => ({ rows: rowsOf(run), steps: left(run) })), { rows: wanted, steps: null }];
  for (let step = 0; ; step++) {
    for (;;) {
      held = held.filter(({ until }) => until > step);
      const [first] = line;
      const rows = Math.min(first?.rows ?? 0, capacity);
      if (!first || sum(held.map((one) => one.rows)) + rows > capacity) break;
      if (first.steps === null) return step;
      held.push({ rows, until: step + first.steps });
      line.shift();
    }
  }
}
