// Id → piece → bytes of a tokenizer.json: what turning ids into text needs, without the machinery for the other direction.
// Built by tokenizer.ts (for the main side) and by the engine thread. Bytes are those that the file's own decoder prints; decoders that
// cannot be written as "each token has its bytes" are refused by name.
import { createHash } from 'node:crypto';
import type { TokenTable } from '../engine/detokenizer.js';
import { invalidFile, isJsonObject, type JsonObject } from './json-file.js';
import type { VocabularyDifference } from './text-jobs.js';

export interface Vocabulary extends TokenTable {
  /** Undefined where the ids have a hole. */
  pieceOf(id: number): string | undefined;
  idOf(piece: string): number | undefined;
  /** SHA-256 over every (id, piece): equal exactly when ids mean the same. */
  readonly hash: string;
}

const maxTokens = 1 << 24;
const remedy = 'Download tokenizer.json again, or save it with the transformers library.';

export function readVocabulary(path: string, tokenizer: JsonObject, specialPieces: ReadonlySet<string>): Vocabulary {
  const pieces: (string | undefined)[] = [];
  const idOf = new Map<string, number>();
  const place = (piece: unknown, id: unknown) => {
    if (typeof piece !== 'string' || !Number.isSafeInteger(id) || (id as number) < 0 || (id as number) >= maxTokens) {
      throw invalidFile(path, `token ${JSON.stringify(piece)} has the id ${JSON.stringify(id)}`, remedy);
    }
    pieces[id as number] = piece;
    idOf.set(piece, id as number);
  };

  const model = tokenizer['model'];
  const vocab = isJsonObject(model) ? model['vocab'] : undefined;
  if (Array.isArray(vocab)) vocab.forEach((entry: unknown, id) => place(Array.isArray(entry) ? entry[0] : entry, id));
  else if (isJsonObject(vocab)) for (const [piece, id] of Object.entries(vocab)) place(piece, id);
  else throw invalidFile(path, 'has no model.vocab', remedy);

  const specialIds = new Set<number>();
  for (const token of addedTokens(path, tokenizer)) {
    place(token.content, token.id);
    if (token.special) specialIds.add(token.id);
  }
  for (const piece of specialPieces) {
    const id = idOf.get(piece);
    if (id !== undefined) specialIds.add(id);
  }

  const rendering = readDecoder(path, tokenizer['decoder']);
  const offsets = new Int32Array(pieces.length + 1);
  const rendered: Uint8Array[] = [];
  for (let id = 0; id < pieces.length; id += 1) {
    const piece = pieces[id];
    const bytes = piece === undefined ? new Uint8Array(0) : rendering.bytesOf(piece);
    rendered.push(bytes);
    offsets[id + 1] = (offsets[id] as number) + bytes.length;
  }
  const bytes = Buffer.concat(rendered);
  const digest = createHash('sha256');
  for (let id = 0; id < pieces.length; id += 1) digest.update(JSON.stringify(pieces[id] ?? null) + '\n');

  return {
    size: pieces.length,
    hash: digest.digest('hex'),
    dropsLeadingSpace: rendering.dropsLeadingSpace,
    bytesOf: (id) => (id >= 0 && id < pieces.length ? bytes.subarray(offsets[id], offsets[id + 1]) : new Uint8Array(0)),
    isSpecial: (id) => specialIds.has(id),
    pieceOf: (id) => pieces[id],
    idOf: (piece) => idOf.get(piece),
  };
}

/** The first id that the two read differently; one past the end of both if there is none. */
export function firstDifference(one: Vocabulary, other: Vocabulary): VocabularyDifference {
  let id = 0;
  while (id < Math.max(one.size, other.size) && one.pieceOf(id) === other.pieceOf(id)) id += 1;
  return { id, piece: one.pieceOf(id) ?? null, otherPiece: other.pieceOf(id) ?? null };
}

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

