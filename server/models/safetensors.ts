// Weights of a checkpoint folder as float32 tensors: one safetensors file or the shards of an index. Reads one tensor at a time,
// in bounded pieces, and refuses NaN and infinities while converting. Knows no architecture. Called by checkpoint.ts.
import { closeSync, existsSync, fstatSync, openSync, readSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import type { TensorInfo, TensorSource } from '../../kernels/decoder/weights.js';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { invalidFile, isJsonObject, isMissing, readJsonObject, readOnly } from './json-file.js';
import { readHeader, type TensorEntry } from './safetensors-header.js';

const singleName = 'model.safetensors';
const indexName = 'model.safetensors.index.json';
/** Bytes per read: bounds the scratch memory while a large half-precision tensor is widened. */
const pieceBytes = 16 * 1024 * 1024;
const damaged = 'Download the file again.';

interface Shard {
  readonly path: string;
  readonly file: number;
}

export class SafetensorsSource implements TensorSource {
  private scratch: Uint16Array | null = null;

  private constructor(
    readonly directory: string,
    private readonly shards: readonly Shard[],
    private readonly tensors: ReadonlyMap<string, { readonly shard: Shard; readonly entry: TensorEntry }>,
  ) {}

  /** One file of any name. */
  static openFile(path: string): SafetensorsSource {
    const directory = dirname(path);
    const shard = { path, file: openInside(directory, basename(path)) };
    try {
      const entries = readHeader(shard.file, path);
      const tensors = new Map([...entries].map(([name, entry]) => [name, { shard, entry }]));
      return new SafetensorsSource(directory, [shard], tensors);
    } catch (error) {
      closeSync(shard.file);
      throw error;
    }
  }

  static open(directory: string): SafetensorsSource {
    const single = join(directory, singleName);
    const shards: Shard[] = [];
    const tensors = new Map<string, { shard: Shard; entry: TensorEntry }>();
    const openShard = (name: string) => {
      const shard = { path: join(directory, name), file: openInside(directory, name) };
      shards.push(shard);
      return { shard, entries: readHeader(shard.file, shard.path) };
    };
    try {
      if (existsSync(single)) {
        const { shard, entries } = openShard(singleName);
        for (const entry of entries.values()) tensors.set(entry.name, { shard, entry });
      } else {
        const { path, shardOf } = readIndex(directory);
        for (const shardName of new Set(shardOf.values())) {
          const { shard, entries } = openShard(shardName);
          for (const [name, home] of shardOf) {
            if (home !== shardName) continue;
            const entry = entries.get(name);
            if (!entry)
              throw invalidFile(path, `places tensor ${name} in ${shardName}, which does not hold it`, damaged);
            tensors.set(name, { shard, entry });
          }
        }
      }
    } catch (error) {
      for (const shard of shards) closeSync(shard.file);
      throw error;
    }
    return new SafetensorsSource(directory, shards, tensors);
  }

  /** The weight files in a stable order: what an artifact's hash covers. */
  get files(): readonly string[] {
    return this.shards.map((shard) => shard.path).sort();
  }

  names(): readonly string[] {
    return [...this.tensors.keys()];
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  info(name: string): TensorInfo {
    const { dtype, shape } = this.find(name).entry;
    return { dtype, shape };
  }

  readF32(name: string): Float32Array {
    const { shard, entry } = this.find(name);
    const values = new Float32Array(entry.elements);
    const bits = new Uint32Array(values.buffer);
    switch (entry.dtype) {
      case 'F32':
        this.readInto(shard, entry, new Uint8Array(values.buffer), 0);
        break;
      case 'BF16':
        this.forEachPiece(shard, entry, (piece, start) => {
          for (let i = 0; i < piece.length; i += 1) bits[start + i] = (piece[i] as number) << 16;
        });
        break;
      case 'F16':
        this.forEachPiece(shard, entry, (piece, start) => {
          for (let i = 0; i < piece.length; i += 1) bits[start + i] = halfBits[piece[i] as number] as number;
        });
        break;
      default:
        throw invalidFile(
          shard.path,
          `tensor ${name} has dtype ${entry.dtype}`,
          'Weights must be F32, F16 or BF16: save the checkpoint in one of these, without quantisation.',
        );
    }
    checkFinite(bits, values, shard.path, name);
    return values;
  }

  close(): void {
    for (const shard of this.shards) closeSync(shard.file);
  }

  private find(name: string): { readonly shard: Shard; readonly entry: TensorEntry } {
    const found = this.tensors.get(name);
    if (!found) {
      throw invalidFile(
        this.directory,
        `the weights lack tensor ${name}`,
        'The checkpoint is incomplete or config.json describes another model.',
      );
    }
    return found;
  }

  /** Hands out the tensor's 16-bit elements piece by piece, in a buffer that is used again. */
  private forEachPiece(shard: Shard, entry: TensorEntry, use: (piece: Uint16Array, start: number) => void): void {
    const scratch = (this.scratch ??= new Uint16Array(pieceBytes / 2));
    for (let start = 0; start < entry.elements; start += scratch.length) {
      const piece = scratch.subarray(0, Math.min(scratch.length, entry.elements - start));
      this.readInto(shard, entry, new Uint8Array(piece.buffer, 0, piece.byteLength), start * 2);
      use(piece, start);
    }
  }

  private readInto(shard: Shard, entry: TensorEntry, target: Uint8Array, skip: number): void {
    for (let filled = 0; filled < target.byteLength;) {
      const length = Math.min(target.byteLength - filled, pieceBytes);
      const count = readSync(shard.file, target, filled, length, entry.offset + skip + filled);
      if (count === 0) throw invalidFile(shard.path, `the file ended inside tensor ${entry.name}`, damaged);
      filled += count;
    }
  }
}

/** float32 bits of every half: filled once, because a table beats the bit arithmetic in a loop. */
const halfBits = Uint32Array.from({ length: 0x10000 }, (_, half) => {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 0x1f;
  let mantissa = half & 0x3ff;
  if (exponent === 0x1f) return (sign | 0x7f800000 | (mantissa << 13)) >>> 0;
  if (exponent > 0) return (sign | ((exponent + 112) << 23) | (mantissa << 13)) >>> 0;
  if (mantissa === 0) return sign >>> 0;
  // Subnormal: value = mantissa · 2⁻²⁴; shift until the leading bit is implicit.
  let shifted = 113;
  while ((mantissa & 0x400) === 0) {
    mantissa <<= 1;
    shifted -= 1;
  }
  return (sign | (shifted << 23) | ((mantissa & 0x3ff) << 13)) >>> 0;
});

function checkFinite(bits: Uint32Array, values: Float32Array, path: string, tensor: string): void {
  for (let i = 0; i < bits.length; i += 1) {
    if (((bits[i] as number) & 0x7f800000) === 0x7f800000) {
      throw new AppError('weights_not_finite', { path, tensor, value: String(values[i]), index: i });
    }
  }
}

function readIndex(directory: string): { path: string; shardOf: Map<string, string> } {
  const path = join(directory, indexName);
  const index = readJsonObject(path);
  if (index === null) throw missingWeights(directory);
  const map = index['weight_map'];
  if (!isJsonObject(map) || Object.keys(map).length === 0) throw invalidFile(path, 'has no weight_map', damaged);
  const shardOf = new Map<string, string>();
  for (const [tensor, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || shard === '' || shard !== basename(shard) || /[\\\0]|^\.\.?$/.test(shard)) {
      throw invalidFile(
        path,
        `places tensor ${tensor.slice(0, 200)} in ${JSON.stringify(shard)?.slice(0, 200)}`,
        'A shard must be a plain file name inside the model folder.',
      );
    }
    shardOf.set(tensor, shard);
  }
  return { path, shardOf };
}

function missingWeights(directory: string): AppError {
  let names: string[] = [];
  try {
    names = readdirSync(directory);
  } catch (error) {
    const path = directory;
    if (isMissing(error))
      return new AppError('model_file_missing', { path, remedy: 'Give the folder of a checkpoint.' });
    return invalidFile(
      path,
      `cannot be listed: ${reasonOf(error)}`,
      'Check the permissions of the model folder.',
      error,
    );
  }
  const other = names.find((name) => /\.(bin|pt|pth|gguf|ckpt|h5|msgpack)$/.test(name));
  const remedy = other
    ? `The folder holds ${other}: convert it to safetensors (transformers: save_pretrained) first.`
    : `Download ${singleName}, or ${indexName} with its shards.`;
  return new AppError('model_file_missing', { path: join(directory, singleName), remedy });
}

/** Opens `name` for reading, only if it really lies inside the folder (a symbolic link may not lead out of it). */
function openInside(directory: string, name: string): number {
  const path = join(directory, name);
  let file: number;
  try {
    const home = realpathSync(directory);
    const real = realpathSync(path);
    if (!real.startsWith(home + sep) && !isHubBlob(home, real)) {
      throw invalidFile(path, 'is a link that leads out of the model folder', 'Put the file itself into the folder.');
    }
    file = openSync(real, readOnly);
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (isMissing(error))
      throw new AppError('model_file_missing', { path, remedy: 'Download all shards of the model.' });
    throw invalidFile(
      path,
      `cannot be opened: ${reasonOf(error)}`,
      'Check the permissions of the model folder.',
      error,
    );
  }
  if (!fstatSync(file).isFile()) {
    closeSync(file);
    throw invalidFile(path, 'is not a regular file', damaged);
  }
  return file;
}

/** The Hub's own cache keeps snapshots/REVISION/FILE as links to blobs/HASH of the same repository: the one honest link outwards. */
function isHubBlob(home: string, real: string): boolean {
  const snapshots = dirname(home);
  return basename(snapshots) === 'snapshots' && dirname(real) === join(dirname(snapshots), 'blobs');
}
