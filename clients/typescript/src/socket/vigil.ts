// Watches over a connection while something is waited for: silence is broken by a question, and when that brings nothing either, the server is lost.
// Needed because a platform's websocket does not show the pings of the protocol, and may take minutes to notice that the other side is gone.
import { TimeoutError } from '../errors.js';

const asksPerTimeout = 3;
const mostAskMs = 20_000;

export class Vigil {
  readonly #timeoutMs: number;
  readonly #askMs: number;
  readonly #ask: () => void;
  readonly #lost: (error: TimeoutError) => void;
  #timer: ReturnType<typeof setInterval> | undefined;
  #heardAt = 0;

  constructor(
    timeoutMs: number,
    { ask, lost }: { readonly ask: () => void; readonly lost: (error: TimeoutError) => void },
  ) {
    this.#timeoutMs = timeoutMs;
    this.#askMs = Math.min(mostAskMs, timeoutMs / asksPerTimeout);
    this.#ask = ask;
    this.#lost = lost;
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  /** From now on something is waited for. */
  watch(): void {
    if (this.#timer !== undefined) return;
    this.heard();
    this.#timer = setInterval(() => this.#look(), this.#askMs);
  }

  /** Nothing is waited for. */
  rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const silenceMs = performance.now() - this.#heardAt;
    if (silenceMs >= this.#timeoutMs) {
      this.rest();
      this.#lost(new TimeoutError(`Nothing was heard of the server for ${this.#timeoutMs / 1000} s (timeoutMs).`));
    } else this.#ask();
  }
}
