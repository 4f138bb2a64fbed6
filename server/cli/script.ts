// Runs a program of loadtest/ in a process of its own, with this terminal. The commands line does not import it: measurements are clients.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageDirectory } from '../config.js';
import { AppError } from '../errors.js';
import { exitCodes } from './failure.js';

/** Its exit code; `script` is a path below dist/loadtest. */
export async function runScript(script: string, args: readonly string[]): Promise<number> {
  const path = join(packageDirectory(), 'dist/loadtest', script);
  if (!existsSync(path))
    throw new AppError('model_file_missing', { path, remedy: 'Build the project: npm run build.' });
  const child = spawn(process.execPath, [path, ...args], { stdio: 'inherit' });
  // A Ctrl-C reaches both; the child decides when it is done.
  const wait = (): void => undefined;
  process.on('SIGINT', wait);
  // A SIGTERM reaches this process alone.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGTERM', pass);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? exitCodes.failed;
  } finally {
    process.off('SIGINT', wait);
    process.off('SIGTERM', pass);
  }
}
