// The header of one safetensors file: bytes in, checked table of tensors out. Trusts nothing: every number is checked against the
// file before anything is allocated from it. Does not read tensor data. Called by safetensors.ts.
//
// Layout: 8 bytes little-endian header length, JSON header, data. The data area must be covered by the tensors exactly: no
// overlap, no hole (the format's own rule; it also rules out files that are two things at once).
import { fstatSync, readSync } from 'node:fs';
import { reasonOf } from '../reason.js';
import { invalidFile, isJsonObject } from './json-file.js';

export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Position of the first byte in the file. */
  readonly offset: number;
  readonly byteLength: number;
  readonly elements: number;
}

export const maxHeaderBytes = 100 * 1024 * 1024;
const maxRank = 16;
const remedy = 'The file is damaged or was not written by a safetensors library: download it again.';

/** Bytes per element of every dtype of the format whose elements are whole bytes. */
const itemBytes: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
  C64: 8,
};

export function readHeader(file: number, path: string): Map<string, TensorEntry> {
  const fail = (problem: string, cause?: unknown) => invalidFile(path, problem, remedy, cause);
  const fileBytes = fstatSync(file).size;
  if (fileBytes < 8) throw fail(`has ${fileBytes} bytes, too few for a safetensors header`);
  const prefix = Buffer.alloc(8);
  readSync(file, prefix, 0, 8, 0);
  const declared = prefix.readBigUInt64LE();
  if (declared === 0n) throw fail('the header length is 0');
  if (declared > BigInt(maxHeaderBytes))
    throw fail(`the header length ${declared} is over the limit of ${maxHeaderBytes}`);
  const headerBytes = Number(declared);
  if (8 + headerBytes > fileBytes)
    throw fail(`the header length ${headerBytes} reaches beyond the file of ${fileBytes} bytes`);

  const text = readText(file, headerBytes, fail);
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw fail(`the header is not valid JSON: ${reasonOf(error)}`, error);
  }
  if (!isJsonObject(header)) throw fail('the header is not a JSON object');
  const duplicate = firstDuplicateKey(text);
  if (duplicate !== null) throw fail(`the header names tensor ${JSON.stringify(duplicate)} twice`);

  const dataStart = 8 + headerBytes;
  const entries: TensorEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    entries.push(parseEntry(name, value, dataStart, fileBytes, fail));
  }
  checkCoverage(entries, dataStart, fileBytes, fail);
  return new Map(entries.map((entry) => [entry.name, entry]));
}

type Fail = (problem: string, cause?: unknown) => Error;

function readText(file: number, length: number, fail: Fail): string {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(file, bytes, filled, length - filled, 8 + filled);
    if (count === 0) throw fail('the file ended inside the header');
    filled += count;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw fail('the header is not valid UTF-8', error);
  }
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function parseEntry(name: string, value: unknown, dataStart: number, fileBytes: number, fail: Fail): TensorEntry {
  const where = `tensor ${JSON.stringify(name.slice(0, 200))}`;
  if (!isJsonObject(value)) throw fail(`${where} is described by ${show(value)}, not by an object`);
  const { dtype, shape, data_offsets: range } = value;
  if (typeof dtype !== 'string') throw fail(`${where} has dtype ${show(dtype)}`);
  const item = Object.hasOwn(itemBytes, dtype) ? itemBytes[dtype] : undefined;
  if (item === undefined) throw fail(`${where} has the unknown dtype ${show(dtype)}`);
  if (!Array.isArray(shape) || shape.length > maxRank) throw fail(`${where} has shape ${show(shape)}`);
  let elements = 1;
  for (const dim of shape as unknown[]) {
    if (!isSize(dim)) throw fail(`${where} has dimension ${show(dim)}`);
    elements *= dim;
    if (!Number.isSafeInteger(elements * item)) throw fail(`${where} has shape ${show(shape)}, more bytes than 2^53`);
  }
  if (!Array.isArray(range) || range.length !== 2) throw fail(`${where} has data_offsets ${show(range)}`);
  const [begin, end] = range as unknown[];
  if (!isSize(begin) || !isSize(end) || begin > end) throw fail(`${where} has data_offsets ${show(range)}`);
  if (dataStart + end > fileBytes) {
    throw fail(`${where} ends at byte ${dataStart + end}, beyond the file of ${fileBytes} bytes`);
  }
  if (elements * item !== end - begin) {
    throw fail(
      `${where} of dtype ${dtype} and shape ${show(shape)} needs ${elements * item} bytes and has ${end - begin}`,
    );
  }
  return {
    name,
    dtype,
    shape: shape as number[],
    offset: dataStart + begin,
    byteLength: end - begin,
    elements,
  };
}

function checkCoverage(entries: readonly TensorEntry[], dataStart: number, fileBytes: number, fail: Fail): void {
  const sorted = [...entries].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let covered = dataStart;
  let previous = '';
  for (const { name, offset, byteLength } of sorted) {
    if (offset < covered) throw fail(`tensors ${JSON.stringify(previous)} and ${JSON.stringify(name)} overlap`);
    if (offset > covered)
      throw fail(`${offset - covered} bytes before tensor ${JSON.stringify(name)} belong to no tensor`);
    covered = offset + byteLength;
    previous = name;
  }
  if (covered < fileBytes) throw fail(`${fileBytes - covered} bytes at the end belong to no tensor`);
}

const show = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 100);

/** JSON.parse keeps the last of two equal keys in silence; this finds them. `text` is known to be a valid JSON object. */
export function firstDuplicateKey(text: string): string | null {
  const seen = new Set<string>();
  let depth = 0;
  let keyNext = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
      case 0x5b: // [
        depth += 1;
        keyNext = depth === 1;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth -= 1;
        break;
      case 0x2c: // ,
        keyNext = depth === 1;
        break;
      case 0x22: {
        const start = at;
        for (at += 1; text.charCodeAt(at) !== 0x22; at += 1) if (text.charCodeAt(at) === 0x5c) at += 1;
        if (!keyNext) break;
        keyNext = false;
        const key = JSON.parse(text.slice(start, at + 1)) as string;
        if (seen.has(key)) return key;
        seen.add(key);
        break;
      }
      default:
        break;
    }
  }
  return null;
}
