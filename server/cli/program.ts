// The command line as a whole, and the one door through which every command leaves: an exit code (0 done, 1 failed, 2 asked wrongly) after
// at most one line of complaint. The commands themselves are in commands/. Called by cli.ts and by tests.
import { Readable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { version } from '../version.js';
import type { CommandContext } from './command.js';
import { commands } from './commands/index.js';
import { exitCodes, reportFailure } from './failure.js';
import type { Input, Output } from './terminal.js';

function declare(context: Omit<CommandContext, 'isVerbose'>): Command {
  const { stdout, stderr } = context;
  const program = new Command('trimtab')
    .description('Serves language models and steers them while they decode, behind the OpenAI API.')
    .version(version, '-V, --version', 'print the version')
    .option('--verbose', 'print stacks of unexpected errors', false)
    .helpCommand('help [command]', 'show the help of a command')
    .showHelpAfterError('Run with --help for the options.')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
    })
    // commander would end the process: here it throws, after it has said what was wrong. Commands declared below inherit this.
    .exitOverride()
    .addHelpText(
      'after',
      `
Start here:
  $ trimtab serve                                  the pocket suite on http://127.0.0.1:8000
  $ trimtab chat                                   talk to it, and see how far each word is steered
  $ trimtab serve --model my-model=./checkpoint    one Hugging Face checkpoint of your own
  $ trimtab doctor                                 what is wrong here, and what to do about it
  $ trimtab explain pocket-eft                     what a deployment computes

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
    );
  const all: CommandContext = { ...context, isVerbose: () => program.opts<{ verbose: boolean }>().verbose };
  for (const command of commands) command(program, all);
  return program;
}

/** Runs one command line (without the program's own name) and returns its exit code. */
export async function runCommandLine(
  args: readonly string[],
  stdout: Output,
  stderr: Output,
  stdin: Input = Readable.from([]),
): Promise<number> {
  let exitCode: number = exitCodes.ok;
  const program = declare({ stdin, stdout, stderr, setExitCode: (code) => (exitCode = code) });
  try {
    if (args.length === 0) program.help({ error: true });
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    reportFailure(error, stderr, program.opts<{ verbose: boolean }>().verbose);
    return exitCodes.failed;
  }
}
