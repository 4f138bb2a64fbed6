// GET /v1/decode/ws: many decodes on one connection, each with an id of the client's. Reads the client's messages and hands them to the decode
// that they mean; docs/websocket.md is the protocol. Knows no engine: running-decode.ts has one decode.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError, type ErrorCode } from '../errors.js';
import type { Channel, ChannelReader } from '../plugins/channel.js';
import { invalidValue } from '../plugins/errors.js';
import { ChatRequest } from '../wire/chat.js';
import { contextOf, readFrame, type ClientFrame, type FrameContext } from '../wire/client-frames.js';
import { CompletionRequest } from '../wire/completions.js';
import { publicError } from '../wire/error-body.js';
import { errorFrame, failedFrame, pongFrame } from '../wire/server-frames.js';
import { shown } from '../wire/shown.js';
import { readChat } from './chat.js';
import { readCompletion } from './completions.js';
import type { ReadBody } from './prepare.js';
import { RunningDecode, type DecodeServices } from './running-decode.js';
import { turn } from './turns.js';
import { checkReady, checkTopLevel, v1Hooks, type RouteOptions } from './v1.js';

type Body = Readonly<Record<string, unknown>>;
type Start = Extract<ClientFrame, { type: 'start' }>;

const shuttingDown = 'the server is shutting down';

class DecodeSession implements ChannelReader {
  readonly #app: FastifyInstance;
  readonly #request: FastifyRequest;
  readonly #channel: Channel;
  readonly #options: RouteOptions;
  readonly #decodes = new Map<string, RunningDecode>();
  #isDraining = false;

  constructor(app: FastifyInstance, request: FastifyRequest, channel: Channel, options: RouteOptions) {
    this.#app = app;
    this.#request = request;
    this.#channel = channel;
    this.#options = options;
  }

  message(text: string): void {
    let context: FrameContext = { id: null, ref: null, request: null };
    try {
      const parsed = this.#parse(text);
      context = contextOf(parsed);
      const frame = readFrame(parsed);
      this.#channel.received(frame.type);
      this.#act(frame);
    } catch (error) {
      if (error instanceof AppError) {
        this.#channel.send('error', errorFrame(context, publicError(error, this.#request.id)));
        return;
      }
      this.#request.log.error({ err: error }, 'a websocket message failed');
      this.#channel.close(1011, `request ${this.#request.id}`);
    }
  }

  gone(): void {
    for (const decode of this.#decodes.values()) decode.cancel(new AppError('cancelled', {}));
  }

  drain(): void {
    this.#isDraining = true;
    if (this.#decodes.size === 0) this.#channel.close(1001, shuttingDown);
  }

  #parse(text: string): unknown {
    try {
      return this.#app.parseJson(this.#request, text);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      throw new AppError('invalid_frame', { reason: reasonIn(error) }, { cause: error });
    }
  }

  #act(frame: ClientFrame): void {
    switch (frame.type) {
      case 'start':
        this.#start(frame);
        return;
      case 'cancel':
        this.#find(frame.id).cancel(new AppError('cancelled', {}));
        return;
      case 'credit':
        this.#find(frame.id).credit(frame);
        return;
      case 'update':
        this.#find(frame.id).update(frame);
        return;
      case 'ping':
        this.#channel.send('pong', pongFrame(frame.ref));
        return;
      default:
        frame satisfies never;
    }
  }

  #find(id: string): RunningDecode {
    const decode = this.#decodes.get(id);
    if (decode === undefined) throw new AppError('decode_not_found', { param: 'id', id });
    return decode;
  }

  #start(frame: Start): void {
    const { id } = frame;
    const { context, metrics } = this.#options;
    if (this.#decodes.has(id)) throw new AppError('duplicate_id', { param: 'id', id });
    try {
      checkReady(context.engine);
      if (this.#isDraining) throw new AppError('draining', {});
      const limit = context.config.websocket.decodes;
      if (this.#decodes.size >= limit) throw new AppError('too_many_decodes', { limit });
      this.#app.countRequest(this.#request);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      metrics.rejected('all', error.data.code);
      this.#channel.send('failed', failedFrame(id, publicError(error, this.#request.id)));
      return;
    }
    const decode = new RunningDecode(frame, this.#services());
    this.#decodes.set(id, decode);
    void decode.serve().then(() => {
      this.#decodes.delete(id);
      if (this.#isDraining && this.#decodes.size === 0) this.#channel.close(1001, shuttingDown);
    });
  }

  #services(): DecodeServices {
    const { context, metrics } = this.#options;
    const { id: requestId, log } = this.#request;
    const charge = (tokens: number) => this.#app.charge(this.#request, tokens);
    return { context, metrics, channel: this.#channel, requestId, log, charge, read: (body) => this.#read(body) };
  }

  /** As the route of its dialect would: the same keys, the same schema, the same checks. */
  async #read(body: Body): Promise<ReadBody & { readonly ignored: readonly string[] }> {
    await turn();
    const { context, metrics } = this.#options;
    const whole = streamed(body);
    const isChat = dialectOf(whole) === 'chat';
    const schema = isChat ? ChatRequest : CompletionRequest;
    const ignored = checkTopLevel(whole, Object.keys(schema.properties), context.config.strict);
    const validate = this.#request.compileValidationSchema(schema);
    if (validate(whole) !== true) throw invalidValue(validate.errors ?? [], whole, schema);
    this.#app.checkPriority(this.#request, (whole as ChatRequest | CompletionRequest).priority);
    try {
      const read = isChat
        ? await readChat(whole as ChatRequest, context)
        : await readCompletion(whole as CompletionRequest, context);
      return { ...read, ignored };
    } catch (error) {
      if (error instanceof AppError && error.data.code === budgetExceeded) metrics.rejected('all', budgetExceeded);
      throw error;
    }
  }
}

const budgetExceeded: ErrorCode = 'budget_exceeded';

/** What invalid_json says of a body, without what it says of HTTP. */
function reasonIn({ message }: AppError): string {
  return /^The body is not valid JSON: (.*)\. Send one JSON object/s.exec(message)?.[1] ?? message;
}

/** A websocket always streams. A copy, for the checks that follow drop what is null. */
function streamed(body: Body): Record<string, unknown> {
  if (body['stream'] === false) {
    throw new AppError('not_supported', {
      param: 'stream',
      value: 'false',
      remedy: 'A websocket streams: leave it out.',
    });
  }
  return { ...body, stream: body['stream'] ?? true };
}

function dialectOf(body: Body): 'chat' | 'completions' {
  const [isChat, isCompletion] = ['messages', 'prompt'].map((key) => body[key] !== undefined && body[key] !== null);
  if (isChat !== isCompletion) return isChat ? 'chat' : 'completions';
  throw new AppError('invalid_value', {
    param: 'body',
    problem: 'needs one of messages (chat) and prompt (completions)',
    value: isChat ? 'both' : shown(undefined),
    remedy: 'Send the body of one of the two.',
  });
}

export function decodeSocket(app: FastifyInstance, options: RouteOptions): void {
  const { onRequest } = v1Hooks(options.context, options.metrics, []);
  app.route({
    method: 'GET',
    url: '/v1/decode/ws',
    onRequest,
    handler: (request) => {
      throw new AppError('upgrade_required', { path: request.url.split('?', 1)[0] });
    },
    wsHandler: (socket, request) => {
      app.websockets.open(socket, request, (channel) => new DecodeSession(app, request, channel, options));
    },
  });
}
