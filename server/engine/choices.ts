// All choices of one request. The first takes in the prompt; once that is in, the others continue from copies of its rows, and all searches
// begin. Knows no batch; owned by a Run.
import type { Branch, Search } from '../../decoders/search.js';
import type { ViewsPlan } from '../../decoders/views-plan.js';
import type { DecodeEvent } from '../wire/decode.js';
import { Choice } from './choice.js';
import type { EngineModel } from './model.js';
import type { Prompts } from './prompts.js';
import type { Reads } from './reads.js';
import { Sequence, type BranchContext } from './sequence.js';
import { View } from './view.js';

/** What the choices need of their request. */
export interface ChoicesContext {
  readonly branch: BranchContext;
  readonly models: readonly EngineModel[];
  readonly prompts: Prompts;
  readonly views: ViewsPlan;
  readonly reads: Reads | null;
  /** Logits of a position before the answer's first, and of all after it, are wanted as well: negative, or 0. */
  readonly wantedFrom: number;
  readonly search: (trunk: Branch) => Search;
  /** A branch of a choice has so many tokens more. */
  readonly grew: (tokens: number) => void;
}

export class Choices {
  readonly #context: ChoicesContext;
  readonly #all: Choice[] = [];
  #areThere = false;

  constructor(context: ChoicesContext) {
    this.#context = context;
  }

  /** So far: none before it is started, one until the prompt is in. */
  get all(): readonly Choice[] {
    return this.#all;
  }

  get done(): boolean {
    return this.#areThere && this.#all.every(({ done }) => done);
  }

  /** All branches that may go on. */
  get live(): readonly Sequence[] {
    return this.#branches(({ branches }) => branches);
  }

  /** Branches whose views are to take in what they lack: those that are asked for something, or the prompt's. */
  hungry(mayGoOn: (choice: Choice) => boolean): readonly Sequence[] {
    return this.#branches((choice) => (!mayGoOn(choice) ? NONE : choice.hasBegun ? choice.hungry : choice.branches));
  }

  /** Asked many times a tick: nothing is copied for the one choice that most requests have. */
  #branches(of: (choice: Choice) => readonly Sequence[]): readonly Sequence[] {
    const [only] = this.#all;
    return only && this.#all.length === 1 ? of(only) : this.#all.flatMap(of);
  }

  of({ nature }: Sequence): Choice | undefined {
    return this.#all[nature.choice];
  }

  /** Prompt tokens that came from the prefix store. */
  get cachedTokens(): number {
    return this.#all[0]?.trunk.views[0]?.cachedTokens ?? 0;
  }

  /** Claims rows: for the prompt when new, for every unfinished branch otherwise. */
  start(): void {
    if (this.#all.length === 0) this.#all.push(this.#choice(0, this.#firstTrunk()));
    for (const sequence of this.live) sequence.claim();
  }

  /** The prompt is in, and the others have yet to come. */
  get canExpand(): boolean {
    const [first] = this.#all;
    return first !== undefined && !this.#areThere && first.trunk.views.every((view) => view.logits(0));
  }

  expand(): void {
    const [first] = this.#all;
    if (!first) throw new Error('there is no choice to copy');
    const { n } = this.#context.branch.request;
    for (let choice = 1; choice < n; choice++)
      this.#all.push(this.#choice(choice, first.trunk.fork({ ...first.trunk.nature, choice, stream: choice })));
    this.#areThere = true;
  }

  begin(): void {
    for (const choice of this.#all) choice.begin();
  }

  /** Nothing was to be generated: every choice ends here. */
  endWithPrompt(): DecodeEvent[] {
    const { request } = this.#context.branch;
    for (let choice = this.#all.length; choice < request.n; choice++) {
      const nature = { choice, distribution: 0, slots: [], sampling: request.sampling, stream: choice };
      this.#all.push(this.#choice(choice, new Sequence(this.#context.branch, nature, [], [])));
    }
    this.#areThere = true;
    return this.#all.map((choice): DecodeEvent => {
      choice.answer.finish = { reason: 'length', stopReason: null };
      choice.rest();
      return { kind: 'finished', choice: choice.index, reason: 'length', stopReason: null };
    });
  }

  #firstTrunk(): Sequence {
    const { branch, models, prompts, wantedFrom } = this.#context;
    const tokens: number[] = [];
    const views = models.map((model, v) => new View(model, prompts.open(model, v), tokens, wantedFrom));
    const slots = models.map((_, slot) => slot);
    const nature = { choice: 0, distribution: 0, slots, sampling: branch.request.sampling, stream: 0 };
    return new Sequence(branch, nature, tokens, views);
  }

  #choice(index: number, trunk: Sequence): Choice {
    const { branch, reads, views, search, grew } = this.#context;
    return new Choice(index, trunk, search, {
      request: branch.request,
      table: branch.table,
      reads,
      slotsOf: (d) => [...(views.byDistribution[d] ?? []), ...(d === 0 && views.draft !== null ? [views.draft] : [])],
      grew,
    });
  }
}

const NONE: readonly Sequence[] = [];
