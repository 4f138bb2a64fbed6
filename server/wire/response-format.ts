// `response_format` of chat and completions, and `text.format` of responses: the same thing in two spellings → the schema that the answer
// must fulfil. What the schema says is checked where it is compiled (server/constraint).
import Type from 'typebox';
import { ANY_OBJECT } from '../../decoders/constraint/schema.js';
import { invalid } from './refusals.js';

export const ResponseFormat = Type.Record(Type.String(), Type.Unknown(), {
  description:
    'an object such as {"type": "json_object"} or {"type": "json_schema", "json_schema": {"name", "schema"}}',
});

/** A schema to be compiled, and the field that holds it. */
export interface FormatSchema {
  readonly schema: unknown;
  readonly param: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Null: any text. `param` is "response_format" or "text.format"; the latter has the schema's fields beside `type`. */
export function readFormat(format: Fields | null | undefined, param: string): FormatSchema | null {
  if (format === undefined || format === null) return null;
  const isFlat = param === 'text.format';
  const only = (fields: Fields, known: readonly string[], where: string): void => {
    const strange = Object.keys(fields).find((key) => !known.includes(key));
    if (strange !== undefined)
      throw invalid(`${where}.${strange}`, 'is not known', fields[strange], `Known: ${known.join(', ')}.`);
  };
  switch (format['type']) {
    case 'text':
    case 'json_object':
      only(format, ['type'], param);
      return format['type'] === 'text' ? null : { schema: ANY_OBJECT, param };
    case 'json_schema': {
      const at = isFlat ? param : `${param}.json_schema`;
      const given = isFlat ? format : format['json_schema'];
      if (!isFields(given)) throw invalid(at, 'must be an object', given, 'Send {"name": …, "schema": {…}}.');
      if (!isFlat) only(format, ['type', 'json_schema'], param);
      only(given, ['name', 'description', 'schema', 'strict', ...(isFlat ? ['type'] : [])], at);
      const { name, schema, strict = null, description = null } = given;
      if (typeof name !== 'string' || !/^[\w-]{1,64}$/.test(name))
        throw invalid(`${at}.name`, 'must be 1 to 64 letters, digits, _ or -', name, 'Name the schema.');
      if (strict !== null && typeof strict !== 'boolean')
        throw invalid(`${at}.strict`, 'must be true or false', strict, 'Leave it out: schemas are always kept.');
      if (description !== null && typeof description !== 'string')
        throw invalid(`${at}.description`, 'must be a string', description, 'Leave it out.');
      if (!isFields(schema)) throw invalid(`${at}.schema`, 'must be an object', schema, 'Send a JSON Schema.');
      return { schema, param: `${at}.schema` };
    }
    default:
      throw invalid(`${param}.type`, 'is not known', format['type'], 'Use text, json_object or json_schema.');
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
