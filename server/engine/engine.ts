// The engine: read tick() first. Requests come in by submit() and cancel(), events go out as the value of tick(); in between there is no
// callback, no timer and no hidden state. Knows models, rows and searches; knows no thread, no HTTP and no tokenizer.
import { AppError } from '../errors.js';
import type { Change, DecodeEvent, DecodeRequest, Grant } from '../wire/decode.js';
import { Admission, servedBefore } from './admission.js';
import { AdaptiveBlocks, DECIDE, type BlockPolicy } from './block-policy.js';
import { Drafter } from './draft.js';
import { feedsOf, isFed, type Feed } from './feeds.js';
import { Fuser, type Kernels } from './fuse.js';
import type { EngineSettings, EngineStats } from './messages.js';
import type { EngineModel, ForwardRow } from './model.js';
import { Pace } from './pace.js';
import { Run, type RunServices } from './run.js';
import { schedule, type Share } from './scheduler.js';
import type { Sequence } from './sequence.js';
import { brokenAt, readyRows } from './ready.js';

/** A kernel takes from a few milliseconds to some tens to make; one that is there takes none. */
const PREPARING_MS = 5;

export type EngineLimits = Pick<
  EngineSettings,
  'tokensPerTick' | 'maxRows' | 'maxWaiting' | 'stepMs' | 'waitMs' | 'firstTokenMs'
>;

export interface RequestEvent {
  readonly requestId: string;
  readonly event: DecodeEvent;
}

export class Engine {
  readonly #models: ReadonlyMap<string, EngineModel>;
  readonly #limits: EngineLimits;
  readonly #services: RunServices;
  readonly #kernels: Kernels;
  readonly #blocks: BlockPolicy;
  readonly #fuser: Fuser;
  readonly #drafter: Drafter;
  readonly #pace: Pace;
  readonly #admission: Admission;
  #runs: Run[] = [];
  #outbox: RequestEvent[] = [];
  #arrivals = 0;
  #ticks = 0;
  #preemptions = 0;
  #cancelled = 0;
  #promptTokens = 0;
  #cachedPromptTokens = 0;
  #generatedTokens = 0;

  constructor(
    models: ReadonlyMap<string, EngineModel>,
    kernels: Kernels,
    limits: EngineLimits,
    services: RunServices,
    blocks: BlockPolicy = new AdaptiveBlocks(),
    pace = new Pace(),
  ) {
    this.#models = models;
    this.#limits = limits;
    this.#services = services;
    this.#kernels = kernels;
    this.#blocks = blocks;
    this.#fuser = new Fuser(kernels);
    this.#drafter = new Drafter(this.#fuser, blocks, (model, shares) => this.#forward(model, shares));
    this.#pace = pace;
    this.#admission = new Admission(limits, pace);
  }

  /** Nothing runs, waits or is left to tell. */
  get idle(): boolean {
    return this.#runs.length === 0 && this.#admission.waiting === 0 && this.#outbox.length === 0;
  }

