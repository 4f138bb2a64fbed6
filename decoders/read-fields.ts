// The keys of one object of a spec, read by the fields of the method or scorer that it names: unknown and missing ones are refused, defaults
// filled in. Called by spec.ts, and by methods that carry another one inside.
import { list, nearestName, SpecError } from './fields.js';
import type { FieldContext, Json, JsonObject } from './fields.js';
import type { Fields } from './method.js';

export interface FieldsOwner {
  readonly name: string;
  readonly fields: Fields;
  /** The key that says whose fields these are. */
  readonly tag: 'method' | 'kind' | 'op';
}

const NOUNS = { method: 'method', kind: 'scorer', op: 'operator' } as const;

export interface ReadFields {
  readonly values: Record<string, unknown>;
  /** As the reply shows them, the tag included. */
  readonly effective: Record<string, Json>;
}

/** `others` are keys that somebody else reads. */
export function readFields(
  { name, fields, tag }: FieldsOwner,
  spec: JsonObject,
  path: string,
  context: FieldContext,
  others: readonly string[] = [],
): ReadFields {
  const keys = [tag, ...Object.keys(fields), ...others];
  for (const key of Object.keys(spec))
    if (!keys.includes(key))
      throw new SpecError(`${path}.${key}`, 'unknown key', key, `The ${NOUNS[tag]} "${name}" has ${list(keys)}.`, {
        nearest: nearestName(key, keys),
        known: keys,
      });
  const values: Record<string, unknown> = {};
  const effective: Record<string, Json> = { [tag]: name };
  for (const [key, field] of Object.entries(fields)) {
    const given = Object.hasOwn(spec, key) ? spec[key] : undefined;
    if (given === undefined && field.fallback === undefined)
      throw new SpecError(`${path}.${key}`, 'missing', undefined, `Give "${key}": ${field.type}. ${field.help}`, {
        known: keys,
      });
    const read: unknown = given === undefined ? field.fallback : field.read(given, `${path}.${key}`, context);
    values[key] = read;
    const shown = field.show(read);
    if (shown !== null) effective[key] = shown;
  }
  return { values, effective };
}
