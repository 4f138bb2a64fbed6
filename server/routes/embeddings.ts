// POST /v1/embeddings: the hidden states of one model over a text, pooled into one vector. Each input is a request of its own to the engine,
// where it shares forwards with everything else.
import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { AppContext, EmbeddingCard, ResolvedStrategy } from '../context.js';
import { AppError } from '../errors.js';
import { greedySampling, type DecodeRequest } from '../wire/decode.js';
import { embeddingsBody, EmbeddingsRequest, embeddingsRules, normalised } from '../wire/embeddings.js';
import { closedSignal } from './answer.js';
import { promptFromIds } from './prepare.js';
import { v1Hooks, type RouteOptions } from './v1.js';

const defaultCard: EmbeddingCard = { pooling: 'mean', normalise: true };

/** The one model whose states are meant. */
function modelOf({ name, method, distribution, search, models }: ResolvedStrategy): string {
  if (search === null && distribution.kind === 'logits') return distribution.view.model;
  throw new AppError('not_supported', {
    param: 'model',
    value: `embedding with ${name}, which is a deployment of the method ${method},`,
    remedy: `Name one of its models: ${models.join(', ')}.`,
  });
}

async function inputs(
  { input, add_special_tokens: addSpecialTokens = true }: EmbeddingsRequest,
  strategy: ResolvedStrategy,
  { config, text }: AppContext,
): Promise<Int32Array[]> {
  const list =
    typeof input === 'string'
      ? [input]
      : typeof input[0] === 'number'
        ? [input as number[]]
        : (input as (string | number[])[]);
  if (list.length > config.maxPrompts) {
    const problem = `must have at most ${config.maxPrompts} entries`;
    throw new AppError('invalid_value', {
      param: 'input',
      problem,
      value: list.length,
      remedy: 'Send several requests.',
    });
  }
  list.forEach((one, index) => {
    if (one !== '') return;
    const param = typeof input === 'string' ? 'input' : `input[${index}]`;
    throw new AppError('invalid_value', { param, problem: 'is empty', value: '""', remedy: 'Send some text.' });
  });
  const encoded = await Promise.all(
    list.map(async (one) =>
      typeof one === 'string'
        ? text.encode(strategy.tokenizerModel, one, { addSpecialTokens })
        : promptFromIds(one, strategy, 'input'),
    ),
  );
  for (const { length } of encoded) {
    if (length === 0) {
      const remedy = 'Send at least one token of text.';
      throw new AppError('invalid_value', { param: 'input', problem: 'has no tokens', value: '', remedy });
    }
    if (length <= strategy.contextLength) continue;
    throw new AppError('context_length_exceeded', {
      param: 'input',
      promptTokens: length,
      maxTokens: 0,
      model: strategy.name,
      contextLength: strategy.contextLength,
    });
  }
  const asked = encoded.reduce((sum, { length }) => sum + length, 0);
  if (asked <= config.tokensPerRequest) return encoded;
  throw new AppError('budget_exceeded', { param: 'input', asked, budget: config.tokensPerRequest });
}

export function embeddingsRoute(app: FastifyInstance, { context, metrics }: RouteOptions): void {
  app.post<{ Body: EmbeddingsRequest }>(
    '/v1/embeddings',
    {
      schema: { body: EmbeddingsRequest },
      ...v1Hooks(context, metrics, Object.keys(EmbeddingsRequest.properties), embeddingsRules),
    },
    async (asked, reply) => {
      const { body } = asked;
      const controller = closedSignal(reply);
      const { config, engine } = context;
      const strategy = context.catalog.resolve(body.model);
      const model = modelOf(strategy);
      const { pooling, normalise } = config.embeddings?.get(model) ?? defaultCard;
      const prompts = await inputs(body, strategy, context);
      const id = `embd-${randomUUID()}`;
      const total = prompts.reduce((sum, { length }) => sum + length, 0);
      const charged = app.charge(asked, total, reply);
      const observer = metrics.observe(strategy.name, { n: 1, maxTokens: 0 });

      const vector = async (ids: Int32Array, index: number): Promise<Float32Array> => {
        const request: DecodeRequest = {
          requestId: `${id}-${index}`,
          ...(index > 0 ? { follows: true } : {}),
          distribution: strategy.distribution,
          promptIds: [ids],
          tokenizer: strategy.tokenizerModel,
          vocabSize: strategy.vocabSize,
          n: 1,
          seed: 0,
          sampling: greedySampling,
          maxTokens: 0,
          minTokens: 0,
          stop: [],
          includeStop: false,
          stopTokenIds: [],
          logprobs: null,
          pooling,
          priority: body.priority ?? 0,
        };
        for await (const event of engine.submit(request, controller.signal)) {
          if (event.kind === 'failed') throw AppError.fromData(event.error);
          if (event.kind !== 'done' || event.pooled === undefined) continue;
          observer.timed(event.timings, event.usage);
          return normalise ? normalised(event.pooled) : event.pooled;
        }
        throw new AppError(controller.signal.aborted ? 'cancelled' : 'engine_failed', { reason: 'it ended too early' });
      };

      try {
        const vectors = await Promise.all(prompts.map(vector));
        observer.finished('stop');
        observer.done(total);
        return embeddingsBody(strategy.name, vectors, total, body.encoding_format ?? 'float');
      } catch (error) {
        // The first failure ends the others.
        controller.abort();
        charged.settle(0);
        const code = error instanceof AppError ? error.data.code : 'internal_error';
        if (code === 'cancelled') observer.aborted();
        else observer.failed(code);
        throw error;
      }
    },
  );
}
