// What is wrong with a constraint that a client sent: where, what, and what to do instead. Thrown by whoever reads schemas and patterns;
// the server turns it into an error of its own table.

export class ConstraintProblem extends Error {
  override readonly name = 'ConstraintProblem';
  /** Of the offending place inside the schema, e.g. "properties.age.pattern"; '' for the whole. */
  readonly path: string;
  readonly problem: string;
  readonly value: unknown;
  readonly remedy: string;

  constructor(path: string, problem: string, value: unknown, remedy: string) {
    super(`${path}: ${problem}`);
    this.path = path;
    this.problem = problem;
    this.value = value;
    this.remedy = remedy;
  }
}

/** Too much of something, wherever it was met: the reader adds the place. */
export class ConstraintTooLarge extends Error {
  override readonly name = 'ConstraintTooLarge';
}

/** Adds the place, and what makes things smaller there. */
export function locating<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConstraintTooLarge)) throw error;
    const remedy = 'Use shorter lengths, smaller ranges or a simpler pattern.';
    throw new ConstraintProblem(path, `comes to ${error.message}`, 'too large', remedy);
  }
}

/** What one constraint may come to, in all. An engine keeps many of them. */
export const CONSTRAINT_LIMITS = {
  /** Characters of a schema as JSON. */
  characters: 65_536,
  /** Nested schemas. */
  depth: 32,
  /** Parts of the grammar. */
  nodes: 8_192,
  /** Of all automata together. */
  states: 24_576,
  /** Of the automaton of one pattern, before it is made deterministic. */
  patternStates: 49_152,
} as const;
