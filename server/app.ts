// Builds the HTTP server without listening: the CLI listens, tests use inject(). Every limit of fastify and node that is off by default
// is set here on purpose. Start reading at routes/answer.ts for what happens to a request.
import { randomUUID } from 'node:crypto';
import Fastify, { LogController, type FastifyInstance } from 'fastify';
import type { AppContext } from './context.js';
import { AppError, type ErrorCode } from './errors.js';
import { authPlugin } from './plugins/auth.js';
import { corsPlugin } from './plugins/cors.js';
import { drainPlugin } from './plugins/drain.js';
import { clientErrorHandler, errorsPlugin, frameworkErrorHandler } from './plugins/errors.js';
import { acceptOnlyJson } from './plugins/json-body.js';
import { Metrics } from './plugins/metrics.js';
import { openApiPlugin } from './plugins/openapi.js';
import { pagePlugin } from './plugins/page.js';
import { priorities } from './plugins/priorities.js';
import { requestLimits } from './plugins/request-limits.js';
import { tokenQuotas } from './plugins/token-quotas.js';
import { websocketPlugin } from './plugins/websocket.js';
import { writeGuard } from './plugins/write-guard.js';
import { adminRoutes } from './routes/admin.js';
import { chatRoute } from './routes/chat.js';
import { completionsRoute } from './routes/completions.js';
import { decodeSocket } from './routes/decode-socket.js';
import { decodingRoutes } from './routes/decoding.js';
import { embeddingsRoute } from './routes/embeddings.js';
import { modelsRoutes } from './routes/models.js';
import { responsesRoute } from './routes/responses.js';
import { responsesSocket } from './routes/responses-socket.js';
import { statusRoutes } from './routes/status.js';
import { tokenizeRoutes } from './routes/tokenize.js';
import { httpSpans } from './telemetry/http-spans.js';

const acceptableRequestId = /^[\w.:-]{1,128}$/;

/** Refusals that are counted where they leave; others count where they arise. */
const countedCodes: ReadonlySet<ErrorCode> = new Set([
  'budget_exceeded',
  'invalid_api_key',
  'missing_scope',
  'priority_not_allowed',
  'key_in_url',
  'rate_limit_exceeded',
  'too_many_wrong_keys',
] as const);

/** The client's own id when it is harmless in headers and logs. */
function requestId(request: { headers: Record<string, string | string[] | undefined> }): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && acceptableRequestId.test(given) ? given : randomUUID();
}

export async function buildApp(context: AppContext): Promise<FastifyInstance> {
  const { config } = context;
  const app = Fastify({
    bodyLimit: config.bodyBytes,
    requestTimeout: config.requestTimeoutMs,
    connectionTimeout: config.connectionTimeoutMs,
    keepAliveTimeout: config.keepAliveTimeoutMs,
    http: {
      requestTimeout: config.requestTimeoutMs,
      headersTimeout: config.requestTimeoutMs,
      // How often node looks for overdue requests: its default of 30 s would stretch a short limit by that much.
      connectionsCheckingInterval: Math.min(30_000, Math.max(50, config.requestTimeoutMs / 4)),
    },
    clientErrorHandler: clientErrorHandler(config),
    frameworkErrors: frameworkErrorHandler(config),
    // While the listener closes, requests on open connections still get our own 503, and /health answers.
    return503OnClosing: false,
    genReqId: requestId,
    logController: new LogController({ disableRequestLogging: true }),
    logger: { level: config.logLevel ?? 'warn', stream: process.stderr },
    // Nothing is coerced, removed or filled in: what the client sent is what is checked.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
  });
  acceptOnlyJson(app);

  const metrics = new Metrics(context);
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  app.addHook('onError', (_request, _reply, error, done) => {
    if (error instanceof AppError && countedCodes.has(error.data.code)) metrics.rejected('all', error.data.code);
    done();
  });
  app.addHook('onClose', (_app, done) => {
    metrics.close();
    done();
  });
  await app.register(errorsPlugin, { config });
  await app.register(httpSpans);
  await app.register(drainPlugin);
  await app.register(writeGuard, { writeTimeoutMs: config.writeTimeoutMs });

  await app.register(corsPlugin, { origins: () => context.config.cors?.origins ?? [] });
  const origins = (): readonly string[] => [
    ...(context.config.cors?.origins ?? []),
    ...context.config.websocket.origins,
  ];
  await app.register(websocketPlugin, { config, origins, metrics });
  // After websocketPlugin, which ends the socket of an upgrade that is refused by what comes later.
  await app.register(authPlugin, { auth: () => context.config.auth });
  await app.register(requestLimits);
  await app.register(tokenQuotas);
  await app.register(priorities);
  await app.register(openApiPlugin, { version: config.version, hasKeys: () => context.config.auth.keys.length > 0 });
  await app.register(pagePlugin);

  const options = { context, metrics };
  statusRoutes(app, options);
  modelsRoutes(app, options);
  chatRoute(app, options);
  completionsRoute(app, options);
  responsesRoute(app, options);
  responsesSocket(app, options);
  decodeSocket(app, options);
  embeddingsRoute(app, options);
  tokenizeRoutes(app, options);
  decodingRoutes(app, options);
  adminRoutes(app, options);
  return app;
}
