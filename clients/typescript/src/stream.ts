// An answer as it comes: events to loop over, or the text, or the whole answer. Knows not whether HTTP or a websocket carries it. Nothing is sent before
// it is read; it can be read once; leaving the loop ends the request on the server.
import { Collector, type Answer } from './answer.js';
import { AbortedError, ConsumedError } from './errors.js';
import type { StreamEvent } from './events.js';

/** Opens the request and tells its events. Ends it when the signal aborts or the reader returns. */
export type EventSource = (signal: AbortSignal) => AsyncGenerator<StreamEvent, void, undefined>;

export class DecodeStream implements AsyncIterable<StreamEvent> {
  readonly #source: EventSource;
  readonly #controller = new AbortController();
  readonly #collector = new Collector();
  readonly #outcome = outcome<Answer>();
  #draining: Promise<void> | null = null;
  #consumer: 'nobody' | 'a loop' | 'itself' = 'nobody';

  constructor(source: EventSource) {
    this.#source = source;
  }

  [Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void, undefined> {
    if (this.#consumer !== 'nobody')
      throw new ConsumedError(
        'This stream has been read already, and what has passed is not kept. Call stream() again, or use final() for the whole answer.',
      );
    this.#consumer = 'a loop';
    return this.#events();
  }

  /** Only the text of one choice, piece by piece. Reads the stream. */
  async *texts(choice = 0): AsyncGenerator<string, void, undefined> {
    for await (const event of this) if (event.type === 'text' && event.choice === choice) yield event.text;
  }

  /** The text of the first choice, once it is whole. */
  async text(): Promise<string> {
    return (await this.final()).text;
  }

  /** The whole answer: reads the stream, or waits for the loop that does. */
  final(): Promise<Answer> {
    if (this.#consumer === 'nobody') {
      this.#consumer = 'itself';
      this.#draining = this.#drain();
    }
    // Once it is read to its end the connection is free for the next request.
    return this.#draining ? this.#draining.then(() => this.#outcome.promise) : this.#outcome.promise;
  }

  /** Ends the request, from wherever: what reads the stream gets an AbortedError. */
  abort(reason?: unknown): void {
    const error = new AbortedError('The stream was aborted.', { cause: reason });
    // Before anybody reads there is nobody else to be told.
    if (this.#consumer === 'nobody') this.#outcome.reject(error);
    this.#controller.abort(error);
  }

  async #drain(): Promise<void> {
    try {
      for await (const _ of this.#events());
    } catch {
      // The outcome has it.
    }
  }

  async *#events(): AsyncGenerator<StreamEvent, void, undefined> {
    try {
      for await (const event of this.#source(this.#controller.signal)) {
        this.#collector.take(event);
        if (event.type === 'done') this.#outcome.resolve(this.#collector.answer());
        yield event;
      }
    } catch (error) {
      this.#outcome.reject(error);
      throw error;
    } finally {
      this.#outcome.reject(new AbortedError('The loop over the stream was left before its end.'));
      this.#controller.abort();
    }
  }
}

interface Outcome<T> {
  readonly promise: Promise<T>;
  /** Of several calls the first counts. */
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function outcome<T>(): Outcome<T> {
  let resolve: Outcome<T>['resolve'] = () => undefined;
  let reject: Outcome<T>['reject'] = () => undefined;
  const promise = new Promise<T>((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  // Whoever asks for it is told; that nobody asks is no error.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
