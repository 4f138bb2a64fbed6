// One websocket: text messages in and out, the rate of what comes, the bound of what goes, pings, and one close code for each way in which
// it can go wrong. Knows nothing of what the messages mean. The counterpart of sse.ts for connections that speak both ways.
import type { WebSocket } from '@fastify/websocket';
import type { HttpConfig } from '../context.js';
import type { Metrics } from './metrics.js';

export interface ChannelReader {
  /** A text message, while the channel is open. */
  message(text: string): void;
  /** Nothing more comes or goes, whatever the reason. Called once, also after a `close` of our own. */
  gone(): void;
  /** The server closes: no new work; `close(1001)` when what runs has ended. */
  drain(): void;
}

/** Replies are not paced by `drained`: a client that asks and never reads is cut when this many times the queue is waiting. */
const overflow = 4;

/** What ws found wrong with the other side's frames → the code that it closed with. */
const faults: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
};
const protocolError = 1002;

export class Channel {
  readonly #socket: WebSocket;
  readonly #config: HttpConfig;
  readonly #metrics: Metrics;
  readonly #reader: ChannelReader;
  readonly #pingMs: number;
  readonly #pingTimer: NodeJS.Timeout;
  #isOpen = true;
  /** Why it was closed from here; null where the other side did it. */
  #code: number | null = null;
  #heardMs = performance.now();
  #allowance: number;
  #allowanceMs = this.#heardMs;
  #stalledTimer: NodeJS.Timeout | null = null;
  #waiting: (() => void)[] = [];

  constructor(socket: WebSocket, config: HttpConfig, metrics: Metrics, reader: (channel: Channel) => ChannelReader) {
    this.#socket = socket;
    this.#config = config;
    this.#metrics = metrics;
    this.#allowance = 2 * config.websocket.messagesPerSecond;
    this.#pingMs = Math.min(config.pingMs, config.websocket.idleMs / 3);
    this.#reader = reader(this);
    socket.on('message', this.#onMessage);
    socket.on('ping', this.#onPing);
    socket.on('pong', this.#heard);
    socket.once('error', this.#onError);
    socket.once('close', this.#onClose);
    this.#pingTimer = setInterval(this.#ping, this.#pingMs);
    this.#pingTimer.unref();
  }

  /** Messages are taken in and sent. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends one message; nothing where the channel is closed. `type` is one of a fixed set, for the metrics. */
  send(type: string, message: string): void {
    if (!this.#isOpen) return;
    this.#metrics.websocketMessage('out', type);
    this.#socket.send(message, this.#onSent);
    const waiting = this.#socket.bufferedAmount;
    if (waiting === 0) return;
    if (waiting > overflow * this.#config.websocket.queueBytes) this.#cut();
    else this.#startDeadline();
  }

  /** Counts a message that was understood. */
  received(type: string): void {
    this.#metrics.websocketMessage('in', type);
  }

  /** Null when the other side keeps up; otherwise resolves when it has caught up or is gone. */
  drained(): Promise<void> | null {
    if (!this.#isFull) return null;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Closes with one of the documented codes; what was sent before still goes out. */
  close(code: number, reason: string): void {
    if (!this.#isOpen) return;
    this.#code = code;
    this.#socket.close(code, reason);
    this.#end();
  }

  drain(): void {
    if (this.#isOpen) this.#reader.drain();
  }

  get #isFull(): boolean {
    return this.#isOpen && this.#socket.bufferedAmount > this.#config.websocket.queueBytes;
  }

  /** False, and the channel closed, where more came than may come. */
  readonly #heard = (): boolean => {
    const nowMs = performance.now();
    const { messagesPerSecond } = this.#config.websocket;
    const earned = ((nowMs - this.#allowanceMs) / 1000) * messagesPerSecond;
    this.#heardMs = nowMs;
    this.#allowanceMs = nowMs;
    this.#allowance = Math.min(2 * messagesPerSecond, this.#allowance + earned);
    if (this.#allowance < 1) {
      this.close(1008, `more than ${messagesPerSecond} messages per second`);
      return false;
    }
    this.#allowance--;
    return true;
  };

  readonly #onMessage = (data: Buffer, isBinary: boolean): void => {
    // What was on its way when the channel closed is not acted on.
    if (!this.#isOpen || !this.#heard()) return;
    if (isBinary) this.close(1003, 'messages are JSON in text frames');
    else this.#reader.message(data.toString());
  };

  readonly #onPing = (data: Buffer): void => {
    if (this.#isOpen && this.#heard() && !this.#isFull) this.#socket.pong(data);
  };

  readonly #onSent = (): void => {
    if (this.#socket.bufferedAmount === 0) this.#clearDeadline();
    else this.#stalledTimer?.refresh();
    if (!this.#isFull) this.#resume();
  };

  readonly #ping = (): void => {
    const silenceMs = performance.now() - this.#heardMs;
    const { idleMs } = this.#config.websocket;
    if (silenceMs >= idleMs) this.close(1001, `nothing came for ${idleMs / 1000} s`);
    else if (silenceMs >= this.#pingMs / 2) this.#socket.ping();
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    if (this.#isOpen && error.code?.startsWith('WS_ERR_')) this.#code = faults[error.code] ?? protocolError;
    this.#end();
  };

  readonly #onClose = (code: number): void => {
    this.#metrics.websocketClosed(this.#code ?? code);
    this.#end();
  };

  #startDeadline(): void {
    if (this.#stalledTimer !== null) return;
    this.#stalledTimer = setTimeout(() => this.#cut(), this.#config.writeTimeoutMs);
    this.#stalledTimer.unref();
  }

  /** The close frame stands behind what is not read; ws drops the connection when its handshake is overdue. */
  #cut(): void {
    this.close(1008, 'what was sent is not read');
  }

  #clearDeadline(): void {
    if (this.#stalledTimer !== null) clearTimeout(this.#stalledTimer);
    this.#stalledTimer = null;
  }

  #resume(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  #end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#pingTimer);
    this.#clearDeadline();
    this.#resume();
    this.#reader.gone();
  }
}
