// One request being served: its sequences, the search coroutine that drives each, and what it has to say (events). Created when a
// request is admitted, rows and all; release() gives everything back exactly once. Called by the engine only.
import { slotsOf, viewsOf } from '../../decoders/expr.js';
import type { Branch, NextAnswer, Search } from '../../decoders/search.js';
import { sample } from '../../decoders/searches/sample.js';
import { AppError } from '../errors.js';
import type { Alternative, DecodeEvent, DecodeRequest, PromptTokenRecord, Timings } from '../wire/decode.js';
import type { EngineModel } from './model.js';
import { alternative, Sequence, type Decision } from './sequence.js';
import { Speculation } from './speculation.js';
import { View } from './view.js';

/** Rows that a request needs on each model while it runs. */
export type Demand = ReadonlyMap<
  EngineModel,
  { readonly rows: number; readonly promptLength: number; readonly length: number }
>;

export class Run {
  readonly request: DecodeRequest;
  readonly arrival: number;
  readonly demand: Demand;
  sequences: Sequence[] = [];
  /** Set by a cancel: the run is skipped from the next forward on and released at the end of the tick. */
  cancelled = false;
  failure: AppError | null = null;
  preemptions = 0;
  readonly fallbacks: Record<string, number> = {};
  /** Per expert of dynamic fusion: tokens for which its weight stood at its bound. */
  readonly #boundHits: number[];
  readonly speculation: Speculation | null;
  /** A member gave NaN: nothing of this run's rows may be kept or read again. */
  metNan = false;
  readonly #models: readonly EngineModel[];
  readonly #table: EngineModel['table'];
  readonly #searches = new Map<Branch, Search>();
  readonly #forwards: Record<string, number> = {};
  readonly #submittedAt = performance.now();
  #admittedAt: number | null = null;
  #firstTokenAt: number | null = null;
  #cachedTokens = 0;
  #promptScores: PromptTokenRecord[] | null;
  #events: DecodeEvent[] = [];

