// What a client may change about its request while that runs: the scalars of its distributions, and how far its choices may go. Between ticks
// nothing is half decided, so what changes takes effect with the next one. Knows no rows; owned by a Run.
import type { Scores } from '../../decoders/expr.js';
import type { Change, DecodeEvent, DecodeRequest, Grant } from '../wire/decode.js';
import { Credit } from './credit.js';

/** Of a choice. */
interface Progress {
  readonly index: number;
  readonly done: boolean;
  readonly answer: { readonly length: number };
}

export class Controls {
  readonly #request: DecodeRequest;
  readonly #credit: Credit;
  /** In force; the first is what the answer is drawn from. */
  #distributions: readonly Scores[];
  #changes: Change[] = [];
  #wasPaused = false;

  constructor(request: DecodeRequest) {
    this.#request = request;
    this.#credit = new Credit(request.n, request.credit ?? null);
    this.#distributions = request.search?.plan.distributions ?? [request.distribution];
  }

  /** A distribution of the request, with the scalars in force. */
  distributionAt(distribution: number): Scores {
    return this.#distributions[distribution] ?? this.#request.distribution;
  }

  grant(grant: Grant, choices: readonly Progress[]): void {
    this.#credit.grant(
      grant,
      choices.map(({ answer }) => answer.length),
    );
  }

  change(change: Change): void {
    this.#changes.push(change);
  }

  get hasChanges(): boolean {
    return this.#changes.length > 0;
  }

  /** What comes after the answers as they stand is drawn by the new scalars; tells from where on. */
  apply(choices: readonly Progress[]): DecodeEvent[] {
    if (this.#changes.length === 0) return [];
    const events = this.#changes.map(({ serial }): DecodeEvent => {
      const positions = Array.from({ length: this.#request.n }, (_, index) => {
        const choice = choices[index];
        return choice?.done ? null : (choice?.answer.length ?? 0);
      });
      return { kind: 'changed', serial, positions };
    });
    this.#distributions = this.#changes.at(-1)?.distributions ?? this.#distributions;
    this.#changes = [];
    return events;
  }

  /** Tokens that the choice may still emit. */
  creditOf({ index, answer }: Progress): number {
    // Where only the prompt is scored there is nothing to bound.
    return this.#request.maxTokens === 0 ? Infinity : this.#credit.left(index, answer.length);
  }

  /** No choice that has not ended may go on. */
  lacksCredit(choices: readonly Progress[]): boolean {
    if (choices.length === 0) return this.#credit.left(0, 0) === 0;
    return choices.every((choice) => choice.done || this.creditOf(choice) === 0);
  }

  /** Only a message lets it go on, and the client knows. */
  awaitsMessage(choices: readonly Progress[]): boolean {
    return (this.#credit.isHeld || this.#wasPaused) && this.lacksCredit(choices);
  }

  /** Tells once that the credit is used up. A reader who holds the answers back knows it. */
  pause(choices: readonly Progress[], done: boolean): DecodeEvent[] {
    const isPaused = !done && !this.#credit.isHeld && this.lacksCredit(choices);
    const isNews = isPaused && !this.#wasPaused;
    this.#wasPaused = isPaused;
    return isNews ? [{ kind: 'paused' }] : [];
  }
}
