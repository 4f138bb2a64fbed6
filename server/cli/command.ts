// What the declaration of a command is given, and the options that several of them share. A command is one file in commands/ and one line
// in commands/index.ts; its work is in a file beside this one, loaded only when it is asked for.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { weightsNames } from '../models/weight-format.js';
import type { Input, Output } from './terminal.js';

export interface CommandContext {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly isVerbose: () => boolean;
  /** For a command that has said by itself what is wrong. */
  readonly setExitCode: (code: number) => void;
}

/** Adds one command, or several of a kind. */
export type Declare = (program: Command, context: CommandContext) => void;

export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };

/** Repeatable: --model a=dir --model b=dir. */
export function namedFolder(
  text: string,
  before: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<string, string> {
  const [name, ...folder] = text.split('=');
  if (name === undefined || name === '' || folder.join('=') === '') {
    throw new InvalidArgumentError('Give NAME=FOLDER, e.g. my-model=./checkpoints/my-model.');
  }
  if (before.has(name)) throw new InvalidArgumentError(`The name ${name} is given twice.`);
  return new Map([...before, [name, folder.join('=')]]);
}

export const weightsOption = (help: string): Option => new Option('--weights <format>', help).choices(weightsNames);
export const threadsOption = (): Option =>
  new Option('--threads <n>', 'threads that compute (default: one per core)').argParser(wholeNumber(1, 256));
export const configOption = (): Option =>
  new Option(
    '--config <file>',
    'configuration file (default: ./trimtab.config.json, else the pocket suite in the box)',
  );
export const portOption = (): Option =>
  new Option('--port <n>', 'port, 0 for a free one (default: PORT, else 8000)').argParser(wholeNumber(0, 65535));
export const urlOption = (help: string): Option => new Option('--url <url>', help);
export const keyOption = (): Option =>
  new Option('--api-key <key>', 'API key of the server (default: TRIMTAB_API_KEY, which keeps it out of the history)');
