// The parameters of a decoding method, declared once: a field reads one JSON value, checks it, and documents itself for
// `explain`. A spec is refused with the path inside the request, the offending value and the remedy; nothing is coerced
// or dropped. Knows no method, no HTTP.
import type { Scores } from './expr.js';
import type { Scorer } from './plan.js';
import type { PlanContext } from './search-method.js';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export type SpecProblem =
  | 'unknown key'
  | 'unknown method'
  | 'unknown name'
  | 'missing'
  | 'wrong type'
  | 'out of range'
  | 'not allowed'
  | 'cycle'
  | 'too large';

/** A `decoding` tree that cannot be built. The HTTP layer turns it into its own error. */
export class SpecError extends Error {
  override readonly name = 'SpecError';
  /** Where in the request: `decoding.base.weight`. */
  readonly path: string;
  readonly problem: SpecProblem;
  readonly value: unknown;
  readonly remedy: string;
  /** The known name that is spelled most alike, if one comes near. */
  readonly nearest: string | null;
  readonly known: readonly string[];

  constructor(
    path: string,
    problem: SpecProblem,
    value: unknown,
    remedy: string,
    names: { readonly nearest?: string | null; readonly known?: readonly string[] } = {},
  ) {
    super(`${path}: ${problem}${value === undefined ? '' : ` (got ${shorten(value)})`}. ${remedy}`);
    this.path = path;
    this.problem = problem;
    this.value = value;
    this.remedy = remedy;
    this.nearest = names.nearest ?? null;
    this.known = names.known ?? [];
  }
}

/** What a field may ask of the builder. */
export interface FieldContext {
  readonly allowNegativeWeights: boolean;
  /** Names of the models that score answers, and of the endpoints that do. */
  readonly rewardModels: readonly string[];
  readonly endpoints: readonly string[];
  /** A model's name, a deployment's name or a nested spec. */
  member(value: unknown, path: string): Member;
  /** A scorer's spec, or the name of a reward model or of a scorer of the configuration. */
  scorer(value: unknown, path: string): ReadScorer;
}

/** A scorer that has been read, and not yet been built into a plan. */
export interface ReadScorer {
  /** As a request writes it, defaults filled in. */
  readonly effective: Json;
  build(context: PlanContext): Scorer;
}

/** A distribution that stands in another one's place, and the spec that made it, defaults filled in. */
export interface Member {
  readonly scores: Scores;
  readonly effective: Json;
}

export interface Field<T> {
  /** In the words of JSON: "number", "model or distribution". */
  readonly type: string;
  readonly help: string;
  /** A sentence about the legal values, '' when there is nothing to add to the type. */
  readonly range: string;
  /** undefined: the field must be given. null: there is no value unless one is given. */
  readonly fallback: T | undefined;
  /** `value` is there: a missing key never gets here. */
  read(value: unknown, path: string, context: FieldContext): T;
  /** The value as the reply shows it. */
  show(value: T): Json;
}

export interface NumberRange {
  readonly help: string;
  readonly fallback?: number;
  readonly min: number;
  readonly max: number;
}

export function real({ help, fallback, min, max }: NumberRange): Field<number> {
  return {
    type: 'number',
    help,
    range: `${min} to ${max}`,
    fallback,
    read: (value, path) => readNumber(value, path, min, max),
    show: (value) => value,
  };
}

/** One number or a list of them. */
export function numbers({
  help,
  fallback,
  min,
  max,
}: Omit<NumberRange, 'fallback'> & { readonly fallback?: readonly number[] }): Field<readonly number[]> {
  return {
    type: 'number or list of numbers',
    help,
    range: `${min} to ${max}`,
    fallback,
    read: (value, path) =>
      Array.isArray(value)
        ? value.map((one: unknown, index) => readNumber(one, `${path}[${index}]`, min, max))
        : [readNumber(value, path, min, max)],
    show: (value) => (value.length === 1 ? (value[0] ?? null) : value),
  };
}

export function boolean(help: string, fallback?: boolean): Field<boolean> {
  return {
    type: 'boolean',
    help,
    range: 'true | false',
    fallback,
    read: (value, path) => {
      if (typeof value !== 'boolean') throw new SpecError(path, 'wrong type', value, 'Use true or false.');
      return value;
    },
    show: (value) => value,
  };
}

/** A whole number. */
export function integer({ help, fallback, min, max }: NumberRange): Field<number> {
  return {
    ...real({ help, min, max, ...(fallback === undefined ? {} : { fallback }) }),
    type: 'whole number',
    read: (value, path) => {
      const number = readNumber(value, path, min, max);
      if (!Number.isInteger(number))
        throw new SpecError(path, 'wrong type', value, `Use a whole number from ${min} to ${max}.`);
      return number;
    },
  };
}

