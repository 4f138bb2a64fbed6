// A websocket client that keeps every frame it got, and waits for those that a test needs.
import { once } from 'node:events';
import { WebSocket, type ClientOptions } from 'ws';

export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly ref?: string | number;
  readonly request?: string;
  readonly choice?: number;
  readonly position?: number;
  readonly text?: string;
  readonly positions?: readonly (number | null)[];
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly param: string | null;
    readonly type: string;
  };
  readonly [key: string]: unknown;
}

export class Client {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #isClosed = false;
  #wake: (() => void)[] = [];

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/decode/ws`, options);
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString()) as Frame);
      this.#stir();
    });
    this.closed = new Promise((resolve) =>
      this.socket.once('close', (code, reason) => {
        this.#isClosed = true;
        this.#stir();
        resolve({ code, reason: reason.toString() });
      }),
    );
  }

  static async open(url: string, options: ClientOptions = {}): Promise<Client> {
    const client = new Client(url, options);
    await once(client.socket, 'open');
    return client;
  }

  send(message: object | string | Buffer): void {
    this.socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  start(id: string, body: object, more: object = {}): void {
    this.send({ type: 'start', id, body, ...more });
  }

  /** The first frame that matches, now or later. The test's own time limit ends a wait in vain. */
  async until(matches: (frame: Frame) => boolean, from = 0): Promise<Frame> {
    for (;;) {
      const found = this.frames.slice(from).find(matches);
      if (found) return found;
      if (this.#isClosed) throw new Error(`closed before it came; got ${JSON.stringify(this.frames.slice(-3))}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  /** The last frame of a decode. */
  async ended(id: string): Promise<Frame> {
    return this.until((frame) => frame.id === id && (frame.type === 'finished' || frame.type === 'failed'));
  }

  of(id: string, ...types: string[]): Frame[] {
    return this.frames.filter((frame) => frame.id === id && (types.length === 0 || types.includes(frame.type)));
  }

  textOf(id: string, choice = 0): string {
    return this.of(id, 'text')
      .filter((frame) => frame.choice === choice)
      .map(({ text }) => text)
      .join('');
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }

  #stir(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** Reads until it holds; the test's own time limit ends a wait in vain. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}
