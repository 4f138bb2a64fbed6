// trimtab convert: makes (or finds) the artifact of a checkpoint and says where it is. The first line of stdout is the folder, for
// scripts.
import { cpSync, readdirSync, rmSync, statSync, type Stats } from 'node:fs';
import { join, resolve } from 'node:path';
import { AppError } from '../errors.js';
import { ensureArtifact, notKept } from '../models/artifacts.js';
import { computesInFloat16, type WeightsName } from '../models/weight-format.js';
import { shown } from '../wire/shown.js';
import type { Progress } from './progress.js';
import { siCount, type Output } from './terminal.js';

export interface ConvertOptions {
  readonly weights: WeightsName;
  readonly out?: string;
  readonly block?: number;
  readonly artifactDirectory: string;
}

export async function convertCommand(
  folder: string,
  { weights, out, block, artifactDirectory }: ConvertOptions,
  stdout: Output,
  progress: Progress,
): Promise<void> {
  if (out !== undefined) checkTarget(out);
  const started = performance.now();
  const artifact = await ensureArtifact({
    path: folder,
    weights,
    // Nothing else can run these.
    device: computesInFloat16(weights) ? 'webgpu' : 'cpu',
    artifactDirectory,
    ...(block === undefined ? {} : { blockSize: block }),
    onProgress: (stage, fraction) => progress.report(stage, fraction),
  });
  progress.clear();
  const directory = out === undefined ? artifact.directory : resolve(out);
  if (out !== undefined) copyArtifact(artifact.directory, directory);
  const bytes = readdirSync(directory).reduce((sum, file) => sum + statSync(join(directory, file)).size, 0);
  const how = artifact.cached
    ? 'it was there already'
    : `converted in ${((performance.now() - started) / 1000).toFixed(1)} s`;
  stdout.write(`${directory}\n${artifact.spec.family}, ${weights}, ${siCount(bytes)}B, ${how}\n`);
}

/** All of it or nothing: half an artifact would be in the way of the next try, whose folder has to be empty. */
function copyArtifact(from: string, to: string): void {
  // Converting may have taken minutes.
  checkTarget(to);
  const wasThere = whatIs(to) !== undefined;
  try {
    cpSync(from, to, { recursive: true });
  } catch (error) {
    for (const name of readdirSync(from)) rmSync(join(to, name), { recursive: true, force: true });
    if (!wasThere) rmSync(to, { recursive: true, force: true });
    throw notKept(to, error, 'give --out');
  }
}

/** Nothing is overwritten: a folder that holds something may be anybody's. */
function checkTarget(out: string): void {
  const found = whatIs(out);
  if (found === undefined || (found.isDirectory() && readdirSync(out).length === 0)) return;
  throw new AppError('invalid_value', {
    param: '--out',
    problem: found.isDirectory() ? 'the folder is not empty' : 'it is a file',
    value: shown(out),
    remedy: 'Give a new or empty folder.',
  });
}

function whatIs(out: string): Stats | undefined {
  try {
    return statSync(out, { throwIfNoEntry: false });
  } catch (error) {
    throw notKept(out, error, 'give --out');
  }
}
