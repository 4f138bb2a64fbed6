// GET /v1/models and /v1/models/{id}: models and deployments alike, since clients name both in the field `model`.
import type { FastifyInstance } from 'fastify';
import type { CatalogEntry } from '../context.js';
import { AppError } from '../errors.js';
import { shown } from '../wire/shown.js';
import { checkReady, type RouteOptions } from './v1.js';

const wireModel = ({ id, created, ownedBy, kind }: CatalogEntry) => ({
  id,
  object: 'model',
  created,
  owned_by: ownedBy,
  kind,
});

export function modelsRoutes(app: FastifyInstance, { context }: RouteOptions): void {
  /** The list stands once the models are loaded, whatever becomes of the engine later. */
  const entries = (): readonly CatalogEntry[] => {
    if (context.engine.state === 'starting') checkReady(context.engine);
    return context.catalog.list();
  };

  app.get('/v1/models', () => ({ object: 'list', data: entries().map(wireModel) }));

  // A wildcard, because names may contain slashes.
  app.get<{ Params: { '*': string } }>('/v1/models/*', (request) => {
    const id = request.params['*'];
    const entry = entries().find((candidate) => candidate.id === id);
    if (entry !== undefined) return wireModel(entry);
    throw new AppError('model_not_found', {
      param: 'model',
      model: shown(id),
      available: entries()
        .map((candidate) => candidate.id)
        .join(', '),
    });
  });
}
