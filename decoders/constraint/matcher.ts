// Walks a grammar byte by byte and token by token. A state is the set of places where the text so far may be: an automaton's state and
// what is to follow it, as a stack whose parts states share. States are immutable: going back to one is having kept it. The definition of
// what a constraint allows; server/engine/masks.ts finds all allowed tokens of a large vocabulary at once.
import { stepTable } from './automaton.js';
import type { Grammar, Lexeme, Node } from './grammar.js';
import { CLOSED, INSIDE, JSON_STRING, OPENING } from './json-string.js';

/** What follows, from the top: a node, how far it has come, and what is below. Null: the end. */
export interface Rest {
  readonly node: number;
  readonly count: number;
  readonly below: Rest | null;
  readonly id: number;
  /** What can come first; filled in on first use. */
  starts: Closure | null;
  readonly above: Map<number, Rest>;
}

/** A place in a lexeme, or a token that has to come. */
export interface Place {
  readonly lexeme: number;
  /** Of the lexeme's automaton; with a count of characters above it for strings. */
  readonly state: number;
  /** Tokens by id, instead of bytes; null for a lexeme. */
  readonly tokens: readonly number[] | null;
  readonly rest: Rest | null;
}

interface Closure {
  readonly places: readonly Place[];
  /** The text may end here. */
  readonly ends: boolean;
}

export interface MatchState extends Closure {
  /** Equal for equal states. */
  readonly key: string;
}

/** More places at once are dropped, the last ones first: what is left is still sound, some texts are lost. */
const MAX_PLACES = 512;
/** Parts of stacks kept for sharing. */
const MAX_RESTS = 16_384;
/** String states are smaller than this; counts come above. */
const COUNT = 64;

let serials = 0;

export class Matcher {
  readonly grammar: Grammar;
  /** States of different matchers have nothing in common. */
  readonly serial = serials++;
  readonly #bottom = new Map<number, Rest>();
  readonly #start: MatchState;
  #rests = 0;
  #kept = 0;

  constructor(grammar: Grammar) {
    this.grammar = grammar;
    const closure: Place[] = [];
    const ends = this.#expand(this.#rest(grammar.root, 0, null), closure, new Set());
    this.#start = { places: closure, ends, key: keyOf(closure, ends) };
  }

  get start(): MatchState {
    return this.#start;
  }

  /** After these bytes; null where they are not allowed. */
  bytes(state: MatchState, bytes: Uint8Array): MatchState | null {
    let { places, ends }: Closure = state;
    for (const byte of bytes) {
      const reached: Place[] = [];
      const seen = new Set<string>();
      ends = false;
      for (const place of places) ends = this.#take(place, byte, reached, seen) || ends;
      if (reached.length === 0 && !ends) return null;
      places = reached.length > MAX_PLACES ? reached.slice(0, MAX_PLACES) : reached;
    }
    return { places, ends, key: keyOf(places, ends) };
  }

  /** After a token that the grammar names by its id; null where it does not. */
  token(state: MatchState, id: number): MatchState | null {
    const places: Place[] = [];
    const seen = new Set<string>();
    let ends = false;
    for (const { tokens, rest } of state.places)
      if (tokens?.includes(id)) ends = this.#open(rest, places, seen) || ends;
    return places.length === 0 && !ends ? null : { places, ends, key: keyOf(places, ends) };
  }

  /** What can come first of what follows. */
  starts(rest: Rest | null): Closure {
    if (rest === null) return { places: [], ends: true };
    if (!rest.starts) {
      const places: Place[] = [];
      const ends = this.#expand(rest, places, new Set());
      rest.starts = { places, ends };
    }
    return rest.starts;
  }

  lexemeOf({ lexeme }: Place): Lexeme {
    return this.grammar.lexemes[lexeme] as Lexeme;
  }

