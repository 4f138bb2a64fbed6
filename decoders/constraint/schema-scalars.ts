// Schemas of numbers and strings → nodes of the grammar.
import { isEmpty } from './automaton.js';
import type { GrammarBuilder } from './build.js';
import { FORMATS } from './formats.js';
import type { Schema } from './merge.js';
import { numberTable } from './number.js';
import { PatternProblem } from './pattern.js';
import { ConstraintProblem, locating } from './problem.js';
import { count, finite, text } from './schema-parts.js';

/** The node of the numbers within the bounds of a schema. */
export function numbers(builder: GrammarBuilder, integer: boolean, schema: Schema, path: string): number {
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
  const table = numberTable({ integer, min, max, isMinExcluded, isMaxExcluded, multipleOf }, builder.statesLeft);
  if (isEmpty(table))
    throw new ConstraintProblem(
      path,
      'has bounds that no number of up to 15 digits keeps',
      `${min} to ${max}`,
      'Widen them.',
    );
  return builder.of({ kind: 'table', ...table });
}

/** The node of the strings of the lengths, the patterns and the format of a schema. */
export function strings(builder: GrammarBuilder, schema: Schema, path: string): number {
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
  if (patterns.length === 0) return builder.string(min, max);
  try {
    const lexeme = locating(`${path}.pattern`, () => builder.patterned(patterns, min, max));
    if (lexeme.kind === 'table' && isEmpty(lexeme))
      throw new ConstraintProblem(
        `${path}.pattern`,
        'matches no string of these lengths',
        patterns.join(' and '),
        'Correct it.',
      );
    return builder.of(lexeme);
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
