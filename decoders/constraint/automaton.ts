// Finite automata over bytes: nondeterministic ones are put together from pieces, made deterministic, intersected and subtracted. The
// result is a table; every state of a table can still reach acceptance, so walking along it never ends in a blind alley. Pure.
import { ConstraintTooLarge } from './problem.js';

/** A deterministic automaton. State 0 is the start; an empty table accepts nothing. */
export interface Table {
  /** Per byte: its class. */
  readonly classes: Uint8Array;
  readonly width: number;
  /** [states · width]: the next state, −1 for none. */
  readonly next: Int32Array;
  /** Per state: 1 where it accepts. */
  readonly accepts: Uint8Array;
}

export type Assertion = 'start' | 'end';

/** States are numbers; edges consume a byte of a range, or nothing, or nothing and only at the start or the end of the text. */
export class Nfa {
  readonly edges: { readonly low: number; readonly high: number; readonly to: number }[][] = [];
  readonly free: { readonly to: number; readonly only: Assertion | null }[][] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  state(): number {
    if (this.edges.length >= this.#limit) throw new ConstraintTooLarge(`more than ${this.#limit} states`);
    this.edges.push([]);
    this.free.push([]);
    return this.edges.length - 1;
  }

  byte(from: number, low: number, high: number, to: number): void {
    this.edges[from]?.push({ low, high, to });
  }

  jump(from: number, to: number, only: Assertion | null = null): void {
    this.free[from]?.push({ to, only });
  }
}

export const isEmpty = ({ accepts }: Table): boolean => accepts.length === 0;

/** Subset construction. Throws ConstraintTooLarge beyond `limit` states: it is exponential in the worst case. */
export function determinise(nfa: Nfa, start: number, accept: number, limit: number): Table {
  const { classes, representatives } = byteClasses(nfa);
  const width = representatives.length;
  const known = new Map<string, number>();
  const sets: number[][] = [];
  const accepts: boolean[] = [];
  const place = (set: number[], atStart: boolean): number => {
    const key = set.join(',');
    const old = known.get(key);
    if (old !== undefined && !atStart) return old;
    if (sets.length >= limit) throw new ConstraintTooLarge(`more than ${limit} states`);
    const state = sets.length;
    // What only the start of the text allows was allowed once: nobody comes back to this state.
    if (!atStart) known.set(key, state);
    sets.push(set);
    accepts.push(closure(nfa, set, atStart, true).includes(accept));
    return state;
  };
  place(closure(nfa, [start], true, false), true);
  const next: number[] = [];
  for (let state = 0; state < sets.length; state++)
    for (const byte of representatives) {
      const reached = new Set<number>();
      for (const from of sets[state] ?? [])
        for (const { low, high, to } of nfa.edges[from] ?? []) if (low <= byte && byte <= high) reached.add(to);
      next.push(reached.size === 0 ? -1 : place(closure(nfa, [...reached], false, false), false));
    }
  return pruned({ classes, width, next: Int32Array.from(next), accepts: Uint8Array.from(accepts, Number) });
}

/** What both accept, or with `without` what the first accepts and the second does not. */
export function combine(one: Table, other: Table, limit: number, without = false): Table {
  const { classes, representatives } = commonClasses(one, other);
  const width = representatives.length;
  const known = new Map<number, number>();
  const pairs: [number, number][] = [];
  const place = (a: number, b: number): number => {
    const key = a * (other.accepts.length + 1) + b + 1;
    const old = known.get(key);
    if (old !== undefined) return old;
    if (pairs.length >= limit) throw new ConstraintTooLarge(`more than ${limit} states`);
    known.set(key, pairs.length);
    pairs.push([a, b]);
    return pairs.length - 1;
  };
  if (isEmpty(one)) return one;
  if (isEmpty(other)) return without ? one : other;
  place(0, 0);
  const next: number[] = [];
  for (let pair = 0; pair < pairs.length; pair++) {
    const [a, b] = pairs[pair] as [number, number];
    for (const byte of representatives) {
      const na = stepTable(one, a, byte);
      const nb = b < 0 ? -1 : stepTable(other, b, byte);
      next.push(na < 0 || (nb < 0 && !without) ? -1 : place(na, nb));
    }
  }
  const accepts = Uint8Array.from(pairs, ([a, b]) => {
    const second = b >= 0 && other.accepts[b] === 1;
    return one.accepts[a] === 1 && second !== without ? 1 : 0;
  });
  return pruned({ classes, width, next: Int32Array.from(next), accepts });
}

/** An automaton given as a function: states are strings, found as they are reached. */
export function explore(
  start: string,
  alphabet: string,
  step: (state: string, character: string) => string | null,
  accepts: (state: string) => boolean,
  limit: number,
): Table {
  const letters = [...alphabet];
  const classes = new Uint8Array(256).fill(letters.length);
  letters.forEach((letter, at) => (classes[letter.charCodeAt(0)] = at));
  const width = letters.length + 1;
  const known = new Map([[start, 0]]);
  const states = [start];
  const next: number[] = [];
  for (let at = 0; at < states.length; at++) {
    for (const letter of letters) {
      const to = step(states[at] ?? '', letter);
      if (to !== null && !known.has(to)) {
        if (states.length >= limit) throw new ConstraintTooLarge(`more than ${limit} states`);
        known.set(to, states.length);
        states.push(to);
      }
      next.push(to === null ? -1 : (known.get(to) ?? -1));
    }
    next.push(-1);
  }
  return pruned({
    classes,
    width,
    next: Int32Array.from(next),
    accepts: Uint8Array.from(states, (state) => (accepts(state) ? 1 : 0)),
  });
}

export function stepTable({ classes, width, next }: Table, state: number, byte: number): number {
  return next[state * width + (classes[byte] ?? 0)] ?? -1;
}

function closure(nfa: Nfa, from: readonly number[], atStart: boolean, atEnd: boolean): number[] {
  const found = new Set(from);
  const stack = [...from];
  for (let state = stack.pop(); state !== undefined; state = stack.pop())
    for (const { to, only } of nfa.free[state] ?? []) {
      const isOpen = only === null || (only === 'start' ? atStart : atEnd);
      if (!isOpen || found.has(to)) continue;
      found.add(to);
      stack.push(to);
    }
  return [...found].sort((a, b) => a - b);
}

/** Bytes that no edge tells apart share a class. */
function byteClasses(nfa: Nfa): { classes: Uint8Array; representatives: number[] } {
  const cuts = new Uint8Array(257);
  for (const edges of nfa.edges)
    for (const { low, high } of edges) {
      cuts[low] = 1;
      cuts[high + 1] = 1;
    }
  return classesFrom((byte) => cuts[byte] === 1);
}

function commonClasses(one: Table, other: Table): { classes: Uint8Array; representatives: number[] } {
  return classesFrom(
    (byte) => one.classes[byte] !== one.classes[byte - 1] || other.classes[byte] !== other.classes[byte - 1],
  );
}

function classesFrom(begins: (byte: number) => boolean): { classes: Uint8Array; representatives: number[] } {
  const classes = new Uint8Array(256);
  const representatives = [0];
  for (let byte = 1; byte < 256; byte++) {
    if (begins(byte)) representatives.push(byte);
    classes[byte] = representatives.length - 1;
  }
  return { classes, representatives };
}

/** Without states that cannot be reached or from which acceptance cannot. */
function pruned({ classes, width, next, accepts }: Table): Table {
  const count = accepts.length;
  const before: number[][] = Array.from({ length: count }, () => []);
  for (let state = 0; state < count; state++)
    for (let at = 0; at < width; at++) {
      const to = next[state * width + at] ?? -1;
      if (to >= 0) before[to]?.push(state);
    }
  const alive = new Uint8Array(count);
  const stack = [...accepts.keys()].filter((state) => accepts[state] === 1);
  stack.forEach((state) => (alive[state] = 1));
  for (let state = stack.pop(); state !== undefined; state = stack.pop())
    for (const from of before[state] ?? [])
      if (alive[from] === 0) {
        alive[from] = 1;
        stack.push(from);
      }
  if (alive[0] !== 1) return { classes, width, next: new Int32Array(0), accepts: new Uint8Array(0) };
  const renamed = new Int32Array(count).fill(-1);
  const order = [0];
  renamed[0] = 0;
  for (let at = 0; at < order.length; at++)
    for (let c = 0; c < width; c++) {
      const to = next[(order[at] ?? 0) * width + c] ?? -1;
      if (to < 0 || alive[to] === 0 || (renamed[to] ?? -1) >= 0) continue;
      renamed[to] = order.length;
      order.push(to);
    }
  const out = new Int32Array(order.length * width).fill(-1);
  order.forEach((old, state) => {
    for (let c = 0; c < width; c++) {
      const to = next[old * width + c] ?? -1;
      if (to >= 0) out[state * width + c] = renamed[to] ?? -1;
    }
  });
  return { classes, width, next: out, accepts: Uint8Array.from(order, (old) => accepts[old] ?? 0) };
}
