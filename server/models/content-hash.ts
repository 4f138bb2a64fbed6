// SHA-256 of large files, remembered by (path, size, times, inode) in one small JSON file, so that a second start need not read
// gigabytes again. A lost or damaged memory only costs time. Called by artifacts.ts.
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, type JsonObject } from './json-file.js';

const pieceBytes = 8 * 1024 * 1024;
const maxRemembered = 1000;

export class ContentHashes {
  readonly #file: string;
  #known: Record<string, unknown>;
  #changed = false;

  constructor(directory: string) {
    this.#file = join(directory, 'content-hashes.json');
    this.#known = { ...readOrEmpty(this.#file) };
  }

  /** `onBytes` hears of every piece read; nothing when the hash is remembered. */
  of(path: string, onBytes: (bytes: number) => void = () => {}): string {
    const file = openSync(path, 'r');
    try {
      const { size, mtimeMs, ctimeMs, ino } = fstatSync(file);
      const stamp = `${size} ${mtimeMs} ${ctimeMs} ${ino}`;
      const known = this.#known[path];
      if (isJsonObject(known) && known['stamp'] === stamp && typeof known['sha256'] === 'string')
        return known['sha256'];
      const digest = createHash('sha256');
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(1, size)));
      for (let count = 0; (count = readSync(file, piece, 0, piece.length, null)) > 0;) {
        digest.update(piece.subarray(0, count));
        onBytes(count);
      }
      const sha256 = digest.digest('hex');
      this.#known[path] = { stamp, sha256 };
      this.#changed = true;
      return sha256;
    } finally {
      closeSync(file);
    }
  }

  /** Writes what is new, where it may: without it the next start only takes longer. The last of two processes wins; the other's entries are computed again when needed. */
  save(): void {
    if (!this.#changed) return;
    const kept = Object.fromEntries(Object.entries(this.#known).slice(-maxRemembered));
    const temporary = `${this.#file}.${process.pid}.tmp`;
    try {
      writeFileSync(temporary, JSON.stringify(kept));
      renameSync(temporary, this.#file);
      this.#changed = false;
    } catch {
      // A read-only or full disk is reported when the artifact itself cannot be written.
    }
  }
}

function readOrEmpty(file: string): JsonObject {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isJsonObject(value) ? value : {};
  } catch {
    // Missing or damaged: everything is hashed again.
    return {};
  }
}
