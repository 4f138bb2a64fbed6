// Puts grammars together: lexemes and nodes by what they are, each kept once, within the limits of one constraint; and, at the end, takes
// out what can never be finished. Knows JSON's punctuation, no schema. Used by schema.ts and by the tool formats.
import { combine, determinise, isEmpty, Nfa, type Table } from './automaton.js';
import { addSequence } from './characters.js';
import type { Grammar, Lexeme, Node, Property } from './grammar.js';
import { lengthTable, patternTable } from './pattern.js';
import { CONSTRAINT_LIMITS, ConstraintTooLarge } from './problem.js';

/** None, a space, or a new line with its indentation: enough for printed JSON, and no room to wander. */
const WHITESPACE = '( |\\n( {0,16}|\\t{0,8}))?';

export class GrammarBuilder {
  readonly #lexemes: Lexeme[] = [];
  readonly #nodes: Node[] = [];
  readonly #known = new Map<string, number>();
  readonly #tables = new Map<string, Table>();
  #states = 0;
  readonly #space: string;

  /** On one line: without line breaks between what JSON is made of. */
  constructor({ isOneLine = false }: { readonly isOneLine?: boolean } = {}) {
    this.#space = isOneLine ? ' ?' : WHITESPACE;
  }

  get statesLeft(): number {
    return CONSTRAINT_LIMITS.states - this.#states;
  }

