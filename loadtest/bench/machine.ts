// What the measurements ran on, and whether somebody else used it meanwhile. Linux's /proc where there is one, otherwise "unknown".
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly platform: string;
  /** Load average of the last minute, before anything was measured. */
  readonly load1: number;
}

export const describeMachine = (): Machine => ({
  cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
  cores: os.availableParallelism(),
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  node: process.version,
  platform: `${os.platform()} ${os.arch()}`,
  load1: os.loadavg()[0] ?? 0,
});

const MS_PER_CLOCK_TICK = 10;
const hasProc = existsSync('/proc/stat');

/** CPU time that everything on the machine has used, in ms. */
function busyMs(): number {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/).slice(1).map(Number) ?? [];
  // user, nice, system, irq, softirq, steal; neither idle nor iowait
  return [0, 1, 2, 5, 6, 7].reduce((sum, at) => sum + (fields[at] ?? 0), 0) * MS_PER_CLOCK_TICK;
}

/** [parent, own ticks, ticks of children that have ended] of every process. */
function processes(): Map<number, readonly [parent: number, ticks: number, reaped: number]> {
  const table = new Map<number, readonly [number, number, number]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      table.set(Number(entry), [
        fields[1] ?? 0,
        (fields[11] ?? 0) + (fields[12] ?? 0),
        (fields[13] ?? 0) + (fields[14] ?? 0),
      ]);
    } catch {
      // it ended between the two calls
    }
  }
  return table;
}

/** CPU time of this process, its children and those of them that have ended, in ms. */
function ownMs(): number {
  const table = processes();
  const family = new Set([process.pid]);
  for (let grown = -1; grown !== family.size;) {
    grown = family.size;
    for (const [pid, [parent]] of table) if (family.has(parent)) family.add(pid);
  }
  let ticks = 0;
  for (const pid of family) {
    const [, own, reaped] = table.get(pid) ?? [0, 0, 0];
    ticks += own + reaped;
  }
  return ticks * MS_PER_CLOCK_TICK;
}

/** Call it to learn how many cores others have used on average since it was made; NaN where /proc is missing. */
export function watchOthers(): () => number {
  if (!hasProc) return () => NaN;
  const start = performance.now();
  const others = busyMs() - ownMs();
  return () => Math.max(0, busyMs() - ownMs() - others) / (performance.now() - start);
}

/** Others may use this many cores before a measurement counts as disturbed. */
const QUIET_CORES = 0.15;

/** Waits for a quiet second, at most `limitMs`. */
async function waitForQuiet(limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (hasProc && performance.now() < end) {
    const watch = watchOthers();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (watch() < QUIET_CORES) return;
  }
}

export interface Quietest<T> {
  readonly result: T;
  readonly othersCores: number;
  readonly disturbed: boolean;
}

/** Repeats a measurement that others disturbed, at most `tries` times in all, and keeps the least disturbed. */
export async function quietly<T>(measure: () => Promise<T>, tries: number, waitMs: number): Promise<Quietest<T>> {
  let best: Quietest<T> | null = null;
  for (let attempt = 0; attempt < tries && best?.disturbed !== false; attempt++) {
    await waitForQuiet(waitMs);
    const watch = watchOthers();
    const result = await measure();
    const othersCores = watch();
    if (best === null || othersCores < best.othersCores) {
      best = { result, othersCores, disturbed: othersCores > QUIET_CORES };
    }
  }
  if (best === null) throw new RangeError(`tries must be at least 1, not ${tries}`);
  return best;
}
