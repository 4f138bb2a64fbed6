// A regular expression as JSON Schema's `pattern` has it (ECMA-262, Unicode mode, found anywhere in the text) → an automaton. What is
// not regular, and what would need tables of Unicode, is refused by name. Matching is linear, whatever the pattern. Pure.
import { determinise, Nfa, type Table } from './automaton.js';
import { addCharacters, ALL, complement, MAX_CODE_POINT, union, type Ranges, type Spelling } from './characters.js';
import { CONSTRAINT_LIMITS } from './problem.js';

/** Why a pattern cannot be used. */
export class PatternProblem extends Error {}

type Node =
  | { readonly kind: 'set'; readonly ranges: Ranges }
  | { readonly kind: 'sequence'; readonly of: readonly Node[] }
  | { readonly kind: 'choice'; readonly of: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number }
  | { readonly kind: 'assertion'; readonly only: 'start' | 'end' };

const MAX_REPEAT = 4096;
/** Brackets within brackets: the reader recurses. */
const MAX_NESTING = 128;

const DIGIT: Ranges = [[0x30, 0x39]];
const WORD: Ranges = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const SPACE: Ranges = union(
  [
    [0x09, 0x0d],
    [0x20, 0x20],
    [0xa0, 0xa0],
    [0x1680, 0x1680],
    [0x2000, 0x200a],
  ],
  [
    [0x2028, 0x2029],
    [0x202f, 0x202f],
    [0x205f, 0x205f],
    [0x3000, 0x3000],
    [0xfeff, 0xfeff],
  ],
);
const LINE_END: Ranges = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const CONTROL_ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, '0': 0 };

/** Texts in which the pattern is found, of `min` to `max` characters. */
export function patternTable(pattern: string, spelling: Spelling, limit: number = CONSTRAINT_LIMITS.states): Table {
  const node = new Reader(pattern).read();
  const nfa = new Nfa(CONSTRAINT_LIMITS.patternStates);
  const anything: Node = { kind: 'repeat', of: { kind: 'set', ranges: ALL }, min: 0, max: Infinity };
  const { start, end } = build(nfa, { kind: 'sequence', of: [anything, node, anything] }, spelling);
  return determinise(nfa, start, end, limit);
}

/** Texts of so many characters. */
export function lengthTable(min: number, max: number, spelling: Spelling, limit: number): Table {
  const nfa = new Nfa(CONSTRAINT_LIMITS.patternStates);
  const any: Node = { kind: 'set', ranges: ALL };
  const { start, end } = build(nfa, { kind: 'repeat', of: any, min, max }, spelling);
  return determinise(nfa, start, end, limit);
}

function build(nfa: Nfa, node: Node, spelling: Spelling): { readonly start: number; readonly end: number } {
  const start = nfa.state();
  switch (node.kind) {
    case 'set': {
      const end = nfa.state();
      addCharacters(nfa, start, node.ranges, end, spelling);
      return { start, end };
    }
    case 'sequence': {
      let end = start;
      for (const part of node.of) {
        const built = build(nfa, part, spelling);
        nfa.jump(end, built.start);
        end = built.end;
      }
      return { start, end };
    }
    case 'choice': {
      const end = nfa.state();
      for (const part of node.of) {
        const built = build(nfa, part, spelling);
        nfa.jump(start, built.start);
        nfa.jump(built.end, end);
      }
      return { start, end };
    }
    case 'repeat': {
      const end = nfa.state();
      let at = start;
      for (let time = 0; time < node.min; time++) {
        const built = build(nfa, node.of, spelling);
        nfa.jump(at, built.start);
        at = built.end;
      }
      if (node.max === Infinity) {
        const built = build(nfa, node.of, spelling);
        nfa.jump(at, built.start);
        nfa.jump(built.end, at);
      } else
        for (let time = node.min; time < node.max; time++) {
          nfa.jump(at, end);
          const built = build(nfa, node.of, spelling);
          nfa.jump(at, built.start);
          at = built.end;
        }
      nfa.jump(at, end);
      return { start, end };
    }
    case 'assertion': {
      const end = nfa.state();
      nfa.jump(start, end, node.only);
      return { start, end };
    }
    default:
      return node satisfies never;
  }
}

