// The process, from a configuration to a listening server and back. Order of a start: tokenizers and deployments are checked (their
// mistakes stop the start), the port opens (alive, not ready), models are converted and loaded in the engine thread, ready.
// Called by the CLI's serve and by end-to-end tests.
import type { AddressInfo } from 'node:net';
import { buildApp } from './app.js';
import type { Catalog } from './catalog.js';
import type { Config } from './config.js';
import { ConstraintService } from './constraint/service.js';
import type { LoadedModelInfo } from './engine/messages.js';
import { AppError } from './errors.js';
import { reasonOf } from './reason.js';
import { Supervisor, type SupervisorOptions } from './supervisor.js';

export interface RunningServer {
  /** http://host:port, with the port that was really bound. */
  readonly url: string;
  /** Before the models are loaded: what their files say. Afterwards also what the cache budget allows. */
  readonly catalog: Catalog;
  /** Settles when the models are loaded, or with the error that stopped it: `draining` where it was closed before. */
  readonly ready: Promise<readonly LoadedModelInfo[]>;
  /** Settles when the engine has ended by itself after it was ready: nothing can be served any more. */
  readonly failed: Promise<void>;
  /** Takes the configuration as it stands in its file now; tells in words what became of it. Throws and changes nothing where it cannot. */
  reload(): Promise<string>;
  /** Refuses new work, lets what runs finish within the deadline, then cuts it and ends every thread. Idempotent. */
  close(): Promise<void>;
}

export async function startServer(config: Config, options: SupervisorOptions = {}): Promise<RunningServer> {
  const constraints = new ConstraintService();
  let supervisor: Supervisor | null = null;
  try {
    supervisor = await Supervisor.open(config, options);
    return await serve(supervisor, constraints, config);
  } catch (error) {
    await supervisor?.close();
    await constraints.close();
    throw error;
  }
}

async function serve(supervisor: Supervisor, constraints: ConstraintService, config: Config): Promise<RunningServer> {
  const { engine } = supervisor;
  const app = await buildApp({
    engine,
    constraints,
    operations: supervisor,
    get config() {
      return supervisor.http;
    },
    get catalog() {
      return supervisor.catalog;
    },
    get text() {
      return supervisor.text;
    },
    get images() {
      return supervisor.images;
    },
  });
  const url = await listen(app, config);
  const ready = supervisor.start();
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    engine.drain();
    // Closing the listener waits for open answers; at the deadline their sockets are cut, which cancels them in the engine.
    const deadline = setTimeout(() => {
      app.server.closeAllConnections();
      app.websockets.cut();
    }, config.limits.drainTimeoutMs);
    await app.close();
    clearTimeout(deadline);
    await supervisor.close();
    await constraints.close();
  };
  return {
    url,
    get catalog() {
      return supervisor.catalog;
    },
    ready,
    failed: supervisor.failed,
    reload: async () => {
      const { changed, engine: which } = await supervisor.reload('beside');
      return `${changed.length === 0 ? 'nothing has changed' : `changed: ${changed.join(', ')}`}; engine ${which}`;
    },
    close: () => (closing ??= close()),
  };
}

async function listen(app: Awaited<ReturnType<typeof buildApp>>, config: Config): Promise<string> {
  const { host, port } = config.server;
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: 'another process uses it',
      EACCES: 'this user may not use it',
      EADDRNOTAVAIL: 'this machine has no such address',
      ENOTFOUND: 'this host name is unknown',
    };
    const reason = (code === undefined ? undefined : reasons[code]) ?? reasonOf(error);
    throw new AppError('cannot_listen', { address: `${host}:${port}`, reason }, { cause: error });
  }
  const bound = app.server.address() as AddressInfo;
  const shownHost = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return `http://${shownHost}:${bound.port}`;
}
