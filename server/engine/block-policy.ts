// How many tokens each sequence drafts in this tick: as many as promise the most tokens per second for everyone who shares it, none where
// drafting would cost. Learns what forwards and kernels cost from their own timings, and how often drafts stand from what became of
// them; knows no request. The choice never touches an answer: decoders/speculation.ts makes each token a function of its prefix.
import { AcceptanceMemory, type DraftRecord } from './acceptance.js';
import { SizeCost } from './block-cost.js';
import { TickTimes } from './tick-times.js';

/** A sequence that could draft. */
export interface Candidate {
  /** Most tokens that it may draft now. */
  readonly limit: number;
  /** Sequences of one kind are expected to fare alike: the same draft for the same structure of distribution. */
  readonly kind: string;
  /** What became of its request's drafts. */
  readonly record: DraftRecord;
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
  /** Drafts per candidate, none above its limit. */
  lengthsFor(load: Load): readonly number[];
  /** A forward or kernel call of `size` tokens or rows took so long. */
  timed(what: string, size: number, ms: number): void;
  /** A draft of this kind whose predecessors all stood has been compared with the decision. */
  tested(kind: string, stood: boolean): void;
  /** The tick that was last asked about took so long from there, and nobody in it took in more than a step or a block. */
  ticked(ms: number): void;
}

/** What the logit kernels go by in `timed`: proposals, and decisions. */
export const PROPOSE = ' propose';
export const DECIDE = ' decide';

/** A forward of a prompt's length says little about one of a block's. */
const LARGEST_TIMED = 160;
/** Lengths are tried by how likely their last draft is to count: from this on, each time so much less likely. */
const LEVEL_STEP = 0.9;
const LEVELS = 40;
/** The best of forty noisy estimates is too hopeful: what promises less than this over no drafts at all is not believed. */
const WORTHWHILE = 1.05;
/** Rows of one forward are padded to the longest; beyond so many tokens of padding the scheduler makes it two (scheduler.ts). */
const PADDING_TOKENS = 32;
/** So many ticks without a draft, and each of a kind drafts one: figures go stale, and texts change. Twice as many each time that fails. */
const FIRST_PATIENCE = 32;
const LAST_PATIENCE = 1024;
/** After so many ticks with drafts one goes without, for comparison; each time twice as many. */
const FIRST_COMPARED = 4;
const LAST_COMPARED = 128;
/** Clients can ask for ever new kinds. */
const MAX_RESTING = 256;

/** What a tick is expected to give, and to take if it is but the sum of its parts. */
interface Outlook {
  readonly tokens: number;
  readonly ms: number;
}

interface Choice extends Outlook {
  readonly lengths: readonly number[];
  /** Tokens per millisecond. */
  readonly rate: number;
}

/** How long a kind of draft, or going without any, has rested, and how long it is to. */
interface Rest {
  ticks: number;
  patience: number;
}

export class AdaptiveBlocks implements BlockPolicy {
  readonly #costs = new Map<string, SizeCost>();
  readonly #memory = new AcceptanceMemory();
  /** Of the kinds that do not draft, the longest gone first. */
  readonly #rests = new Map<string, Rest>();
  readonly #times = new TickTimes();
  readonly #undrafted: Rest = { ticks: 0, patience: FIRST_COMPARED };
  #chosen: { readonly drafted: boolean; readonly ms: number } | null = null;

  timed(what: string, size: number, ms: number): void {
    if (size > LARGEST_TIMED) return;
    let cost = this.#costs.get(what);
    if (!cost) this.#costs.set(what, (cost = new SizeCost()));
    cost.observe(size, ms);
  }

  tested(kind: string, stood: boolean): void {
    this.#memory.add(kind, stood);
  }

