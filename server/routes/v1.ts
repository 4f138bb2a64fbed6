// What the /v1 text routes share: the checks before the schema (engine ready, null means "left out", unknown keys) and the head of
// the answer.
import { createHash, randomUUID } from 'node:crypto';
import type { preHandlerHookHandler, preValidationHookHandler } from 'fastify';
import type { AppContext, Engine, ResolvedStrategy } from '../context.js';
import { AppError } from '../errors.js';
import type { Metrics } from '../plugins/metrics.js';
import { checkKeys, ignoredHeader, type Rules } from '../wire/keys.js';
import type { ReplyHead } from '../wire/reply.js';
import type { SharedRequest } from '../wire/sampling.js';
import { turn } from './turns.js';

export interface RouteOptions {
  readonly context: AppContext;
  readonly metrics: Metrics;
}

/** Seconds after which a client should ask again while models load. */
const loadingRetrySeconds = 2;

/** Throws unless the engine takes requests. */
export function checkReady(engine: Engine): void {
  const { state } = engine;
  switch (state) {
    case 'ready':
      return;
    case 'starting':
      throw new AppError('not_ready', { retryAfterSeconds: loadingRetrySeconds });
    case 'draining':
      throw new AppError('draining', {});
    case 'failed':
      throw new AppError('engine_failed', { reason: 'it has stopped' });
    default:
      state satisfies never;
  }
}

function dropNulls(body: Record<string, unknown>): void {
  for (const key of Object.keys(body)) if (body[key] === null) delete body[key];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Before the schema: drops what is null and returns the keys that were ignored. Throws for those that are refused. */
export function checkTopLevel(
  body: unknown,
  declared: readonly string[],
  strict: boolean,
  rules: Rules = {},
): readonly string[] {
  if (!isObject(body)) return [];
  dropNulls(body);
  return checkKeys(body, declared, strict, rules);
}

/** Reading the body comes after the check of readiness: a server that cannot answer does not parse megabytes first. */
export function v1Hooks(context: AppContext, metrics: Metrics, declared: readonly string[], rules: Rules = {}) {
  const onRequest = async (): Promise<void> => {
    try {
      checkReady(context.engine);
    } catch (error) {
      if (error instanceof AppError) metrics.rejected('all', error.data.code);
      throw error;
    }
    await turn();
  };
  const preHandler: preHandlerHookHandler = (request, _reply, done) => {
    request.server.checkPriority(request, (request.body as { priority?: number } | undefined)?.priority);
    done();
  };
  const preValidation: preValidationHookHandler = (request, reply, done) => {
    const { body } = request;
    try {
      const ignored = checkTopLevel(body, declared, context.config.strict, rules);
      if (ignored.length > 0) void reply.header('x-trimtab-ignored', ignoredHeader(ignored));
      done();
    } catch (error) {
      done(error as Error);
    }
  };
  return { onRequest, preValidation, preHandler };
}

/** Changes when the answer to the same request with the same seed may change. */
export function fingerprint({ config, engine }: AppContext): string {
  const models = engine.info.map(({ name, family, weights, parameters }) => [name, family, weights, parameters]);
  const facts = JSON.stringify([config.version, models.map((model) => model.join(':')).sort()]);
  return `fp_${createHash('sha256').update(facts).digest('hex').slice(0, 10)}`;
}

export function replyHead(
  prefix: 'chatcmpl-' | 'cmpl-' | 'resp_',
  body: SharedRequest,
  strategy: ResolvedStrategy,
  context: AppContext,
): ReplyHead {
  return {
    id: `${prefix}${randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model: strategy.name,
    fingerprint: fingerprint(context),
    tier: body.service_tier === undefined ? null : 'default',
    includeUsage: body.stream === true && (body.stream_options?.include_usage ?? false),
  };
}
