// Equal but for what floats differ by when the same rows share a forward with others: numbers to four places behind the point.
import { expect } from 'vitest';

/** For `toEqual`: the same value, with every number in it replaced by "about that number". */
export function nearly(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isInteger(value)) return expect.closeTo(value, 4);
  if (Array.isArray(value)) return value.map(nearly);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, nearly(inner)]));
}
