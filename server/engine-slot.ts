// Stands in for the engine from the first moment, so that the port can be open (alive, not ready) while models are converted and
// loaded, and turns red before a drain. Called by main.ts; the HTTP layer sees only the interface.
import type { Engine, EngineState } from './context.js';
import type { EngineClient } from './engine/client.js';
import { noStats } from './engine/messages.js';
import type { EngineStats, LoadedModelInfo } from './engine/messages.js';
import { AppError } from './errors.js';
import type { Change, DecodeEvent, DecodeRequest, Grant } from './wire/decode.js';

export class EngineSlot implements Engine {
  #client: EngineClient | null = null;
  /** Loads its models: to be stopped too, but not asked yet. */
  #loading: EngineClient | null = null;
  #without: Exclude<EngineState, 'ready'> = 'starting';

  load(client: EngineClient): void {
    this.#loading = client;
  }

  fill(client: EngineClient): void {
    this.#client = client;
    this.#loading = null;
    if (this.#without === 'draining') client.drain();
  }

  /** Loading did not succeed. */
  fail(): void {
    this.#without = 'failed';
  }

  /** From now on nothing new is taken; what runs goes on. */
  drain(): void {
    this.#without = 'draining';
    this.#client?.drain();
    this.#loading?.drain();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#client?.stop(), this.#loading?.stop()]);
  }

  get inFlight(): number {
    return this.#client?.inFlight ?? 0;
  }

  get state(): EngineState {
    return this.#client?.state ?? this.#without;
  }

  get info(): readonly LoadedModelInfo[] {
    return this.#client?.info ?? [];
  }

  stats(): EngineStats {
    return this.#client?.stats() ?? noStats;
  }

  submit(request: DecodeRequest, signal: AbortSignal): AsyncIterable<DecodeEvent> {
    if (this.#client === null) throw new AppError('not_ready', { retryAfterSeconds: 2 });
    return this.#client.submit(request, signal);
  }

  grant(requestId: string, grant: Grant): void {
    this.#client?.grant(requestId, grant);
  }

  change(requestId: string, change: Change): void {
    this.#client?.change(requestId, change);
  }
}
