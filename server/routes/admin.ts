// /v1/admin: what an operator changes while the server runs. Needs a key with the scope admin; an open server has none, and so nobody who may.
// Answers when the change is done and the old engine's memory is given back.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { AdminChange, ModelStatus } from '../context.js';
import { AppError } from '../errors.js';
import { shown } from '../wire/shown.js';
import type { RouteOptions } from './v1.js';

const ChangeRequest = Type.Object(
  {
    order: Type.Optional(
      Type.Enum(['beside', 'after'], {
        description:
          '"beside" (the new engine is loaded while the old one serves) or "after" (the old one ends first: memory for one, and 503 meanwhile)',
      }),
    ),
  },
  { additionalProperties: false, description: 'a JSON object, or no body at all' },
);
type ChangeRequest = Static<typeof ChangeRequest>;

/** What a refusal tells to send. */
const expected = { description: '{"order": "beside"}, {"order": "after"} or no body at all' };

/** Megabytes of prompts have no business here. */
const bodyLimit = 4096;

const wireModel = ({ name, kind, weights, state, info, cacheBytes, deployments }: ModelStatus) => ({
  id: name,
  object: 'admin.model',
  kind,
  weights,
  state,
  ...(info === null
    ? {}
    : {
        family: info.family,
        parameters: info.parameters,
        context_length: info.contextLength,
        load_ms: Math.round(info.loadMs),
        cache_bytes: cacheBytes,
      }),
  deployments,
});

const wireChange = (change: AdminChange) => ({
  object: 'admin.change',
  engine: change.engine,
  changed: change.changed,
  requests: change.requests,
  memory: {
    resident_bytes_before: change.residentBefore,
    resident_bytes_after: change.residentAfter,
    ...(change.note === null ? {} : { note: change.note }),
  },
  took_ms: Math.round(change.tookMs),
});

function checkAllowed({ apiKey }: FastifyRequest): void {
  if (apiKey === null) throw new AppError('admin_needs_key', {});
}

export function adminRoutes(app: FastifyInstance, { context: { operations } }: RouteOptions): void {
  if (!operations) return;
  const guarded = {
    config: { access: 'admin' },
    onRequest: (request: FastifyRequest, _reply: unknown, done: (error?: Error) => void): void => {
      try {
        checkAllowed(request);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  } as const;
  const changes = {
    ...guarded,
    bodyLimit,
    schema: { body: Type.Union([ChangeRequest, Type.Null()], expected) },
  } as const;
  type Change = { Body: ChangeRequest | null | undefined };

  const models = () => ({
    object: 'list',
    data: operations.models().map(wireModel),
    memory: { resident_bytes: process.memoryUsage.rss() },
  });
  app.get('/v1/admin/models', guarded, models);

  // A wildcard, because names may contain slashes.
  app.post<Change & { Params: { '*': string } }>('/v1/admin/models/*', changes, async (request) => {
    const [, name, verb] = /^(.+)\/(load|unload)$/.exec(request.params['*']) ?? [];
    if (name === undefined || (verb !== 'load' && verb !== 'unload')) {
      throw new AppError('route_not_found', { method: 'POST', path: shown(request.url, 80).slice(1, -1) });
    }
    const change = await operations[verb](name, request.body?.order ?? 'beside');
    const model = operations.models().find((one) => one.name === name);
    return { ...wireChange(change), ...(model ? { model: wireModel(model) } : {}) };
  });

  app.post<Change>('/v1/admin/reload', changes, async (request) => {
    try {
      return wireChange(await operations.reload(request.body?.order ?? 'beside'));
    } catch (error) {
      if (error instanceof AppError) request.log.error({ code: error.data.code }, error.message);
      throw error;
    }
  });
}
