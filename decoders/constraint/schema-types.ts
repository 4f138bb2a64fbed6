// Which JSON types and values a schema allows, by what it says, and whether two schemas can hold together.
import { same, type Schema } from './merge.js';
import { ConstraintProblem } from './problem.js';

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const;
export type Type = (typeof TYPES)[number];

export const OF_TYPE: Readonly<Record<string, Type>> = {
  properties: 'object',
  required: 'object',
  additionalProperties: 'object',
  items: 'array',
  prefixItems: 'array',
  minItems: 'array',
  maxItems: 'array',
  uniqueItems: 'array',
  pattern: 'string',
  format: 'string',
  minLength: 'string',
  maxLength: 'string',
  minimum: 'number',
  maximum: 'number',
  exclusiveMinimum: 'number',
  exclusiveMaximum: 'number',
  multipleOf: 'number',
};

/** A keyword may be called toString. */
export const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

export function typesOf(schema: Schema, path: string): readonly Type[] {
  if (schema['type'] !== undefined) {
    const types = [schema['type']].flat().map((type) => {
      if (!(TYPES as readonly unknown[]).includes(type))
        throw new ConstraintProblem(`${path}.type`, 'is no type', type, `Use one of ${TYPES.join(', ')}.`);
      return type as Type;
    });
    if (types.length === 0) throw new ConstraintProblem(`${path}.type`, 'allows no type', 'none', 'Give one.');
    // An integer is a number already.
    return types.filter((type) => type !== 'integer' || !types.includes('number'));
  }
  const implied = new Set(Object.keys(schema).flatMap((key) => own(OF_TYPE, key) ?? []));
  if (implied.size > 1)
    throw new ConstraintProblem(
      `${path}.type`,
      'is missing, and the keywords speak of several types',
      [...implied].join(', '),
      'Add it.',
    );
  return implied.size === 1 ? [...implied] : ['object', 'array', 'string', 'number', 'boolean', 'null'];
}

export function areDisjoint(one: Schema, other: Schema): boolean {
  const [mine, theirs] = [valueTypes(one), valueTypes(other)];
  const isShared = (type: Type): boolean =>
    theirs.some(
      (each) => each === type || (each === 'number' && type === 'integer') || (each === 'integer' && type === 'number'),
    );
  const shared = mine.filter(isShared);
  if (shared.length === 0) return true;
  const [values, otherValues] = [valuesOf(one), valuesOf(other)];
  if (values && otherValues) return !values.some((value) => otherValues.some((each) => same(each, value)));
  if (shared.some((type) => type !== 'object')) return false;
  const demanded = (schema: Schema): string[] =>
    Array.isArray(schema['required']) ? (schema['required'] as string[]) : [];
  const property = (schema: Schema, name: string): readonly unknown[] | null =>
    valuesOf((own((schema['properties'] ?? {}) as Schema, name) ?? {}) as Schema);
  return demanded(one).some((name) => {
    const [a, b] = [property(one, name), property(other, name)];
    return demanded(other).includes(name) && a && b && !a.some((value) => b.some((each) => same(each, value)));
  });
}

function valueTypes(schema: Schema): readonly Type[] {
  const values = valuesOf(schema);
  if (values) return TYPES.filter((type) => values.some((value) => isOfType(value, type)));
  return 'anyOf' in schema ? TYPES : typesOf(schema, '');
}

function valuesOf(schema: Schema): readonly unknown[] | null {
  if ('const' in schema) return [schema['const']];
  return Array.isArray(schema['enum']) ? (schema['enum'] as unknown[]) : null;
}

export function isOfType(value: unknown, type: Type): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    case 'number':
    case 'string':
    case 'boolean':
      return typeof value === type;
    default:
      return type satisfies never;
  }
}
