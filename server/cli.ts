#!/usr/bin/env node
// The entry of `npx trimtab` and `npm start`: runs the command line and sets the exit code. What there is to run is in cli/program.ts.
import { runCommandLine } from './cli/program.js';

const { stdin, stdout, stderr } = process;

// A reader that has seen enough (`trimtab logits ... | head`) is no failure.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), stdout, stderr, stdin);
