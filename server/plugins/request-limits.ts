// How many requests each key has made in its current minute, over HTTP and on its websockets together. Keys without a limit, and an open
// server, are not counted. Knows of keys only their names and limits.
import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { AppError } from '../errors.js';

const windowMs = 60_000;

interface Count {
  /** Of the minute, the one at hand included. */
  readonly current: number;
  /** Until the next minute begins (ms). */
  readonly ttl: number;
}

/** One window per key, which begins with its first request. By a clock that nobody can set back. */
export class RequestCounts {
  readonly #windows = new Map<string, { count: number; readonly startMs: number }>();
  readonly #nowMs: () => number;

  constructor(nowMs = (): number => performance.now()) {
    this.#nowMs = nowMs;
  }

  take(name: string): Count {
    const nowMs = this.#nowMs();
    let window = this.#windows.get(name);
    if (window === undefined || nowMs - window.startMs >= windowMs) {
      window = { count: 0, startMs: nowMs };
      this.#windows.set(name, window);
    }
    window.count++;
    return { current: window.count, ttl: windowMs - (nowMs - window.startMs) };
  }
}

declare module 'fastify' {
  interface FastifyInstance {
    /** For what begins on a websocket. Throws rate_limit_exceeded, and invalid_api_key where the key is one no more. */
    countRequest(request: FastifyRequest): void;
  }
}

function exceeded({ apiKey }: FastifyRequest, ttlMs: number): AppError {
  const retryAfterSeconds = Math.ceil(ttlMs / 1000);
  return new AppError('rate_limit_exceeded', {
    name: apiKey?.name,
    limit: apiKey?.requestsPerMinute,
    retryAfterSeconds,
  });
}

/** After authPlugin, whose keys it counts; before the routes, each of which gets the check. */
export const requestLimits = fastifyPlugin(async (app: FastifyInstance) => {
  const counts = new RequestCounts();
  class Store implements FastifyRateLimitStore {
    incr(name: string, callback: (error: Error | null, result?: Count) => void): void {
      callback(null, counts.take(name));
    }
    child(): this {
      return this;
    }
  }
  await app.register(rateLimit, {
    timeWindow: windowMs,
    store: Store,
    keyGenerator: ({ apiKey }) => apiKey?.name ?? '',
    allowList: ({ apiKey }) => (apiKey?.requestsPerMinute ?? null) === null,
    max: ({ apiKey }) => apiKey?.requestsPerMinute ?? Infinity,
    errorResponseBuilder: (request, { ttl }) => exceeded(request, ttl),
  });
  app.decorate('countRequest', (request) => {
    app.renewKey(request);
    const { apiKey } = request;
    if (apiKey === null || apiKey.requestsPerMinute === null) return;
    const { current, ttl } = counts.take(apiKey.name);
    if (current > apiKey.requestsPerMinute) throw exceeded(request, ttl);
  });
});
