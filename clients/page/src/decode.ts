// Runs one answer over the websocket and tells what becomes of it, at most once a frame. Owned by a lane.
import { AbortedError, ConnectionError, type ChatRequest, type LiveStream } from '@trimtab/client';
import { after, begun, failed, stopped, type Run } from './run.js';
import { connection, wordsOf } from './server.js';

export class Decode {
  readonly #tell: (run: Run) => void;
  readonly #aborts = new AbortController();
  #run: Run;
  #live: LiveStream | null = null;
  #frame = 0;

  constructor(request: ChatRequest, tell: (run: Run) => void) {
    this.#tell = tell;
    this.#run = begun(performance.now());
    this.#changed(this.#run);
    void this.#decode(request);
  }

  stop(): void {
    this.#aborts.abort();
  }

  /** Rejects with the server's reason where a change has to wait for the next answer; false: nothing is running. */
  async update(patch: unknown): Promise<boolean> {
    const live = this.#live;
    if (!live) return false;
    this.#changed(after(this.#run, await live.update(patch as Record<string, unknown>), performance.now()));
    return true;
  }

  async #decode(request: ChatRequest): Promise<void> {
    try {
      const line = await connection();
      const live = line.stream(request, { signal: this.#aborts.signal });
      for await (const event of live) {
        this.#live = event.type === 'done' ? null : live;
        // Told by whoever asked for it.
        if (event.type !== 'updated') this.#changed(after(this.#run, event, performance.now()));
      }
    } catch (error) {
      const nowMs = performance.now();
      this.#changed(
        error instanceof AbortedError ? stopped(this.#run, nowMs) : failed(this.#run, failureOf(error), nowMs),
      );
    } finally {
      this.#live = null;
    }
  }

  #changed(run: Run): void {
    this.#run = run;
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#tell(this.#run);
    });
  }
}

/** The client's words, and of a server that is gone what to do: browsers keep the reason to themselves. */
const failureOf = (error: unknown): string =>
  error instanceof ConnectionError
    ? `The server does not answer: ${error.message} See that it runs, then press Decode again.`
    : wordsOf(error);
