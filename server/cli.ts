#!/usr/bin/env node
// The entry of `npx trimtab` and `npm start`: runs the command line and sets the exit code. What there is to run is in cli/program.ts.
import { runCommandLine } from './cli/program.js';

const { stdin, stdout, stderr } = process;

const args = process.argv.slice(2);
let isLost = false;

// A reader that has seen enough (`trimtab logits ... | head`) is no failure; a full disk is one, but no reason for a server to end.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  if (args[0] === 'serve') return;
  if (!isLost) stderr.write(`error: The output cannot be written: ${error.message}\n`);
  isLost = true;
  process.exitCode = 1;
});
// Where the log goes is full or gone: there is nobody to tell, and who is being served must not suffer. Writing is tried again each time.
stderr.on('error', () => undefined);

const code = await runCommandLine(args, stdout, stderr, stdin);
process.exitCode = isLost ? 1 : code;
