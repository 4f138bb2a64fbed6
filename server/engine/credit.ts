// How far the choices of one request may go: tokens that its client has granted, and whether a reader who cannot keep up holds it back.
// Knows no rows; a choice without credit is not computed, and nothing else about it changes. Owned by a Run.
import type { Grant } from '../wire/decode.js';

export class Credit {
  /** By choice: the number of answer tokens at which it waits; null where nothing bounds it. */
  #limits: number[] | null;
  readonly #choices: number;
  #isHeld = false;

  constructor(choices: number, tokens: number | null) {
    this.#choices = choices;
    this.#limits = tokens === null ? null : this.#all(() => tokens);
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** `lengths`: the answer tokens of each choice so far. */
  grant(grant: Grant, lengths: readonly number[]): void {
    switch (grant.kind) {
      case 'hold':
        this.#isHeld = grant.on;
        return;
      case 'add':
        this.#limits = this.#limits && this.#all((choice) => (this.#limits?.[choice] ?? 0) + grant.tokens);
        return;
      case 'set': {
        const { tokens } = grant;
        this.#limits = tokens === null ? null : this.#all((choice) => (lengths[choice] ?? 0) + tokens);
        return;
      }
      default:
        grant satisfies never;
    }
  }

  /** Tokens that the choice may still emit; a search that committed several at once may have overdrawn. */
  left(choice: number, length: number): number {
    if (this.#isHeld) return 0;
    return this.#limits ? Math.max(0, (this.#limits[choice] ?? 0) - length) : Infinity;
  }

  #all(limitOf: (choice: number) => number): number[] {
    return Array.from({ length: this.#choices }, (_, choice) => limitOf(choice));
  }
}