export function addedTokens(path: string, tokenizer: JsonObject): readonly AddedToken[] {
  const list = tokenizer['added_tokens'] ?? [];
  if (!Array.isArray(list)) throw invalidFile(path, 'added_tokens is not a list', remedy);
  return list.map((token: unknown) => {
    if (!isJsonObject(token) || typeof token['content'] !== 'string' || !Number.isSafeInteger(token['id'])) {
      throw invalidFile(path, `added_tokens holds ${JSON.stringify(token)}`, remedy);
    }
    return { id: token['id'] as number, content: token['content'], special: token['special'] === true };
  });
}

interface Rendering {
  readonly bytesOf: (piece: string) => Uint8Array;
  readonly dropsLeadingSpace: boolean;
}

const utf8 = new TextEncoder();

/** The decoder of tokenizer.json as a function of one piece. */
function readDecoder(path: string, decoder: unknown): Rendering {
  const rewrites: ((piece: string) => string)[] = [];
  let byteLevel = false;
  let byteFallback = false;
  let fused = false;
  let dropsLeadingSpace = false;
  const refuse = (step: unknown) =>
    invalidFile(
      path,
      `the decoder ${JSON.stringify(step)?.slice(0, 200)} is not supported`,
      'Supported: ByteLevel, Metaspace, and sequences of Replace, ByteFallback, Fuse and Strip.',
    );
  const read = (step: unknown): void => {
    if (!isJsonObject(step)) throw refuse(step);
    switch (step['type']) {
      case 'Sequence':
        if (!Array.isArray(step['decoders'])) throw refuse(step);
        step['decoders'].forEach(read);
        return;
      case 'ByteLevel':
        byteLevel = true;
        return;
      case 'ByteFallback':
        byteFallback = true;
        return;
      case 'Fuse':
        fused = true;
        return;
      case 'Replace': {
        const pattern = isJsonObject(step['pattern']) ? step['pattern']['String'] : undefined;
        const content = step['content'];
        if (typeof pattern !== 'string' || typeof content !== 'string' || fused) throw refuse(step);
        rewrites.push((piece) => piece.replaceAll(pattern, () => content));
        return;
      }
      case 'Strip':
        // After Fuse it sees the whole text, so it means its first character.
        if (!fused || step['content'] !== ' ' || step['start'] !== 1 || (step['stop'] ?? 0) !== 0) throw refuse(step);
        dropsLeadingSpace = true;
        return;
      case 'Metaspace': {
        const replacement = step['replacement'] ?? '▁';
        if (typeof replacement !== 'string') throw refuse(step);
        rewrites.push((piece) => piece.replaceAll(replacement, ' '));
        dropsLeadingSpace =
          (step['prepend_scheme'] ?? (step['add_prefix_space'] === false ? 'never' : 'always')) !== 'never';
        return;
      }
      default:
        throw refuse(step);
    }
  };
  read(decoder);

  const bytesOf = (piece: string): Uint8Array => {
    const byte = byteFallback ? /^<0x([0-9A-Fa-f]{2})>$/.exec(piece) : null;
    if (byte) return Uint8Array.of(parseInt(byte[1] as string, 16));
    const text = rewrites.reduce((value, rewrite) => rewrite(value), piece);
    return (byteLevel ? byteLevelBytes(text) : null) ?? utf8.encode(text);
  };
  return { bytesOf, dropsLeadingSpace };
}

/**
 * GPT-2's reversible alphabet: printable Latin-1 characters stand for their own byte, the other 68 bytes, in ascending order, for the
 * characters from U+0100 up.
 */
const byteOfCharacter: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte += 1) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    map.set(String.fromCharCode(printable ? byte : next), byte);
    if (!printable) next += 1;
  }
  return map;
})();

/** Null when a character is outside the alphabet: such a piece (an added token with a space) stands for itself. */
function byteLevelBytes(piece: string): Uint8Array | null {
  const bytes = new Uint8Array(piece.length);
  for (let i = 0; i < piece.length; i += 1) {
    const byte = byteOfCharacter.get(piece[i] as string);
    if (byte === undefined) return null;
    bytes[i] = byte;
  }
  return bytes;
}
