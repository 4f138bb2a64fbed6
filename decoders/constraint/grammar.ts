// A constraint as plain data: automata over bytes (lexemes), and nodes that say in which order they follow each other. Made once per
// schema, crosses threads as it is, and is walked by matcher.ts. Nodes may refer to each other in circles: that is how schemas recurse.
import type { Table } from './automaton.js';

/** What is recognised byte by byte. */
export type Lexeme =
  | { readonly kind: 'literal'; readonly bytes: Uint8Array }
  | ({ readonly kind: 'table' } & Table)
  /** A JSON string with its quotes, of `min` to `max` characters: one automaton (json-string.ts) and a counter. */
  | { readonly kind: 'string'; readonly min: number; readonly max: number | null };

export interface Property {
  /** The node of its key, with quotes, the colon and the space after it. */
  readonly key: number;
  readonly value: number;
  readonly required: boolean;
}

export type Node =
  | { readonly kind: 'lexeme'; readonly lexeme: number }
  /** One of these tokens, whatever they print: control tokens of a tool format. */
  | { readonly kind: 'tokens'; readonly ids: readonly number[] }
  | { readonly kind: 'sequence'; readonly of: readonly number[] }
  | { readonly kind: 'choice'; readonly of: readonly number[] }
  | {
      readonly kind: 'repeat';
      readonly of: number;
      /** A lexeme between two of them; null for none. */
      readonly separator: number | null;
      readonly min: number;
      readonly max: number | null;
    }
  /** What stands between the braces: properties in their order, then others. */
  | {
      readonly kind: 'members';
      readonly properties: readonly Property[];
      readonly others: { readonly key: number; readonly value: number } | null;
      readonly separator: number;
    };

export interface Grammar {
  /** Equal exactly for equal constraints. */
  readonly key: string;
  readonly lexemes: readonly Lexeme[];
  readonly nodes: readonly Node[];
  readonly root: number;
}
