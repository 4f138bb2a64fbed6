// The automaton of a JSON string with its quotes: any escape that JSON knows, no half of a surrogate pair, well-formed UTF-8. Its state
// INSIDE is the border between two characters, so that whoever walks it can count them.
import { determinise, Nfa, type Table } from './automaton.js';
import { addCharacters, addSequence, ALL, type Ranges } from './characters.js';

export const OPENING = 0;

const exactly = (text: string): Ranges => [...new TextEncoder().encode(text)].map((byte) => [byte, byte]);
const HEX: readonly (readonly [string, string])[] = [
  ['0', '9'],
  ['a', 'f'],
  ['A', 'F'],
];

function stringTable(): Table {
  const nfa = new Nfa(4096);
  const [start, inside, end] = [nfa.state(), nfa.state(), nfa.state()];
  const range = (from: number, low: string, high: string, to: number): void =>
    nfa.byte(from, low.charCodeAt(0), high.charCodeAt(0), to);
  const hex = (from: number, to: number): void => HEX.forEach(([low, high]) => range(from, low, high, to));
  /** Four hexadecimal digits whose second one is limited after a D. */
  const unit = (from: number, lead: readonly (readonly [string, string])[], second: typeof HEX, to: number): void => {
    const [one, two, three] = [nfa.state(), nfa.state(), nfa.state()];
    lead.forEach(([low, high]) => range(from, low, high, one));
    second.forEach(([low, high]) => range(one, low, high, two));
    hex(two, three);
    hex(three, to);
  };
  const D: typeof HEX = [
    ['d', 'd'],
    ['D', 'D'],
  ];
  addSequence(nfa, start, exactly('"'), inside);
  addSequence(nfa, inside, exactly('"'), end);
  // Plain characters only: the escapes that addCharacters writes come again below.
  addCharacters(nfa, inside, ALL, inside, 'json');
  const [escape, code, high, low] = [nfa.state(), nfa.state(), nfa.state(), nfa.state()];
  addSequence(nfa, inside, exactly('\\'), escape);
  for (const letter of '"\\/bfnrt') addSequence(nfa, escape, exactly(letter), inside);
  addSequence(nfa, escape, exactly('u'), code);
  unit(
    code,
    [
      ['0', '9'],
      ['a', 'c'],
      ['A', 'C'],
      ['e', 'f'],
      ['E', 'F'],
    ],
    HEX,
    inside,
  );
  unit(code, D, [['0', '7']], inside);
  unit(
    code,
    D,
    [
      ['8', '9'],
      ['a', 'b'],
      ['A', 'B'],
    ],
    high,
  );
  addSequence(nfa, high, exactly('\\u'), low);
  unit(
    low,
    D,
    [
      ['c', 'f'],
      ['C', 'F'],
    ],
    inside,
  );
  return determinise(nfa, start, end, 4096);
}

export const JSON_STRING: Table = stringTable();

const step = (state: number, byte: number): number =>
  JSON_STRING.next[state * JSON_STRING.width + (JSON_STRING.classes[byte] ?? 0)] ?? -1;

/** Between two characters. */
export const INSIDE = step(OPENING, 0x22);
/** Behind the closing quote. */
export const CLOSED = step(INSIDE, 0x22);