/** A text. */
export function string(
  help: string,
  { fallback, maxLength = 100_000 }: { fallback?: string; maxLength?: number } = {},
): Field<string> {
  return {
    type: 'text',
    help,
    range: `1 to ${maxLength} characters`,
    fallback,
    read: (value, path) => readString(value, path, maxLength),
    show: (value) => value,
  };
}

/** A list of texts. */
export function strings(
  help: string,
  { least, most, fallback }: { least: number; most: number; fallback?: readonly string[] },
): Field<readonly string[]> {
  return {
    type: 'list of texts',
    help,
    range: `${least} to ${most}`,
    fallback,
    read: (value, path) => {
      if (!Array.isArray(value) || value.length < least || value.length > most)
        throw new SpecError(path, 'wrong type', value, `Use a list of ${least} to ${most} texts.`);
      return value.map((one: unknown, index) => readString(one, `${path}[${index}]`, 1000));
    },
    show: (value) => value,
  };
}

/** Where an answer gets a number: see scorers/. */
export function scorer(help: string): Field<ReadScorer> {
  return {
    type: 'reward model or scorer',
    help,
    range: '',
    fallback: undefined,
    read: (value, path, context) => context.scorer(value, path),
    show: ({ effective }) => effective,
  };
}

/** The weight of a steering difference. */
export function weight({ help, fallback, max }: Omit<NumberRange, 'min'>): Field<number> {
  return {
    ...real({ help, min: -max, max, ...(fallback === undefined ? {} : { fallback }) }),
    range: `0 to ${max}; negative only where the operator allows it`,
    read: (value, path, context) => readWeight(value, path, max, context),
  };
}

/** Below zero a weight undoes what the tuned member learned, so the operator has to allow that. */
export function readWeight(value: unknown, path: string, max: number, { allowNegativeWeights }: FieldContext): number {
  if (allowNegativeWeights) return readNumber(value, path, -max, max);
  if (typeof value !== 'number' || !(value < 0)) return readNumber(value, path, 0, max);
  throw new SpecError(
    path,
    'not allowed',
    value,
    'A negative weight undoes what the tuned model learned. Use 0 or more, or have the operator allow negative weights.',
  );
}

/** A field that may be left out. */
export function optional<T>(field: Field<T>): Field<T | null> {
  return { ...field, fallback: null, show: (value) => (value === null ? null : field.show(value)) };
}

export function oneOf<const T extends string>(help: string, choices: readonly [T, ...T[]], fallback?: T): Field<T> {
  return {
    type: 'string',
    help,
    range: choices.join(' | '),
    fallback,
    read: (value, path) => {
      if (typeof value !== 'string')
        throw new SpecError(path, 'wrong type', value, `Use one of ${list(choices)}.`, { known: choices });
      const choice = choices.find((known) => known === value);
      if (choice === undefined)
        throw new SpecError(path, 'out of range', value, `Use one of ${list(choices)}.`, {
          known: choices,
          nearest: nearestName(value, choices),
        });
      return choice;
    },
    show: (value) => value,
  };
}

export function readNumber(value: unknown, path: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new SpecError(path, 'wrong type', value, `Use a number from ${min} to ${max}.`);
  if (value < min || value > max)
    throw new SpecError(path, 'out of range', value, `Use a number from ${min} to ${max}.`);
  return value;
}

function readString(value: unknown, path: string, maxLength: number): string {
  if (typeof value !== 'string') throw new SpecError(path, 'wrong type', value, 'Use a text.');
  if (value.length === 0) throw new SpecError(path, 'out of range', value, 'Give at least one character.');
  if (value.length > maxLength)
    throw new SpecError(path, 'too large', value.length, `Use at most ${maxLength} characters.`);
  return value;
}

export function list(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

/** The candidate with the fewest edits, if at most a third of the name (and at least one letter) has to change. */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((left, right) => left.edits - right.edits);
  const [best] = ranked;
  return best && best.edits <= Math.max(1, Math.floor(Math.max(name.length, best.candidate.length) / 3))
    ? best.candidate
    : null;
}

/** Levenshtein distance: insertions, deletions, substitutions; long names are compared by their first 64 characters. */
export function editDistance(left: string, right: string): number {
  const [a, b] = [left.slice(0, 64), right.slice(0, 64)];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substituted = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substituted, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

function shorten(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