  /** Queues a request. What can never be served, or would wait too long, is answered at once with `failed`. */
  submit(request: DecodeRequest): void {
    try {
      const run = new Run(request, this.#models, this.#arrivals++, this.#services, this.#limits.maxRows);
      const refused = this.#admission.enqueue(run);
      if (refused) this.#outbox.push({ requestId: request.requestId, event: { kind: 'failed', error: refused } });
    } catch (error) {
      // Whatever is wrong with one request is told to that request only.
      const told = error instanceof AppError ? error : new AppError('engine_failed', { reason: String(error) });
      this.#outbox.push({ requestId: request.requestId, event: { kind: 'failed', error: told.data } });
    }
  }

  /** Who was refused since the last tick: they need not wait for the one that runs. */
  takeRefusals(): RequestEvent[] {
    return this.#takeOutbox();
  }

  /** Takes effect before the next forward; the request's rows are free when the current tick ends. */
  cancel(requestId: string): void {
    this.#cancelled += this.#admission.remove(requestId);
    for (const run of this.#runs)
      if (run.request.requestId === requestId && !run.cancelled) {
        run.cancelled = true;
        this.#cancelled++;
        this.#admission.changed(this.#runs);
      }
  }

  /** Takes effect at once. */
  grant(requestId: string, grant: Grant): void {
    for (const run of this.#find(requestId)) run.grant(grant);
  }

  /** Takes effect at the beginning of the next tick, which tells it. */
  change(requestId: string, change: Change): void {
    for (const run of this.#find(requestId)) run.change(change);
  }

  #find(requestId: string): readonly Run[] {
    return [...this.#runs, ...this.#admission.queue].filter(({ request }) => request.requestId === requestId);
  }

  /** One step of everything that runs: new tokens in, decisions out. */
  async tick(): Promise<RequestEvent[]> {
    this.#ticks++;
    const started = performance.now();
    await this.#prepare();
    this.#admit();
    const rows = new Map(this.#admission.stepRows);
    for (const run of this.#runs) run.prepare();
    await this.#drafter.draft(this.#runs);
    for (const [model, feeds] of feedsOf(this.#runs, this.#models))
      for (const shares of schedule(feeds, {
        tokens: model.tokenBudget(this.#limits.tokensPerTick),
        rows: this.#limits.maxRows,
      }))
        await this.#forward(model, shares);
    for (const run of this.#runs) run.goOn();
    await this.#decide();
    this.#drafter.settle();
    this.#pace.ticked(performance.now() - started, rows);
    this.#tell();
    this.#release();
    return this.#takeOutbox();
  }

  /** What lets it go on when no tick would: answers of endpoints, or else only a message. Null when there is work to do. */
  get waits(): readonly Promise<void>[] | null {
    if (this.#outbox.length > 0 || this.#runs.length === 0 || this.#admission.hasWork) return null;
    const waits: Promise<void>[] = [];
    for (const run of this.#runs) {
      const own = run.waits;
      if (own === null) return null;
      waits.push(...own);
    }
    return waits;
  }

  /** Throws when rows or bytes have leaked; called when idle. */
  check(): void {
    for (const model of this.#models.values()) {
      model.cache.check();
      if (this.#runs.length === 0) model.images?.check();
      if (this.#runs.length === 0 && model.cache.rowsInUse > 0)
        throw new Error(`${model.name}: ${model.cache.rowsInUse} cache rows are claimed although nothing runs`);
    }
  }

  stats(): EngineStats {
    const models = [...this.#models.values()];
    return {
      running: this.#runs.length,
      waiting: this.#admission.waiting,
      price: this.#admission.price,
      stepMs: this.#pace.tickMs(this.#admission.stepRows),
      ticks: this.#ticks,
      preemptions: this.#preemptions,
      promptTokens: this.#promptTokens,
      cachedPromptTokens: this.#cachedPromptTokens,
      generatedTokens: this.#generatedTokens,
      nanRows: this.#fuser.nanRows,
      cancelled: this.#cancelled,
      models: Object.fromEntries(models.map((model) => [model.name, model.gauges()])),
      forwards: Object.fromEntries(models.map((model) => [model.name, { ...model.forwards }])),
      fuseSeconds: this.#fuser.seconds,
      drafts: this.#drafter.counters,
      traffic: this.#traffic(),
    };
  }

  #traffic(): EngineStats['traffic'] {
    const { traffic } = this.#services;
    return { uploaded: traffic?.uploaded ?? 0, read: Object.fromEntries(traffic?.read ?? []) };
  }

  /** Fails everything that runs or waits: for a tick that threw. Rows are given back. */
  abort(error: AppError): RequestEvent[] {
    for (const run of [...this.#runs, ...this.#admission.drain()]) {
      run.fail(error);
      run.release();
      this.#push(run, run.takeEvents());
    }
    this.#runs = [];
    this.#admission.changed(this.#runs);
    return this.#takeOutbox();
  }

  /** Makes logit kernels that waiting requests lack, for a moment: nobody's tick waits for more than one of the large ones. */
  async #prepare(): Promise<void> {
    const started = performance.now();
    let run = this.#admission.unprepared;
    while (run && performance.now() - started < PREPARING_MS) {
      const [need] = run.needs;
      try {
        if (!need || ((await this.#kernels.prepare?.(need, run.isOnDevice)) ?? true)) run.needs.shift();
      } catch (error) {
        // A formula that the device cannot compute is one request's trouble.
        if (!(error instanceof AppError) || error.data.code !== 'device_operator') throw error;
        this.#admission.remove(run.request.requestId);
        run.fail(error);
        run.release();
        this.#push(run, run.takeEvents());
      }
      run = this.#admission.unprepared;
    }
  }

  #admit(): void {
    const admitted = this.#admission.admit();
    // All of them first: should one fail to start, abort() must find the others too.
    this.#runs.push(...admitted);
    for (const run of admitted) {
      run.start();
      if (run.ledger.preemptions > 0) continue;
      this.#promptTokens += run.request.promptIds[0]?.length ?? 0;
      this.#cachedPromptTokens += run.cachedTokens;
    }
  }

  /** Runs one forward over the rows that are still wanted, and hands each view its logits. */
  async #forward(model: EngineModel, shares: readonly Share<Feed>[]): Promise<void> {
    const wanted = this.#makeRoom(
      model,
      shares.filter(({ item }) => isFed(item)),
    );
    if (wanted.length === 0) return;
    const rows = wanted.flatMap(({ item: { view }, count }): ForwardRow[] =>
      view.row
        ? [
            {
              row: view.row,
              ids: view.take(count),
              pastLength: view.row.length,
              logitsFrom: view.logitsFrom(count),
              longRope: view.longRope,
              wantsHidden: view.wantsHidden,
              asked: view.asked,
            },
          ]
        : [],
    );
    const started = performance.now();
    const { logits, firstRow, tokens } = await model.forward(rows);
    const tookMs = performance.now() - started;
    // A prompt's forward leaves most tokens without logits, and says little about one of a block's.
    if (rows.every(({ logitsFrom }) => logitsFrom === 0)) this.#blocks.timed(model.name, tokens, tookMs);
    this.#pace.forward(model.name, rows.length, tokens, tookMs);
    wanted.forEach(({ item: { run, sequence, view }, count }, r) => {
      run.ledger.forward(model.name, count);
      const { row, pastLength, logitsFrom } = rows[r] as ForwardRow;
      const first = firstRow.get(row) ?? 0;
      // A reading wants what it asked for.
      const undecided = sequence ? run.positionOf(sequence) : -Infinity;
      for (let i = logitsFrom; i < count; i++) {
        const position = pastLength + i + 1 - view.promptIds.length;
        if (position >= undecided) view.hold(position, { batch: logits, row: first + i - logitsFrom });
      }
    });
    logits.release?.();
  }

  /** Under memory pressure the runs of this model that were served last give way: their rows are freed now and computed again later. */
  #makeRoom(model: EngineModel, shares: readonly Share<Feed>[]): readonly Share<Feed>[] {
    let wanted = shares;
    for (;;) {
      const rows = wanted.flatMap(({ item }) => item.view.row ?? []);
      if (
        model.cache.reserve(
          rows,
          wanted.map(({ count }) => count),
        )
      )
        return wanted;
      const users = this.#runs.filter((run) => run.demand.has(model) && (run.live.length > 0 || run.pool?.view));
      const victim = users.reduce<Run | null>((last, run) => (!last || servedBefore(last, run) < 0 ? run : last), null);
      if (!victim) return wanted;
      this.#runs = this.#runs.filter((run) => run !== victim);
      this.#admission.changed(this.#runs);
      victim.preempt();
      if (!victim.cancelled) this.#admission.putBack(victim);
      this.#preemptions++;
      wanted = wanted.filter(({ item }) => item.run !== victim);
      if (wanted.length === 0) return wanted;
    }
  }

  /** Decides what can be decided. Of a block's decisions those stand whose drafts before them do. */
  async #decide(): Promise<void> {
    const rows = this.#runs.flatMap((run) => (run.cancelled || run.failure ? [] : readyRows(run)));
    const started = performance.now();
    const decisions = await this.#fuser.decide(rows);
    if (rows.length > 0) {
      const tookMs = performance.now() - started;
      this.#blocks.timed(DECIDE, rows.length, tookMs);
      this.#pace.decided(rows.length, tookMs);
    }
    const over = new Set<Sequence>();
    rows.forEach(({ run, sequence, position, forcedId, looksOnly, ahead }, r) => {
      const decision = decisions[r] ?? null;
      if (over.has(sequence) || run.failure) return;
      if (decision === null) run.fail(brokenAt(sequence, position, ahead));
      else if (position < 0) run.scored(sequence, position, decision);
      else {
        if (forcedId === null && !looksOnly) this.#generatedTokens++;
        if (!run.accept(sequence, decision)) over.add(sequence);
      }
    });
  }

  #tell(): void {
    for (const run of this.#runs) {
      const events = run.takeEvents();
      if (run.isFirst(events)) this.#pace.began(run.kind, run.ledger.steps);
      this.#push(run, events);
    }
  }

  #push(run: Run, events: readonly DecodeEvent[]): void {
    for (const event of events) this.#outbox.push({ requestId: run.request.requestId, event });
  }

  #release(): void {
    const over = (run: Run) => run.cancelled || run.failure !== null || run.done;
    for (const run of this.#runs) {
      if (!over(run)) continue;
      this.#pace.ended(run.kind, run.ledger.steps, run.request.maxTokens);
      run.release();
    }
    this.#runs = this.#runs.filter((run) => !over(run));
    this.#admission.changed(this.#runs);
  }

  #takeOutbox(): RequestEvent[] {
    const outbox = this.#outbox;
    this.#outbox = [];
    return outbox;
  }
}
