// The hidden states of one prompt pooled into one vector while the model gets through it: an embedding. States are added up tick by tick,
// so that no more than one tick's rows are held. Owned by a Run; knows no request and no wire.
import type { EngineModel } from './model.js';
import { View, type LogitsRef } from './view.js';

export type Pooling = 'mean' | 'last';

export class Pool {
  readonly model: EngineModel;
  readonly #ids: Int32Array;
  readonly #pooling: Pooling;
  #view: View | null = null;
  #sum: Float64Array | null = null;
  /** The next position to add; positions count up to 0, the last token's. */
  #next = 0;
  #isDone = false;

  constructor(model: EngineModel, ids: Int32Array, pooling: Pooling) {
    this.model = model;
    this.#ids = ids;
    this.#pooling = pooling;
  }

  get view(): View | null {
    return this.#view;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Begins, or begins again after release(). */
  start(): void {
    // All positions have a say in a mean, so none can come from a row that another prompt has left.
    this.#next = this.#pooling === 'mean' ? 1 - this.#ids.length : 0;
    this.#sum = null;
    this.#view = new View(this.model, this.#ids, [], this.#next);
    this.#view.wantsHidden = true;
    this.#view.claim();
  }

  /** Adds the states that have come. */
  take(): void {
    for (let ref = this.#state(); ref; ref = this.#state()) {
      this.#add(ref);
      this.#view?.settle(this.#next++);
    }
    if (this.#next > 0) this.#isDone = true;
  }

  /** Σ of the states / their number. */
  values(): Float32Array {
    const count = this.#pooling === 'mean' ? this.#ids.length : 1;
    return Float32Array.from(this.#sum ?? [], (value) => value / count);
  }

  release(): void {
    this.#view?.release();
    this.#view = null;
  }

  #state(): LogitsRef | null {
    return this.#next <= 0 ? (this.#view?.logits(this.#next) ?? null) : null;
  }

  #add({ batch: { hidden }, row }: LogitsRef): void {
    if (!hidden) throw new Error(`${this.model.name} gave no hidden state at position ${this.#next}`);
    this.#sum ??= new Float64Array(hidden.width);
    for (let i = 0; i < hidden.width; i++) this.#sum[i]! += hidden.data[row * hidden.width + i] ?? NaN;
  }
}
