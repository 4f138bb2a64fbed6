// One request being served: its choices, the prompt that they share, and what it has to say (events). Rows are claimed when it is admitted
// and given back by release(), exactly once. Called by the engine only.
import { viewsOf, type Scores } from '../../decoders/expr.js';
import type { SearchPlan } from '../../decoders/plan.js';
import { BudgetSpent, ScorerFailed, type Branch, type Search } from '../../decoders/search.js';
import { plainly } from '../../decoders/searches/sample.js';
import type { ViewsPlan } from '../../decoders/views-plan.js';
import { AppError } from '../errors.js';
import type { Change, DecodeEvent, DecodeRequest, Grant } from '../wire/decode.js';
import { tokensLeft } from './ask.js';
import { Choices } from './choices.js';
import type { Constraints } from './constraint.js';
import { Controls } from './controls.js';
import type { Traffic } from '../../kernels/session.js';
import type { KernelNeed } from '../../kernels/logits/kernels.js';
import type { Demand } from './demand.js';
import { Ledger } from './ledger.js';
import type { EngineModel } from './model.js';
import { notFinite } from './not-finite.js';
import { outlookOf } from './outlook.js';
import { Pool } from './pool.js';
import { PromptScores } from './prompt-scores.js';
import { Prompts } from './prompts.js';
import { Reads, type ReadServices } from './reads.js';
import { reportOf } from './report.js';
import type { Sequence } from './sequence.js';
import { type BranchContext, type Decision } from './sequence.js';
import { Speculation } from './speculation.js';
import type { View } from './view.js';

export type { Demand } from './demand.js';

export interface RunServices extends ReadServices {
  /** The search that a plan names, on a trunk. */
  readonly search: (plan: SearchPlan, trunk: Branch) => Search;
  /** A scorer that fails ends the request; otherwise the rest is decoded plainly, and the reply says so. */
  readonly failsWithScorer: boolean;
  readonly constraints: Constraints;
  /** Where what crosses the bus is counted; left out without a GPU. */
  readonly traffic?: Traffic | undefined;
}

export class Run {
  readonly request: DecodeRequest;
  readonly arrival: number;
  readonly demand: Demand;
  /** Over all models. */
  readonly rows: number;
  /** What these can come to at most: rows × tokens. */
  readonly price: number;
  /** Steps that it is expected to take, from what was known when it came. */
  expectedSteps = Infinity;
  /** Of all views, by model. */
  readonly promptTokens: ReadonlyMap<EngineModel, number>;
  /** Set by a cancel: the run is skipped from the next forward on and released at the end of the tick. */
  cancelled = false;
  failure: AppError | null = null;
  readonly ledger: Ledger;
  readonly speculation: Speculation | null;
  readonly reads: Reads | null;
  /** Of a request for an embedding: it has no choices. */
  readonly pool: Pool | null;
  /** Logit kernels that may be missing; the run is admitted when there are none left. */
  readonly needs: KernelNeed[];
  /** A member gave NaN: nothing of this run's rows may be kept or read again. */
  metNan = false;
  readonly views: ViewsPlan;
  readonly #models: readonly EngineModel[];
  readonly #services: RunServices;
  readonly #controls: Controls;
  readonly #choices: Choices;
  #hasBegun = false;
  /** Null once they are told, and where nobody asked for them. */
  #promptScores: PromptScores | null;
  readonly #prompts: Prompts;
  #events: DecodeEvent[] = [];

