// Checkpoint folder → artifact folder (what the kernels write, and artifact.json), made once and found again by what it was made from.
// An artifact appears under its name in one rename, after everything in it is on disk: whoever sees it may use it, and several
// processes may convert the same checkpoint at once. Knows files, not graphs. Called by the engine and by the CLI.
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import type { DecoderSpec } from '../../kernels/decoder/spec.js';
import type { Device } from '../../kernels/session.js';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { readCheckpoint } from './checkpoint.js';
import { ContentHashes } from './content-hash.js';
import { decoderConverter, deviceConverter, type Converter } from './converter.js';
import { readJsonObject, readSmallFile } from './json-file.js';
import { SafetensorsSource } from './safetensors.js';
import { sweepArtifacts, temporaryName } from './sweep.js';
import { weightFormat, type WeightsName } from './weight-format.js';

export interface ArtifactOptions {
  /** The checkpoint's folder. */
  readonly path: string;
  readonly weights: WeightsName;
  /** Where it is to run: the device wants another graph. The CPU by default. */
  readonly device?: Device;
  /** Weights per scale, for q4 and q8. */
  readonly blockSize?: number;
  readonly artifactDirectory: string;
  /** `fraction` goes from 0 to 1 within each stage. */
  readonly onProgress?: (stage: string, fraction: number) => void;
}

export interface Artifact {
  readonly directory: string;
  readonly spec: DecoderSpec;
  /** It was there already. */
  readonly cached: boolean;
}

export const manifestName = 'artifact.json';

/** artifact.json: what the artifact is, and the size of every file, so that a damaged one is noticed. */
interface Manifest {
  readonly key: string;
  readonly path: string;
  readonly weights: WeightsName;
  readonly converter: string;
  readonly spec: DecoderSpec;
  readonly files: Readonly<Record<string, number>>;
}

