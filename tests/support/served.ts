// The server as a user starts it: a process of its own, the suite in the box or another configuration, real threads and weights.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Served {
  readonly url: string;
  readonly process: ChildProcess;
  /** What it has printed. */
  output(): string;
  /** Kills it, and removes what it converted. */
  stop(): Promise<void>;
}

/** Resolves when it is ready; rejects with what it printed when it ends before. Needs `npm run build`. */
export async function serve(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Served> {
  const artifacts = await mkdtemp(path.join(tmpdir(), 'trimtab-served-'));
  const command = [path.join(root, 'dist/server/cli.js'), 'serve', '--port', '0', ...args];
  const server = spawn(process.execPath, command, {
    cwd: root,
    env: { ...process.env, TRIMTAB_ARTIFACTS: artifacts, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const stop = async (): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
    await rm(artifacts, { recursive: true, force: true });
  };
  for (;;) {
    const [, url] = /on (http:\/\/\S+)/.exec(printed) ?? [];
    if (url !== undefined && /ready in/.test(printed)) return { url, process: server, output: () => printed, stop };
    if (server.exitCode !== null) {
      await stop();
      throw new Error(`the server ended with ${server.exitCode}: ${printed}`);
    }
    await Promise.race([once(server.stdout, 'data'), once(server.stderr, 'data'), once(server, 'exit')]);
  }
}
