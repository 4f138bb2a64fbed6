// The log-probabilities of a prompt's own tokens, one position after the other. Owned by a Run that was asked for them.
import type { PromptTokenRecord } from '../wire/decode.js';
import { alternative } from './answer.js';
import type { Decision } from './sequence.js';
import type { TokenTable } from './text-stream.js';

export class PromptScores {
  readonly #ids: Int32Array;
  readonly #table: TokenTable;
  /** The first token follows nothing: it has no log-probability. */
  readonly records: PromptTokenRecord[];

  constructor(ids: Int32Array, table: TokenTable) {
    this.#ids = ids;
    this.#table = table;
    this.records = [this.#record(ids[0] ?? 0, null, [])];
  }

  /** The next one, counted back from the answer: −1 is the prompt's last token. */
  get position(): number {
    return this.records.length - this.#ids.length;
  }

  get areWhole(): boolean {
    return this.records.length === this.#ids.length;
  }

  add({ tokenId, logprob, top }: Decision): void {
    const others = top.map((other) => alternative(this.#table, other.id, other.logprob));
    this.records.push(this.#record(tokenId, logprob, others));
  }

  #record(id: number, logprob: number | null, top: PromptTokenRecord['top']): PromptTokenRecord {
    return { ...alternative(this.#table, id, 0), logprob, top };
  }
}