export async function ensureArtifact(
  { path, weights, device = 'cpu', blockSize, artifactDirectory, onProgress = () => {} }: ArtifactOptions,
  converter: Converter = device === 'webgpu' ? deviceConverter : decoderConverter,
): Promise<Artifact> {
  const checkpoint = readCheckpoint(resolve(path));
  const format = weightFormat(weights, checkpoint.spec, blockSize);
  const source = SafetensorsSource.open(checkpoint.directory);
  const home = resolve(artifactDirectory);
  try {
    mkdirSync(home, { recursive: true });
    sweepArtifacts(home);
    const key = artifactKey(
      checkpoint.directory,
      [...source.files, ...checkpoint.projections.values()],
      JSON.stringify(format),
      converter.version,
      home,
      onProgress,
    );
    const name = `${basename(checkpoint.directory).replace(/[^\w.-]/g, '_')}-${weights}${device === 'cpu' ? '' : `-${device}`}-${key.slice(0, 24)}`;
    const directory = join(home, name);
    const found = usable(directory, key);
    if (found) return { directory, spec: found.spec, cached: true };

    const temporary = join(home, temporaryName(name));
    mkdirSync(temporary);
    try {
      onProgress('converting', 0);
      converter.convert(checkpoint, source, format, temporary, (fraction) => onProgress('converting', fraction));
      const manifest: Manifest = {
        key,
        path: checkpoint.directory,
        weights,
        converter: converter.version,
        spec: checkpoint.spec,
        files: Object.fromEntries(filesBelow(temporary).map((file) => [file, statSync(join(temporary, file)).size])),
      };
      writeFileSync(join(temporary, manifestName), JSON.stringify(manifest, null, 1), { flush: true });
      publish(temporary, directory, key);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
    const made = usable(directory, key);
    if (!made) throw new Error('the artifact is not readable after it was written');
    return { directory, spec: made.spec, cached: false };
  } catch (error) {
    throw notKept(home, error);
  } finally {
    source.close();
  }
}

/** Bytes of the artifact that was last made of a checkpoint by this version, as far as its manifest and its files' sizes say; null: none. */
export function convertedBytes(path: string, weights: WeightsName, home: string): number | null {
  const directory = resolve(path);
  let names: readonly string[];
  try {
    names = readdirSync(home).filter((name) => !name.endsWith('.tmp'));
  } catch {
    return null;
  }
  for (const name of names) {
    try {
      const manifest = readJsonObject(join(home, name, manifestName)) as Manifest | null;
      if (manifest?.path !== directory || manifest.weights !== weights) continue;
      const isOurs = [decoderConverter, deviceConverter].some(({ version }) => version === manifest.converter);
      if (!isOurs || usable(join(home, name), manifest.key) === null) continue;
      return Object.values(manifest.files).reduce((sum, size) => sum + size, 0);
    } catch {
      // Not an artifact of ours.
    }
  }
  return null;
}

/** Everything that the bytes of an artifact depend on. */
function artifactKey(
  directory: string,
  weightFiles: readonly string[],
  format: string,
  converterVersion: string,
  home: string,
  onProgress: (stage: string, fraction: number) => void,
): string {
  const hashes = new ContentHashes(home);
  const sizes = weightFiles.map((file) => statSync(file).size);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let read = 0;
  const parts = weightFiles.map((file, i) => {
    const content = hashes.of(file, (bytes) => onProgress('hashing', Math.min(1, (read += bytes) / total)));
    return [basename(file), sizes[i], content];
  });
  hashes.save();
  const config = createHash('sha256')
    .update(readSmallFile(join(directory, 'config.json')) ?? '')
    .digest('hex');
  return createHash('sha256')
    .update(JSON.stringify([converterVersion, format, config, parts]))
    .digest('hex');
}

/** Paths of all files, from the folder down. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}

/** The manifest, if the artifact is whole. Marks it as used. */
function usable(directory: string, key: string): Manifest | null {
  let manifest: Manifest | null;
  try {
    manifest = readJsonObject(join(directory, manifestName)) as Manifest | null;
    if (manifest === null || manifest.key !== key) return null;
    const whole = Object.entries(manifest.files).every(([file, size]) => statSync(join(directory, file)).size === size);
    if (!whole) return null;
  } catch {
    // Unreadable means unusable: it is made again.
    return null;
  }
  try {
    const now = new Date();
    utimesSync(join(directory, manifestName), now, now);
  } catch {
    // On a read-only disk nothing is swept either.
  }
  return manifest;
}

/** Moves a finished artifact to its name. Losing the race to another process is success: theirs is the same. */
function publish(temporary: string, directory: string, key: string): void {
  syncDirectory(temporary);
  for (let attempt = 0; ; attempt += 1) {
    try {
      renameSync(temporary, directory);
      break;
    } catch (error) {
      if (usable(directory, key)) return;
      if (attempt > 0) throw error;
      // What stands there is damaged. It leaves under a temporary name, so nobody sees it half deleted.
      const discarded = `${temporary}.discarded.tmp`;
      renameSync(directory, discarded);
      rmSync(discarded, { recursive: true, force: true });
    }
  }
  syncDirectory(resolve(directory, '..'));
}

/** Makes the names in a folder durable. Windows cannot open folders and needs no such call. */
function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(directory, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** A full or closed disk as an error that says what to do, `elsewhere` being how to choose another place; anything else stays what it is. */
export function notKept(path: string, error: unknown, elsewhere = 'set artifactDirectory to'): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const remedies: Readonly<Record<string, string>> = {
    ENOSPC: `The disk is full: free space there or ${elsewhere} another disk.`,
    EDQUOT: `The quota is used up: free space there or ${elsewhere} another disk.`,
    EFBIG: `It is larger than a file may be there: raise the limit (ulimit -f), or ${elsewhere} another disk.`,
    EACCES: `Allow writing there or ${elsewhere} a folder of your own.`,
    EPERM: `Allow writing there or ${elsewhere} a folder of your own.`,
    EROFS: `The disk is read-only: ${elsewhere} a writable folder.`,
    ENOTDIR: `A file stands where the folder should be: ${elsewhere} another path.`,
    EEXIST: `A file stands where the folder should be: ${elsewhere} another path.`,
  };
  const remedy = typeof code === 'string' ? remedies[code] : undefined;
  if (remedy === undefined) return error;
  return new AppError('artifact_not_written', { path, reason: reasonOf(error), remedy }, { cause: error });
}