  /** True when the text may end after it. */
  #take(place: Place, byte: number, into: Place[], seen: Set<string>): boolean {
    if (place.tokens) return false;
    const lexeme = this.lexemeOf(place);
    const state = stepLexeme(lexeme, place.state, byte);
    if (state < 0) return false;
    if (goesOn(lexeme, state)) add({ ...place, state }, into, seen);
    return acceptsLexeme(lexeme, state) && this.#open(place.rest, into, seen);
  }

  #open(rest: Rest | null, into: Place[], seen: Set<string>): boolean {
    const { places, ends } = this.starts(rest);
    for (const place of places) add(place, into, seen);
    return ends;
  }

  /** Adds what can come first of a rest; true when it may be empty. */
  #expand(rest: Rest | null, into: Place[], seen: Set<string>): boolean {
    if (rest === null) return true;
    const { count, below } = rest;
    const node = this.grammar.nodes[rest.node] as Node;
    const then = (child: number, after: Rest | null): boolean => this.#expand(this.#rest(child, 0, after), into, seen);
    const lexeme = (index: number, after: Rest | null): boolean => {
      const own = this.grammar.lexemes[index] as Lexeme;
      if (goesOn(own, 0)) add({ lexeme: index, state: 0, tokens: null, rest: after }, into, seen);
      return acceptsLexeme(own, 0) && this.#expand(after, into, seen);
    };
    switch (node.kind) {
      case 'lexeme':
        return lexeme(node.lexeme, below);
      case 'tokens':
        add({ lexeme: -1, state: 0, tokens: node.ids, rest: below }, into, seen);
        return false;
      case 'sequence': {
        const child = node.of[count];
        if (child === undefined) return this.#expand(below, into, seen);
        const after = count + 1 < node.of.length ? this.#rest(rest.node, count + 1, below) : below;
        return then(child, after);
      }
      case 'choice':
        return node.of.map((child) => then(child, below)).includes(true);
      case 'repeat': {
        const isFull = node.max !== null && count >= node.max;
        // Beyond what is demanded, an unlimited repeat need not count.
        const next = node.max === null ? Math.min(count + 1, Math.max(node.min, 1)) : count + 1;
        const after = this.#rest(rest.node, next, below);
        let ends = count >= node.min && this.#expand(below, into, seen);
        if (isFull) return ends;
        if (count === 0 || node.separator === null) ends = then(node.of, after) || ends;
        else ends = lexeme(node.separator, this.#rest(node.of, 0, after)) || ends;
        return ends;
      }
      case 'members': {
        // Twice the place among the properties, and 1 where something came before.
        const [at, isFirst] = [count >> 1, (count & 1) === 0];
        const member = (key: number, value: number, next: number): void => {
          const after = this.#rest(value, 0, this.#rest(rest.node, next * 2 + 1, below));
          if (isFirst) then(key, after);
          else lexeme(node.separator, this.#rest(key, 0, after));
        };
        for (let next = at; next < node.properties.length; next++) {
          const { key, value, required } = node.properties[next] as (typeof node.properties)[number];
          member(key, value, next + 1);
          if (required) return false;
        }
        if (node.others) member(node.others.key, node.others.value, node.properties.length);
        return this.#expand(below, into, seen);
      }
      default:
        return node satisfies never;
    }
  }

  #rest(node: number, count: number, below: Rest | null): Rest {
    const siblings = below ? below.above : this.#bottom;
    const key = node * 0x100000 + count;
    const known = siblings.get(key);
    if (known) return known;
    const rest: Rest = { node, count, below, id: this.#rests++, starts: null, above: new Map() };
    // Stacks that are no longer shared cost a little time, not correctness.
    if (++this.#kept > MAX_RESTS) {
      this.#bottom.clear();
      this.#kept = 0;
    }
    siblings.set(key, rest);
    return rest;
  }
}

/** The next state of a lexeme, −1 for none. */
export function stepLexeme(lexeme: Lexeme, state: number, byte: number): number {
  switch (lexeme.kind) {
    case 'literal':
      return lexeme.bytes[state] === byte ? state + 1 : -1;
    case 'table':
      return stepTable(lexeme, state, byte);
    case 'string': {
      const [own, count] = [state % COUNT, Math.floor(state / COUNT)];
      const to = stepTable(JSON_STRING, own, byte);
      if (to < 0) return -1;
      if (own !== INSIDE) return state - own + to;
      if (to === CLOSED) return count >= lexeme.min ? to : -1;
      const limit = lexeme.max ?? lexeme.min;
      if (lexeme.max !== null && count >= limit) return -1;
      return Math.min(count + 1, limit) * COUNT + to;
    }
    default:
      return lexeme satisfies never;
  }
}

export function acceptsLexeme(lexeme: Lexeme, state: number): boolean {
  switch (lexeme.kind) {
    case 'literal':
      return state === lexeme.bytes.length;
    case 'table':
      return lexeme.accepts[state] === 1;
    case 'string':
      return state === CLOSED;
    default:
      return lexeme satisfies never;
  }
}

/** Is there anything after this state? */
export function goesOn(lexeme: Lexeme, state: number): boolean {
  switch (lexeme.kind) {
    case 'literal':
      return state < lexeme.bytes.length;
    case 'table': {
      for (let at = state * lexeme.width; at < (state + 1) * lexeme.width; at++)
        if ((lexeme.next[at] ?? -1) >= 0) return true;
      return false;
    }
    case 'string':
      return state !== CLOSED;
    default:
      return lexeme satisfies never;
  }
}

/** Of a string: the automaton's state, and how many characters have begun. */
export function stringState(state: number): { readonly own: number; readonly count: number } {
  return { own: state % COUNT, count: Math.floor(state / COUNT) };
}

export const STRING_START = OPENING;

function add(place: Place, into: Place[], seen: Set<string>): void {
  const key = placeKey(place);
  if (seen.has(key)) return;
  seen.add(key);
  into.push(place);
}

const placeKey = ({ lexeme, state, tokens, rest }: Place): string =>
  tokens ? `t${tokens.join('+')}.${rest?.id ?? ''}` : `${lexeme}.${state}.${rest?.id ?? ''}`;

const keyOf = (places: readonly Place[], ends: boolean): string =>
  `${places.map(placeKey).join(' ')}${ends ? ' end' : ''}`;
