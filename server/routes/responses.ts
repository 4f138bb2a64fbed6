// POST /v1/responses: OpenAI's Responses dialect without its store. Items become messages, from there on it is a chat. The same job serves
// a response.create frame (responses-socket.ts). POST /v1/responses/input_tokens counts what would be read.
import type { FastifyInstance } from 'fastify';
import type { AppContext, ChatEncoding, ChatMessage, ResolvedStrategy } from '../context.js';
import { AppError } from '../errors.js';
import type { LogprobsParams, SamplingParams } from '../wire/decode.js';
import { ResponsesReply, sseFrame, type Frame } from '../wire/responses-reply.js';
import { ResponsesRequest, responsesRules } from '../wire/responses.js';
import { shown } from '../wire/shown.js';
import { readTools } from '../wire/tools.js';
import { answer, closedSignal } from './answer.js';
import { prepareTools, type PreparedTools } from './chat-tools.js';
import { formatConstraint } from './constraint.js';
import { decodeRequests } from './prepare.js';
import { fitting, inputMessages } from './response-input.js';
import { searchJob } from './search-job.js';
import type { Job } from './sinks.js';
import { replyHead, v1Hooks, type RouteOptions } from './v1.js';
import { viewPrompts } from './view-prompts.js';

/** Nested fields that a schema accepts and this server cannot honour. */
function checkControls({ text, reasoning }: ResponsesRequest): void {
  const refuse = (param: string, value: unknown, remedy: string): never => {
    throw new AppError('not_supported', { param, value: shown(value), remedy });
  };
  const verbosity = text?.verbosity ?? 'medium';
  if (verbosity !== 'medium') refuse('text.verbosity', verbosity, 'Leave it out.');
  for (const [key, value] of Object.entries(reasoning ?? {})) {
    const isOff = value === null || (key === 'effort' && value === 'none');
    if (!isOff) refuse(`reasoning.${key}`, value, 'Leave it out.');
  }
}

function logprobsParams({ include, top_logprobs: top = 0 }: ResponsesRequest): LogprobsParams | null {
  const isAsked = include?.includes('message.output_text.logprobs') ?? false;
  return isAsked || top > 0 ? { top, full: false, prompt: false } : null;
}

