// What joins schemas: $ref, allOf, anyOf and oneOf, resolved until a schema says what it allows by itself, or lists its alternatives.
import { mergeAll, type Schema } from './merge.js';
import { ConstraintProblem } from './problem.js';
import { isAnnotation } from './schema-keywords.js';
import { list, record, text } from './schema-parts.js';
import { areDisjoint } from './schema-types.js';

export interface Resolved {
  readonly schema: Schema;
  /** Where anyOf or oneOf is said. */
  readonly alternatives: readonly { readonly schema: Schema; readonly path: string }[] | null;
}

export class Joins {
  /** References are absolute: they speak of this one. */
  readonly #root: unknown;

  constructor(root: unknown) {
    this.#root = root;
  }

  /** Without references and allOf. */
  resolve(schema: Schema, path: string): Resolved {
    return this.#resolve(schema, path, []);
  }

  /** `seen`: references that are being joined, which must not come to themselves. */
  #resolve(schema: Schema, path: string, seen: readonly string[]): Resolved {
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
    const meaningful = Object.keys(base).some((key) => !isAnnotation(key));
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
}
