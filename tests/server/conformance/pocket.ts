// A server with real weights in this process: three models of the pocket suite and one steered deployment, on a port of its own. Threads run
// the build. Converted models go where TRIMTAB_ARTIFACTS says, or into a folder that is removed.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { loadConfig } from '../../../server/config.js';
import { startServer } from '../../../server/main.js';

const suite = fileURLToPath(new URL('../../../models/pocket', import.meta.url));

export const folders: Readonly<Record<string, string>> = {
  large: path.join(suite, 'large'),
  small: path.join(suite, 'small'),
  chat: path.join(suite, 'small-chat'),
};

export interface Pocket {
  readonly url: string;
  /** The stock client; it retries nothing. */
  readonly client: OpenAI;
  readonly artifactDirectory: string;
  /** The sum over all series of a metric. */
  metric(name: string): Promise<number>;
  /** Settles when nothing runs, waits or holds a row. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export async function startPocket(changes: object = {}): Promise<Pocket> {
  const directory = await mkdtemp(path.join(tmpdir(), 'trimtab-pocket-'));
  const file = path.join(directory, 'trimtab.config.json');
  const config = {
    models: Object.fromEntries(Object.entries(folders).map(([name, folder]) => [name, { path: folder }])),
    deployments: {
      steered: { decoding: { method: 'eft', base: 'large', tuned: 'chat', reference: 'small', weight: 1 } },
    },
    runtime: { threads: 1 },
    server: { logLevel: 'silent' },
    ...changes,
  };
  await writeFile(file, JSON.stringify(config));
  const loaded = loadConfig({ path: file, host: '127.0.0.1', port: 0 });
  const server = await startServer(loaded);
  await server.ready;
  const { url } = server;

  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  };
  const held = ['vllm:num_requests_running', 'vllm:num_requests_waiting', 'trimtab_cache_rows'];
  return {
    url,
    client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }),
    artifactDirectory: loaded.artifactDirectory,
    metric,
    async idle() {
      while ((await Promise.all(held.map(metric))).some((value) => value !== 0)) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async close() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
