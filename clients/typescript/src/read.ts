// Reading what came from outside: a value has the type that is expected, or the reply is not one of a trimtab server.
import { ProtocolError } from './errors.js';

export type Fields = Readonly<Record<string, unknown>>;

export function fields(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong(what, 'an object', value);
}

export function items(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(what, 'a list', value);
}

export function string(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw wrong(what, 'a text', value);
}

export function number(value: unknown, what: string): number {
  if (typeof value === 'number') return value;
  throw wrong(what, 'a number', value);
}

export function whole(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw wrong(what, 'a whole number', value);
}

export function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function wrong(what: string, wanted: string, value: unknown): ProtocolError {
  const shown = JSON.stringify(value) ?? typeof value;
  return new ProtocolError(`${what} of the reply should be ${wanted} and is ${shown.slice(0, 80)}.`);
}
