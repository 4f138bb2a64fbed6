// How one exchange with the server is broken off: by the caller's signal, by silence, or by the side that reads. Owns the timer and the listener,
// and knows why it ended.
import { AbortedError, TimeoutError, TrimtabError } from './errors.js';

export class Lifeline {
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  readonly #outer: AbortSignal | undefined;
  readonly #onOuter: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `timeoutMs` of Infinity never ends by silence. */
  constructor(timeoutMs: number, outer?: AbortSignal) {
    this.#timeoutMs = timeoutMs;
    this.#outer = outer;
    this.#onOuter = () => this.cut(abortedBy(outer));
    if (outer?.aborted) this.#onOuter();
    else outer?.addEventListener('abort', this.#onOuter, { once: true });
    this.heard();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Null as long as it lives. */
  get ended(): TrimtabError | null {
    return this.signal.aborted ? (this.signal.reason as TrimtabError) : null;
  }

  /** Something came from the server, or is waited for now: silence is counted from here. */
  heard(): void {
    clearTimeout(this.#timer);
    if (this.signal.aborted || this.#timeoutMs === Infinity) return;
    const seconds = this.#timeoutMs / 1000;
    this.#timer = setTimeout(
      () => this.cut(new TimeoutError(`Nothing was heard of the server for ${seconds} s (timeoutMs).`)),
      this.#timeoutMs,
    );
  }

  /** Nothing is waited for: the reader takes its time. */
  rest(): void {
    clearTimeout(this.#timer);
  }

  /** Ends what is going on; of several reasons the first counts. */
  cut(reason: TrimtabError): void {
    this.release();
    this.#controller.abort(reason);
  }

  /** The exchange is over: nothing is watched any more. */
  release(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#outer?.removeEventListener('abort', this.#onOuter);
  }
}

export function abortedBy(signal: AbortSignal | undefined): TrimtabError {
  const reason: unknown = signal?.reason;
  if (reason instanceof TrimtabError) return reason;
  return new AbortedError('The request was aborted.', { cause: reason });
}

/** Waits, unless the signal ends it. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) throw abortedBy(signal);
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(abortedBy(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
