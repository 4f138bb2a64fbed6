// One request's drafts: who makes them, and how they have fared. Knows no rows and no batch; draft.ts does the work.
import { LOOKUP } from '../../decoders/speculation-spec.js';
import type { SpeculationParams, SpeculationReport } from '../wire/decode.js';
import type { Sequence } from './sequence.js';
import type { View } from './view.js';

/** Before anything is known, a draft is taken to stand this often. */
const FIRST_GUESS = 0.7;
const MEMORY = 0.9;

export class Speculation {
  readonly params: SpeculationParams;
  /** A draft model that no view of the distribution reads: it needs a view of its own. */
  readonly extraModel: readonly string[];
  readonly #viewIndex: number | null;
  #acceptance = FIRST_GUESS;
  #drafted = 0;
  #accepted = 0;
  #blocks = 0;
  #untold = 0;

  /** `members`: the models of the distribution's views. */
  constructor(params: SpeculationParams, members: readonly string[]) {
    this.params = params;
    const isLookup = params.draft === LOOKUP;
    const member = members.indexOf(params.draft);
    this.extraModel = isLookup || member >= 0 ? [] : [params.draft];
    this.#viewIndex = isLookup ? null : member >= 0 ? member : members.length;
  }

  /** How often a draft stands whose predecessors do, smoothed. */
  get acceptance(): number {
    return this.#acceptance;
  }

  /** The view whose logits the drafts are drawn from; null for drafts by look-up. */
  viewOf(sequence: Sequence): View | null {
    return this.#viewIndex === null ? null : (sequence.views[this.#viewIndex] ?? null);
  }

  /** A block of `tokens` drafts goes to the members. */
  proposed(tokens: number): void {
    this.#drafted += tokens;
    this.#blocks++;
  }

  /** A draft whose predecessors all stood has been compared with the decision. */
  tested(stood: boolean): void {
    if (stood) {
      this.#accepted++;
      this.#untold++;
    }
    this.#acceptance = MEMORY * this.#acceptance + (1 - MEMORY) * (stood ? 1 : 0);
  }

  /** Drafts that stood since this was last asked. */
  takeAccepted(): number {
    const accepted = this.#untold;
    this.#untold = 0;
    return accepted;
  }

  report(): SpeculationReport {
    return { draft: this.params.draft, drafted: this.#drafted, accepted: this.#accepted, blocks: this.#blocks };
  }
}
