// The server as a user starts it: a process of its own, the suite in the box or another configuration, real threads and weights.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Started {
  readonly process: ChildProcess;
  /** What it has printed. */
  output(): string;
  /** Resolves once it has printed a match; rejects with what it printed when it ends before. */
  printed(pattern: RegExp): Promise<RegExpMatchArray>;
  /** How it ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Kills it, and removes what it converted. */
  stop(): Promise<void>;
}

export interface Served extends Started {
  readonly url: string;
}

/** Starts it and waits for nothing. Needs `npm run build`. */
export async function start(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const artifacts = await mkdtemp(path.join(tmpdir(), 'trimtab-served-'));
  const command = [path.join(root, 'dist/server/cli.js'), 'serve', '--port', '0', ...args];
  const server = spawn(process.execPath, command, {
    cwd: root,
    env: { ...process.env, TRIMTAB_ARTIFACTS: artifacts, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<Awaited<Started['ended']>>((resolve) =>
    server.once('close', (code, signal) => resolve({ code, signal })),
  );
  let printed = '';
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  return {
    process: server,
    output: () => printed,
    ended,
    async printed(pattern) {
      for (;;) {
        const match = pattern.exec(printed);
        if (match) return match;
        if (server.exitCode !== null || server.signalCode !== null)
          throw new Error(`the server ended with ${server.exitCode ?? server.signalCode}: ${printed}`);
        await Promise.race([once(server.stdout, 'data'), once(server.stderr, 'data'), ended]);
      }
    },
    async stop() {
      if (server.exitCode === null && server.signalCode === null) server.kill('SIGKILL');
      await ended;
      await rm(artifacts, { recursive: true, force: true });
    },
  };
}

/** Resolves when it is ready; rejects with what it printed when it ends before. Needs `npm run build`. */
export async function serve(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Served> {
  const started = await start(args, env);
  try {
    const [, url = ''] = await started.printed(/on (http:\/\/\S+)/);
    await started.printed(/ready in/);
    return { ...started, url };
  } catch (error) {
    await started.stop();
    throw error;
  }
}
