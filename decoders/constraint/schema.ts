// A JSON Schema → a grammar whose every text is JSON that the schema accepts. Sound, not complete: properties come in their order, objects
// are closed unless the schema opens them, numbers have at most 15 digits. A keyword that cannot be kept is refused by its path: none is
// silently dropped. Pure; runs in a thread with a time limit (server/constraint).
import { isEmpty } from './automaton.js';
import { anyOfTexts, emptyCircle, GrammarBuilder } from './build.js';
import { FORMATS } from './formats.js';
import type { Grammar, Property } from './grammar.js';
import { mergeAll, same, type Schema } from './merge.js';
import { numberTable } from './number.js';
import { PatternProblem } from './pattern.js';
import { CONSTRAINT_LIMITS, ConstraintProblem, ConstraintTooLarge } from './problem.js';

const TYPES = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] as const;
type Type = (typeof TYPES)[number];

/** They describe, and forbid nothing. */
const ANNOTATIONS = [
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
];
const OF_TYPE: Readonly<Record<string, Type>> = {
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
const JOINING = ['allOf', 'anyOf', 'oneOf', '$ref'];
const REMEDIES: Readonly<Record<string, string>> = {
  not: 'Say what is allowed instead.',
  if: 'Use anyOf with a constant that tells the cases apart.',
  uniqueItems: 'Use an object with boolean properties, or check it afterwards.',
  patternProperties: 'Use additionalProperties.',
  nullable: 'Use {"type": ["string", "null"]}.',
};
const MAX_LENGTH = 1_000_000;

/** A keyword may be called toString. */
const own = <T>(table: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

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
  readonly #root: unknown;
  readonly #known = new Map<string, number>();
  /** References of the schema that is being joined, which must not come to themselves. */
  #any: number | null = null;

  constructor(builder: GrammarBuilder, root: unknown) {
    this.#builder = builder;
    this.#root = root;
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
    this.#builder.define(at, { kind: 'sequence', of: [this.#located(path, () => this.#make(checked, path, depth))] });
    return at;
  }

  #located<T>(path: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ConstraintTooLarge)) throw error;
      throw new ConstraintProblem(
        path,
        `comes to ${error.message}`,
        'too large',
        'Use shorter lengths, smaller ranges or a simpler pattern.',
      );
    }
  }

  #make(schema: Schema, path: string, depth: number): number {
    const { schema: plain, alternatives } = this.#resolve(schema, path, []);
    if (alternatives)
      return this.#builder.choice(alternatives.map(({ schema: one, path: where }) => this.node(one, where, depth + 1)));
    this.#checkKeywords(plain, path);
    if ('const' in plain) return this.#constant(plain, [plain['const']], `${path}.const`, depth);
    if ('enum' in plain) return this.#constant(plain, list(plain['enum'], `${path}.enum`), `${path}.enum`, depth);
    return this.#builder.choice(typesOf(plain, path).map((type) => this.#typed(type, plain, path, depth)));
  }

  /** Without references and allOf; alternatives where anyOf or oneOf is said. */
  #resolve(
    schema: Schema,
    path: string,
    seen: readonly string[],
  ): { readonly schema: Schema; readonly alternatives: readonly { schema: Schema; path: string }[] | null } {
    const { $ref, allOf, anyOf, oneOf, ...own } = schema;
    const parts: Schema[] = [];
    if ($ref !== undefined) {
      const name = text($ref, `${path}.$ref`);
      if (seen.includes(name))
        throw new ConstraintProblem(
          `${path}.$ref`,
          'refers to itself without anything in between',
          name,
          'Refer to itself from within a property or an item only.',
        );
      const target = record(this.#target(name, `${path}.$ref`), `${path}.$ref`);
      parts.push(this.#joined(target, `${path}.$ref`, [...seen, name]));
    }
    if (allOf !== undefined)
      list(allOf, `${path}.allOf`).forEach((part, at) =>
        parts.push(this.#joined(record(part, `${path}.allOf[${at}]`), `${path}.allOf[${at}]`, seen)),
      );
    const plain = parts.length === 0 ? own : mergeAll([...parts, own], path);
    const { anyOf: below, ...base } = plain;
    const choices: [string, unknown][] = [];
    if (anyOf !== undefined) choices.push(['anyOf', anyOf]);
    if (oneOf !== undefined) choices.push(['oneOf', oneOf]);
    if (below !== undefined) choices.push(['anyOf', below]);
    const [choice, second] = choices;
    if (!choice) return { schema: plain, alternatives: null };
    const [word, given] = choice;
    if (second)
      throw new ConstraintProblem(path, 'has several of anyOf and oneOf at once', second[0], 'Use one anyOf.');
    const branches = list(given, `${path}.${word}`);
    if (word === 'oneOf') this.#checkDisjoint(branches, path);
    const meaningful = Object.keys(base).some((key) => !ANNOTATIONS.includes(key));
    const alternatives = branches.map((branch, at) => {
      const where = `${path}.${word}[${at}]`;
      const one = record(branch, where);
      return { schema: meaningful ? { allOf: [base, one] } : one, path: where };
    });
    return { schema: base, alternatives };
  }

  /** A part of an allOf. Where it has alternatives they stay said as anyOf. */
  #joined(schema: Schema, path: string, seen: readonly string[]): Schema {
    const { schema: plain, alternatives } = this.#resolve(schema, path, seen);
    const { $defs: _defs, definitions: _definitions, ...rest } = plain;
    return alternatives ? { ...rest, anyOf: alternatives.map(({ schema: one }) => one) } : rest;
  }

  #target(pointer: string, path: string): unknown {
    const wrong = (): ConstraintProblem =>
      new ConstraintProblem(path, 'refers to nothing in this schema', pointer, 'Refer to "#" or to "#/$defs/NAME".');
    if (!pointer.startsWith('#')) throw wrong();
    let at: unknown = this.#root;
    for (const part of pointer.slice(1).split('/').slice(1)) {
      const name = decodeURIComponent(part.replaceAll(/%(?![0-9A-Fa-f]{2})/g, '%25'))
        .replaceAll('~1', '/')
        .replaceAll('~0', '~');
      if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) throw wrong();
      at = (at as Schema)[name];
    }
    return at;
  }

  #checkKeywords(schema: Schema, path: string): void {
    for (const [key, value] of Object.entries(schema)) {
      if (ANNOTATIONS.includes(key) || JOINING.includes(key) || key === 'type' || key === 'enum' || key === 'const')
        continue;
      const isOff = (key === 'uniqueItems' || key === 'nullable') && value === false;
      if ((Object.hasOwn(OF_TYPE, key) && key !== 'uniqueItems') || isOff) continue;
      throw new ConstraintProblem(`${path}.${key}`, 'is not supported', value, own(REMEDIES, key) ?? 'Leave it out.');
    }
  }

  /** Alternatives that exclude each other by their type, or by a constant of a property that all of them demand. */
  #checkDisjoint(branches: readonly unknown[], path: string): void {
    const resolved = branches.map((branch, at) =>
      this.#joined(record(branch, `${path}.oneOf[${at}]`), `${path}.oneOf[${at}]`, []),
    );
    resolved.forEach((one, i) =>
      resolved.slice(0, i).forEach((other) => {
        if (!areDisjoint(one, other))
          throw new ConstraintProblem(
            `${path}.oneOf[${i}]`,
            'may hold together with another one, which oneOf forbids',
            'oneOf',
            'Use anyOf, or give each a constant property of its own.',
          );
      }),
    );
  }

  #constant(schema: Schema, values: readonly unknown[], path: string, depth: number): number {
    const strange = Object.keys(schema).find(
      (key) => !ANNOTATIONS.includes(key) && !['const', 'enum', 'type'].includes(key),
    );
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
        return this.#number(type === 'integer', schema, path);
      case 'string':
        return this.#string(schema, path);
      case 'array':
        return this.#array(schema, path, depth);
      case 'object':
        return this.#object(schema, path, depth);
      default:
        return type satisfies never;
    }
  }

  #number(integer: boolean, schema: Schema, path: string): number {
    const bound = (key: string): number | null => (key in schema ? finite(schema[key], `${path}.${key}`) : null);
    const [minimum, above, maximum, below] = [
      bound('minimum'),
      bound('exclusiveMinimum'),
      bound('maximum'),
      bound('exclusiveMaximum'),
    ];
    const multipleOf = bound('multipleOf');
    if (multipleOf !== null && (!Number.isInteger(multipleOf) || multipleOf < 1 || multipleOf > 1000))
      throw new ConstraintProblem(
        `${path}.multipleOf`,
        'must be an integer from 1 to 1000 here',
        multipleOf,
        'Use bounds instead.',
      );
    const isMinExcluded = above !== null && (minimum === null || above >= minimum);
    const isMaxExcluded = below !== null && (maximum === null || below <= maximum);
    const min = isMinExcluded ? above : minimum;
    const max = isMaxExcluded ? below : maximum;
    const table = numberTable(
      { integer, min, max, isMinExcluded, isMaxExcluded, multipleOf },
      this.#builder.statesLeft,
    );
    if (isEmpty(table))
      throw new ConstraintProblem(
        path,
        'has bounds that no number of up to 15 digits keeps',
        `${min} to ${max}`,
        'Widen them.',
      );
    return this.#builder.of({ kind: 'table', ...table });
  }

  #string(schema: Schema, path: string): number {
    const min = count(schema['minLength'] ?? 0, `${path}.minLength`);
    const max = schema['maxLength'] === undefined ? null : count(schema['maxLength'], `${path}.maxLength`);
    if (max !== null && min > max)
      throw new ConstraintProblem(`${path}.minLength`, `exceeds maxLength ${max}`, min, 'Lower it.');
    const patterns = [schema['pattern'] ?? []].flat().map((pattern) => text(pattern, `${path}.pattern`));
    if (schema['format'] !== undefined) {
      const format = text(schema['format'], `${path}.format`);
      if (!Object.hasOwn(FORMATS, format))
        throw new ConstraintProblem(
          `${path}.format`,
          'is not supported',
          format,
          `Use one of ${Object.keys(FORMATS).join(', ')}, or a pattern.`,
        );
      patterns.push(FORMATS[format] as string);
    }
    if (patterns.length === 0) return this.#builder.string(min, max);
    try {
      const lexeme = this.#located(`${path}.pattern`, () => this.#builder.patterned(patterns, min, max));
      if (lexeme.kind === 'table' && isEmpty(lexeme))
        throw new ConstraintProblem(
          `${path}.pattern`,
          'matches no string of these lengths',
          patterns.join(' and '),
          'Correct it.',
        );
      return this.#builder.of(lexeme);
    } catch (error) {
      if (!(error instanceof PatternProblem)) throw error;
      throw new ConstraintProblem(
        `${path}.pattern`,
        `cannot be used: ${error.message}`,
        patterns.join(' and '),
        'Use a regular expression without look-around, back references, \\b and \\p.',
      );
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
        this.#number(false, {}, ''),
        builder.of(anyOfTexts(['true', 'false', 'null'], builder.statesLeft)),
      ],
    });
    return any;
  }
}

function typesOf(schema: Schema, path: string): readonly Type[] {
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

function areDisjoint(one: Schema, other: Schema): boolean {
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

function isOfType(value: unknown, type: Type): boolean {
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

function record(value: unknown, path: string): Schema {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Schema;
  throw new ConstraintProblem(path, 'must be an object', value, 'Send a JSON Schema.');
}

function list(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value) && (value.length > 0 || path.endsWith('.required'))) return value as unknown[];
  throw new ConstraintProblem(path, 'must be a non-empty list', value, 'Give at least one entry.');
}

function text(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  throw new ConstraintProblem(path, 'must be a string', value, 'Send a string.');
}

function finite(value: unknown, path: string): number {
  if (typeof value === 'number' && Math.abs(value) < 1e15) return value;
  throw new ConstraintProblem(path, 'must be a number below 1e15 in size', value, 'Use a smaller bound.');
}

function count(value: unknown, path: string): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_LENGTH) return value as number;
  throw new ConstraintProblem(path, `must be an integer from 0 to ${MAX_LENGTH}`, value, 'Correct it.');
}
