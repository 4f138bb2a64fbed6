// How a command ends when it cannot do what was asked: one clear line on stderr, and 1 (it failed) or 2 (it was asked wrongly).
import { AppError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { styleFor, type Output } from './terminal.js';

export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** Stacks are for those who asked; a user gets the sentence. */
export function reportFailure(error: unknown, output: Output, verbose: boolean): void {
  const style = styleFor(output);
  const expected = error instanceof AppError;
  const message = reasonOf(error);
  output.write(`${style.red('error:')} ${oneLine(message)}\n`);
  if (!expected && !verbose)
    output.write('This was not expected: run again with --verbose and report what it prints.\n');
  if (!verbose || !(error instanceof Error)) return;
  output.write(`${error.stack ?? message}\n`);
  if (error.cause instanceof Error) output.write(`caused by ${error.cause.stack ?? error.cause.message}\n`);
}

const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ');
