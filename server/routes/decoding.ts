// GET /v1/decoding/methods: what `decoding` may hold. POST /v1/decoding/explain: what a request with this `model` and `decoding` would
// compute and cost; nothing is computed. The data is that of `trimtab explain`.
import type { FastifyInstance } from 'fastify';
import { describeMethods, describeScorers, explainDecoding } from '../../decoders/explain.js';
import type { ResolvedStrategy } from '../context.js';
import { AppError } from '../errors.js';
import { ExplainRequest } from '../wire/explain.js';
import { v1Hooks, type RouteOptions } from './v1.js';

export function decodingRoutes(app: FastifyInstance, { context, metrics }: RouteOptions): void {
  app.get('/v1/decoding/methods', () => ({ object: 'list', data: describeMethods(), scorers: describeScorers() }));

  /** A spec that names its method needs no model besides its own members. */
  const resolve = ({ model, decoding }: ExplainRequest): ResolvedStrategy => {
    if (model !== undefined) return context.catalog.resolve(model, decoding);
    const [any] = context.catalog.list();
    const isWhole = decoding?.['method'] !== undefined && (decoding['method'] !== 'plain' || 'model' in decoding);
    if (isWhole && any !== undefined) return context.catalog.resolve(any.id, decoding);
    throw new AppError('invalid_value', {
      param: 'model',
      problem: 'is required where decoding is no whole spec',
      value: 'nothing',
      remedy: 'Name a model or a deployment, or send a decoding with its method and members.',
    });
  };

  app.post<{ Body: ExplainRequest }>(
    '/v1/decoding/explain',
    { schema: { body: ExplainRequest }, ...v1Hooks(context, metrics, Object.keys(ExplainRequest.properties)) },
    ({ body }) => {
      const { name, method, parameters, distribution, search, speculation, models, contextLength } = resolve(body);
      const effective = { method, ...parameters };
      const explanation = explainDecoding({ method, distribution, search, effective, speculation });
      return {
        object: 'decoding.explanation',
        ...(body.model === undefined ? {} : { model: name }),
        models,
        context_length: contextLength,
        ...explanation,
      };
    },
  );
}
