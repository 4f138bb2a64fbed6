// What a check of trimtab doctor says.
export type Status = 'ok' | 'note' | 'warn' | 'fail';
import { reasonOf } from '../../reason.js';

export interface Finding {
  /** What was looked at. */
  readonly name: string;
  readonly status: Status;
  readonly text: string;
  /** What to do about it; null where there is nothing to do. */
  readonly remedy: string | null;
}

export const ok = (name: string, text: string): Finding => ({ name, status: 'ok', text, remedy: null });
export const note = (name: string, text: string): Finding => ({ name, status: 'note', text, remedy: null });
export const warn = (name: string, text: string, remedy: string): Finding => ({ name, status: 'warn', text, remedy });
export const fail = (name: string, text: string, remedy: string): Finding => ({ name, status: 'fail', text, remedy });

/** Of an error that says by itself what to do. */
export function failure(name: string, error: unknown): Finding {
  const text = reasonOf(error);
  return { name, status: 'fail', text, remedy: null };
}
