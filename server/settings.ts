// A configuration as the HTTP layer and the engine take it, and what of it a running server can take in place of another. Pure. Called by
// supervisor.ts.
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config.js';
import type { HttpConfig } from './context.js';
import type { EngineSettings } from './engine/messages.js';
import { AppError } from './errors.js';
import { version } from './version.js';
import { shown } from './wire/shown.js';

export function httpConfig({ server, limits, websocket, cors, auth, embeddings }: Config): HttpConfig {
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
    cors,
    auth,
    embeddings,
  };
}

export function engineSettings(
  { models, artifactDirectory, runtime, limits, images, endpoints, search }: Config,
  loaded: ReadonlySet<string>,
): EngineSettings {
  const { tokensPerTick, maxRows, maxWaiting, stepMs, waitMs, firstTokenMs, cacheBytes, prefixCacheBytes } = limits;
  return {
    models: models.filter(({ name }) => loaded.has(name)),
    artifactDirectory,
    threads: runtime.threads,
    tokensPerTick,
    maxRows,
    maxWaiting,
    stepMs,
    waitMs,
    firstTokenMs,
    cacheBytes,
    prefixCacheBytes,
    imageCacheBytes: images.cacheBytes,
    endpoints,
    failsWithScorer: search.onScorerFailure === 'fail',
  };
}

/** What sockets, parsers and the log were made with. */
const fixed: Readonly<Record<string, (config: Config) => unknown>> = {
  'server.host': ({ server }) => server.host,
  'server.port': ({ server }) => server.port,
  'server.logLevel': ({ server }) => server.logLevel,
  'limits.bodyBytes': ({ limits }) => limits.bodyBytes,
  'limits.requestTimeoutMs': ({ limits }) => limits.requestTimeoutMs,
  'limits.connectionTimeoutMs': ({ limits }) => limits.connectionTimeoutMs,
  'limits.keepAliveTimeoutMs': ({ limits }) => limits.keepAliveTimeoutMs,
  'limits.pingMs': ({ limits }) => limits.pingMs,
  'limits.writeTimeoutMs': ({ limits }) => limits.writeTimeoutMs,
  'limits.textTimeoutMs': ({ limits }) => limits.textTimeoutMs,
  'websocket (all but origins)': ({ websocket: { origins: _, ...rest } }) => rest,
  'auth.openMetrics': ({ auth }) => auth.openMetrics,
  telemetry: ({ telemetry }) => telemetry,
};

/** Throws for what only a new process can take. */
export function needsRestart(old: Config, next: Config): void {
  for (const [key, read] of Object.entries(fixed)) {
    if (isDeepStrictEqual(read(old), read(next))) continue;
    throw new AppError('config_invalid', {
      path: next.file ?? 'command line',
      key,
      problem: `it cannot change while the server runs; now it is ${shown(read(old))}`,
      value: shown(read(next)),
      remedy: 'Restart the server, or set it back.',
    });
  }
}

/** The parts of the configuration that are not the same. */
export function whatDiffers(old: Config, next: Config): readonly string[] {
  const keys = Object.keys(next) as (keyof Config)[];
  return keys.filter((key) => !isDeepStrictEqual(old[key], next[key]));
}
