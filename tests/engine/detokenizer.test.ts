// The incremental detokenizer against the platform's decoder on all bytes at once.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Detokenizer, unfinishedLength } from '../../server/engine/detokenizer.js';

const wholeText = (bytes: Uint8Array) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);

const cutUp = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const borders = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return borders.slice(1).map((end, i) => bytes.subarray(borders[i], end));
};

/** Bytes around every border of the UTF-8 table are much more likely than others. */
const trickyByte = fc.oneof(
  fc.constantFrom(
    0x00,
    0x41,
    0x7f,
    0x80,
    0x8f,
    0x90,
    0x9f,
    0xa0,
    0xbf,
    0xc0,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xe1,
    0xed,
    0xef,
    0xf0,
    0xf1,
    0xf4,
    0xf5,
    0xff,
  ),
  fc.integer({ min: 0, max: 255 }),
);
const anyBytes = fc.oneof(
  fc.array(trickyByte, { maxLength: 24 }).map((bytes) => Uint8Array.from(bytes)),
  fc.string({ unit: 'binary' }).map((text) => new TextEncoder().encode(text)),
);

describe('detokenizer', () => {
  test('any cutting of any bytes gives the text of decoding them at once', () => {
    fc.assert(
      fc.property(anyBytes, fc.array(fc.nat(), { maxLength: 12 }), (bytes, cuts) => {
        const detokenizer = new Detokenizer();
        const text =
          cutUp(bytes, cuts)
            .map((piece) => detokenizer.push(piece))
            .join('') + detokenizer.flush();
        expect(text).toBe(wholeText(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test('well-formed text never comes out with half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        const detokenizer = new Detokenizer();
        const pieces = [...new TextEncoder().encode(text)].map((byte) => detokenizer.push(Uint8Array.of(byte)));
        for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u);
        expect(pieces.filter((piece) => piece !== '')).toEqual([...text]);
        expect(detokenizer.flush()).toBe('');
      }),
    );
  });

  test.each([
    ['é', [0xc3], 1],
    ['€ after one byte', [0xe2], 1],
    ['€ after two bytes', [0xe2, 0x82], 2],
    ['emoji after three bytes', [0xf0, 0x9f, 0x91], 3],
    ['a whole emoji', [0xf0, 0x9f, 0x91, 0xa9], 0],
    ['an overlong form', [0xe0, 0x80], 0],
    ['a surrogate', [0xed, 0xa0], 0],
    ['beyond the last code point', [0xf4, 0x90], 0],
    ['a lead byte that does not exist', [0xf5], 0],
    ['continuation bytes only', [0x80, 0x80, 0x80], 0],
    ['nothing', [], 0],
  ])('holds the unfinished part only: %s', (_, bytes, held) => {
    expect(unfinishedLength(Uint8Array.from(bytes))).toBe(held);
  });

  test('a dangling character becomes one U+FFFD, a byte order mark stays', () => {
    const detokenizer = new Detokenizer();
    expect(detokenizer.push(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61, 0xf0, 0x9f, 0x91))).toBe('\uFEFFa');
    expect(detokenizer.isMidCharacter).toBe(true);
    expect(detokenizer.flush()).toBe('\uFFFD');
    expect(detokenizer.flush()).toBe('');
  });

  test('after restore it is as if the bytes in between had never come', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, anyBytes, (before, detour, after) => {
        const detokenizer = new Detokenizer();
        const head = detokenizer.push(before);
        const checkpoint = detokenizer.checkpoint();
        detokenizer.push(detour);
        detokenizer.restore(checkpoint);
        const text = head + detokenizer.push(after) + detokenizer.flush();
        expect(text).toBe(wholeText(Uint8Array.of(...before, ...after)));
      }),
    );
  });
});
