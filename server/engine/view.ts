// A model with its own prompt, inside one sequence: which tokens its cache row has taken in, and the logits it holds for positions
// that are not decided yet. Positions count from the end of the prompt: 0 is the first generated token.
import type { Tensor } from '../../kernels/session.js';
import type { EngineModel } from './model.js';
import type { AskedLogprobs } from './batch.js';
import type { CacheRow } from './row-store.js';

/** Logits of one forward, kept where the model left them: [rows, width]. */
export interface LogitsBatch {
  readonly data: Float32Array | Tensor;
  readonly width: number;
  /** By row: what its view asked of it, where `data` is on the device. */
  readonly logprobs?: ReadonlyMap<number, readonly number[]>;
  /** Called by whoever keeps a row of them, and when it no longer does. */
  retain?(): void;
  release?(): void;
  /** [rows, width] of the hidden states that the logits come from; only where a view of the forward wanted them. */
  readonly hidden?: { readonly data: Float32Array; readonly width: number };
}

/** One row of a LogitsBatch. */
export interface LogitsRef {
  readonly batch: LogitsBatch;
  readonly row: number;
}

const NO_DRAFTS: readonly number[] = [];

export class View {
  readonly model: EngineModel;
  readonly promptIds: Int32Array;
  /** The sequence's generated ids: shared verbatim by all its views. */
  readonly #generated: readonly number[];
  /** Tokens beyond them that may be taken back; the sequence's own list, which it changes. */
  #drafts: readonly number[] = NO_DRAFTS;
  /** First position whose logits are wanted. */
  readonly #wantedFrom: number;
  #row: CacheRow | null = null;
  /** Logits by position, of positions not decided yet. */
  readonly #held = new Map<number, LogitsRef>();
  #longRope = false;
  /** Its forwards have to give hidden states too. */
  wantsHidden = false;
  /** Its last logits are not for a kernel: the host wants a few log-probabilities. */
  asked: AskedLogprobs | null = null;
  /** Prompt tokens that came from the prefix store when the row was claimed. */
  cachedTokens = 0;

  constructor(model: EngineModel, promptIds: Int32Array, generated: readonly number[], wantedFrom: number) {
    this.model = model;
    this.promptIds = promptIds;
    this.#generated = generated;
    this.#wantedFrom = wantedFrom;
  }

  get row(): CacheRow | null {
    return this.#row;
  }

  get longRope(): boolean {
    return this.#longRope;
  }

  get length(): number {
    return this.promptIds.length + this.#generated.length + this.#drafts.length;
  }

  /** Tokens that are known but not in the cache yet. */
  get pending(): number {
    return this.#row ? this.length - this.#row.length : 0;
  }

  /** Must this view give logits for prompt positions too (prompt logprobs)? */
  get scoresPrompt(): boolean {
    return this.#wantedFrom < 0;
  }

  /** From now on these tokens count as known. */
  show(drafts: readonly number[]): void {
    this.#drafts = drafts;
  }

