// The process, from a configuration to a listening server and back. Order of a start: tokenizers and deployments are checked (their
// mistakes stop the start), the port opens (alive, not ready), models are converted and loaded in the engine thread, ready.
// Called by the CLI's serve and by end-to-end tests.
import type { AddressInfo } from 'node:net';
import { buildApp } from './app.js';
import { Catalog, type ModelFacts } from './catalog.js';
import type { Config } from './config.js';
import type { HttpConfig } from './context.js';
import { ConstraintService } from './constraint/service.js';
import { EngineClient, type Progress } from './engine/client.js';
import type { EngineSettings, LoadedModelInfo } from './engine/messages.js';
import { EngineSlot } from './engine-slot.js';
import { AppError } from './errors.js';
import { ImageService } from './images/service.js';
import { TextService } from './models/text.js';
import { version } from './version.js';
import { warmUp } from './warm-up.js';

export interface RunningServer {
  /** http://host:port, with the port that was really bound. */
  readonly url: string;
  /** Before the models are loaded: what their files say. Afterwards also what the cache budget allows. */
  readonly catalog: Catalog;
  /** Settles when the models are loaded, or with the error that stopped it: `draining` where it was closed before. */
  readonly ready: Promise<readonly LoadedModelInfo[]>;
  /** Settles when the engine has ended by itself after it was ready: nothing can be served any more. */
  readonly failed: Promise<void>;
  /** Refuses new work, lets what runs finish within the deadline, then cuts it and ends every thread. Idempotent. */
  close(): Promise<void>;
}

export async function startServer(config: Config, onProgress?: Progress): Promise<RunningServer> {
  const text = new TextService(config.models, { timeoutMs: config.limits.textTimeoutMs });
  const constraints = new ConstraintService();
  const engine = new EngineSlot();
  const images = new ImageService(config.images);
  try {
    const known = await text.load();
    images.load(known);
    const facts = bounded(known, config.models);
    const created = Math.floor(Date.now() / 1000);
    let catalog = new Catalog(config, facts, created);
    const context = { config: httpConfig(config), engine, text, images, constraints };
    const app = await buildApp({
      ...context,
      get catalog() {
        return catalog;
      },
    });
    const url = await listen(app, config);
    const { promise: failed, resolve: reportFailed } = deferred();
    const client = new EngineClient(engineSettings(config), onProgress);
    engine.load(client);
    const ready = client.loaded.then(
      async () => {
        // A context longer than the cache budget could be promised but never served: the engine knows that bound.
        catalog = new Catalog(config, bounded(facts, client.info), created);
        await warmUp(client, catalog);
        engine.fill(client);
        void client.ended.then(() => client.state === 'failed' && reportFailed());
        return client.info;
      },
      (error: unknown) => {
        engine.fail();
        throw error;
      },
    );
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
      await engine.stop();
      await text.close();
      await constraints.close();
    };
    return {
      url,
      get catalog() {
        return catalog;
      },
      ready,
      failed,
      close: () => (closing ??= close()),
    };
  } catch (error) {
    await text.close();
    await constraints.close();
    throw error;
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** The same facts with the context of each model cut to what `limits` allows it. */
function bounded(
  facts: ReadonlyMap<string, ModelFacts>,
  limits: readonly { readonly name: string; readonly contextLength: number | null }[],
): ReadonlyMap<string, ModelFacts> {
  const limit = new Map(limits.map(({ name, contextLength }) => [name, contextLength ?? Infinity]));
  return new Map(
    [...facts].map(([name, known]) => [
      name,
      { ...known, contextLength: Math.min(known.contextLength, limit.get(name) ?? Infinity) },
    ]),
  );
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
    const reason =
      (code === undefined ? undefined : reasons[code]) ?? (error instanceof Error ? error.message : String(error));
    throw new AppError('cannot_listen', { address: `${host}:${port}`, reason }, { cause: error });
  }
  const bound = app.server.address() as AddressInfo;
  const shownHost = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return `http://${shownHost}:${bound.port}`;
}

function httpConfig({ server, limits, websocket, auth, embeddings }: Config): HttpConfig {
  return {
    version,
    strict: server.strict,
    logLevel: server.logLevel,
    bodyBytes: limits.bodyBytes,
    requestTimeoutMs: limits.requestTimeoutMs,
    connectionTimeoutMs: limits.connectionTimeoutMs,
    keepAliveTimeoutMs: limits.keepAliveTimeoutMs,
    pingMs: limits.pingMs,
    writeTimeoutMs: limits.writeTimeoutMs,
    maxN: limits.maxN,
    traceTokens: limits.traceTokens,
    maxPrompts: limits.maxPrompts,
    tokensPerRequest: limits.tokensPerRequest,
    websocket,
    auth,
    embeddings,
  };
}

function engineSettings({
  models,
  artifactDirectory,
  runtime,
  limits,
  images,
  endpoints,
  search,
}: Config): EngineSettings {
  const { tokensPerTick, maxRows, maxWaiting, cacheBytes, prefixCacheBytes } = limits;
  return {
    models,
    artifactDirectory,
    threads: runtime.threads,
    tokensPerTick,
    maxRows,
    maxWaiting,
    cacheBytes,
    prefixCacheBytes,
    imageCacheBytes: images.cacheBytes,
    endpoints,
    failsWithScorer: search.onScorerFailure === 'fail',
  };
}
