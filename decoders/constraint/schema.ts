// A JSON Schema → a grammar whose every text is JSON that the schema accepts. Sound, not complete: properties come in their order, objects
// are closed unless the schema opens them, numbers have at most 15 digits. A keyword that cannot be kept is refused by its path: none is
// silently dropped. Pure; runs in a thread with a time limit (server/constraint).
import { anyOfTexts, emptyCircle, GrammarBuilder } from './build.js';
import type { Grammar, Property } from './grammar.js';
import { same, type Schema } from './merge.js';
import { CONSTRAINT_LIMITS, ConstraintProblem, ConstraintTooLarge, locating } from './problem.js';
import { Joins } from './schema-joins.js';
import { checkKeywords, isAnnotation } from './schema-keywords.js';
import { count, list, record, text } from './schema-parts.js';
import { numbers, strings } from './schema-scalars.js';
import { isOfType, typesOf, type Type } from './schema-types.js';

/** Any JSON object, as response_format json_object wants it. */
export const ANY_OBJECT: Schema = { type: 'object' };

/** `key` names the constraint. Throws ConstraintProblem. */
export function schemaGrammar(schema: unknown, key: string): Grammar {
  return withLimits(() => {
    const builder = new GrammarBuilder();
    const root = addSchema(builder, schema);
    return finished(builder, builder.sequence(builder.leading, root), key);
  });
}

/** For whoever puts schemas into a larger grammar: the node of the schema. */
export function addSchema(builder: GrammarBuilder, schema: unknown): number {
  return new Reader(builder, schema).node(schema, '', 0);
}

export function withLimits<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConstraintTooLarge)) throw error;
    throw new ConstraintProblem('', `comes to ${error.message}`, 'too large', 'Use a smaller schema.');
  }
}

export function finished(builder: GrammarBuilder, root: number, key: string): Grammar {
  const grammar = builder.finish(root, key);
  if (!grammar)
    throw new ConstraintProblem(
      '',
      'cannot be fulfilled by any finite text',
      'recursion or contradiction',
      'Give its recursion an end, e.g. an optional property.',
    );
  if (emptyCircle(grammar) !== null)
    throw new ConstraintProblem(
      '',
      'refers to itself without anything in between',
      '$ref',
      'Refer to itself from within a property or an item only.',
    );
  return grammar;
}

class Reader {
  readonly #builder: GrammarBuilder;
  readonly #joins: Joins;
  readonly #known = new Map<string, number>();
  /** The node of any value, once it is made. */
  #any: number | null = null;

  constructor(builder: GrammarBuilder, root: unknown) {
    this.#builder = builder;
    this.#joins = new Joins(root);
  }

  node(schema: unknown, path: string, depth: number): number {
    if (depth > CONSTRAINT_LIMITS.depth)
      throw new ConstraintProblem(
        path,
        `nests deeper than ${CONSTRAINT_LIMITS.depth} schemas`,
        'nesting',
        'Flatten it, or use $ref.',
      );
    if (schema === true) return this.#anything();
    if (schema === false) throw new ConstraintProblem(path, 'allows nothing', false, 'Leave the property out.');
    const checked = record(schema, path);
    // The same schema means the same wherever it stands: references are absolute.
    const key = JSON.stringify(checked);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const at = this.#builder.reserve();
    this.#known.set(key, at);
    this.#builder.define(at, { kind: 'sequence', of: [locating(path, () => this.#make(checked, path, depth))] });
    return at;
  }

