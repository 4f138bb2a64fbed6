// The root key `budget` of a search's spec: what it may use in all. When one of its figures is reached the search winds up with what it has,
// or the rest is decoded plainly, and the reply says so.
import { list, nearestName, SpecError } from './fields.js';
import type { Budget } from './plan.js';

export const noBudget: Budget = { forwards: null, timeMs: null, tokens: null };

const KEYS = { forwards: 'forwards', time_ms: 'timeMs', tokens: 'tokens' } as const;
const MOST = 1e9;

export function readBudget(value: unknown, path: string): Budget {
  const example =
    'Use {"forwards": 2000, "time_ms": 5000, "tokens": 1000}, each a whole number; leave out what is free.';
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SpecError(path, 'wrong type', value, example);
  const budget = { ...noBudget };
  for (const [key, given] of Object.entries(value) as [string, unknown][]) {
    const known = Object.keys(KEYS);
    if (!Object.hasOwn(KEYS, key))
      throw new SpecError(`${path}.${key}`, 'unknown key', key, `A budget has ${list(known)}.`, {
        known,
        nearest: nearestName(key, known),
      });
    if (given === null) continue;
    if (typeof given !== 'number' || !Number.isInteger(given))
      throw new SpecError(`${path}.${key}`, 'wrong type', given, example);
    if (given < 1 || given > MOST)
      throw new SpecError(`${path}.${key}`, 'out of range', given, `Use a whole number from 1 to ${MOST}.`);
    budget[KEYS[key as keyof typeof KEYS]] = given;
  }
  return budget;
}
