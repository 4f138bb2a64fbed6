// Reads the small JSON files of a checkpoint folder: bounded in size, an object at the top, errors that name the file.
// Knows nothing of what the keys mean. Called by checkpoint, safetensors, tokenizer and artifacts.
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Large tokenizer.json files reach 35 MB; nothing honest comes near this. */
const maxJsonBytes = 256 * 1024 * 1024;

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const invalidFile = (path: string, problem: string, remedy: string, cause?: unknown): AppError =>
  new AppError('model_file_invalid', { path, problem, remedy }, { cause });

export const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');

/** Opening a pipe would wait for a writer that never comes: it opens at once, and whoever opened it sees that it is no file. */
export const readOnly = constants.O_RDONLY | constants.O_NONBLOCK;

/** The file's bytes, or null when there is no such file. */
export function readSmallFile(path: string): Buffer | null {
  let file: number;
  try {
    file = openSync(path, readOnly);
  } catch (error) {
    if (isMissing(error)) return null;
    throw invalidFile(
      path,
      `cannot be opened: ${reasonOf(error)}`,
      'Check the permissions of the model folder.',
      error,
    );
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile())
      throw invalidFile(path, 'is not a regular file', 'Point to a Hugging Face checkpoint folder.');
    if (status.size > maxJsonBytes) {
      throw invalidFile(path, `has ${status.size} bytes, the limit is ${maxJsonBytes}`, 'Download the file again.');
    }
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** The parsed object, or null when there is no such file. */
export function readJsonObject(path: string): JsonObject | null {
  const bytes = readSmallFile(path);
  return bytes === null ? null : parseJsonObject(path, bytes);
}

export function parseJsonObject(path: string, bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalidFile(path, `is not valid JSON: ${reasonOf(error)}`, 'Download the file again.', error);
  }
  if (!isJsonObject(value)) throw invalidFile(path, 'does not hold a JSON object', 'Download the file again.');
  return value;
}

/** The object, or an error that says the file is missing and what to do. */
export function requireJsonObject(path: string, remedy: string): JsonObject {
  const value = readJsonObject(path);
  if (value === null) throw new AppError('model_file_missing', { path, remedy });
  return value;
}