  #make(schema: Schema, path: string, depth: number): number {
    const { schema: plain, alternatives } = this.#joins.resolve(schema, path);
    if (alternatives)
      return this.#builder.choice(alternatives.map(({ schema: one, path: where }) => this.node(one, where, depth + 1)));
    checkKeywords(plain, path);
    if ('const' in plain) return this.#constant(plain, [plain['const']], `${path}.const`, depth);
    if ('enum' in plain) return this.#constant(plain, list(plain['enum'], `${path}.enum`), `${path}.enum`, depth);
    return this.#builder.choice(typesOf(plain, path).map((type) => this.#typed(type, plain, path, depth)));
  }

  #constant(schema: Schema, values: readonly unknown[], path: string, depth: number): number {
    const strange = Object.keys(schema).find((key) => !isAnnotation(key) && !['const', 'enum', 'type'].includes(key));
    if (strange !== undefined)
      throw new ConstraintProblem(
        `${path.replace(/\.(const|enum)$/, '')}.${strange}`,
        'beside const or enum is not supported',
        schema[strange],
        'Leave one of them out.',
      );
    const allowed = typesOf({ ...('type' in schema ? { type: schema['type'] } : {}) }, path);
    const given =
      'const' in schema && 'enum' in schema
        ? values.filter((value) => (schema['enum'] as unknown[]).some((each) => same(each, value)))
        : values;
    const kept = given.filter((value) => allowed.some((type) => isOfType(value, type)));
    if (kept.length === 0)
      throw new ConstraintProblem(path, 'allows no value', values.length, 'Give at least one value of the type.');
    const scalars = kept
      .filter((value) => typeof value !== 'object' || value === null)
      .map((value) => JSON.stringify(value));
    const nodes = kept.flatMap((value, at) => {
      if (typeof value !== 'object' || value === null) return [];
      return [this.#compound(value, `${path}[${at}]`, depth)];
    });
    if (scalars.length > 0)
      nodes.unshift(this.#builder.of(anyOfTexts([...new Set(scalars)], this.#builder.statesLeft)));
    return this.#builder.choice(nodes);
  }

  #compound(value: object, path: string, depth: number): number {
    if (Array.isArray(value)) {
      const { length } = value;
      const prefixItems = (value as unknown[]).map((item) => ({ const: item }));
      return this.node({ type: 'array', prefixItems, minItems: length, maxItems: length }, path, depth + 1);
    }
    const properties = Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, { const: item as unknown }]),
    );
    const closed = { type: 'object', properties, required: Object.keys(value), additionalProperties: false };
    return this.node(closed, path, depth + 1);
  }

  #typed(type: Type, schema: Schema, path: string, depth: number): number {
    const builder = this.#builder;
    switch (type) {
      case 'null':
        return builder.literal('null');
      case 'boolean':
        return builder.of(anyOfTexts(['true', 'false'], builder.statesLeft));
      case 'number':
      case 'integer':
        return numbers(builder, type === 'integer', schema, path);
      case 'string':
        return strings(builder, schema, path);
      case 'array':
        return this.#array(schema, path, depth);
      case 'object':
        return this.#object(schema, path, depth);
      default:
        return type satisfies never;
    }
  }

  #array(schema: Schema, path: string, depth: number): number {
    const builder = this.#builder;
    const min = count(schema['minItems'] ?? 0, `${path}.minItems`);
    const limit = schema['maxItems'] === undefined ? null : count(schema['maxItems'], `${path}.maxItems`);
    const first = schema['prefixItems'] === undefined ? [] : list(schema['prefixItems'], `${path}.prefixItems`);
    // A list of known length is closed, as objects are; without prefixItems anything may be in it.
    const { items = first.length === 0 } = schema;
    const max = items === false ? Math.min(limit ?? Infinity, first.length) : limit;
    if (max !== null && min > max)
      throw new ConstraintProblem(`${path}.minItems`, `exceeds the ${max} items that are allowed`, min, 'Lower it.');
    if (first.length === 0) {
      if (items === false || max === 0) return builder.literal('[]');
      return builder.array(this.node(items, `${path}.items`, depth + 1), min, max);
    }
    const nodes = first
      .slice(0, max ?? Infinity)
      .map((item, at) => this.node(item, `${path}.prefixItems[${at}]`, depth + 1));
    const comma = builder.node({ kind: 'lexeme', lexeme: builder.comma });
    // From the last item to the first: what may follow each.
    let rest = builder.sequence();
    if (items !== false) {
      const item = this.node(items, `${path}.items`, depth + 1);
      const more = builder.sequence(comma, item);
      const left = max === null ? null : max - nodes.length;
      rest = builder.node({
        kind: 'repeat',
        of: more,
        separator: null,
        min: Math.max(0, min - nodes.length),
        max: left,
      });
    }
    for (let at = nodes.length - 1; at >= 0; at--) {
      const here = at === 0 ? [nodes[at] as number] : [comma, nodes[at] as number];
      const whole = builder.sequence(...here, rest);
      rest = at >= min ? builder.choice([whole, builder.sequence()]) : whole;
    }
    return builder.sequence(builder.opening('['), rest, builder.closing(']'));
  }

  #object(schema: Schema, path: string, depth: number): number {
    const builder = this.#builder;
    const declared = record(schema['properties'] ?? {}, `${path}.properties`);
    const required = list(schema['required'] ?? [], `${path}.required`).map((name) => text(name, `${path}.required`));
    const isBare = !('properties' in schema);
    const extra = schema['additionalProperties'] ?? isBare;
    const missing = required.filter((name) => !Object.hasOwn(declared, name));
    if (missing.length > 0 && extra === false)
      throw new ConstraintProblem(
        `${path}.required`,
        'names a property that the object does not have',
        missing[0],
        'Declare it in properties.',
      );
    const properties: Property[] = Object.entries(declared)
      .filter(([name, value]) => value !== false || required.includes(name))
      .map(([name, value]) => ({
        key: builder.key(name),
        value: this.node(value, `${path}.properties.${name}`, depth + 1),
        required: required.includes(name),
      }));
    const extraNode = extra === false ? null : this.node(extra, `${path}.additionalProperties`, depth + 1);
    for (const name of missing)
      properties.push({ key: builder.key(name), value: extraNode ?? this.#anything(), required: true });
    const taken = [...Object.keys(declared), ...missing];
    const others = extraNode === null ? null : { key: builder.otherKey(taken), value: extraNode };
    return builder.object(properties, others);
  }

  /** Any JSON value. */
  #anything(): number {
    if (this.#any !== null) return this.#any;
    const builder = this.#builder;
    const any = builder.reserve();
    this.#any = any;
    builder.define(any, {
      kind: 'choice',
      of: [
        builder.object([], { key: builder.otherKey([]), value: any }),
        builder.array(any, 0, null),
        builder.string(0, null),
        numbers(builder, false, {}, ''),
        builder.of(anyOfTexts(['true', 'false', 'null'], builder.statesLeft)),
      ],
    });
    return any;
  }
}
