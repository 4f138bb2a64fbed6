// POST /tokenize and /detokenize: text ↔ ids of a model. POST /v1/chat/completions/render: the text and the ids that a chat request would
// give to each view. Nothing is computed.
import type { FastifyInstance } from 'fastify';
import { describePrompt } from '../../decoders/prompt.js';
import { planViews } from '../../decoders/views-plan.js';
import { AppError } from '../errors.js';
import { ChatRequest } from '../wire/chat.js';
import { tokenName } from '../wire/logprobs.js';
import { DetokenizeRequest, TokenizeRequest } from '../wire/tokenize.js';
import { readTools } from '../wire/tools.js';
import { chatEncoding, chatMessage } from './chat.js';
import { prepareTools } from './chat-tools.js';
import { checkId } from './prepare.js';
import { v1Hooks, type RouteOptions } from './v1.js';
import { viewPrompts } from './view-prompts.js';

export function tokenizeRoutes(app: FastifyInstance, { context, metrics }: RouteOptions): void {
  const encode = async (body: TokenizeRequest, model: string): Promise<Int32Array> => {
    const { prompt, messages } = body;
    if (prompt !== undefined && messages !== undefined) {
      const details = { problem: 'excludes messages', value: 'both', remedy: 'Send one of the two.' };
      throw new AppError('invalid_value', { param: 'prompt', ...details });
    }
    if (prompt !== undefined) {
      return context.text.encode(model, prompt, { addSpecialTokens: body.add_special_tokens ?? true });
    }
    if (messages !== undefined) return context.text.encodeChat(model, messages.map(chatMessage), chatEncoding(body));
    const details = { problem: 'is required', value: 'nothing', remedy: 'Send prompt, or messages.' };
    throw new AppError('invalid_value', { param: 'prompt', ...details });
  };

  app.post<{ Body: TokenizeRequest }>(
    '/tokenize',
    { schema: { body: TokenizeRequest }, ...v1Hooks(context, metrics, Object.keys(TokenizeRequest.properties)) },
    async ({ body }) => {
      const { tokenizerModel, contextLength } = context.catalog.resolve(body.model);
      const ids = await encode(body, tokenizerModel);
      const pieces = body.return_token_strs === true ? await context.text.pieces(tokenizerModel, ids) : null;
      return {
        count: ids.length,
        max_model_len: contextLength,
        tokens: Array.from(ids),
        token_strs: pieces === null ? null : pieces.map(tokenName),
      };
    },
  );

  app.post<{ Body: DetokenizeRequest }>(
    '/detokenize',
    { schema: { body: DetokenizeRequest }, ...v1Hooks(context, metrics, Object.keys(DetokenizeRequest.properties)) },
    async ({ body }) => {
      const strategy = context.catalog.resolve(body.model);
      body.tokens.forEach((id, index) => checkId(`tokens[${index}]`, id, strategy));
      const ids = Int32Array.from(body.tokens);
      return { prompt: await context.text.decode(strategy.tokenizerModel, ids, { showSpecialTokens: true }) };
    },
  );

  app.post<{ Body: ChatRequest }>(
    '/v1/chat/completions/render',
    { schema: { body: ChatRequest }, ...v1Hooks(context, metrics, Object.keys(ChatRequest.properties)) },
    async ({ body }) => {
      const strategy = context.catalog.resolve(body.model, body.decoding);
      const { distribution, search, speculation, prompts } = strategy;
      const use = readTools(body);
      const tools = use && (await prepareTools(context, strategy, use));
      const encoding = { ...chatEncoding(body), tools: tools?.template ?? null };
      const own = { kind: 'messages', messages: body.messages.map(chatMessage), encoding } as const;
      const ids = await viewPrompts(context.text, strategy, own);
      const { views } = planViews(distribution, search, speculation);
      const shown = views.map(async ({ model, prompt }, index) => {
        const view = ids[index] ?? new Int32Array();
        return {
          model,
          prompt: describePrompt(prompts.get(prompt) ?? { kind: 'own' }) || 'own',
          text: await context.text.decode(model, view, { showSpecialTokens: true }),
          token_ids: Array.from(view),
        };
      });
      return { object: 'chat.prompt', model: strategy.name, views: await Promise.all(shown) };
    },
  );
}
