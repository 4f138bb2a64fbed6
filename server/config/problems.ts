// Turns the first finding of the schema check into one error that names the key, what is wrong with it, the value that stands
// there and what to write instead. Called by config.ts only.
import type { TLocalizedValidationError } from 'typebox/error';
import { AppError } from '../errors.js';
import { shown } from '../wire/shown.js';
import { nearest } from './nearest.js';

type Json = { readonly [key: string]: unknown };

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const segments = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

const valueAt = (document: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (isObject(value) || Array.isArray(value) ? (value as Json)[key] : undefined),
    document,
  );

/** The schema that governs `path`, following properties, the one pattern of a record and the entries of a list. */
function schemaAt(schema: Json, path: readonly string[]): Json {
  let current = schema;
  for (const key of path) {
    const properties = current['properties'] as Json | undefined;
    const patterns = current['patternProperties'] as Json | undefined;
    const next = properties?.[key] ?? Object.values(patterns ?? {})[0] ?? current['items'];
    if (!isObject(next)) return {};
    current = next;
  }
  return current;
}

/** What the schema accepts, in words. */
export function accepts(schema: Json): string {
  if (Array.isArray(schema['enum'])) return `one of ${schema['enum'].map((value) => JSON.stringify(value)).join(', ')}`;
  if (Array.isArray(schema['anyOf'])) return schema['anyOf'].filter(isObject).map(accepts).join(' or ');
  const range = [
    ['minimum', '≥'],
    ['exclusiveMinimum', '>'],
    ['maximum', '≤'],
    ['exclusiveMaximum', '<'],
  ]
    .filter(([key]) => schema[key as string] !== undefined)
    .map(([key, sign]) => `${sign} ${String(schema[key as string])}`)
    .join(' and ');
  switch (schema['type']) {
    case 'null':
      return 'null';
    case 'integer':
      return `a whole number${range && ` ${range}`}`;
    case 'number':
      return `a number${range && ` ${range}`}`;
    case 'string':
      return 'a string that is not empty';
    case 'boolean':
      return 'true or false';
    case 'object':
      return 'an object';
    case 'array':
      return isObject(schema['items']) ? `a list; each entry is ${accepts(schema['items'])}` : 'a list';
    default:
      return 'a JSON value';
  }
}

/** Errors of one place come in several findings; unknown keys first, then what is missing, then the deepest wrong value. */
const rank = (error: TLocalizedValidationError): number =>
  error.keyword === 'additionalProperties' ? 0 : error.keyword === 'required' ? 1 : error.keyword === 'boolean' ? 3 : 2;

export function firstProblem(
  file: string,
  schema: object,
  document: unknown,
  errors: readonly TLocalizedValidationError[],
): AppError {
  const root = schema as Json;
  const [error] = [...errors].sort((a, b) => rank(a) - rank(b));
  if (error === undefined) throw new Error('firstProblem needs at least one error');
  const path = segments(error.instancePath);
  const here = path.join('.');
  const at = (key: string): string => (here === '' ? key : `${here}.${key}`);

  if (error.keyword === 'additionalProperties') {
    const known = Object.keys((schemaAt(root, path)['properties'] as Json | undefined) ?? {});
    const key = error.params.additionalProperties[0] ?? '';
    const hint = nearest(key, known);
    return new AppError('config_unknown_key', {
      path: file,
      key: at(key),
      nearest: hint === null ? '' : ` Did you mean ${hint}?`,
      known: known.join(', '),
    });
  }
  if (error.keyword === 'required') {
    const key = error.params.requiredProperties[0] ?? '';
    const expected = schemaAt(root, [...path, key]);
    return new AppError('config_invalid', {
      path: file,
      key: at(key),
      problem: 'it is missing',
      value: 'nothing',
      remedy: `Give ${accepts(expected)}: ${describe(expected)}`,
    });
  }
  // A failed union reports its branches too: the schema of the instance itself says it all.
  const expected = schemaAt(root, path);
  return new AppError('config_invalid', {
    path: file,
    key: here === '' ? 'the whole file' : here,
    problem: `it must be ${accepts(expected)}`,
    value: shown(valueAt(document, path)),
    remedy: describe(expected),
  });
}

const describe = (schema: Json): string => {
  const description = schema['description'];
  return typeof description === 'string' ? description : 'See docs/config.md.';
};