class Reader {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    try {
      new RegExp(pattern, 'u');
    } catch (error) {
      throw new PatternProblem(error instanceof Error ? error.message : String(error));
    }
    this.#characters = [...pattern];
  }

  read(): Node {
    return this.#choice();
  }

  #peek(text: string): boolean {
    return this.#characters.slice(this.#at, this.#at + text.length).join('') === text;
  }

  #take(text: string): boolean {
    if (!this.#peek(text)) return false;
    this.#at += text.length;
    return true;
  }

  get #over(): boolean {
    return this.#at >= this.#characters.length;
  }

  #choice(): Node {
    if (++this.#depth > MAX_NESTING) throw new PatternProblem(`it nests deeper than ${MAX_NESTING}`);
    const of = [this.#sequence()];
    while (this.#take('|')) of.push(this.#sequence());
    this.#depth--;
    return of.length === 1 ? (of[0] as Node) : { kind: 'choice', of };
  }

  #sequence(): Node {
    const of: Node[] = [];
    while (!this.#over && !this.#peek('|') && !this.#peek(')')) of.push(this.#quantified());
    return { kind: 'sequence', of };
  }

  #quantified(): Node {
    let node = this.#atom();
    for (;;) {
      const count = this.#quantifier();
      if (!count) return node;
      // Greedy or lazy makes no difference to which texts match.
      this.#take('?');
      node = { kind: 'repeat', of: node, ...count };
    }
  }

  #quantifier(): { min: number; max: number } | null {
    if (this.#take('*')) return { min: 0, max: Infinity };
    if (this.#take('+')) return { min: 1, max: Infinity };
    if (this.#take('?')) return { min: 0, max: 1 };
    const found = /^\{(\d+)(,(\d*))?\}/.exec(this.#characters.slice(this.#at, this.#at + 24).join(''));
    if (!found) return null;
    this.#at += found[0].length;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === '' ? Infinity : Number(found[3]);
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT))
      throw new PatternProblem(`it repeats ${found[0]} times, the limit is ${MAX_REPEAT}`);
    return { min, max };
  }

  #atom(): Node {
    if (this.#take('^')) return { kind: 'assertion', only: 'start' };
    if (this.#take('$')) return { kind: 'assertion', only: 'end' };
    if (this.#take('.')) return { kind: 'set', ranges: complement(LINE_END) };
    if (this.#take('[')) return { kind: 'set', ranges: this.#class() };
    if (this.#take('(')) return this.#group();
    if (this.#take('\\')) return { kind: 'set', ranges: this.#escape(false) };
    const character = this.#characters[this.#at++] ?? '';
    return { kind: 'set', ranges: single(character.codePointAt(0) ?? 0) };
  }

  #group(): Node {
    for (const look of ['?=', '?!', '?<=', '?<!'])
      if (this.#peek(look)) throw new PatternProblem(`it looks around with (${look}…)`);
    if (this.#take('?<')) while (!this.#take('>')) this.#at++;
    else if (!this.#take('?:') && this.#peek('?')) throw new PatternProblem('it has a group of an unknown kind');
    const node = this.#choice();
    this.#take(')');
    return node;
  }

  #class(): Ranges {
    const negated = this.#take('^');
    let ranges: Ranges = [];
    while (!this.#take(']')) {
      const low = this.#classAtom();
      if (
        low.length === 1 &&
        low[0]?.[0] === low[0]?.[1] &&
        this.#peek('-') &&
        this.#characters[this.#at + 1] !== ']'
      ) {
        this.#at++;
        const high = this.#classAtom();
        ranges = union(ranges, [[low[0]?.[0] ?? 0, high[0]?.[0] ?? 0]]);
      } else ranges = union(ranges, low);
    }
    return negated ? complement(ranges) : ranges;
  }

  #classAtom(): Ranges {
    if (this.#take('\\')) return this.#escape(true);
    return single(this.#characters[this.#at++]?.codePointAt(0) ?? 0);
  }

  #escape(inClass: boolean): Ranges {
    const letter = this.#characters[this.#at++] ?? '';
    switch (letter) {
      case 'd':
        return DIGIT;
      case 'D':
        return complement(DIGIT);
      case 'w':
        return WORD;
      case 'W':
        return complement(WORD);
      case 's':
        return SPACE;
      case 'S':
        return complement(SPACE);
      case 'x':
        return single(this.#hex(2));
      case 'u':
        return single(this.#unicode());
      case 'c':
        return single((this.#characters[this.#at++]?.charCodeAt(0) ?? 0) % 32);
      case 'b':
        if (inClass) return single(8);
        throw new PatternProblem('it has a word border \\b');
      case 'B':
      case 'p':
      case 'P':
      case 'k':
        throw new PatternProblem(`it has \\${letter}`);
      default: {
        const control = CONTROL_ESCAPES[letter];
        if (control !== undefined) return single(control);
        if (/[1-9]/.test(letter)) throw new PatternProblem(`it refers back with \\${letter}`);
        return single(letter.codePointAt(0) ?? 0);
      }
    }
  }

  #hex(digits: number): number {
    const code = parseInt(this.#characters.slice(this.#at, this.#at + digits).join(''), 16);
    this.#at += digits;
    return code;
  }

  #unicode(): number {
    if (this.#take('{')) {
      const end = this.#characters.indexOf('}', this.#at);
      const code = parseInt(this.#characters.slice(this.#at, end).join(''), 16);
      this.#at = end + 1;
      return Math.min(code, MAX_CODE_POINT);
    }
    const code = this.#hex(4);
    if (code < 0xd800 || code > 0xdbff || !this.#peek('\\u')) return code;
    this.#at += 2;
    return (code - 0xd800) * 0x400 + (this.#hex(4) - 0xdc00) + 0x10000;
  }
}

const single = (code: number): Ranges => [[code, code]];
