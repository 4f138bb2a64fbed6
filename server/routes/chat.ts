// POST /v1/chat/completions: messages through each view's own chat template, then the same way as every other answer.
import type { FastifyInstance } from 'fastify';
import type { AppContext, ChatEncoding, ChatMessage } from '../context.js';
import type { ImageReference } from '../images/service.js';
import { imageMark, withoutMarks } from '../models/image-mark.js';
import { ChatReply } from '../wire/chat-reply.js';
import { ChatRequest, type WireMessage } from '../wire/chat.js';
import type { LogprobsParams } from '../wire/decode.js';
import { readTools } from '../wire/tools.js';
import { answer, closedSignal } from './answer.js';
import { prepareTools, toolCalls } from './chat-tools.js';
import { formatConstraint } from './constraint.js';
import { decodeRequests, type ReadBody } from './prepare.js';
import { searchJob } from './search-job.js';
import { replyHead, v1Hooks, type RouteOptions } from './v1.js';
import { viewImages, viewPrompts } from './view-prompts.js';
import { invalid, notSupported } from '../wire/refusals.js';

/** Templates of most models know no developer; OpenAI defines the role as the system role's new name. */
const roles: Readonly<Record<string, ChatMessage['role']>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool',
};

const unsupportedFields = ['function_call', 'audio'];

function content(message: WireMessage, where: string, images: ImageReference[] | null): string {
  // What calls need not speak.
  if ((message.content ?? null) === null && (message.tool_calls ?? []).length > 0) return '';
  if (typeof message.content === 'string') return withoutMarks(message.content);
  if (!Array.isArray(message.content)) {
    throw invalid(`${where}.content`, 'is required', message.content, 'Send a string or a list of parts.');
  }
  const pieces = message.content.map((part, index) => {
    const param = `${where}.content[${index}]`;
    if (part.type === 'image_url' && images !== null) return imagePart(message, part, param, images);
    if (part.type !== 'text') {
      const known = images === null ? 'Only text parts are available.' : 'Use text or image_url.';
      throw notSupported(`${param}.type`, part.type, known);
    }
    if (part.text === undefined) throw invalid(`${param}.text`, 'is required', part.text, 'Send a string.');
    return withoutMarks(part.text);
  });
  // Texts are lines of their own; around a picture it is the template that decides.
  return pieces.reduce((text, piece, i) => {
    const isBetweenTexts = i > 0 && piece !== imageMark && pieces[i - 1] !== imageMark;
    return isBetweenTexts ? `${text}\n${piece}` : text + piece;
  }, '');
}

type WirePart = Exclude<WireMessage['content'], string | null | undefined>[number];

/** OpenAI's hints of how closely to look; a tower here sees every picture alike. */
const details: readonly string[] = ['auto', 'low', 'high'];

function imagePart(
  { role }: WireMessage,
  { image_url: image }: WirePart,
  param: string,
  images: ImageReference[],
): string {
  if (role !== 'user') throw notSupported(`${param}.type`, 'image_url', 'Images belong to messages of the user.');
  if (image === undefined)
    throw invalid(`${param}.image_url`, 'is required', image, 'Send {"url": "data:image/png;base64,…"}.');
  const detail = image.detail ?? 'auto';
  if (!details.includes(detail))
    throw invalid(`${param}.image_url.detail`, 'is not known', detail, `Use one of ${details.join(', ')}.`);
  images.push({ param: `${param}.image_url.url`, url: image.url });
  return imageMark;
}

/** The messages with a mark in the place of each picture, and where the pictures are. */
export function chatMessages(messages: readonly WireMessage[]): {
  readonly messages: readonly ChatMessage[];
  readonly images: readonly ImageReference[];
} {
  const images: ImageReference[] = [];
  return { messages: messages.map((message, index) => readMessage(message, index, images)), images };
}

/** Where pictures cannot be read. */
export const chatMessage = (message: WireMessage, index: number): ChatMessage => readMessage(message, index, null);