  lexeme(lexeme: Lexeme): number {
    const key = `lexeme ${keyOf(lexeme)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#states += lexeme.kind === 'table' ? lexeme.accepts.length : 1;
    if (this.#states > CONSTRAINT_LIMITS.states)
      throw new ConstraintTooLarge(`more than ${CONSTRAINT_LIMITS.states} states`);
    this.#known.set(key, this.#lexemes.length);
    return this.#lexemes.push(lexeme) - 1;
  }

  node(node: Node): number {
    const key = `node ${JSON.stringify(node)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const at = this.reserve();
    this.#nodes[at] = node;
    this.#known.set(key, at);
    return at;
  }

  /** For a node that others refer to before it is known. */
  reserve(): number {
    if (this.#nodes.length >= CONSTRAINT_LIMITS.nodes)
      throw new ConstraintTooLarge(`more than ${CONSTRAINT_LIMITS.nodes} parts`);
    return this.#nodes.push({ kind: 'choice', of: [] }) - 1;
  }

  define(at: number, node: Node): void {
    this.#nodes[at] = node;
  }

  of(lexeme: Lexeme): number {
    return this.node({ kind: 'lexeme', lexeme: this.lexeme(lexeme) });
  }

  sequence(...of: readonly number[]): number {
    return of.length === 1 ? (of[0] as number) : this.node({ kind: 'sequence', of });
  }

  choice(of: readonly number[]): number {
    const distinct = [...new Set(of)];
    return distinct.length === 1 ? (distinct[0] as number) : this.node({ kind: 'choice', of: distinct });
  }

  literal(text: string): number {
    return this.of(literalOf(text));
  }

  /** A raw regular expression over the text itself. */
  raw(pattern: string): Lexeme {
    return { kind: 'table', ...this.#table(`raw ${pattern}`, () => patternTable(pattern, 'text', this.statesLeft)) };
  }

  string(min: number, max: number | null): number {
    return this.of({ kind: 'string', min, max });
  }

  /** A string that matches all the patterns and has so many characters. */
  patterned(patterns: readonly string[], min: number, max: number | null): Lexeme {
    const limit = this.statesLeft;
    let table: Table | null = null;
    for (const pattern of patterns) {
      const own = this.#table(`json ${pattern}`, () => patternTable(pattern, 'json', limit));
      table = table ? combine(table, own, limit) : own;
    }
    const isLimited = min > 0 || max !== null;
    if (isLimited || !table) {
      const length = lengthTable(min, max ?? Infinity, 'json', limit);
      table = table ? combine(table, length, limit) : length;
    }
    return { kind: 'table', ...quoted(table, limit) };
  }

  /** Any key but these, and what follows it. Where some are taken, keys have one spelling each, so that none comes in disguise. */
  otherKey(taken: readonly string[]): number {
    if (taken.length === 0) return this.sequence(this.string(0, null), this.#colon);
    const limit = this.statesLeft;
    const any = this.#table('any key', () => lengthTable(0, Infinity, 'json', limit));
    const nfa = new Nfa(CONSTRAINT_LIMITS.patternStates);
    const [start, end] = [nfa.state(), nfa.state()];
    for (const key of taken) addText(nfa, start, JSON.stringify(key).slice(1, -1), end);
    const table = combine(any, determinise(nfa, start, end, limit), limit, true);
    return this.sequence(this.of({ kind: 'table', ...quoted(table, limit) }), this.#colon);
  }

  key(name: string): number {
    return this.sequence(this.literal(JSON.stringify(name)), this.#colon);
  }

  get comma(): number {
    return this.lexeme(this.raw(`^,${this.#space}$`));
  }

  /** Before the first character of an answer. */
  get leading(): number {
    return this.of(this.raw('^[ \\n]?$'));
  }

  /** An opening or closing bracket with the space inside of it. */
  opening(bracket: '[' | '{'): number {
    return this.of(this.raw(`^\\${bracket}${this.#space}$`));
  }

  closing(bracket: ']' | '}'): number {
    return this.of(this.raw(`^${this.#space}\\${bracket}$`));
  }

  object(properties: readonly Property[], others: { key: number; value: number } | null): number {
    const members = this.node({ kind: 'members', properties, others, separator: this.comma });
    return this.sequence(this.opening('{'), members, this.closing('}'));
  }

  array(item: number, min: number, max: number | null): number {
    const items = this.node({ kind: 'repeat', of: item, separator: this.comma, min, max });
    return this.sequence(this.opening('['), items, this.closing(']'));
  }

  finish(root: number, key: string): Grammar | null {
    const nodes = finishable(this.#nodes, this.#lexemes, root);
    return nodes && { key, lexemes: this.#lexemes, nodes, root };
  }

  #table(key: string, make: () => Table): Table {
    const table = this.#tables.get(key) ?? make();
    this.#tables.set(key, table);
    return table;
  }

  get #colon(): number {
    return this.of(this.raw(`^:${this.#space}$`));
  }
}

export const literalOf = (text: string): Lexeme => ({ kind: 'literal', bytes: new TextEncoder().encode(text) });

/** One of several texts. */
export function anyOfTexts(texts: readonly string[], limit: number): Lexeme {
  const [only] = texts;
  if (only !== undefined && texts.length === 1) return literalOf(only);
  const nfa = new Nfa(CONSTRAINT_LIMITS.patternStates);
  const [start, end] = [nfa.state(), nfa.state()];
  for (const text of texts) addText(nfa, start, text, end);
  return { kind: 'table', ...determinise(nfa, start, end, limit) };
}

function tableOf(text: string): Table {
  const nfa = new Nfa(CONSTRAINT_LIMITS.patternStates);
  const [start, end] = [nfa.state(), nfa.state()];
  addText(nfa, start, text, end);
  return determinise(nfa, start, end, CONSTRAINT_LIMITS.states);
}

function addText(nfa: Nfa, from: number, text: string, to: number): void {
  const bytes = [...new TextEncoder().encode(text)];
  if (bytes.length === 0) nfa.jump(from, to);
  else
    addSequence(
      nfa,
      from,
      bytes.map((byte) => [byte, byte]),
      to,
    );
}

/** Between quotes. */
function quoted(content: Table, limit: number): Table {
  const quote = tableOf('"');
  return isEmpty(content) ? content : joined(joined(quote, content, limit), quote, limit);
}

/** One after the other. */
function joined(first: Table, second: Table, limit: number): Table {
  const nfa = new Nfa(CONSTRAINT_LIMITS.patternStates);
  const end = nfa.state();
  const add = ({ classes, width, next, accepts }: Table): { start: number; final: (then: number) => void } => {
    const states = Array.from(accepts, () => nfa.state());
    for (const [low, high, c] of classRanges(classes))
      states.forEach((from, state) => {
        const to = next[state * width + c] ?? -1;
        if (to >= 0) nfa.byte(from, low, high, states[to] as number);
      });
    const final = (then: number): void => states.forEach((state, at) => accepts[at] === 1 && nfa.jump(state, then));
    return { start: states[0] ?? nfa.state(), final };
  };
  const [one, two] = [add(first), add(second)];
  one.final(two.start);
  two.final(end);
  return determinise(nfa, one.start, end, limit);
}

function classRanges(classes: Uint8Array): [low: number, high: number, c: number][] {
  const ranges: [number, number, number][] = [];
  classes.forEach((c, byte) => {
    const last = ranges.at(-1);
    if (last?.[2] === c) last[1] = byte;
    else ranges.push([byte, byte, c]);
  });
  return ranges;
}

/**
 * Nodes without the alternatives that no text of finite length fulfils, so that a walk never ends in a blind alley; null where the whole
 * has no such text.
 */
function finishable(nodes: readonly Node[], lexemes: readonly Lexeme[], root: number): Node[] | null {
  const done = new Uint8Array(nodes.length);
  const isDone = (at: number): boolean => done[at] === 1;
  const hasText = (at: number): boolean => {
    const lexeme = lexemes[at] as Lexeme;
    return lexeme.kind !== 'table' || !isEmpty(lexeme);
  };
  const canFinish = (node: Node): boolean => {
    switch (node.kind) {
      case 'lexeme':
        return hasText(node.lexeme);
      case 'tokens':
        return node.ids.length > 0;
      case 'sequence':
        return node.of.every(isDone);
      case 'choice':
        return node.of.some(isDone);
      case 'repeat':
        return node.min === 0 || isDone(node.of);
      case 'members':
        return node.properties.every(({ required, value }) => !required || isDone(value));
      default:
        return node satisfies never;
    }
  };
  for (let hasChanged = true; hasChanged;) {
    hasChanged = false;
    nodes.forEach((node, at) => {
      if (isDone(at) || !canFinish(node)) return;
      done[at] = 1;
      hasChanged = true;
    });
  }
  if (!isDone(root)) return null;
  return nodes.map((node): Node => {
    switch (node.kind) {
      case 'choice':
        return { ...node, of: node.of.filter(isDone) };
      case 'repeat':
        return isDone(node.of) ? node : { ...node, max: 0 };
      case 'members':
        return {
          ...node,
          properties: node.properties.filter(({ value }) => isDone(value)),
          others: node.others && isDone(node.others.value) ? node.others : null,
        };
      case 'lexeme':
      case 'tokens':
      case 'sequence':
        return node;
      default:
        return node satisfies never;
    }
  });
}

/** A part that comes to itself again without a byte in between; null where there is none. */
export function emptyCircle({ nodes, lexemes }: Pick<Grammar, 'nodes' | 'lexemes'>): number | null {
  const mayBeEmpty = (at: number, seen: readonly number[] = []): boolean => {
    const node = nodes[at] as Node;
    if (seen.includes(at)) return false;
    const deeper = (child: number): boolean => mayBeEmpty(child, [...seen, at]);
    switch (node.kind) {
      case 'lexeme': {
        const lexeme = lexemes[node.lexeme] as Lexeme;
        return lexeme.kind === 'table'
          ? lexeme.accepts[0] === 1
          : lexeme.kind === 'literal' && lexeme.bytes.length === 0;
      }
      case 'tokens':
        return false;
      case 'sequence':
        return node.of.every(deeper);
      case 'choice':
        return node.of.some(deeper);
      case 'repeat':
        return node.min === 0 || deeper(node.of);
      case 'members':
        return node.properties.every(({ required }) => !required);
      default:
        return node satisfies never;
    }
  };
  const empty = nodes.map((_, at) => mayBeEmpty(at));
  const firsts = (at: number): readonly number[] => {
    const node = nodes[at] as Node;
    switch (node.kind) {
      case 'choice':
        return node.of;
      case 'repeat':
        return [node.of];
      case 'sequence': {
        const first = node.of.findIndex((child) => !empty[child]);
        return first < 0 ? node.of : node.of.slice(0, first + 1);
      }
      case 'lexeme':
      case 'tokens':
      case 'members':
        return [];
      default:
        return node satisfies never;
    }
  };
  const state = new Uint8Array(nodes.length);
  const visit = (at: number): number | null => {
    if (state[at] === 1) return at;
    if (state[at] === 2) return null;
    state[at] = 1;
    for (const child of firsts(at)) {
      const found = visit(child);
      if (found !== null) return found;
    }
    state[at] = 2;
    return null;
  };
  for (const at of nodes.keys()) {
    const found = visit(at);
    if (found !== null) return found;
  }
  return null;
}

function keyOf(lexeme: Lexeme): string {
  switch (lexeme.kind) {
    case 'literal':
      return `literal ${String(lexeme.bytes)}`;
    case 'string':
      return `string ${lexeme.min} ${lexeme.max}`;
    case 'table':
      return `table ${String(lexeme.classes)} ${String(lexeme.next)} ${String(lexeme.accepts)}`;
    default:
      return lexeme satisfies never;
  }
}
