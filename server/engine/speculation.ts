// One request's drafts: who makes them, and how they have fared. Knows no rows and no batch; draft.ts does the work.
import { draftModelOf } from '../../decoders/speculation-spec.js';
import type { SpeculationParams, SpeculationReport } from '../wire/decode.js';
import { ownRecord, type DraftRecord } from './acceptance.js';
import type { Sequence } from './sequence.js';
import type { View } from './view.js';

export class Speculation {
  readonly params: SpeculationParams;
  /** A draft model that no view of the distribution reads: it needs a view of its own. */
  readonly extraModel: readonly string[];
  readonly #viewIndex: number | null;
  /** What became of its drafts lately. */
  readonly record: DraftRecord = ownRecord();
  #drafted = 0;
  #accepted = 0;
  #blocks = 0;
  #untold: boolean[] = [];

  /** `members`: the models of the distribution's views. */
  constructor(params: SpeculationParams, members: readonly string[]) {
    this.params = params;
    const model = draftModelOf(params);
    const member = model === null ? -1 : members.indexOf(model);
    this.extraModel = model === null || member >= 0 ? [] : [model];
    this.#viewIndex = model === null ? null : member >= 0 ? member : members.length;
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
    if (stood) this.#accepted++;
    this.#untold.push(stood);
    this.record.add(stood);
  }

  /** The outcomes since this was last asked. */
  takeTests(): readonly boolean[] {
    const tests = this.#untold;
    this.#untold = [];
    return tests;
  }

  report(): SpeculationReport {
    return { draft: this.params.draft, drafted: this.#drafted, accepted: this.#accepted, blocks: this.#blocks };
  }
}
