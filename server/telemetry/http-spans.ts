// One server span per request of the API, below the caller's where it sends traceparent. What is started while the request is handled becomes
// its child, through the API's context. Does nothing until telemetry/start.ts has run. Registered before the routes.
import { context, propagation, SpanKind, SpanStatusCode, trace, type Context } from '@opentelemetry/api';
import type { FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { tracerName } from './decode-span.js';

/** Asked every few seconds by machines. */
const quiet: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

export const httpSpans = fastifyPlugin((app, _options, done) => {
  const contexts = new WeakMap<FastifyRequest, Context>();
  app.addHook('onRequest', (request, reply, next) => {
    const route = request.routeOptions.url;
    // Files, and addresses that do not exist, which anybody can invent.
    if (route === undefined || quiet.has(route) || request.routeOptions.schema?.hide === true) return next();
    const parent = propagation.extract(context.active(), request.headers);
    const attributes = {
      'http.request.method': request.method,
      'http.route': route,
      'url.scheme': request.protocol,
      'trimtab.request_id': request.id,
    };
    const options = { kind: SpanKind.SERVER, attributes };
    const span = trace.getTracer(tracerName).startSpan(`${request.method} ${route}`, options, parent);
    reply.raw.once('close', () => {
      const { statusCode, writableFinished } = reply.raw;
      span.setAttribute('http.response.status_code', statusCode);
      if (!writableFinished) span.setAttribute('trimtab.aborted', true);
      if (statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    });
    contexts.set(request, trace.setSpan(parent, span));
    next();
  });
  // Not before: reading a body loses the context, for its pieces come from the socket.
  app.addHook('preValidation', (request, _reply, next) => {
    const active = contexts.get(request);
    if (active === undefined) next();
    else context.with(active, next);
  });
  done();
});
