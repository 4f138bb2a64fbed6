// GET /health (the process lives), /ready (it takes requests), /metrics (Prometheus text).
import type { FastifyInstance } from 'fastify';
import type { RouteOptions } from './v1.js';

export function statusRoutes(app: FastifyInstance, { context, metrics }: RouteOptions): void {
  const open = { config: { access: 'public' } } as const;
  app.get('/health', open, () => ({ status: 'ok', version: context.config.version }));

  app.get('/ready', open, (_request, reply) => {
    const { state } = context.engine;
    if (state !== 'ready') void reply.code(503).header('retry-after', '1');
    return { status: state };
  });

  const access = context.config.auth.openMetrics ? 'public' : 'key';
  app.get('/metrics', { config: { access } }, async (_request, reply) => {
    void reply.type(metrics.registry.contentType);
    return metrics.registry.metrics();
  });
}