  ticked(ms: number): void {
    if (this.#chosen) this.#times.observe(this.#chosen.drafted ? 'drafted' : 'plain', ms, this.#chosen.ms);
    this.#chosen = null;
  }

  lengthsFor(load: Load): readonly number[] {
    const acceptances = load.candidates.map(({ kind, record }) => this.#memory.expect(kind, record));
    const { excess } = this.#times;
    const choice = (lengths: readonly number[], handicap: number): Choice => {
      const outlook = this.#outlook(load, acceptances, lengths);
      return { ...outlook, lengths, rate: outlook.tokens / Math.max(outlook.ms * handicap, 1e-6) };
    };
    const plain = choice(
      load.candidates.map(() => 0),
      1 / WORTHWHILE,
    );
    let { lengths } = plain;
    let best = plain;
    for (let level = 1; level <= LEVELS; level++) {
      const next = load.candidates.map(({ limit }, c) => lengthAt(LEVEL_STEP ** level, acceptances[c] ?? 0, limit));
      if (next.every((length, c) => length === lengths[c])) continue;
      lengths = next;
      const drafted = choice(lengths, excess);
      if (drafted.rate > best.rate) best = drafted;
    }
    if (best !== plain && isOver(this.#undrafted, LAST_COMPARED)) best = plain;
    const tried = this.#tryAgain(load.candidates, best.lengths);
    const chosen = tried === best.lengths ? best : choice(tried, 1);
    this.#chosen = { drafted: chosen.lengths.some((length) => length > 0), ms: chosen.ms };
    return tried;
  }

  /** Kinds that have rested long enough draft one token. */
  #tryAgain(candidates: readonly Candidate[], lengths: readonly number[]): readonly number[] {
    const drafting = new Set(candidates.flatMap(({ kind }, c) => ((lengths[c] ?? 0) > 0 ? [kind] : [])));
    const trying = new Set<string>();
    for (const kind of new Set(candidates.map((candidate) => candidate.kind))) {
      const rest = this.#rests.get(kind) ?? { ticks: 0, patience: FIRST_PATIENCE };
      // Kinds that are gone leave the front of the map.
      this.#rests.delete(kind);
      if (drafting.has(kind)) continue;
      this.#rests.set(kind, rest);
      if (isOver(rest, LAST_PATIENCE)) trying.add(kind);
    }
    const [oldest] = this.#rests.keys();
    if (this.#rests.size > MAX_RESTING && oldest !== undefined) this.#rests.delete(oldest);
    if (trying.size === 0) return lengths;
    return candidates.map(({ kind, limit }, c) => (trying.has(kind) ? Math.min(1, limit) : (lengths[c] ?? 0)));
  }

  #outlook(
    { candidates, others, otherTokens }: Load,
    acceptances: readonly number[],
    lengths: readonly number[],
  ): Outlook {
    let tokens = otherTokens;
    let decided = otherTokens;
    const shares = new Map<string, Share>();
    const take = (model: string, rows: number, width: number): void => {
      const share = shares.get(model) ?? { rows: 0, tokens: 0, widest: 0 };
      share.rows += rows;
      share.tokens += rows * width;
      if (rows > 0) share.widest = Math.max(share.widest, width);
      shares.set(model, share);
    };
    for (const [model, rows] of others) take(model, rows, 1);
    candidates.forEach(({ draftModel, views }, c) => {
      const own = lengths[c] ?? 0;
      tokens += expectedTokens(acceptances[c] ?? 0, own);
      decided += 1 + own;
      // The draft itself takes in its last token only: it has seen the others while it made them.
      if (draftModel !== null) take(draftModel, 1, 1);
      for (const [model, rows] of views) take(model, model === draftModel ? rows - 1 : rows, 1 + own);
    });
    let ms = this.#cost(DECIDE, decided);
    for (const [model, share] of shares) ms += this.#cost(model, paddedTokens(share));
    for (let step = 0, drafting = true; drafting; step++) {
      const rows = new Map<string, number>();
      drafting = false;
      candidates.forEach(({ draftModel }, c) => {
        if ((lengths[c] ?? 0) <= step) return;
        drafting = true;
        if (draftModel !== null) rows.set(draftModel, (rows.get(draftModel) ?? 0) + 1);
      });
      for (const [model, count] of rows) ms += this.#cost(model, count) + this.#cost(PROPOSE, count);
    }
    return { tokens, ms };
  }

  #cost(what: string, size: number): number {
    return size === 0 ? 0 : (this.#costs.get(what)?.at(size) ?? 0);
  }
}

/** Counts one more tick of rest. When it is over the next one begins, twice as long. */
function isOver(rest: Rest, longest: number): boolean {
  if (++rest.ticks < rest.patience) return false;
  rest.ticks = 0;
  rest.patience = Math.min(2 * rest.patience, longest);
  return true;
}

/** The longest block whose last draft is at least this likely to count, each draft standing if all before it do. */
function lengthAt(likely: number, acceptance: number, limit: number): number {
  let length = 0;
  for (let survival = acceptance; length < limit && survival >= likely; survival *= acceptance) length++;
  return length;
}

/** What one model takes in. */
interface Share {
  rows: number;
  tokens: number;
  widest: number;
}

function paddedTokens({ rows, tokens, widest }: Share): number {
  const padded = rows * widest;
  return padded - tokens <= Math.max(PADDING_TOKENS, widest) ? padded : tokens;
}

/** Tokens that a block of `length` drafts emits: each draft stands if all before it do, and one more comes from the decision. */
export function expectedTokens(acceptance: number, length: number): number {
  let expected = 1;
  for (let i = 1; i <= length; i++) expected += acceptance ** i;
  return expected;
}
