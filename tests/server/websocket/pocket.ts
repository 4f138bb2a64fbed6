// A server on the suite in the box, in this process: real threads, real weights.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig, type Config } from '../../../server/config.js';
import { startServer, type RunningServer } from '../../../server/main.js';

const file = fileURLToPath(new URL('../../../trimtab.config.json', import.meta.url));

export interface Pocket {
  readonly url: string;
  readonly server: RunningServer;
  /** The sum of a metric over its series. */
  metric(name: string): Promise<number>;
  post(route: string, body: object): Promise<Response>;
  close(): Promise<void>;
}

export async function pocket(
  websocket: Partial<Config['websocket']> = {},
  limits: Partial<Config['limits']> = {},
): Promise<Pocket> {
  const artifacts = await mkdtemp(path.join(tmpdir(), 'trimtab-websocket-'));
  const config = loadConfig({ path: file, port: 0, threads: 1 }, { TRIMTAB_ARTIFACTS: artifacts });
  const server = await startServer({
    ...config,
    websocket: { ...config.websocket, ...websocket },
    limits: { ...config.limits, stepMs: null, waitMs: null, firstTokenMs: null, ...limits },
  });
  await server.ready;
  const { url } = server;
  return {
    url,
    server,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
    post: async (route, body) =>
      fetch(`${url}${route}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    async close() {
      await server.close();
      await rm(artifacts, { recursive: true, force: true });
    },
  };
}
