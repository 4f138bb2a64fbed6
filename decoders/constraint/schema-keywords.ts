// Which keywords of JSON Schema are kept, which only describe, and what to do instead of those that are refused.
import type { Schema } from './merge.js';
import { ConstraintProblem } from './problem.js';
import { OF_TYPE, own } from './schema-types.js';

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
const JOINING = ['allOf', 'anyOf', 'oneOf', '$ref'];
const REMEDIES: Readonly<Record<string, string>> = {
  not: 'Say what is allowed instead.',
  if: 'Use anyOf with a constant that tells the cases apart.',
  uniqueItems: 'Use an object with boolean properties, or check it afterwards.',
  patternProperties: 'Use additionalProperties.',
  nullable: 'Use {"type": ["string", "null"]}.',
};

export const isAnnotation = (key: string): boolean => ANNOTATIONS.includes(key);

export function checkKeywords(schema: Schema, path: string): void {
  for (const [key, value] of Object.entries(schema)) {
    if (isAnnotation(key) || JOINING.includes(key) || key === 'type' || key === 'enum' || key === 'const') continue;
    const isOff = (key === 'uniqueItems' || key === 'nullable') && value === false;
    if ((Object.hasOwn(OF_TYPE, key) && key !== 'uniqueItems') || isOff) continue;
    throw new ConstraintProblem(`${path}.${key}`, 'is not supported', value, own(REMEDIES, key) ?? 'Leave it out.');
  }
}
