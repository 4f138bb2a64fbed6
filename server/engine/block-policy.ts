// How many tokens to draft in this tick: as many as promise the most tokens per second for everyone who shares it, none when drafting
// would cost. Learns what forwards and kernels cost from their own timings; knows no request. The choice never touches an answer:
// decoders/speculation.ts makes each token a function of its prefix.

/** A sequence that could draft. */
export interface Candidate {
  /** Most tokens that it may draft now. */
  readonly limit: number;
  /** How often a draft of it stands. */
  readonly acceptance: number;
  /** The model that drafts, and how many views of each model have to take in the block. Null for drafts by look-up. */
  readonly draftModel: string | null;
  readonly views: ReadonlyMap<string, number>;
}

/** Everyone in the tick. */
export interface Load {
  readonly candidates: readonly Candidate[];
  /** Rows of each model that take one plain step. */
  readonly others: ReadonlyMap<string, number>;
  /** Sequences that take one. */
  readonly otherTokens: number;
}

export interface BlockPolicy {
  /** Drafts per candidate, up to each one's own limit. */
  lengthFor(load: Load): number;
  /** A forward or kernel call of `size` tokens or rows took so long. */
  timed(what: string, size: number, ms: number): void;
}

/** What the logit kernels go by in `timed`: proposals, and decisions. */
export const PROPOSE = ' propose';
export const DECIDE = ' decide';

/** One tick in so many drafts although it does not seem to pay: figures go stale, and texts change. */
const PROBE_EVERY = 48;
const PROBE_LENGTH = 2;
/** A forward of a prompt's length says little about one of a block's. */
const LARGEST_TIMED = 160;

/**
 * What work of each size costs, smoothed. Sizes that were never seen lie on the line between their neighbours; beyond these they are
 * taken to be as cheap as they can be (below: in proportion; above: free), so that they are tried, and then known.
 */
export class SizeCost {
  static readonly #MEMORY = 0.85;
  readonly #ms = new Map<number, number>();

  observe(size: number, ms: number): void {
    const known = this.#ms.get(size);
    // A pause of the machine is no cost of the work.
    const seen = known === undefined ? ms : Math.min(ms, 3 * known);
    this.#ms.set(size, known === undefined ? seen : SizeCost.#MEMORY * known + (1 - SizeCost.#MEMORY) * seen);
  }

  /** 0 before anything was seen. */
  at(size: number): number {
    const exact = this.#ms.get(size);
    if (exact !== undefined) return exact;
    let below: readonly [number, number] | null = null;
    let above: readonly [number, number] | null = null;
    for (const entry of this.#ms) {
      if (entry[0] < size && (!below || entry[0] > below[0])) below = entry;
      if (entry[0] > size && (!above || entry[0] < above[0])) above = entry;
    }
    if (below && above) return below[1] + ((above[1] - below[1]) * (size - below[0])) / (above[0] - below[0]);
    if (above) return (above[1] * size) / above[0];
    return below?.[1] ?? 0;
  }
}

export class AdaptiveBlocks implements BlockPolicy {
  readonly #costs = new Map<string, SizeCost>();
  #ticksWithout = 0;

  timed(what: string, size: number, ms: number): void {
    if (size > LARGEST_TIMED) return;
    let cost = this.#costs.get(what);
    if (!cost) this.#costs.set(what, (cost = new SizeCost()));
    cost.observe(size, ms);
  }

  lengthFor(load: Load): number {
    const longest = Math.max(0, ...load.candidates.map(({ limit }) => limit));
    if (longest === 0) return 0;
    let best = { length: 0, rate: this.#rate(load, 0) };
    for (let length = 1; length <= longest; length++) {
      const rate = this.#rate(load, length);
      if (rate > best.rate) best = { length, rate };
    }
    if (best.length > 0) this.#ticksWithout = 0;
    else if (++this.#ticksWithout >= PROBE_EVERY) {
      this.#ticksWithout = 0;
      return Math.min(PROBE_LENGTH, longest);
    }
    return best.length;
  }

  /** Expected tokens per millisecond of a tick in which everyone drafts `length` tokens, or its limit. */
  #rate({ candidates, others, otherTokens }: Load, length: number): number {
    let tokens = otherTokens;
    let ms = 0;
    let decided = otherTokens;
    const taken = new Map(others);
    for (const { limit, acceptance, draftModel, views } of candidates) {
      const own = Math.min(length, limit);
      tokens += expectedTokens(acceptance, own);
      decided += 1 + own;
      // The draft itself takes in its last token only: it has seen the others while it made them.
      for (const [model, count] of views)
        taken.set(model, (taken.get(model) ?? 0) + count * (1 + own) - (model === draftModel ? own : 0));
    }
    for (const [model, size] of taken) if (size > 0) ms += this.#cost(model, size);
    for (let step = 0; step < length; step++) {
      const drafting = new Map<string, number>();
      for (const { limit, draftModel } of candidates)
        if (limit > step && draftModel !== null) drafting.set(draftModel, (drafting.get(draftModel) ?? 0) + 1);
      for (const [model, rows] of drafting) ms += this.#cost(model, rows) + this.#cost(PROPOSE, rows);
    }
    return tokens / Math.max(ms + this.#cost(DECIDE, decided), 1e-6);
  }

  #cost(what: string, size: number): number {
    return this.#costs.get(what)?.at(size) ?? 0;
  }
}

/** Tokens that a block of `length` drafts emits: each draft stands if all before it do, and one more comes from the decision. */
export function expectedTokens(acceptance: number, length: number): number {
  let expected = 1;
  for (let i = 1; i <= length; i++) expected += acceptance ** i;
  return expected;
}
