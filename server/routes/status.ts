// GET /health (the process lives), /ready (it takes requests), /metrics (Prometheus text).
import type { FastifyInstance } from 'fastify';
import type { RouteOptions } from './v1.js';

export function statusRoutes(app: FastifyInstance, { context, metrics }: RouteOptions): void {
  app.get('/health', () => ({ status: 'ok', version: context.config.version }));

  app.get('/ready', (_request, reply) => {
    const { state } = context.engine;
    if (state !== 'ready') void reply.code(503).header('retry-after', '1');
    return { status: state };
  });

  app.get('/metrics', async (_request, reply) => {
    void reply.type(metrics.registry.contentType);
    return metrics.registry.metrics();
  });
}
