// What serving one request has come to: forwards, fallbacks, bounds that were hit, times. Counted where it happens and told with the request's
// last event. Owned by a Run.
import { slotsOf, type Scores } from '../../decoders/expr.js';
import type { Budget } from '../../decoders/plan.js';
import type { BudgetSpent } from '../../decoders/search.js';
import type { Applied, Timings } from '../wire/decode.js';
import type { Decision } from './sequence.js';

export class Ledger {
  /** New tokens that each model took in. */
  readonly forwards: Record<string, number> = {};
  readonly fallbacks: Record<string, number> = {};
  /** Per expert of dynamic fusion: tokens for which its weight stood at its bound. */
  readonly #boundHits: number[];
  preemptions = 0;
  /** Ticks that it has taken part in. */
  steps = 0;
  /** Tokens of all branches, the answer's and those that were given up. */
  grown = 0;
  /** Prompt tokens that came from the prefix store. */
  cachedTokens = 0;
  readonly #submittedAt = performance.now();
  #admittedAt: number | null = null;
  #firstTokenAt: number | null = null;

  constructor(distribution: Scores) {
    this.#boundHits = slotsOf(distribution).flatMap(({ kind }) => (kind === 'bound' ? [0] : []));
  }

  admitted(): void {
    this.#admittedAt ??= performance.now();
  }

  forward(model: string, tokens: number): void {
    this.forwards[model] = (this.forwards[model] ?? 0) + tokens;
  }

  decided({ fallback }: Decision): void {
    this.#firstTokenAt ??= performance.now();
    if (fallback) this.fallbacks[fallback] = (this.fallbacks[fallback] ?? 0) + 1;
  }

  drawn({ atBound }: Decision): void {
    for (const expert of atBound) this.#boundHits[expert] = (this.#boundHits[expert] ?? 0) + 1;
  }

  /** Rows × tokens over all models. */
  get rows(): number {
    return Object.values(this.forwards).reduce((sum, count) => sum + count, 0);
  }

  /** Since it was admitted. */
  get elapsedMs(): number {
    return performance.now() - (this.#admittedAt ?? this.#submittedAt);
  }

  /** What a search has used up; null while it may go on. */
  spentOf({ forwards, tokens, timeMs }: Budget): BudgetSpent['budget'] | null {
    if (forwards !== null && this.rows >= forwards) return 'forwards';
    if (tokens !== null && this.grown >= tokens) return 'tokens';
    return timeMs !== null && this.elapsedMs >= timeMs ? 'time' : null;
  }

  timings(): Timings {
    const now = performance.now();
    const admitted = this.#admittedAt ?? now;
    const first = this.#firstTokenAt ?? now;
    return { queuedMs: admitted - this.#submittedAt, prefillMs: first - admitted, decodeMs: now - first };
  }

  report(): Pick<Applied, 'forwards' | 'fallbacks' | 'boundHits' | 'preemptions'> {
    const { forwards, fallbacks, preemptions } = this;
    const boundHits = this.#boundHits.length > 0 ? { boundHits: this.#boundHits } : {};
    return { forwards, fallbacks, preemptions, ...boundHits };
  }
}