/** What a response repeats of its request, with the values that were used. */
function echoed(body: ResponsesRequest, sampling: SamplingParams): Readonly<Record<string, unknown>> {
  return {
    background: false,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    store: false,
    temperature: sampling.temperature,
    text: { format: body.text?.format ?? { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_logprobs: body.top_logprobs ?? 0,
    top_p: sampling.topP,
    truncation: body.truncation ?? 'disabled',
    ...(body.user === undefined ? {} : { user: body.user }),
    ...(body.safety_identifier === undefined ? {} : { safety_identifier: body.safety_identifier }),
    ...(body.prompt_cache_key === undefined ? {} : { prompt_cache_key: body.prompt_cache_key }),
  };
}

/** The messages to answer: all of them, or those that fit where the client lets the others go. */
async function conversation(
  body: ResponsesRequest,
  strategy: ResolvedStrategy,
  encoding: ChatEncoding,
  { text }: AppContext,
): Promise<readonly ChatMessage[]> {
  const messages = inputMessages(body);
  if (body.truncation !== 'auto') return messages;
  const room = strategy.contextLength - (body.max_output_tokens ?? 1);
  return fitting(messages, async (some) => {
    const views = await viewPrompts(text, strategy, { kind: 'messages', messages: some, encoding });
    return Math.max(...views.map(({ length }) => length)) <= room;
  });
}

/** Null where nothing may be called. */
async function toolsOf(
  body: ResponsesRequest,
  strategy: ResolvedStrategy,
  context: AppContext,
): Promise<PreparedTools | null> {
  const use = readTools(body, 'flat');
  return use && prepareTools(context, strategy, use);
}

const encodingWith = (tools: PreparedTools | null): ChatEncoding => ({
  addGenerationPrompt: true,
  continueFinal: false,
  tools: tools?.template ?? null,
});

/** Tokens are told of a message. A call's have no place in this dialect, and one token may belong to both. */
function checkTelling(body: ResponsesRequest, logprobs: LogprobsParams | null): void {
  const asked = logprobs && (body.top_logprobs ? 'top_logprobs' : 'include');
  const param = body.return_token_ids === true ? 'return_token_ids' : asked;
  if (param)
    throw new AppError('not_supported', {
      param,
      value: shown(body[param]),
      remedy: 'Leave it out beside tools, or use /v1/chat/completions.',
    });
}

interface ResponseOptions {
  readonly stream: boolean;
  readonly frame: Frame;
  /** Keys without effect, told in the response where there is no header to tell them. */
  readonly ignored?: readonly string[];
}

/** Everything that can be refused is refused here, before anything is computed. */
export async function responseJob(
  body: ResponsesRequest,
  context: AppContext,
  { stream, frame, ignored = [] }: ResponseOptions,
): Promise<Job> {
  checkControls(body);
  const strategy = context.catalog.resolve(body.model, body.decoding);
  const tools = await toolsOf(body, strategy, context);
  const logprobs = logprobsParams(body);
  if (tools) checkTelling(body, logprobs);
  const textFormat = await formatConstraint(context, body.text?.format, 'text.format');
  if (textFormat && tools?.constraint)
    throw new AppError('invalid_value', {
      param: 'text.format',
      problem: 'and calls that are demanded or strict exclude each other',
      value: shown(body.text?.format),
      remedy: 'Send one of the two.',
    });
  const encoding = encodingWith(tools);
  const messages = await conversation(body, strategy, encoding, context);
  const own = { kind: 'messages', messages, encoding } as const;
  const views = await viewPrompts(context.text, strategy, own);
  const head = replyHead('resp_', body, strategy, context);
  const requests = decodeRequests({
    id: head.id,
    body,
    strategy,
    prompts: [views],
    searches: [await searchJob(context, strategy, own)],
    length: { asked: body.max_output_tokens ?? null, fallback: null, param: 'input' },
    logprobs,
    constraint: textFormat ?? tools?.constraint ?? null,
    shownTokenIds: tools?.shownTokenIds ?? [],
    config: context.config,
  });
  const tokenIds = body.return_token_ids ?? false;
  const format = new ResponsesReply(head, {
    echoed: { ...echoed(body, requests[0]!.sampling), ...(ignored.length > 0 ? { ignored_fields: ignored } : {}) },
    logprobs: logprobs !== null,
    tokenIds,
    promptIds: tokenIds ? Array.from(views[0]!) : [],
    tools: tools?.reading ?? null,
    frame,
  });
  return { strategy, requests, format, stream, includeUsage: true };
}

export function responsesRoute(app: FastifyInstance, { context, metrics }: RouteOptions): void {
  const hooks = v1Hooks(context, metrics, Object.keys(ResponsesRequest.properties), responsesRules);

  app.post<{ Body: ResponsesRequest }>(
    '/v1/responses/input_tokens',
    { schema: { body: ResponsesRequest }, ...hooks },
    async ({ body }) => {
      checkControls(body);
      const strategy = context.catalog.resolve(body.model, body.decoding);
      const encoding = encodingWith(await toolsOf(body, strategy, context));
      const messages = await conversation(body, strategy, encoding, context);
      const [first] = await viewPrompts(context.text, strategy, { kind: 'messages', messages, encoding });
      return { object: 'response.input_tokens', input_tokens: first?.length ?? 0 };
    },
  );

  app.route<{ Params: { '*': string } }>({
    method: ['GET', 'DELETE'],
    url: '/v1/responses/*',
    handler: ({ params }) => {
      throw new AppError('response_not_found', { param: 'response_id', id: shown(params['*']) });
    },
  });

  app.post<{ Body: ResponsesRequest }>(
    '/v1/responses',
    { schema: { body: ResponsesRequest }, ...hooks },
    async (request, reply) => {
      const controller = closedSignal(reply);
      const job = await responseJob(request.body, context, { stream: request.body.stream ?? false, frame: sseFrame });
      return answer(job, request, reply, { context, metrics, controller });
    },
  );
}
