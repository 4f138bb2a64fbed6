// Checks of what the server writes to and listens on: the artifact folder and its space, and the port.
import { once } from 'node:events';
import { accessSync, constants, existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { siCount } from '../terminal.js';
import { fail, ok, warn, type Finding } from './finding.js';

const name = 'artifacts';

/** `neededBytes` is what will be converted there. Leaves nothing behind. */
export async function checkArtifacts(directory: string, neededBytes: number): Promise<Finding> {
  const remedy = 'Set artifactDirectory or TRIMTAB_ARTIFACTS to a folder that this user may write to.';
  // The folder is made on first use: what counts until then is the nearest one above it.
  let there = directory;
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
    rmdirSync(mkdtempSync(join(there, '.doctor-')));
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    return fail(name, `${there} cannot be written to (${reason})`, remedy);
  }
  const { bavail, bsize } = await statfs(there);
  const free = bavail * bsize;
  const figures = `${directory}: ${siCount(free)}B free, ${siCount(neededBytes)}B to be converted`;
  if (free < neededBytes) return fail(name, figures, 'Free space there, or set artifactDirectory to another disk.');
  if (free < 2 * neededBytes) return warn(name, figures, 'Little will be left: free space or choose another disk.');
  return ok(name, figures);
}

export async function checkPort(host: string, port: number): Promise<Finding> {
  const address = `${host}:${port}`;
  if (port === 0) return ok('port', `${host}, a free one`);
  const probe = createServer();
  try {
    const listening = once(probe, 'listening');
    probe.listen(port, host);
    await listening;
    return ok('port', `${address} is free`);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: 'another process uses it (perhaps trimtab itself)',
      EACCES: 'this user may not use it',
      EADDRNOTAVAIL: 'this machine has no such address',
      ENOTFOUND: 'this host name is unknown',
    };
    return fail('port', `${address}: ${reasons[code] ?? code}`, 'Choose another with --port or PORT, and --host.');
  } finally {
    if (probe.listening) {
      probe.close();
      await once(probe, 'close');
    }
  }
}
