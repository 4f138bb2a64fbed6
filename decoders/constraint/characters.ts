// Sets of Unicode characters as edges of a byte automaton: as they stand in UTF-8 text, or as they stand inside a JSON string. In a JSON
// string a character has one spelling here: itself, or its shortest escape where JSON demands one. Pure.
import type { Nfa } from './automaton.js';

/** Rising, disjoint, inclusive. */
export type Ranges = readonly (readonly [low: number, high: number])[];

export type Spelling = 'text' | 'json';

export const MAX_CODE_POINT = 0x10ffff;
/** Surrogates are no characters. */
const SURROGATES: Ranges = [[0xd800, 0xdfff]];
export const ALL: Ranges = complement(SURROGATES);

export function complement(ranges: Ranges): Ranges {
  const out: [number, number][] = [];
  let from = 0;
  for (const [low, high] of ranges) {
    if (low > from) out.push([from, low - 1]);
    from = high + 1;
  }
  if (from <= MAX_CODE_POINT) out.push([from, MAX_CODE_POINT]);
  return out;
}

export function union(...sets: readonly Ranges[]): Ranges {
  const sorted = sets.flat().sort((a, b) => a[0] - b[0]);
  const out: [number, number][] = [];
  for (const [low, high] of sorted) {
    const last = out.at(-1);
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else out.push([low, high]);
  }
  return out;
}

export const intersection = (one: Ranges, other: Ranges): Ranges =>
  complement(union(complement(one), complement(other)));

/** Must be escaped in a JSON string. */
const ESCAPED: Ranges = [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];
const PLAIN = complement(union(ESCAPED, SURROGATES));

/** One character of the set, from one state to another. */
export function addCharacters(nfa: Nfa, from: number, ranges: Ranges, to: number, spelling: Spelling): void {
  const plain = intersection(ranges, spelling === 'json' ? PLAIN : ALL);
  for (const [low, high] of plain)
    for (const sequence of utf8Sequences(low, high)) addSequence(nfa, from, sequence, to);
  if (spelling === 'text') return;
  for (const [low, high] of intersection(ranges, ESCAPED))
    for (let code = low; code <= high; code++) {
      const spelt = [...new TextEncoder().encode(JSON.stringify(String.fromCharCode(code)).slice(1, -1))];
      addSequence(
        nfa,
        from,
        spelt.map((byte) => [byte, byte]),
        to,
      );
    }
}

export function addSequence(nfa: Nfa, from: number, sequence: Ranges, to: number): void {
  let at = from;
  sequence.forEach(([low, high], index) => {
    const next = index === sequence.length - 1 ? to : nfa.state();
    nfa.byte(at, low, high, next);
    at = next;
  });
}

/** Code points of one range as sequences of byte ranges: cut where the length changes, then where a leading byte does. */
function utf8Sequences(low: number, high: number): Ranges[] {
  for (const last of [0x7f, 0x7ff, 0xffff])
    if (low <= last && high > last) return [...utf8Sequences(low, last), ...utf8Sequences(last + 1, high)];
  if (high <= 0x7f) return [[[low, high]]];
  for (let bits = 6; bits <= 18; bits += 6) {
    const mask = (1 << bits) - 1;
    if (low >> bits === high >> bits) continue;
    if ((low & mask) !== 0) return [...utf8Sequences(low, low | mask), ...utf8Sequences((low | mask) + 1, high)];
    if ((high & mask) !== mask)
      return [...utf8Sequences(low, (high & ~mask) - 1), ...utf8Sequences(high & ~mask, high)];
  }
  const [first, last] = [utf8(low), utf8(high)];
  return [first.map((byte, at) => [byte, last[at] ?? byte])];
}

const utf8 = (code: number): number[] => [...new TextEncoder().encode(String.fromCodePoint(code))];