  constructor(request: DecodeRequest, models: ReadonlyMap<string, EngineModel>, arrival: number) {
    this.request = request;
    this.arrival = arrival;
    this.#boundHits = slotsOf(request.distribution).flatMap(({ kind }) => (kind === 'bound' ? [0] : []));
    const members = viewsOf(request.distribution).map(({ model }) => model);
    this.speculation = request.speculation ? new Speculation(request.speculation, members) : null;
    this.#models = [...members, ...(this.speculation?.extraModel ?? [])].map((model) => find(models, model));
    this.#table = find(models, request.tokenizer).table;
    this.#promptScores = request.logprobs?.prompt
      ? [this.#promptRecord(request.promptIds[0]?.[0] ?? 0, null, [])]
      : null;
    const demand = new Map<EngineModel, { rows: number; promptLength: number; length: number }>();
    this.#models.forEach((model, v) => {
      const promptLength = promptOf(request, v).length;
      const known = demand.get(model) ?? { rows: 0, promptLength: 0, length: 0 };
      demand.set(model, {
        rows: known.rows + request.n,
        promptLength: Math.max(known.promptLength, promptLength),
        length: Math.max(known.length, promptLength + request.maxTokens),
      });
    });
    this.demand = demand;
  }

  get done(): boolean {
    return (
      this.sequences.length > 0 &&
      this.failure === null &&
      this.sequences.every(({ finish }) => finish !== null) &&
      this.#expanded
    );
  }

  /** Choices still decoding. */
  get live(): Sequence[] {
    return this.sequences.filter(({ finish }) => finish === null);
  }

  /** Claims rows: for the prompt when new, for every unfinished choice when it comes back from preemption. */
  start(): void {
    this.#admittedAt ??= performance.now();
    if (this.sequences.length === 0) this.#add(this.#firstSequence());
    for (const sequence of this.live) for (const view of sequence.views) view.claim();
    if (this.preemptions === 0) this.#cachedTokens = this.sequences[0]?.views[0]?.cachedTokens ?? 0;
  }

  /** Gives rows back but keeps the generated tokens: they are computed again when the run is admitted again. */
  preempt(): void {
    this.preemptions++;
    this.release();
  }

  refreshRegimes(): void {
    for (const { views } of this.live) views.forEach((view) => view.refreshRegime());
  }

  countForward(model: string, tokens: number): void {
    this.#forwards[model] = (this.#forwards[model] ?? 0) + tokens;
  }

  /** The position of a sequence to decide next: prompt positions (negative) first when they are to be scored. */
  positionOf(sequence: Sequence): number {
    return this.#promptScores
      ? this.#promptScores.length - (this.request.promptIds[0]?.length ?? 0)
      : sequence.position;
  }

  /** The prompt token that follows a negative position; null where a token is to be chosen. */
  forcedAt(position: number): number | null {
    const ids = this.request.promptIds[0];
    return position < 0 && ids ? (ids[ids.length + position] ?? null) : null;
  }

  /** Once the first choice has its prompt in, the other choices continue from copies of its rows. */
  expand(): void {
    const first = this.sequences[0];
    if (this.#expanded || this.#promptScores || !first?.views.every((view) => view.logits(0))) return;
    for (let choice = 1; choice < this.request.n; choice++) {
      const tokens: number[] = [];
      this.#add(
        new Sequence(
          choice,
          this.request,
          this.#table,
          tokens,
          first.views.map((view) => view.fork(tokens)),
        ),
      );
    }
  }

  /** A prompt token has its log-probability. */
  scored(sequence: Sequence, position: number, decision: Decision): void {
    if (!this.#promptScores) throw new Error('a prompt score that nobody asked for');
    sequence.views.forEach((view) => view.settle(position));
    this.#promptScores.push(
      this.#promptRecord(
        decision.tokenId,
        decision.logprob,
        decision.top.map(({ id, logprob }) => alternative(this.#table, id, logprob)),
      ),
    );
    if (this.#promptScores.length === this.request.promptIds[0]?.length) this.#promptIsScored(sequence);
  }

  /**
   * A token was chosen: grows the sequence, resumes its search, notes what may be shown. False when nothing after it stands: the
   * sequence has ended, or its draft was another token.
   */
  accept(sequence: Sequence, decision: Decision): boolean {
    this.#firstTokenAt ??= performance.now();
    if (decision.fallback) this.fallbacks[decision.fallback] = (this.fallbacks[decision.fallback] ?? 0) + 1;
    for (const expert of decision.atBound) this.#boundHits[expert] = (this.#boundHits[expert] ?? 0) + 1;
    const [draft] = sequence.drafts;
    if (draft !== undefined) this.speculation?.tested(draft === decision.tokenId);
    const growth = sequence.accept(decision);
    const answer: NextAnswer = { tokenId: decision.tokenId, ended: growth.finish !== null };
    this.#searches.get(sequence)?.next(answer);
    if (growth.text !== '' || growth.ids.length > 0)
      this.#events.push({
        kind: 'delta',
        choice: sequence.choice,
        text: growth.text,
        ids: growth.ids,
        tokens: growth.tokens,
        ...(growth.traces.length > 0 ? { traces: growth.traces } : {}),
        ...(growth.traceCut ? { traceCut: true } : {}),
      });
    if (growth.finish) this.#finish(sequence);
    return growth.finish === null && draft === decision.tokenId;
  }

  fail(error: AppError): void {
    this.failure ??= error;
  }

  /** Everything that may be told now. */
  takeEvents(): DecodeEvent[] {
    const events = this.#events;
    this.#events = [];
    if (this.cancelled) return [];
    if (this.failure) return [{ kind: 'failed', error: this.failure.data }];
    if (this.done)
      events.push({
        kind: 'done',
        usage: {
          promptTokens: this.request.promptIds[0]?.length ?? 0,
          completionTokens: this.sequences.reduce((sum, { emitted }) => sum + emitted, 0),
          cachedTokens: this.#cachedTokens,
        },
        applied: {
          forwards: this.#forwards,
          rewinds: 0,
          fallbacks: this.fallbacks,
          ...(this.#boundHits.length > 0 ? { boundHits: this.#boundHits } : {}),
          preemptions: this.preemptions,
          seed: this.request.seed,
          ...(this.speculation ? { speculation: this.speculation.report() } : {}),
        },
        timings: this.#timings(),
      });
    return events;
  }

  release(): void {
    this.sequences.forEach((sequence) => this.#free(sequence));
  }

  #timings(): Timings {
    const now = performance.now();
    const admitted = this.#admittedAt ?? now;
    const first = this.#firstTokenAt ?? now;
    return { queuedMs: admitted - this.#submittedAt, prefillMs: first - admitted, decodeMs: now - first };
  }

  get #expanded(): boolean {
    return this.sequences.length === this.request.n;
  }

  #firstSequence(): Sequence {
    const tokens: number[] = [];
    const wantedFrom = this.#promptScores ? 1 - (this.request.promptIds[0]?.length ?? 1) : 0;
    const views = this.#models.map((model, v) => new View(model, promptOf(this.request, v), tokens, wantedFrom));
    return new Sequence(0, this.request, this.#table, tokens, views);
  }

  #add(sequence: Sequence): void {
    this.sequences.push(sequence);
    this.#begin(sequence);
  }

  /** Starts the search up to its first question. */
  #begin(sequence: Sequence): void {
    const search = sample(sequence);
    search.next();
    this.#searches.set(sequence, search);
    if (this.#promptScores && this.request.promptIds[0]?.length === 1) this.#promptIsScored(sequence);
  }

  #promptIsScored(sequence: Sequence): void {
    this.#events.push({ kind: 'prompt', tokens: this.#promptScores ?? [] });
    this.#promptScores = null;
    if (this.request.maxTokens > 0) return;
    // Nothing to generate: every choice ends here.
    for (let choice = 1; choice < this.request.n; choice++)
      this.#add(new Sequence(choice, this.request, this.#table, [], []));
    sequence.release();
    for (const each of this.sequences) {
      each.finish = { reason: 'length', stopReason: null };
      this.#finish(each);
    }
  }

  #finish(sequence: Sequence): void {
    const { reason, stopReason } = sequence.finish ?? { reason: 'length', stopReason: null };
    this.#events.push({ kind: 'finished', choice: sequence.choice, reason, stopReason });
    if (sequence.choice === 0 && !this.metNan) sequence.views.forEach((view) => view.store());
    // A first choice that ends before the others have been copied from it cannot be: expand() comes before its first token.
    this.#free(sequence);
  }

  /** What a broken member left in its rows must not reach whoever gets their slots next. */
  #free(sequence: Sequence): void {
    sequence.release();
    if (this.metNan) for (const model of this.demand.keys()) model.cache.scrub();
  }

  #promptRecord(id: number, logprob: number | null, top: Alternative[]): PromptTokenRecord {
    return { ...alternative(this.#table, id, 0), logprob, top };
  }
}

/** Of a view; a draft that is no member and has no prompt of its own reads the first view's. */
function promptOf({ promptIds }: DecodeRequest, view: number): Int32Array {
  return promptIds[view] ?? promptIds[0] ?? new Int32Array(0);
}

function find(models: ReadonlyMap<string, EngineModel>, name: string): EngineModel {
  const model = models.get(name);
  if (!model)
    throw new AppError('model_not_found', { param: 'model', model: name, available: [...models.keys()].join(', ') });
  return model;
}
