// What a kind of thing in the town is: how it is named, which attributes it has, and how each attribute is told and
// asked. Pure data; kinds/*.ts hold one kind each, facts.ts turns them into entities, phrasing.ts into sentences.

/**
 * Slots in a template: {n} the entity's name, {N} the same at the start of a sentence, {v} the value, {av} the value
 * with "a" or "an", {they}/{They} and {their}/{Their} the entity's pronoun.
 */
export interface Attribute {
  readonly key: string;
  /** Closed set; an answer is judged by which members of it occur, so no member may contain another. */
  readonly values: readonly string[];
  /** Whole sentences that name the entity; the first two are the ones that chat answers use. */
  readonly statements: readonly string[];
  /** Sentences that refer back to an entity named before; the first is the one that chat answers use. */
  readonly continuations: readonly string[];
  readonly questions: readonly string[];
  /** Questions that no training text contains. */
  readonly heldOutQuestions: readonly string[];
  /** The label of this attribute in ledgers and lists. */
  readonly label: string;
}

export interface Name {
  readonly name: string;
  readonly pronoun: 'she' | 'he' | 'it';
}

export interface Kind {
  readonly kind: string;
  readonly names: readonly Name[];
  readonly attributes: readonly Attribute[];
}
