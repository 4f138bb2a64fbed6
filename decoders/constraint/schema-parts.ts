// What stands at a place of a JSON Schema, or the refusal that names the place.
import type { Schema } from './merge.js';
import { ConstraintProblem } from './problem.js';

const MAX_LENGTH = 1_000_000;

export function record(value: unknown, path: string): Schema {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Schema;
  throw new ConstraintProblem(path, 'must be an object', value, 'Send a JSON Schema.');
}

export function list(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value) && (value.length > 0 || path.endsWith('.required'))) return value as unknown[];
  throw new ConstraintProblem(path, 'must be a non-empty list', value, 'Give at least one entry.');
}

export function text(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  throw new ConstraintProblem(path, 'must be a string', value, 'Send a string.');
}

export function finite(value: unknown, path: string): number {
  if (typeof value === 'number' && Math.abs(value) < 1e15) return value;
  throw new ConstraintProblem(path, 'must be a number below 1e15 in size', value, 'Use a smaller bound.');
}

export function count(value: unknown, path: string): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_LENGTH) return value as number;
  throw new ConstraintProblem(path, `must be an integer from 0 to ${MAX_LENGTH}`, value, 'Correct it.');
}
