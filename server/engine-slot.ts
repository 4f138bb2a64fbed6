// Stands in for the engine from the first moment, so that the port can be open (alive, not ready) while models are converted and
// loaded, turns red before a drain, and lets one engine take over from another: what is new goes to the one that was put in last, what runs
// stays where it is. Filled by supervisor.ts; the HTTP layer sees only the interface.
import type { Engine, EngineState } from './context.js';
import type { EngineClient } from './engine/client.js';
import { noStats } from './engine/messages.js';
import type { EngineStats, LoadedModelInfo } from './engine/messages.js';
import { AppError } from './errors.js';
import type { Change, DecodeEvent, DecodeRequest, Grant } from './wire/decode.js';

/** What became of the requests of an engine that was replaced. */
export interface Retired {
  readonly finished: number;
  readonly cut: number;
}

export class EngineSlot implements Engine {
  #client: EngineClient | null = null;
  /** Loads its models: to be stopped too, but not asked yet. */
  #loading: EngineClient | null = null;
  /** Finish what they have. */
  readonly #retiring = new Set<EngineClient>();
  #without: Exclude<EngineState, 'ready'> = 'starting';

  load(client: EngineClient): void {
    this.#loading = client;
  }

  /** It takes what is new from now on. Returns the one that did so before. */
  fill(client: EngineClient): EngineClient | null {
    const before = this.#client;
    this.#client = client;
    this.#loading = null;
    if (this.#without === 'draining') client.drain();
    return before;
  }

  /** Nothing takes what is new until `fill`. Returns what did so before. */
  empty(): EngineClient | null {
    const before = this.#client;
    this.#client = null;
    return before;
  }

  /** Lets an engine that takes nothing new finish, then ends it; what has not finished at the deadline fails. */
  async retire(client: EngineClient, deadlineMs: number): Promise<Retired> {
    this.#retiring.add(client);
    const running = client.inFlight;
    client.drain();
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([client.idle(), new Promise<void>((resolve) => (timer = setTimeout(resolve, deadlineMs)))]);
    clearTimeout(timer);
    const cut = client.inFlight;
    await client.stop(new AppError('engine_replaced', { seconds: deadlineMs / 1000 }));
    this.#retiring.delete(client);
    return { finished: running - cut, cut };
  }

  /** Is it the one that takes what is new? */
  holds(client: EngineClient): boolean {
    return this.#client === client;
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
    await Promise.all(this.#all.map((client) => client.stop()));
  }

  get inFlight(): number {
    return this.#running.reduce((sum, client) => sum + client.inFlight, 0);
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

  /** Whoever has the request acts on it. */
  grant(requestId: string, grant: Grant): void {
    for (const client of this.#running) client.grant(requestId, grant);
  }

  change(requestId: string, change: Change): void {
    for (const client of this.#running) client.change(requestId, change);
  }

  get #running(): readonly EngineClient[] {
    return [...(this.#client ? [this.#client] : []), ...this.#retiring];
  }

  get #all(): readonly EngineClient[] {
    return [...this.#running, ...(this.#loading ? [this.#loading] : [])];
  }
}
