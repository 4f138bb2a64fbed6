// GET /v1/responses as a websocket: OpenAI's Responses protocol over one connection, so that the stock client is a websocket client. Each
// response.create frame is answered by the events of the stream, one message each; one response after the other, in the order of the frames.
// What is refused before it began is an error event. Knows no model; a response itself is made in responses.ts.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError, type ErrorData } from '../errors.js';
import type { Channel, ChannelReader } from '../plugins/channel.js';
import { invalidValue } from '../plugins/errors.js';
import { errorBody, publicError } from '../wire/error-body.js';
import { lineFrame } from '../wire/responses-reply.js';
import { ResponsesRequest, responsesRules } from '../wire/responses.js';
import { shown } from '../wire/shown.js';
import { stream } from './answer.js';
import { responseJob } from './responses.js';
import type { Outlet } from './sinks.js';
import { checkReady, checkTopLevel, type RouteOptions } from './v1.js';

const declared = Object.keys(ResponsesRequest.properties);

/** Lines of a reply → messages. */
class SocketOutlet implements Outlet {
  readonly #channel: Channel;
  opened = false;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  open(): void {
    this.opened = true;
  }

  write(lines: string): void {
    for (const line of lines.split('\n')) if (line !== '') this.#channel.send('response', line);
  }

  drained(): Promise<void> | null {
    return this.#channel.drained();
  }

  end(): void {}
}

/** A frame that was understood. */
interface Waiting {
  readonly body: ResponsesRequest;
  readonly ignored: readonly string[];
}

class ResponsesConversation implements ChannelReader {
  readonly #app: FastifyInstance;
  readonly #request: FastifyRequest;
  readonly #channel: Channel;
  readonly #options: RouteOptions;
  readonly #gone = new AbortController();
  #waiting: Waiting[] = [];
  #isAnswering = false;
  #isDraining = false;
  #errors = 0;

  constructor(app: FastifyInstance, request: FastifyRequest, channel: Channel, options: RouteOptions) {
    this.#app = app;
    this.#request = request;
    this.#channel = channel;
    this.#options = options;
  }

  message(text: string): void {
    const { context } = this.#options;
    try {
      if (this.#isDraining) throw new AppError('draining', {});
      checkReady(context.engine);
      const waiting = this.#read(text);
      this.#channel.received('response.create');
      const limit = context.config.websocket.decodes;
      if (this.#waiting.length >= limit) throw new AppError('too_many_decodes', { limit });
      this.#app.countRequest(this.#request);
      this.#app.checkPriority(this.#request, waiting.body.priority);
      this.#waiting.push(waiting);
    } catch (error) {
      this.#refuse(error);
      return;
    }
    if (!this.#isAnswering) void this.#answerAll();
  }

  gone(): void {
    this.#waiting = [];
    this.#gone.abort();
  }

  drain(): void {
    this.#isDraining = true;
    for (const _ of this.#waiting.splice(0)) this.#refuse(new AppError('draining', {}));
    if (!this.#isAnswering) this.#channel.close(1001, 'the server is shutting down');
  }

  #read(text: string): Waiting {
    const frame = this.#app.parseJson(this.#request, text);
    const type = (frame as { type?: unknown } | null)?.type;
    if (type !== 'response.create') {
      const details = { problem: 'is not known', value: shown(type), remedy: 'Send {"type": "response.create", ...}.' };
      throw new AppError('invalid_value', { param: 'type', ...details });
    }
    const { type: _type, ...body } = frame as Record<string, unknown>;
    const ignored = checkTopLevel(body, declared, this.#options.context.config.strict, responsesRules);
    const validate = this.#request.compileValidationSchema(ResponsesRequest);
    if (validate(body) !== true) throw invalidValue(validate.errors ?? [], body, ResponsesRequest);
    return { body: body as ResponsesRequest, ignored };
  }

  async #answerAll(): Promise<void> {
    this.#isAnswering = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await this.#answer(next);
      } catch (error) {
        this.#refuse(error);
      }
    }
    this.#isAnswering = false;
    if (this.#isDraining) this.#channel.close(1001, 'the server is shutting down');
  }

  async #answer({ body, ignored }: Waiting): Promise<void> {
    const { context, metrics } = this.#options;
    // Of this response alone: a failure must not end the connection's other responses.
    const controller = new AbortController();
    const cancel = (): void => controller.abort();
    this.#gone.signal.addEventListener('abort', cancel, { once: true });
    try {
      const job = await responseJob({ ...body, stream: true }, context, { stream: true, frame: lineFrame, ignored });
      if (!this.#channel.isOpen) return;
      const { id: requestId, log } = this.#request;
      const gone = (): boolean => !this.#channel.isOpen;
      const charge = (tokens: number) => this.#app.charge(this.#request, tokens);
      const exchange = { context, metrics, controller, requestId, log, gone, charge };
      await stream(job, new SocketOutlet(this.#channel), exchange);
    } finally {
      this.#gone.signal.removeEventListener('abort', cancel);
    }
  }

  /** The fields of OpenAI's error event, and those of its HTTP errors. */
  #refuse(error: unknown): void {
    const data: ErrorData = publicError(error, this.#request.id);
    if (data.status >= 500 && data.status !== 503) this.#request.log.error({ err: error }, 'a response failed');
    const { code, message, param, status } = data;
    const event = { type: 'error', sequence_number: this.#errors++, code, message, param, status, ...errorBody(data) };
    this.#channel.send('error', JSON.stringify(event));
  }
}

export function responsesSocket(app: FastifyInstance, options: RouteOptions): void {
  app.route({
    method: 'GET',
    url: '/v1/responses',
    handler: (request) => {
      throw new AppError('upgrade_required', { path: request.url.split('?', 1)[0] });
    },
    wsHandler: (socket, request) => {
      app.websockets.open(socket, request, (channel) => new ResponsesConversation(app, request, channel, options));
    },
  });
}
