// One websocket with many decodes. Gives ids to decodes and refs to questions, hands each message to whom it concerns, and ends all of them when the
// connection ends. Watches over silence: the platform's own pings cannot be seen from here, so it asks.
import { apiError } from '../api-error.js';
import type { Answer } from '../answer.js';
import { AbortedError, TrimtabError } from '../errors.js';
import { abortedBy } from '../lifeline.js';
import { checkRetries, checkTimeout, type ResolvedOptions } from '../options.js';
import { repeated } from '../repeat.js';
import type { DecodeRequest } from '../requests.js';
import { Inbox } from './inbox.js';
import { LiveStream, type LiveOptions } from './live-stream.js';
import { failureOf, readMessage, strangerError, type ServerMessage } from './messages.js';
import { openTransport, type Address, type Transport, type WebSocketConstructor } from './transport.js';
import { Vigil } from './vigil.js';

export interface ConnectOptions {
  /** Ends the attempt to connect, and nothing later. */
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly maxRetries?: number;
}

/** How a stream speaks on its connection. */
export interface Line {
  readonly id: string;
  readonly inbox: Inbox<ServerMessage>;
  /** Nothing more is wanted of what comes for it. */
  release(): void;
}

interface Question {
  /** The decode that it is about. */
  readonly id: string | null;
  readonly resolve: (message: ServerMessage) => void;
  readonly reject: (error: unknown) => void;
}

export class Connection {
  readonly #transport: Transport;
  readonly #maxRetries: number;
  readonly #decodes = new Map<string, Inbox<ServerMessage>>();
  readonly #questions = new Map<string, Question>();
  readonly #opened: Promise<void>;
  readonly #vigil: Vigil;
  #ended: TrimtabError | null = null;
  #count = 0;
  /** Fulfilled when the connection has ended, with the reason. */
  readonly closed: Promise<TrimtabError>;

  /** Use `client.connect()`. */
  constructor(
    Socket: WebSocketConstructor,
    address: Address,
    limits: { readonly timeoutMs: number; readonly maxRetries: number },
  ) {
    this.#maxRetries = limits.maxRetries;
    this.#vigil = new Vigil(limits.timeoutMs, {
      ask: () => this.send({ type: 'ping' }),
      lost: (error) => this.#transport.close(error),
    });
    // The server has to open the connection in time, too.
    this.#vigil.watch();
    let open = (): void => undefined;
    this.#opened = new Promise((resolve) => (open = resolve));
    let over = (_: TrimtabError): void => undefined;
    this.closed = new Promise((resolve) => (over = resolve));
    this.#transport = openTransport(Socket, address, {
      opened: open,
      message: (text) => this.#message(text),
      ended: (error) => {
        this.#end(error);
        over(error);
      },
    });
  }

  /** The answer as it comes. Nothing is sent before it is read. */
  stream(request: DecodeRequest, options: LiveOptions = {}): LiveStream {
    return new LiveStream(this, request, options, checkRetries(options.maxRetries ?? this.#maxRetries));
  }

  /** The whole answer. */
  decode(request: DecodeRequest, options: LiveOptions = {}): Promise<Answer> {
    return this.stream(request, options).final();
  }

  /** The time to the server and back, in milliseconds. */
  async ping(): Promise<number> {
    const before = performance.now();
    await this.ask({ type: 'ping' });
    return performance.now() - before;
  }

  /** Ends the connection, and with it every decode that is running on it. */
  async close(): Promise<void> {
    this.#transport.close(new AbortedError('The connection was closed by this side.'));
    await this.closed;
  }

  /** @internal Resolves once the server speaks: one that has too many connections accepts, and closes at once. */
  async established(): Promise<void> {
    await Promise.race([this.#opened, this.closed.then((error) => Promise.reject(error))]);
    await this.ping();
  }

  /** @internal */
  line(): Line {
    if (this.#ended) throw this.#ended;
    const id = `d${++this.#count}`;
    const inbox = new Inbox<ServerMessage>();
    this.#decodes.set(id, inbox);
    this.#vigil.watch();
    const release = (): void => {
      this.#decodes.delete(id);
      this.#giveUp(id);
      this.#rest();
    };
    return { id, inbox, release };
  }

  /** @internal */
  send(message: object): void {
    if (this.#ended === null) this.#transport.send(JSON.stringify(message));
  }

  /** @internal Sends what is answered with the same `ref`. */
  ask(message: { readonly type: string; readonly id?: string; readonly decoding?: unknown }): Promise<ServerMessage> {
    if (this.#ended) return Promise.reject(this.#ended);
    const ref = `q${++this.#count}`;
    const answer = new Promise<ServerMessage>((resolve, reject) =>
      this.#questions.set(ref, { id: message.id ?? null, resolve, reject }),
    );
    this.send({ ...message, ref });
    this.#vigil.watch();
    return answer;
  }

  #message(text: string): void {
    this.#vigil.heard();
    try {
      this.#route(readMessage(text));
    } catch (error) {
      if (!(error instanceof TrimtabError)) throw error;
      this.#transport.close(error);
    }
  }

  #route(message: ServerMessage): void {
    const { type, id, ref } = message;
    const question = ref === null ? undefined : this.#questions.get(ref);
    if (ref !== null) this.#questions.delete(ref);
    if (type === 'error' && question) question.reject(apiError(...failureOf(message)));
    else question?.resolve(message);
    // What comes for a decode that was left before is of no interest any more.
    if (id !== null) this.#decodes.get(id)?.push(message);
    else if (type === 'error' && !question) throw strangerError(message);
    this.#rest();
  }

  /** A decode that has ended answers no more questions. */
  #giveUp(id: string): void {
    for (const [ref, question] of this.#questions) {
      if (question.id !== id) continue;
      this.#questions.delete(ref);
      question.reject(new TrimtabError('The decode ended before it could be changed.'));
    }
  }

  #rest(): void {
    if (this.#decodes.size === 0 && this.#questions.size === 0) this.#vigil.rest();
  }

  #end(error: TrimtabError): void {
    this.#ended = error;
    this.#vigil.rest();
    for (const inbox of this.#decodes.values()) inbox.fail(error);
    for (const { reject } of this.#questions.values()) reject(error);
    this.#decodes.clear();
    this.#questions.clear();
  }
}

export async function connect(options: ResolvedOptions, own: ConnectOptions): Promise<Connection> {
  const { webSocket: Socket, origin, apiKey } = options;
  if (Socket === null)
    throw new TrimtabError(
      'webSocket: this platform has none. Give one in the options of the client: that of the package ws.',
    );
  const url = `${origin.replace(/^http/, 'ws')}/v1/decode/ws`;
  const limits = {
    timeoutMs: checkTimeout(own.timeoutMs ?? options.timeoutMs),
    maxRetries: checkRetries(own.maxRetries ?? options.maxRetries),
  };
  return repeated(limits.maxRetries, own.signal, async () => {
    if (own.signal?.aborted) throw abortedBy(own.signal);
    const connection = new Connection(Socket, { url, apiKey }, limits);
    const onAbort = (): void => void connection.close();
    own.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await connection.established();
      return connection;
    } catch (error) {
      throw own.signal?.aborted ? abortedBy(own.signal) : error;
    } finally {
      own.signal?.removeEventListener('abort', onAbort);
    }
  });
}