  constructor(
    request: DecodeRequest,
    models: ReadonlyMap<string, EngineModel>,
    arrival: number,
    services: RunServices,
    maxRows: number,
  ) {
    this.request = request;
    this.arrival = arrival;
    this.#services = services;
    this.#controls = new Controls(request);
    this.ledger = new Ledger(request.distribution);
    const outlook = outlookOf(request, models, services.text, maxRows);
    this.views = outlook.views;
    this.demand = outlook.demand;
    this.rows = outlook.rows;
    this.price = outlook.price;
    this.promptTokens = outlook.promptTokens;
    this.#models = outlook.models;
    this.#prompts = new Prompts(request, outlook.views);
    const members = viewsOf(request.distribution).map(({ model }) => model);
    this.speculation = request.speculation ? new Speculation(request.speculation, members) : null;
    const { table } = outlook.tokenizer;
    if (request.constraint && table.size !== request.vocabSize)
      throw new AppError('engine_failed', { reason: `a mask of ${table.size} tokens for ${request.vocabSize}` });
    const branch: BranchContext = {
      request,
      table,
      promptIds: new Set(request.sampling.repetitionPenalty === 1 ? [] : request.promptIds[0]),
      constraint: request.constraint ? services.constraints.constraint(request.constraint, table) : null,
    };
    const { sources } = outlook;
    const rows = (model: EngineModel): number => this.demand.get(model)?.readings ?? 0;
    this.reads = request.search && sources.length > 0 ? new Reads(request.search, sources, rows, services) : null;
    const [first] = this.#models;
    const [ids] = request.promptIds;
    this.#promptScores = request.logprobs?.prompt ? new PromptScores(ids ?? new Int32Array(1), table) : null;
    this.pool = request.pooling && first && ids ? new Pool(first, ids, request.pooling) : null;
    this.needs = [...outlook.kernels];
    this.#choices = new Choices({
      branch,
      models: outlook.models,
      prompts: this.#prompts,
      views: outlook.views,
      reads: this.reads,
      wantedFrom: this.#promptScores ? 1 - (ids?.length ?? 1) : 0,
      search: (trunk) => (request.search ? services.search(request.search.plan, trunk) : plainly(trunk)),
      grew: (tokens) => (this.ledger.grown += tokens),
    });
  }

  /** Requests of one kind are expected to fare alike: a search, an embedding, or plain decoding. */
  get kind(): string {
    return this.request.search?.plan.method ?? (this.pool ? 'embedding' : 'plain');
  }

  /** What a model has still to take in before this request's first token; what is one token is a step. */
  pendingPromptTokens(model: EngineModel): number {
    if (!this.hasStarted) return this.promptTokens.get(model) ?? 0;
    const pending = (view: View | null | undefined): number =>
      view?.model === model && view.pending > 1 ? view.pending : 0;
    let tokens = pending(this.pool?.view);
    for (const { views } of this.live) for (const view of views) tokens += pending(view);
    return tokens;
  }

  /** It has rows, or has had some before it was preempted. */
  get hasStarted(): boolean {
    return this.#choices.all.length > 0 || (this.pool?.view ?? null) !== null;
  }

  /** Its logits are made on the GPU. */
  get isOnDevice(): boolean {
    return this.#models[0]?.info.device === 'webgpu';
  }

  get done(): boolean {
    if (this.failure !== null) return false;
    return this.pool?.isDone ?? this.#choices.done;
  }

  /** All branches that may go on, of all choices. */
  get live(): readonly Sequence[] {
    return this.#choices.live;
  }

  /** Branches whose views are to take in what they lack: those that are asked for something, or the prompt's; none without credit. */
  get hungry(): readonly Sequence[] {
    return this.#choices.hungry((choice) => this.#controls.creditOf(choice) > 0);
  }

  /** Prompt tokens that came from the prefix store. */
  get cachedTokens(): number {
    return this.#choices.cachedTokens;
  }

  /** What lets it go on when no tick would: answers of endpoints, or, without credit, a message. Null while it has work. */
  get waits(): readonly Promise<void>[] | null {
    if (this.cancelled || this.failure || this.done || this.#controls.hasChanges) return null;
    if (this.hungry.some(({ ask }) => ask !== null)) return null;
    const external = this.reads?.onlyExternal ?? null;
    if (external) return [external];
    return this.#controls.awaitsMessage(this.#choices.all) && (this.reads?.isIdle ?? true) ? [] : null;
  }

  /** A distribution of the request, with the scalars in force. */
  distributionAt(distribution: number): Scores {
    return this.#controls.distributionAt(distribution);
  }

  grant(grant: Grant): void {
    this.#controls.grant(grant, this.#choices.all);
  }

  change(change: Change): void {
    this.#controls.change(change);
  }

  /** Claims rows: for the prompt when new, for every unfinished branch when it comes back from preemption. */
  start(): void {
    this.ledger.admitted();
    this.pool?.start();
    if (this.pool) return;
    this.#choices.start();
    if (this.ledger.preemptions === 0) this.ledger.cachedTokens = this.cachedTokens;
    if (this.#promptScores?.areWhole) this.#promptIsScored(this.#promptScores);
  }

  /** Gives rows back but keeps the generated tokens: they are computed again when the run is admitted again. */
  preempt(): void {
    this.ledger.preemptions++;
    for (const choice of this.#choices.all) choice.rest();
    this.reads?.pause();
    this.pool?.release();
    this.#scrub();
  }

  /** The beginning of a tick: what waits gets its rows. */
  prepare(): void {
    this.#events.push(...this.#controls.apply(this.#choices.all));
    for (const { views } of this.live) views.forEach((view) => view.refreshRegime());
    this.#guarded(() => this.reads?.start());
  }

  /** After the tick's forwards: searches begin, get what was read, or are told that their budget has ended. */
  goOn(): void {
    this.ledger.steps++;
    if (this.pool) this.#takePooled(this.pool);
    this.#expand();
    this.#takeReads();
    this.#checkBudget();
  }

  /** The position of a branch to decide next: prompt positions (negative) first when they are to be scored. */
  positionOf(sequence: Sequence): number {
    return this.#promptScores?.position ?? sequence.position;
  }

  /** The prompt token that follows a negative position; null where a token is to be chosen. */
  promptTokenAt(position: number): number | null {
    const ids = this.request.promptIds[0];
    return position < 0 && ids ? (ids[ids.length + position] ?? null) : null;
  }

  /** Tokens that are asked for in a row, at most: drafts beyond them would be in vain. */
  tokensAsked(sequence: Sequence): number {
    const { ask } = sequence;
    const choice = this.#choices.of(sequence);
    if (choice?.isPlain) return this.#controls.creditOf(choice);
    return ask?.kind === 'grow' ? tokensLeft(ask) : 0;
  }

  /** Once the first choice has its prompt in, the other choices continue from copies of its rows, and all searches begin. */
  #expand(): void {
    if (this.#promptScores || !this.#choices.canExpand) return;
    this.#choices.expand();
    this.#guarded(() => this.#choices.begin());
  }

  /** A prompt token has its log-probability. */
  scored(sequence: Sequence, position: number, decision: Decision): void {
    if (!this.#promptScores) throw new Error('a prompt score that nobody asked for');
    sequence.views.forEach((view) => view.settle(position));
    this.#promptScores.add(decision);
    if (this.#promptScores.areWhole) this.#promptIsScored(this.#promptScores);
  }

  /**
   * A position of a branch was decided. False when nothing after it stands: the branch has ended, its draft was another token, or it is not
   * asked for more.
   */
  accept(sequence: Sequence, decision: Decision): boolean {
    this.ledger.decided(decision);
    const choice = this.#choices.of(sequence);
    if (!choice) return false;
    if (sequence.ask?.kind === 'top') {
      this.#guarded(() => choice.tell(sequence, decision));
      return false;
    }
    this.ledger.drawn(decision);
    const [draft] = sequence.drafts;
    if (draft !== undefined && sequence.isDrawing) this.speculation?.tested(draft === decision.tokenId);
    return this.#guarded(() => choice.accept(sequence, decision)) ?? false;
  }

  #takePooled(pool: Pool): void {
    this.#guarded(() => pool.take());
    const at = pool.isDone ? pool.values().findIndex((value) => !Number.isFinite(value)) : -1;
    if (at < 0) return;
    this.metNan = true;
    this.fail(notFinite(pool.model.info, this.request.promptIds[0]?.length ?? 0));
  }

  /** Readings that are there go to the searches that wait for them. */
  #takeReads(): void {
    const { reads } = this;
    if (!reads || this.failure) return;
    this.#guarded(() => reads.take());
    const reason = reads.failure;
    if (reason !== null) this.#scorerFailed(new ScorerFailed(reason));
    this.#guarded(() => this.#choices.all.forEach((choice) => choice.resume()));
  }

  #scorerFailed(cause: ScorerFailed): void {
    this.reads?.drop();
    if (this.#services.failsWithScorer) this.fail(new AppError('scorer_failed', { reason: cause.message }));
    else this.#interrupt(cause);
  }

  /** Searches whose budget has ended go on plainly. */
  #checkBudget(): void {
    const budget = this.request.search?.plan.budget;
    if (!budget || this.failure) return;
    const spent = this.ledger.spentOf(budget);
    if (spent !== null) this.#interrupt(new BudgetSpent(spent));
  }

  fail(error: AppError): void {
    this.failure ??= error;
  }

  /** Everything that may be told now. */
  takeEvents(): DecodeEvent[] {
    this.#restFinished();
    const events = this.#events;
    this.#events = [];
    for (const choice of this.#choices.all) events.push(...choice.takeEvents());
    if (this.cancelled) return [];
    if (this.failure) return [{ kind: 'failed', error: this.failure.data }];
    events.push(...this.#controls.pause(this.#choices.all, this.done));
    if (this.done) events.push(reportOf(this, this.#choices.all));
    return events;
  }

  /** Is this its first output? Asked once for every batch of events. */
  isFirst(events: readonly DecodeEvent[]): boolean {
    if (this.#hasBegun || !events.some(({ kind }) => kind === 'delta')) return false;
    this.#hasBegun = true;
    return true;
  }

  release(): void {
    if (this.done && !this.metNan) this.reads?.store();
    for (const choice of this.#choices.all) choice.release();
    this.reads?.drop();
    this.pool?.release();
    this.#prompts.close();
    this.#scrub();
  }

  /** Choices that have ended give their rows back; what the first has computed is kept for requests that begin alike. */
  #restFinished(): void {
    for (const { done, index, trunk } of this.#choices.all) {
      if (!done || !trunk.views.some(({ row }) => row)) continue;
      if (index === 0 && !this.metNan) trunk.views.forEach((view) => view.store());
      trunk.release();
      this.#scrub();
    }
  }

  /** What a broken member left in its rows must not reach whoever gets their slots next. */
  #scrub(): void {
    if (this.metNan) for (const model of this.demand.keys()) model.cache.scrub();
  }

  #interrupt(reason: BudgetSpent | ScorerFailed): void {
    this.#guarded(() => this.#choices.all.forEach((choice) => choice.interrupt(reason)));
  }

  /** What goes wrong in one request's search ends that request and nobody else's. */
  #guarded<T>(work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      if (error instanceof ScorerFailed) {
        this.#scorerFailed(error);
        return null;
      }
      if (!(error instanceof AppError)) console.error('a search failed:', error);
      this.fail(error instanceof AppError ? error : new AppError('engine_failed', { reason: String(error) }));
      return null;
    }
  }

  #promptIsScored({ records }: PromptScores): void {
    this.#events.push({ kind: 'prompt', tokens: records });
    this.#promptScores = null;
    if (this.request.maxTokens === 0) this.#events.push(...this.#choices.endWithPrompt());
  }
}
