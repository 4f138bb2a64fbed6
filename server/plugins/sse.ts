// Server-sent events on one response: framing, one write per batch, pings in silence, backpressure with a deadline. Knows nothing of
// what the events mean. The stream opens lazily, so that an error before the first event can still be a plain HTTP status.
import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';

export interface SseOptions {
  readonly pingMs: number;
  readonly writeTimeoutMs: number;
  /** Called once when the reader took nothing for writeTimeoutMs; the socket is already destroyed. */
  readonly onStalled: () => void;
}

const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  connection: 'keep-alive',
  // Buffering proxies would turn the stream into one late answer.
  'x-accel-buffering': 'no',
};

export class SseStream {
  readonly #reply: FastifyReply;
  readonly #raw: ServerResponse;
  readonly #options: SseOptions;
  #pending = '';
  #flushScheduled = false;
  #opened = false;
  #stalledTimer: NodeJS.Timeout | null = null;
  #pingTimer: NodeJS.Timeout | null = null;
  #waiting: (() => void)[] = [];

  constructor(reply: FastifyReply, options: SseOptions) {
    this.#reply = reply;
    this.#raw = reply.raw;
    this.#options = options;
    this.#raw.on('drain', this.#onDrain);
    this.#raw.once('close', this.#onClose);
  }

  get opened(): boolean {
    return this.#opened;
  }

  /** Sends the headers. From here on an error can only be an event. */
  open(): void {
    if (this.#opened || this.#raw.destroyed) return;
    this.#opened = true;
    this.#reply.hijack();
    this.#raw.writeHead(200, { ...(this.#reply.getHeaders() as Record<string, string>), ...headers });
    this.#raw.flushHeaders();
    this.#pingTimer = setTimeout(this.#ping, this.#options.pingMs);
    this.#pingTimer.unref();
  }

  /** Queues whole events ("data: ...\n\n"); everything queued in this turn of the event loop is one write. */
  write(events: string): void {
    if (events === '') return;
    this.#pending += events;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(this.#flush);
  }

  /** Null when the reader keeps up; otherwise resolves when it has caught up or is gone. */
  drained(): Promise<void> | null {
    if (this.#stalledTimer === null) return null;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Writes what is queued and ends the response. A reader that never takes the end is cut as well. */
  end(): void {
    if (this.#raw.destroyed || this.#raw.writableEnded) return;
    this.#clearPing();
    const rest = this.#pending;
    this.#pending = '';
    this.#raw.end(rest);
    if (!this.#raw.writableFinished) {
      this.#startDeadline();
      this.#raw.once('finish', this.#onDrain);
    }
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    if (this.#pending === '' || this.#raw.destroyed || this.#raw.writableEnded) return;
    const chunk = this.#pending;
    this.#pending = '';
    this.#pingTimer?.refresh();
    if (!this.#raw.write(chunk)) this.#startDeadline();
  };

  readonly #ping = (): void => {
    if (this.#raw.destroyed || this.#raw.writableEnded) return;
    // A blocked reader gets no pings: they would only pile up.
    if (this.#stalledTimer === null && !this.#raw.write(': ping\n\n')) this.#startDeadline();
    this.#pingTimer?.refresh();
  };

  #startDeadline(): void {
    if (this.#stalledTimer !== null) return;
    this.#stalledTimer = setTimeout(() => {
      this.#raw.destroy();
      this.#options.onStalled();
    }, this.#options.writeTimeoutMs);
    this.#stalledTimer.unref();
  }

  readonly #onDrain = (): void => {
    if (this.#stalledTimer !== null) clearTimeout(this.#stalledTimer);
    this.#stalledTimer = null;
    for (const resume of this.#waiting.splice(0)) resume();
  };

  readonly #onClose = (): void => {
    this.#clearPing();
    this.#pending = '';
    this.#onDrain();
  };

  #clearPing(): void {
    if (this.#pingTimer !== null) clearTimeout(this.#pingTimer);
    this.#pingTimer = null;
  }
}
