// The logits of one forward with the count of those who keep a row of them: given back when nobody does. Made by host-rows.ts and
// device-rows.ts, held by views.
import type { LogitsBatch } from './view.js';

export class HeldLogits<T extends LogitsBatch['data']> implements LogitsBatch {
  readonly data: T;
  readonly width: number;
  readonly hidden?: NonNullable<LogitsBatch['hidden']>;
  readonly logprobs?: NonNullable<LogitsBatch['logprobs']>;
  readonly #giveBack: (data: T) => void;
  /** Whoever makes them holds them first. */
  #holders = 1;

  constructor(batch: LogitsBatch & { readonly data: T }, giveBack: (data: T) => void) {
    this.data = batch.data;
    this.width = batch.width;
    if (batch.hidden) this.hidden = batch.hidden;
    if (batch.logprobs) this.logprobs = batch.logprobs;
    this.#giveBack = giveBack;
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    if (--this.#holders === 0) this.#giveBack(this.data);
  }
}
