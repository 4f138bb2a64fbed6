// Which tokens of a vocabulary a constraint allows at a state: what matcher.ts defines, found for all tokens at once. A lexeme's state is
// walked through the token tree once for every constraint; what depends on the rest of the constraint are only the tokens that go on after
// the lexeme's end, which are few. Kept by bytes in an lru-cache.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { CLOSED, INSIDE, JSON_STRING } from '../../decoders/constraint/json-string.js';
import {
  acceptsLexeme,
  stepLexeme,
  stringState,
  type Matcher,
  type MatchState,
  type Place,
  type Rest,
} from '../../decoders/constraint/matcher.js';
import type { Lexeme } from '../../decoders/constraint/grammar.js';
import { stepTable } from '../../decoders/constraint/automaton.js';
import type { TokenTrie } from './token-trie.js';

export interface Mask {
  /** Per token: 1 where it is allowed. Nobody writes into it. */
  readonly allowed: Uint8Array;
  readonly count: number;
}

/** What a lexeme's state says of the tokens by itself. */
interface Reach {
  /** Tokens that stay within the lexeme, or end with it: all of them by number, or a list. */
  readonly dense: Uint8Array | null;
  readonly list: Int32Array;
  /** Nodes at which the lexeme may have ended, and whose subtrees go on. */
  readonly exits: Int32Array;
}

/** Of the JSON string: with the characters that a token begins, so that lengths can be counted. */
interface StringReach {
  /** Per token: 1 + characters begun within the string, 0 where the token does not stay within it. */
  readonly begun: Uint8Array;
  /** Most characters that any token begins, and one. */
  readonly most: number;
  /** Tokens that close the string with their last byte, and nodes beyond whose closing quote others go on. */
  readonly closing: Int32Array;
  readonly closingBegun: Uint8Array;
  readonly exits: Int32Array;
  readonly exitsBegun: Uint8Array;
}

const MASK_BYTES = 64 * 2 ** 20;
const REACH_BYTES = 64 * 2 ** 20;
/** More tokens than this share of a vocabulary are kept as a row of it. */
const DENSE_SHARE = 1 / 32;

