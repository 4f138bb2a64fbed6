// Bytes of generated tokens → text, piece by piece: releases whole characters only, so neither a UTF-8 sequence nor a surrogate
// pair is ever split, and joining the pieces gives what decoding all bytes at once gives. Can go back to any earlier state.
// Knows tokens only as bytes (TokenTable). Called by text-stream.ts.

/** What the engine knows of a tokenizer. Ids from `size` up (padding of the logits) have no bytes. */
export interface TokenTable {
  readonly size: number;
  bytesOf(id: number): Uint8Array;
  /** Control tokens (end of sequence, roles): they print nothing. */
  isSpecial(id: number): boolean;
  /** SentencePiece: decoding a text from its very beginning drops the space that the tokenizer put in front of it. */
  readonly dropsLeadingSpace: boolean;
  /** Equal for tables that say the same; left out where nobody shares. */
  readonly hash?: string;
}

const noBytes = new Uint8Array(0);
// A byte order mark is text like any other: the decoder must not swallow it.
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

export class Detokenizer {
  /** The beginning of a character whose end has not come yet: at most 3 bytes. Never changed in place. */
  #pending: Uint8Array = noBytes;

  /** The text that these bytes complete. Bytes that can never become a character give U+FFFD. */
  push(bytes: Uint8Array): string {
    if (bytes.length === 0) return '';
    let all = bytes;
    if (this.#pending.length > 0) {
      all = new Uint8Array(this.#pending.length + bytes.length);
      all.set(this.#pending);
      all.set(bytes, this.#pending.length);
    }
    const complete = all.length - unfinishedLength(all);
    this.#pending = complete === all.length ? noBytes : all.slice(complete);
    return lossy.decode(all.subarray(0, complete));
  }

  /** The end: an unfinished character becomes one U+FFFD. */
  flush(): string {
    const dangling = this.#pending.length > 0;
    this.#pending = noBytes;
    return dangling ? '\uFFFD' : '';
  }

  get isMidCharacter(): boolean {
    return this.#pending.length > 0;
  }

  checkpoint(): Uint8Array {
    return this.#pending;
  }

  restore(checkpoint: Uint8Array): void {
    this.#pending = checkpoint;
  }
}

/**
 * How many bytes at the end begin a well-formed character without finishing it. The cut is exact: before a lead byte the decoder
 * is always between characters, and a tail that is no beginning of anything (E0 80) is not held, so it turns into U+FFFD at once.
 */
export function unfinishedLength(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length += 1) {
    const at = bytes.length - length;
    const lead = bytes[at] as number;
    if ((lead & 0xc0) === 0x80) continue;
    const needed = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) === 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 1;
    if (length >= needed) return 0;
    return length === 1 || isSecondByte(lead, bytes[at + 1] as number) ? length : 0;
  }
  return 0;
}

/** Table 3-7 of the Unicode standard: overlong forms, surrogates and code points beyond 10FFFF are excluded at the second byte. */
function isSecondByte(lead: number, second: number): boolean {
  const from = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const to = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  return second >= from && second <= to;
}
