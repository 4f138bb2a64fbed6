// Several schemas that must all hold, as one. Keywords are joined where that is plain; where it is not, the schema is refused by name.
// Knows no grammar. Used by schema.ts for allOf, for $ref with siblings, and for what stands beside anyOf.
import { ConstraintProblem } from './problem.js';

export type Schema = Readonly<Record<string, unknown>>;

const most = ['minLength', 'minItems', 'minimum', 'exclusiveMinimum'];
const least = ['maxLength', 'maxItems', 'maximum', 'exclusiveMaximum'];

export function mergeAll(schemas: readonly Schema[], path: string): Schema {
  return schemas.reduce((all, one) => merged(all, one, path), {});
}

function merged(one: Schema, other: Schema, path: string): Schema {
  checkClosed(one, other, path);
  const out: Record<string, unknown> = { ...one };
  for (const [key, value] of Object.entries(other))
    out[key] =
      !Object.hasOwn(one, key) || same(one[key], value) ? value : joined(key, one[key], value, `${path}.${key}`);
  return out;
}

function joined(key: string, one: unknown, other: unknown, path: string): unknown {
  if (most.includes(key) && isNumber(one) && isNumber(other)) return Math.max(one, other);
  if (least.includes(key) && isNumber(one) && isNumber(other)) return Math.min(one, other);
  switch (key) {
    case 'type':
      return [one].flat().flatMap((type) => commonType(type, [other].flat()));
    case 'required':
      return [...new Set([one, other].flat())];
    case 'enum':
      if (Array.isArray(one) && Array.isArray(other))
        return (one as unknown[]).filter((value) => (other as unknown[]).some((each) => same(each, value)));
      break;
    case 'properties':
      return mergedProperties(one as Schema, other as Schema);
    case 'items':
      return { allOf: [one, other] };
    case 'pattern':
      return [one, other].flat();
    case 'multipleOf':
      if (isNumber(one) && isNumber(other) && (one % other === 0 || other % one === 0)) return Math.max(one, other);
      break;
    case 'additionalProperties':
      // Both sides agree on the closed ones: checkClosed has seen to it.
      return one === true ? other : other === true ? one : { allOf: [one, other] };
    case 'default':
    case 'title':
    case 'description':
    case 'examples':
      return one;
    default:
  }
  throw new ConstraintProblem(path, 'is said twice in ways that cannot be joined', other, 'Say it once.');
}

/** An object that is closed on one side must know what the other side speaks of. */
function checkClosed(one: Schema, other: Schema, path: string): void {
  const names = (schema: Schema): string[] => Object.keys((schema['properties'] as Schema | undefined) ?? {});
  for (const [closed, open] of [
    [one, other],
    [other, one],
  ] as const) {
    if (closed['additionalProperties'] === undefined || closed['additionalProperties'] === true) continue;
    const strange = names(open).find((name) => !names(closed).includes(name));
    if (strange !== undefined)
      throw new ConstraintProblem(
        path,
        'joins an object that forbids or limits additional properties with one that has others',
        strange,
        'Declare all properties in one schema.',
      );
  }
}

function mergedProperties(one: Schema, other: Schema): Schema {
  const out: Record<string, unknown> = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const known = Object.hasOwn(one, name) ? one[name] : undefined;
    out[name] = known === undefined || same(known, value) ? value : { allOf: [known, value] };
  }
  return out;
}

function commonType(type: unknown, others: readonly unknown[]): unknown[] {
  if (others.includes(type)) return [type];
  if (type === 'number' && others.includes('integer')) return ['integer'];
  return type === 'integer' && others.includes('number') ? ['integer'] : [];
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
export const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