export class Masks {
  readonly #trie: TokenTrie;
  readonly #masks = new LRUCache<string, Mask>({
    maxSize: MASK_BYTES,
    sizeCalculation: ({ allowed }) => allowed.length,
  });
  readonly #reaches = new LRUCache<string, Reach>({
    maxSize: REACH_BYTES,
    sizeCalculation: ({ dense, list, exits }) => 64 + (dense?.length ?? 0) + 4 * (list.length + exits.length),
  });
  readonly #ids = new WeakMap<Lexeme, string>();
  readonly #strings: (StringReach | undefined)[] = [];
  readonly #path: Int32Array;
  readonly #counts: Uint8Array;

  constructor(trie: TokenTrie) {
    this.#trie = trie;
    this.#path = new Int32Array(trie.deepest + 1);
    this.#counts = new Uint8Array(trie.deepest + 1);
  }

  /** `ends`: tokens that end the answer, allowed exactly where the text may end. */
  mask(matcher: Matcher, state: MatchState, ends: readonly number[]): Mask {
    const key = `${matcher.serial} ${ends.join(',')} ${state.key}`;
    const known = this.#masks.get(key);
    if (known) return known;
    const allowed = new Uint8Array(Math.ceil(this.#trie.size / 4) * 4);
    for (const place of state.places) this.#allow(matcher, place, allowed);
    for (const id of ends) if (id < this.#trie.size) allowed[id] = state.ends ? 1 : 0;
    let count = 0;
    for (let id = 0; id < allowed.length; id++) count += allowed[id] as number;
    const mask = { allowed: allowed.subarray(0, this.#trie.size), count };
    this.#masks.set(key, mask);
    return mask;
  }

  /** What every constraint needs: the characters of a string. */
  warm(): void {
    this.#stringReach({ kind: 'string', min: 0, max: null }, INSIDE);
  }

  #allow(matcher: Matcher, { lexeme, state, tokens, rest }: Place, into: Uint8Array): void {
    if (tokens) {
      for (const id of tokens) if (id < this.#trie.size) into[id] = 1;
      return;
    }
    const own = matcher.grammar.lexemes[lexeme] as Lexeme;
    const { dense, list, exits } = this.#reach(own, state);
    if (dense) join(into, dense);
    for (const id of list) into[id] = 1;
    if (rest !== null) for (const node of exits) this.#follow(matcher, node, rest, into);
  }

  /** Tokens below a node whose bytes from there on are what follows a lexeme. */
  #follow(matcher: Matcher, node: number, rest: Rest, into: Uint8Array): void {
    for (const place of matcher.starts(rest).places)
      if (!place.tokens) this.#below(matcher, node, place, place.state, matcher.lexemeOf(place), into);
  }

  #below(matcher: Matcher, node: number, place: Place, state: number, lexeme: Lexeme, into: Uint8Array): void {
    const { bytes, ends, tokens } = this.#trie;
    const end = ends[node] as number;
    for (let child = node + 1; child < end; child = ends[child] as number) {
      const next = stepLexeme(lexeme, state, bytes[child] as number);
      if (next < 0) continue;
      this.#add(tokens[child] as number, into);
      if ((ends[child] as number) === child + 1) continue;
      this.#below(matcher, child, place, next, lexeme, into);
      if (place.rest !== null && acceptsLexeme(lexeme, next)) this.#follow(matcher, child, place.rest, into);
    }
  }

  #add(token: number, into: Uint8Array): void {
    for (let id = token; id >= 0; id = this.#trie.twins[id] as number) into[id] = 1;
  }

  #reach(lexeme: Lexeme, state: number): Reach {
    if (lexeme.kind === 'string') return this.#stringReach(lexeme, state);
    return this.#kept(`${this.#idOf(lexeme)}.${state}`, () => this.#lexemeReach(lexeme, state));
  }

  #kept(key: string, make: () => Reach): Reach {
    const known = this.#reaches.get(key);
    if (known) return known;
    const reach = make();
    this.#reaches.set(key, reach);
    return reach;
  }

  /** Equal lexemes of different constraints are one. */
  #idOf(lexeme: Exclude<Lexeme, { kind: 'string' }>): string {
    const known = this.#ids.get(lexeme);
    if (known !== undefined) return known;
    const digest = createHash('sha256').update(lexeme.kind);
    if (lexeme.kind === 'literal') digest.update(lexeme.bytes);
    else digest.update(lexeme.classes).update(lexeme.next).update(lexeme.accepts);
    const id = digest.digest('base64');
    this.#ids.set(lexeme, id);
    return id;
  }

  #lexemeReach(lexeme: Exclude<Lexeme, { kind: 'string' }>, state: number): Reach {
    const { size, bytes, depths, ends, tokens, twins } = this.#trie;
    const list: number[] = [];
    const exits: number[] = [];
    const path = this.#path;
    path[0] = state;
    const end = ends[0] as number;
    for (let node = 1; node < end;) {
      const depth = depths[node] as number;
      const next = stepLexeme(lexeme, path[depth - 1] as number, bytes[node] as number);
      if (next < 0) {
        node = ends[node] as number;
        continue;
      }
      path[depth] = next;
      for (let id = tokens[node] as number; id >= 0; id = twins[id] as number) list.push(id);
      if ((ends[node] as number) > node + 1 && acceptsLexeme(lexeme, next)) exits.push(node);
      node++;
    }
    if (list.length < size * DENSE_SHARE)
      return { dense: null, list: Int32Array.from(list), exits: Int32Array.from(exits) };
    const dense = new Uint8Array(Math.ceil(size / 4) * 4);
    for (const id of list) dense[id] = 1;
    return { dense, list: new Int32Array(0), exits: Int32Array.from(exits) };
  }

  /** From the walk without lengths: tokens that begin too many characters, or close too early, are left out. */
  #stringReach({ min, max }: Extract<Lexeme, { kind: 'string' }>, state: number): Reach {
    const { own, count } = stringState(state);
    const reach = (this.#strings[own] ??= this.#walkString(own));
    const left = max === null ? reach.most : Math.min(max - count, reach.most);
    const missing = Math.min(Math.max(min - count, 0), reach.most + 1);
    return this.#kept(`string ${own}.${left}.${missing}`, () => {
      const fits = (begun: number): boolean => begun <= left && begun >= missing;
      const list = reach.closing.filter((_, at) => fits((reach.closingBegun[at] as number) - 1));
      const exits = reach.exits.filter((_, at) => fits((reach.exitsBegun[at] as number) - 1));
      const dense = reach.begun.map((begun) => (begun > 0 && begun - 1 <= left ? 1 : 0));
      return { dense, list, exits };
    });
  }

  #walkString(state: number): StringReach {
    const { size, bytes, depths, ends, tokens, twins } = this.#trie;
    const begun = new Uint8Array(Math.ceil(size / 4) * 4);
    const [closing, closingBegun, exits, exitsBegun]: [number[], number[], number[], number[]] = [[], [], [], []];
    const [path, counts] = [this.#path, this.#counts];
    path[0] = state;
    counts[0] = 1;
    let most = 1;
    const end = ends[0] as number;
    for (let node = 1; node < end;) {
      const depth = depths[node] as number;
      const before = path[depth - 1] as number;
      const next = before === CLOSED ? -1 : stepTable(JSON_STRING, before, bytes[node] as number);
      if (next < 0) {
        node = ends[node] as number;
        continue;
      }
      path[depth] = next;
      const count = (counts[depth - 1] as number) + (before === INSIDE && next !== CLOSED ? 1 : 0);
      counts[depth] = count;
      if (next === CLOSED && (ends[node] as number) > node + 1) {
        exits.push(node);
        exitsBegun.push(count);
      }
      for (let id = tokens[node] as number; id >= 0; id = twins[id] as number) {
        if (next === CLOSED) {
          closing.push(id);
          closingBegun.push(count);
        } else begun[id] = count;
        most = Math.max(most, count);
      }
      node++;
    }
    return {
      begun,
      most,
      closing: Int32Array.from(closing),
      closingBegun: Uint8Array.from(closingBegun),
      exits: Int32Array.from(exits),
      exitsBegun: Uint8Array.from(exitsBegun),
    };
  }
}

/** Both lengths are multiples of 4. */
function join(into: Uint8Array, from: Uint8Array): void {
  const [target, source] = [words(into), words(from)];
  for (let at = 0; at < target.length; at++) target[at] = (target[at] as number) | (source[at] as number);
}

const words = ({ buffer, byteOffset, length }: Uint8Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length / 4);
