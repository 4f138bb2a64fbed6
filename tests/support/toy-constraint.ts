// Constraints over the toy's letters, and what they allow by definition.
import { finished } from '../../decoders/constraint/schema.js';
import { GrammarBuilder } from '../../decoders/constraint/build.js';
import type { Grammar } from '../../decoders/constraint/grammar.js';
import { Matcher, type MatchState } from '../../decoders/constraint/matcher.js';
import { toyTable } from './toy-decoder.js';

/** Texts that the pattern matches. */
export function textGrammar(pattern: string): Grammar {
  const builder = new GrammarBuilder();
  return finished(builder, builder.of(builder.raw(`^(?:${pattern})$`)), pattern);
}

export interface Allowed {
  readonly allowed: Uint8Array;
  /** Nothing may follow these tokens. */
  readonly isOver: boolean;
}

const matchers = new Map<string, Matcher>();

export function allowedAfter(grammar: Grammar, tokens: readonly number[], ends: readonly number[]): Allowed {
  const matcher = matchers.get(grammar.key) ?? new Matcher(grammar);
  matchers.set(grammar.key, matcher);
  let state: MatchState | null = matcher.start;
  for (const id of tokens) if (!ends.includes(id)) state = state && matcher.bytes(state, toyTable.bytesOf(id));
  if (!state) throw new Error(`the constraint forbids ${tokens.join(',')}`);
  const at = state;
  const allowed = Uint8Array.from({ length: toyTable.size }, (_, id) => {
    if (ends.includes(id)) return at.ends ? 1 : 0;
    return !toyTable.isSpecial(id) && matcher.bytes(at, toyTable.bytesOf(id)) ? 1 : 0;
  });
  return { allowed, isOver: at.ends && at.places.length === 0 };
}
