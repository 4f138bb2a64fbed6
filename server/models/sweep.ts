// Keeps the artifact folder tidy: what a killed conversion left behind, and artifacts that a newer one replaced and nobody used for a
// day. Never touches what a living process may be writing. Called by artifacts.ts at every start.
import { readdirSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { readJsonObject } from './json-file.js';

const hourMs = 3_600_000;
/** A conversion writes something at least this often, on the slowest disk. */
const abandonedAfterMs = 6 * hourMs;
const supersededAfterMs = 24 * hourMs;

const host = hostname().replace(/[^\w-]/g, '_');

/** Says who is writing it: `NAME.HOST.PID.RANDOM.tmp`. */
export const temporaryName = (name: string): string =>
  `${name}.${host}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;

export function sweepArtifacts(home: string, now = Date.now()): void {
  const newest = new Map<string, number>();
  const finished: { directory: string; lineage: string; usedMs: number }[] = [];
  for (const entry of readdirSync(home)) {
    const directory = join(home, entry);
    if (entry.endsWith('.tmp')) {
      if (isAbandoned(entry, directory, now)) remove(directory);
      continue;
    }
    const manifestPath = join(directory, 'artifact.json');
    try {
      const manifest = readJsonObject(manifestPath);
      if (manifest === null) continue;
      const lineage = JSON.stringify([manifest['path'], manifest['weights']]);
      const usedMs = statSync(manifestPath).mtimeMs;
      finished.push({ directory, lineage, usedMs });
      newest.set(lineage, Math.max(newest.get(lineage) ?? 0, usedMs));
    } catch {
      // Not an artifact of ours: leave it alone.
    }
  }
  for (const { directory, lineage, usedMs } of finished) {
    if (usedMs < (newest.get(lineage) ?? 0) && now - usedMs > supersededAfterMs) remove(directory);
  }
}

function isAbandoned(entry: string, path: string, now: number): boolean {
  const [owner, pid] = entry.split('.').slice(-4, -2);
  if (
    owner === host &&
    pid !== undefined &&
    /^\d+$/.test(pid) &&
    Number(pid) !== process.pid &&
    !isAlive(Number(pid))
  ) {
    return true;
  }
  return now - lastWriteMs(path) > abandonedAfterMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function lastWriteMs(path: string): number {
  try {
    const own = statSync(path);
    if (!own.isDirectory()) return own.mtimeMs;
    return readdirSync(path).reduce((last, file) => Math.max(last, statSync(join(path, file)).mtimeMs), own.mtimeMs);
  } catch {
    // Its owner finished or removed it meanwhile.
    return Infinity;
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Another process is sweeping too, or the disk is read-only: nothing depends on it.
  }
}