function readMessage(message: WireMessage, index: number, images: ImageReference[] | null): ChatMessage {
  const where = `messages[${index}]`;
  const role = Object.hasOwn(roles, message.role) ? roles[message.role] : undefined;
  if (role === undefined) {
    throw notSupported(`${where}.role`, message.role, `Use one of ${Object.keys(roles).join(', ')}.`);
  }
  for (const field of unsupportedFields) {
    const value = (message as Record<string, unknown>)[field];
    if (value !== undefined && value !== null) throw notSupported(`${where}.${field}`, value, 'Leave it out.');
  }
  const name = message.name ?? undefined;
  const calls = message.tool_calls ?? [];
  if (calls.length > 0 && role !== 'assistant')
    throw invalid(`${where}.tool_calls`, 'belongs to messages of the assistant', message.role, 'Leave it out.');
  const callId = message.tool_call_id ?? undefined;
  if (role === 'tool' ? callId === undefined : callId !== undefined)
    throw invalid(
      `${where}.tool_call_id`,
      'belongs to messages of role tool, each of which needs it',
      callId,
      'Send it there only.',
    );
  return {
    role,
    content: content(message, where, images),
    ...(name === undefined ? {} : { name }),
    ...(calls.length > 0 ? { tool_calls: toolCalls(calls, where) } : {}),
    ...(callId === undefined ? {} : { tool_call_id: callId }),
  };
}

export function chatEncoding(
  body: Pick<ChatRequest, 'continue_final_message' | 'add_generation_prompt'>,
): ChatEncoding {
  const continueFinal = body.continue_final_message ?? false;
  if (continueFinal && body.add_generation_prompt === true) {
    throw invalid('continue_final_message', 'excludes add_generation_prompt', true, 'Send one of the two.');
  }
  return { continueFinal, addGenerationPrompt: body.add_generation_prompt ?? !continueFinal };
}

function askedTokens({ max_tokens: old, max_completion_tokens: current }: ChatRequest): number | null {
  if (old !== undefined && current !== undefined && old !== current) {
    throw invalid('max_tokens', 'contradicts max_completion_tokens', old, 'Send max_completion_tokens only.');
  }
  return current ?? old ?? null;
}

function chatLogprobsParams(body: ChatRequest): LogprobsParams | null {
  if (body.logprobs === true) return { top: body.top_logprobs ?? 0, full: false, prompt: false };
  if (body.top_logprobs !== undefined && body.top_logprobs > 0) {
    throw invalid('top_logprobs', 'needs "logprobs": true', body.top_logprobs, 'Send logprobs too.');
  }
  return null;
}

/** Everything that can be refused is refused here, before anything is computed. */
export async function readChat(body: ChatRequest, context: AppContext): Promise<ReadBody> {
  const strategy = context.catalog.resolve(body.model, body.decoding);
  const { messages, images } = chatMessages(body.messages);
  const use = readTools(body);
  const format = await formatConstraint(context, body.response_format);
  const tools = use && (await prepareTools(context, strategy, use));
  if (format && tools?.constraint)
    throw invalid(
      'response_format',
      'and calls that are demanded or strict exclude each other',
      body.response_format,
      'Send one of the two.',
    );
  const encoding = { ...chatEncoding(body), tools: tools?.template ?? null };
  const logprobs = chatLogprobsParams(body);
  const asked = askedTokens(body);
  const own = { kind: 'messages', messages, encoding } as const;
  const pictures = images.length > 0 ? await viewImages(context, strategy, images) : null;
  const views = await viewPrompts(context.text, strategy, own);
  const head = replyHead('chatcmpl-', body, strategy, context);
  const requests = decodeRequests({
    id: head.id,
    body,
    strategy,
    prompts: [views],
    images: pictures,
    searches: [await searchJob(context, strategy, own)],
    length: { asked, fallback: null, param: 'messages' },
    logprobs,
    constraint: format ?? tools?.constraint ?? null,
    shownTokenIds: tools?.shownTokenIds ?? [],
    config: context.config,
  });
  const tokenIds = body.return_token_ids ?? false;
  return {
    head,
    strategy,
    requests,
    logprobs,
    tokenIds,
    promptIds: [views[0]!],
    echo: null,
    tools: tools?.reading ?? null,
  };
}

export function chatRoute(app: FastifyInstance, { context, metrics }: RouteOptions): void {
  app.post<{ Body: ChatRequest }>(
    '/v1/chat/completions',
    { schema: { body: ChatRequest }, ...v1Hooks(context, metrics, Object.keys(ChatRequest.properties)) },
    async (request, reply) => {
      const controller = closedSignal(reply);
      const { body } = request;
      const { head, strategy, requests, logprobs, tokenIds, promptIds, tools } = await readChat(body, context);
      const format = new ChatReply(head, {
        logprobs: logprobs !== null,
        tokenIds,
        promptIds: tokenIds ? Array.from(promptIds[0]!) : [],
        tools: tools ?? null,
      });
      const job = { strategy, requests, format, stream: body.stream ?? false, includeUsage: head.includeUsage };
      return answer(job, request, reply, { context, metrics, controller });
    },
  );
}
