// Starts this project's own server in a process of its own for a measurement, waits until it is ready, and ends it. A benchmark talks
// to it as any client would.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineSettings } from '../../server/engine/messages.js';

export type Weights = EngineSettings['models'][number]['weights'];

export interface ServerPlan {
  readonly models: Readonly<Record<string, { readonly path: string; readonly weights: Weights }>>;
  readonly deployments?: Readonly<Record<string, { readonly decoding: object }>>;
  readonly limits?: Readonly<Record<string, number>>;
  readonly websocket?: Readonly<Record<string, number>>;
  readonly threads: number;
  /** Holds the configuration and the converted weights. */
  readonly directory: string;
}

export interface RunningServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Root of the package, seen from dist/loadtest/bench. */
export const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));
/** Where benchmarks keep what is slow to make; ignored by git. */
export const benchCache = path.join(packageRoot, '.cache', 'bench');

const READY_TIMEOUT_MS = 600_000;
const STOP_TIMEOUT_MS = 10_000;

export async function startServer(plan: ServerPlan): Promise<RunningServer> {
  await mkdir(plan.directory, { recursive: true });
  const config = path.join(plan.directory, 'trimtab.config.json');
  const document = {
    models: plan.models,
    deployments: plan.deployments ?? {},
    // Clients of a benchmark wait for each other; none is to be refused.
    limits: { stepMs: null, waitMs: null, firstTokenMs: null, ...plan.limits },
    websocket: plan.websocket ?? {},
    runtime: { threads: plan.threads },
    artifactDirectory: path.join(benchCache, 'artifacts'),
  };
  await writeFile(config, JSON.stringify(document, null, 1));
  return serveFile(config);
}

/** The server on a configuration file, at a free port of this machine. */
export async function serveFile(config: string): Promise<RunningServer> {
  const port = await freePort();
  const cli = path.join(packageRoot, 'dist', 'server', 'cli.js');
  const child = spawn(
    process.execPath,
    [cli, 'serve', '--config', config, '--host', '127.0.0.1', '--port', String(port)],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  // However this process ends, the server must not stay behind.
  const killNow = () => child.kill('SIGKILL');
  process.once('exit', killNow);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  let complaint = '';
  child.stderr.on('data', (part: Buffer) => (complaint = (complaint + part.toString()).slice(-2000)));
  const url = `http://127.0.0.1:${port}`;
  const end = performance.now() + READY_TIMEOUT_MS;
  while (!(await isReady(url))) {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}: ${complaint}`);
    if (performance.now() > end) {
      child.kill('SIGKILL');
      throw new Error(`the server was not ready in ${READY_TIMEOUT_MS} ms: ${complaint}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return {
    url,
    pid: child.pid ?? 0,
    async stop() {
      if (child.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
      process.off('exit', killNow);
    },
  };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`)).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
