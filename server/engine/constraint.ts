// What an answer's text has to be, for the engine: the states of a branch go token by token, and a state has a mask. Grammars and the masks
// of a vocabulary are kept over requests. Knows no branch; states are plain values that branches keep.
import { LRUCache } from 'lru-cache';
import type { Grammar } from '../../decoders/constraint/grammar.js';
import { Matcher, type MatchState } from '../../decoders/constraint/matcher.js';
import { Masks, type Mask } from './masks.js';
import { tokenTrie } from './token-trie.js';
import type { TokenTable } from './text-stream.js';

export type { MatchState } from '../../decoders/constraint/matcher.js';

/** Grammars whose walked states are kept. */
const MAX_MATCHERS = 256;

export class Constraint {
  readonly #matcher: Matcher;
  readonly #masks: Masks;
  readonly #table: TokenTable;

  constructor(matcher: Matcher, masks: Masks, table: TokenTable) {
    this.#matcher = matcher;
    this.#masks = masks;
    this.#table = table;
  }

  get start(): MatchState {
    return this.#matcher.start;
  }

  /** After a token; null where it is not allowed. */
  after(state: MatchState, id: number): MatchState | null {
    return this.#table.isSpecial(id)
      ? this.#matcher.token(state, id)
      : this.#matcher.bytes(state, this.#table.bytesOf(id));
  }

  mask(state: MatchState, ends: readonly number[]): Mask {
    return this.#masks.mask(this.#matcher, state, ends);
  }
}

/** Nothing more may follow. */
export const isComplete = ({ places, ends }: MatchState): boolean => ends && places.length === 0;

/** Of one engine. */
export class Constraints {
  readonly #masks = new Map<string | TokenTable, Masks>();
  readonly #matchers = new LRUCache<string, Matcher>({ max: MAX_MATCHERS });

  /** Builds what the first constraint over this vocabulary would have to wait for. */
  prepare(table: TokenTable): void {
    this.#of(table).warm();
  }

  constraint(grammar: Grammar, table: TokenTable): Constraint {
    const known = this.#matchers.get(grammar.key);
    const matcher = known ?? new Matcher(grammar);
    if (!known) this.#matchers.set(grammar.key, matcher);
    return new Constraint(matcher, this.#of(table), table);
  }

  #of(table: TokenTable): Masks {
    const key = table.hash ?? table;
    const known = this.#masks.get(key);
    if (known) return known;
    const masks = new Masks(tokenTrie(table));
    this.#masks.set(key, masks);
    return masks;
  }
}