  /** What was taken in beyond the first `count` generated tokens is taken back. */
  keep(count: number): void {
    this.#drafts = NO_DRAFTS;
    for (const position of this.#held.keys()) if (position > count) this.settle(position);
    if (this.#row && this.#row.length > this.promptIds.length + count)
      this.model.cache.truncate(this.#row, this.promptIds.length + count);
  }

  /** Back to `count` generated tokens. The token before the next position is taken in again unless its logits are still held. */
  rewind(count: number): void {
    this.keep(count);
    if (!this.#row || this.#held.has(count)) return;
    const needed = this.promptIds.length + count - 1;
    if (this.#row.length > needed) this.model.cache.truncate(this.#row, needed);
  }

  /** The other's row instead of the own one; both read the same tokens. */
  takeRow(other: View): void {
    if (this.#row) this.model.cache.release(this.#row);
    this.#row = other.#row;
    other.#row = null;
    this.#longRope = other.#longRope;
    this.#forget();
    for (const [position, logits] of other.#held) this.hold(position, logits);
  }

  /** A view of other tokens, whose row begins with what both have in common. */
  continued(promptIds: Int32Array): View {
    const copy = new View(this.model, promptIds, [], 0);
    copy.#longRope = copy.#regime();
    if (!this.#row || copy.#longRope !== this.#longRope) {
      copy.claim();
      return copy;
    }
    const own = this.#allIds();
    const limit = Math.min(this.#row.length, promptIds.length - 1);
    let shared = 0;
    while (shared < limit && own[shared] === promptIds[shared]) shared++;
    copy.#row = this.model.cache.fork(this.#row, shared);
    return copy;
  }

  /** Claims a row and fills it with the longest stored beginning of the known tokens. The caller has checked for room. */
  claim(): void {
    this.#row = this.model.cache.claim();
    this.#longRope = this.#regime();
    if (this.scoresPrompt) return;
    const hit = this.model.prefixes.find(this.#allIds(), this.model.regimeKey(this.#longRope));
    if (!hit || !this.model.cache.reserve([this.#row], [hit.length])) return;
    this.model.cache.copyIn(this.#row, hit.copy, hit.length);
    this.cachedTokens = Math.min(hit.length, this.promptIds.length);
  }

  /** The next `count` tokens to take in. */
  take(count: number): number[] {
    const from = this.#row?.length ?? 0;
    const ids: number[] = [];
    for (let i = from; i < from + count; i++) ids.push(this.#idAt(i));
    return ids;
  }

  /** Index, within a share that begins at the row's length, from which logits are wanted. */
  logitsFrom(count: number): number {
    const fed = this.#row?.length ?? 0;
    // Logits after token i decide position i + 1 − promptLength.
    const firstToken = Math.max(
      this.promptIds.length - 1 + this.#wantedFrom,
      this.promptIds.length - 1 + this.#firstUndecided(),
    );
    return Math.min(Math.max(firstToken - fed, 0), count);
  }

  hold(position: number, logits: LogitsRef): void {
    logits.batch.retain?.();
    this.settle(position);
    this.#held.set(position, logits);
  }

  /** The logits for `position`, if the model has got that far. */
  logits(position: number): LogitsRef | null {
    return this.#held.get(position) ?? null;
  }

  /** `position` is decided: its logits are no longer needed. */
  settle(position: number): void {
    this.#held.get(position)?.batch.release?.();
    this.#held.delete(position);
  }

  /** Rope factors depend on the total length (longrope): when the regime changes, everything in the cache is computed anew. */
  refreshRegime(): void {
    if (!this.#row || this.#regime() === this.#longRope) return;
    this.#longRope = !this.#longRope;
    this.model.cache.truncate(this.#row, 0);
    this.#forget();
  }

  /** How many more tokens may follow before the rope's regime changes. */
  get roomInRegime(): number {
    const switchLength = this.model.ropeSwitchLength;
    return switchLength === null || this.length > switchLength ? Infinity : switchLength - this.length;
  }

  /**
   * A copy with its own row, for a sequence whose generated ids are `generated`; the first `shared` of them are this one's too. Where the two are
   * not level the copy gets its logits by taking in its own last token.
   */
  fork(generated: readonly number[], shared = generated.length): View {
    const copy = new View(this.model, this.promptIds, generated, 0);
    const isLevel = shared === generated.length && shared === this.#generated.length;
    const fed = isLevel ? Infinity : copy.promptIds.length + Math.min(shared, generated.length - 1);
    if (this.#row) copy.#row = this.model.cache.fork(this.#row, Math.min(this.#row.length, fed));
    copy.#longRope = this.#longRope;
    if (isLevel) for (const [position, logits] of this.#held) copy.hold(position, logits);
    return copy;
  }

  /** Keeps what was computed for later requests that begin alike. */
  store(): void {
    if (!this.#row) return;
    const ids = this.#allIds().subarray(0, this.#row.length);
    const regime = this.model.regimeKey(this.#longRope);
    if (this.model.prefixes.covers(ids, regime)) return;
    this.model.prefixes.store(ids.slice(), regime, this.model.cache.copyOut(this.#row, ids.length));
  }

  release(): void {
    if (this.#row) this.model.cache.release(this.#row);
    this.#row = null;
    this.#drafts = NO_DRAFTS;
    this.#forget();
  }

  #forget(): void {
    for (const position of this.#held.keys()) this.settle(position);
  }

  #idAt(index: number): number {
    const prompt = this.promptIds.length;
    if (index < prompt) return this.promptIds[index] ?? 0;
    const generated = this.#generated.length;
    return this.#generated[index - prompt] ?? this.#drafts[index - prompt - generated] ?? 0;
  }

  #allIds(): Int32Array {
    const ids = new Int32Array(this.length);
    ids.set(this.promptIds);
    ids.set(this.#generated, this.promptIds.length);
    ids.set(this.#drafts, this.promptIds.length + this.#generated.length);
    return ids;
  }

  #firstUndecided(): number {
    return this.#wantedFrom < 0 ? this.#wantedFrom : this.#generated.length;
  }

  #regime(): boolean {
    const switchLength = this.model.ropeSwitchLength;
    return switchLength !== null && this.length > switchLength;
  }
}
