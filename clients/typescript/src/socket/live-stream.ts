// A decode on a websocket: a stream like any other, which can be paused and steered while it decodes.
import { apiError } from '../api-error.js';
import { AbortedError, ApiError, TrimtabError } from '../errors.js';
import type { StreamEvent, UpdatedEvent } from '../events.js';
import { abortedBy, pause } from '../lifeline.js';
import type { DecodeRequest } from '../requests.js';
import { retryDelayMs } from '../retry.js';
import { DecodeStream } from '../stream.js';
import type { Connection, Line } from './connection.js';
import { failureOf, messageEvents, updatedOf, type ServerMessage } from './messages.js';

export interface LiveOptions {
  readonly signal?: AbortSignal;
  /** Tokens that each choice may emit until `grant` gives more; null, and when left out: no bound. */
  readonly credit?: number | null;
  /** Whether `commit` and `rewind` of a search are told; true. */
  readonly notices?: boolean;
  /** How often a decode that the server had no room for is sent again. */
  readonly maxRetries?: number;
}

/** A change of the effective spec (RFC 7396): `{ weight: 0.3 }`, `{ inner: { weight: 0.3 } }`. */
export type Patch = Readonly<Record<string, unknown>>;

export class LiveStream extends DecodeStream {
  readonly #connection: Connection;
  readonly #state: State;

  /** Use `connection.stream()`. */
  constructor(connection: Connection, request: DecodeRequest, options: LiveOptions, maxRetries: number) {
    const state: State = { line: null, isBounded: typeof options.credit === 'number' };
    super((own) => liveEvents(connection, state, { request, options, maxRetries, own }));
    this.#connection = connection;
    this.#state = state;
  }

  /** Changes weights from the next token on. Resolves with what is in force now, and from which token; rejects where that cannot be changed. */
  async update(decoding: Patch): Promise<UpdatedEvent> {
    const answer = await this.#connection.ask({ type: 'update', id: this.#running().id, decoding });
    return updatedOf(answer.body);
  }

  /** No further token is decided until `resume` or `grant`. Changes nothing in the answer. */
  pause(): void {
    this.#credit({ set: 0 });
  }

  /** Without an argument to the end; with one for so many tokens of each choice. */
  resume(tokens: number | null = null): void {
    this.#credit({ set: tokens });
  }

  /** So many more tokens for each choice. */
  grant(tokens: number): void {
    if (!this.#state.isBounded)
      throw new TrimtabError('grant: this stream runs without a bound. Begin it with `credit`, or use resume(tokens).');
    this.#credit({ add: tokens });
  }

  /** Ends the decode: what reads the stream gets an AbortedError. */
  cancel(): void {
    this.abort();
  }

  #credit(change: { readonly add: number } | { readonly set: number | null }): void {
    const tokens = 'add' in change ? change.add : change.set;
    if (tokens !== null && !(Number.isSafeInteger(tokens) && tokens >= 0))
      throw new TrimtabError(`Tokens: ${tokens} is out of range. Use a whole number of at least 0.`);
    this.#connection.send({ type: 'credit', id: this.#running().id, ...change });
    if ('set' in change) this.#state.isBounded = change.set !== null;
  }

  #running(): Line {
    if (this.#state.line) return this.#state.line;
    throw new TrimtabError('This stream is not running: it begins when it is read, and ends with `done`.');
  }
}

interface State {
  /** While it runs. */
  line: Line | null;
  isBounded: boolean;
}

interface Decode {
  readonly request: DecodeRequest;
  readonly options: LiveOptions;
  readonly maxRetries: number;
  readonly own: AbortSignal;
}

async function* liveEvents(
  connection: Connection,
  state: State,
  { request, options, maxRetries, own }: Decode,
): AsyncGenerator<StreamEvent, void, undefined> {
  const signal = options.signal ? AbortSignal.any([own, options.signal]) : own;
  for (let failed = 0; ; failed++) {
    let isStarted = false;
    try {
      for await (const event of oneDecode(connection, state, { request, options }, signal)) {
        isStarted = true;
        yield event;
      }
      return;
    } catch (error) {
      // What has begun to answer is never sent again.
      const isRefusal = error instanceof ApiError && !isStarted;
      const waitMs = isRefusal && failed < maxRetries ? retryDelayMs(error, failed) : null;
      if (waitMs === null) throw error;
      await pause(waitMs, signal);
    }
  }
}

async function* oneDecode(
  connection: Connection,
  state: State,
  { request, options: { credit, notices } }: Pick<Decode, 'request' | 'options'>,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, void, undefined> {
  if (signal.aborted) throw abortedBy(signal);
  const line = connection.line();
  const { id, inbox } = line;
  const onAbort = (): void => inbox.fail(abortedBy(signal), true);
  signal.addEventListener('abort', onAbort, { once: true });
  let isOver = false;
  try {
    connection.send({
      type: 'start',
      id,
      body: request,
      ...(credit === undefined ? {} : { credit }),
      ...(notices === undefined ? {} : { notices }),
    });
    state.line = line;
    while (!isOver) {
      const message = await inbox.next();
      isOver = message.type === 'failed' || message.type === 'finished' || isRefusedStart(message);
      if (isOver) state.line = null;
      if (message.type === 'failed' || isRefusedStart(message)) throw failure(message);
      yield* messageEvents(message, request);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    state.line = null;
    line.release();
    if (!isOver) connection.send({ type: 'cancel', id });
  }
}

function isRefusedStart({ type, body }: ServerMessage): boolean {
  return type === 'error' && body['request'] === 'start';
}

function failure(message: ServerMessage): TrimtabError {
  const [details, circumstances] = failureOf(message);
  if (details.code === 'cancelled') return new AbortedError(details.message);
  return apiError(details, circumstances);
}
