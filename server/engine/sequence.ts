// One branch of one choice: its tokens, a view per (model, prompt), and everything that decoding remembers about them. Growing, forking and
// going back keep all of it together: a branch that was rewound is a branch that never went there. Knows no text that is shown (answer.ts)
// and no search; owned by a Choice.
import type { Branch } from '../../decoders/search.js';
import { editsOf, type Edits } from '../../decoders/warp.js';
import type { DecodeRequest, FinishReason, SamplingParams, TokenTrace } from '../wire/decode.js';
import type { GrowthAsk, TopAsk } from './ask.js';
import { isComplete, type Constraint, type MatchState } from './constraint.js';
import type { Mask } from './masks.js';
import { TextStream, type TokenTable } from './text-stream.js';
import type { View } from './view.js';

/** What the kernels decided for one position. */
export interface Decision {
  readonly tokenId: number;
  readonly logprob: number;
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
  readonly full: Float32Array | null;
  /** Why it is the first view's best token instead of what was asked for. */
  readonly fallback: 'nan' | 'overflow' | 'dead' | null;
  /** Experts of dynamic fusion that stood at their bound, by their place among `weights`. */
  readonly atBound: readonly number[];
  readonly trace: Pick<TokenTrace, 'members' | 'kl' | 'weights' | 'kept'> | null;
}

export interface Finish {
  readonly reason: FinishReason;
  readonly stopReason: string | number | null;
}

/** How a token came: null where nothing was asked about it. */
export interface Origin {
  readonly decision: Decision;
  readonly drafted: boolean;
  readonly accepted: boolean;
}

/** What all branches of a request share. */
export interface BranchContext {
  readonly request: DecodeRequest;
  readonly table: TokenTable;
  /** Of the prompt, for the repetition penalty. */
  readonly promptIds: ReadonlySet<number>;
  /** What the answer's text has to be. */
  readonly constraint: Constraint | null;
}

export interface BranchNature {
  readonly choice: number;
  /** Which distribution of the request draws on it, and its views: numbers of the request's views, in the order of `views`. */
  readonly distribution: number;
  readonly slots: readonly number[];
  readonly sampling: SamplingParams;
  /** Of random numbers: they are a function of (seed, stream, position). */
  readonly stream: number;
}

export class Sequence implements Branch {
  readonly nature: BranchNature;
  readonly tokens: number[];
  readonly views: readonly View[];
  /** What the search waits for here; at most one thing at a time. */
  ask: GrowthAsk | TopAsk | null = null;
  finish: Finish | null = null;
  /** It has been forked: it keeps up with its tokens, so that its next forks need not each take in what it lacks. */
  isStem = false;
  /** Parallel to `tokens` from `recordedFrom` on. */
  #origins: (Origin | null)[] = [];
  #recordedFrom = 0;
  readonly #context: BranchContext;
  readonly #counts = new Map<number, number>();
  #counted = 0;
  /** Finds stop strings; null where there are none. */
  #text: TextStream<null> | null;
  /** Where the constraint stands before each token and after the last; empty without one. */
  readonly #matches: MatchState[];
  /** Tokens after `tokens` that a draft proposes; never there between ticks. */
  readonly #drafts: number[] = [];

  /** `views` read `tokens`: the caller has made them over the same array. */
  constructor(
    context: BranchContext,
    nature: BranchNature,
    tokens: number[],
    views: readonly View[],
    matches?: readonly MatchState[],
  ) {
    this.#context = context;
    this.nature = nature;
    this.tokens = tokens;
    this.views = views;
    this.#text = this.#freshText();
    this.#matches = [...(matches ?? (context.constraint ? [context.constraint.start] : []))];
    for (const id of tokens) this.#note(id);
  }

  get ended(): boolean {
    return this.finish !== null;
  }

  /** The next position to decide. */
  get position(): number {
    return this.tokens.length;
  }

  /** Tokens that count as the answer: an end token does not. */
  get emitted(): number {
    return this.tokens.length - (typeof this.finish?.stopReason === 'number' ? 1 : 0);
  }

  /** It has views: more than its text can be asked for. */
  get isComputed(): boolean {
    return this.views.length > 0;
  }

  /** Is a token to be drawn here, not given? */
  get isDrawing(): boolean {
    return this.ask?.kind === 'grow' && this.ask.forced === null;
  }

  get drafts(): readonly number[] {
    return this.#drafts;
  }

  /** The view on this (model, prompt) of the request, if the branch has one. */
  view(slot: number): View | null {
    return this.views[this.nature.slots.indexOf(slot)] ?? null;
  }

  draft(tokenId: number): void {
    this.#drafts.push(tokenId);
  }

  /** Takes back what is drafted, and what the views have taken in of it. What is given stays known. */
  dropDrafts(): void {
    this.#drafts.length = 0;
    this.views.forEach((view) => view.keep(this.tokens.length));
    this.showForced();
  }

  /** Changes of the combined scores for the token after the first `ahead` drafts. */
  edits(ahead = 0): Edits {
    const { request, promptIds } = this.#context;
    const banned = this.tokens.length + ahead < request.minTokens ? request.stopTokenIds : [];
    const counts = ahead === 0 ? this.#counts : new Map(this.#counts);
    for (const id of this.#drafts.slice(0, ahead)) counts.set(id, (counts.get(id) ?? 0) + 1);
    return editsOf(biased(request.sampling, this.ask), promptIds, counts, banned);
  }

  /** What the constraint allows after the first `ahead` drafts; null where anything goes. */
  allowed(ahead = 0): Mask | null {
    const { constraint, request } = this.#context;
    const match = this.#matchAfter(ahead);
    return constraint && match && constraint.mask(match, request.stopTokenIds);
  }

  /** May this token be drafted next? One that ends the text is decided at its own position. */
  mayDraft(tokenId: number): boolean {
    const { constraint } = this.#context;
    const match = this.#matchAfter(this.#drafts.length);
    const after = constraint && match && constraint.after(match, tokenId);
    return constraint === null || (after !== null && !isComplete(after));
  }

  /** Throws where the constraint forbids these tokens. */
  checkForced(ids: readonly number[]): void {
    const { constraint, request } = this.#context;
    let match = this.#matchAfter(0);
    for (const id of ids) {
      if (!constraint || !match || isComplete(match) || request.stopTokenIds.includes(id)) return;
      match = constraint.after(match, id);
      if (!match) throw new Error(`a search gave a token that the constraint forbids: ${id}`);
    }
  }

  /** Takes in a token that was decided here. It may be the next draft; any other one ends the block. */
  accept(decision: Decision): void {
    const drafted = this.#drafts.length > 0;
    const accepted = this.#drafts[0] === decision.tokenId;
    this.views.forEach((view) => view.settle(this.position));
    if (accepted) this.#drafts.shift();
    else if (drafted) this.dropDrafts();
    const speculated = drafted && this.isDrawing;
    this.#push(decision.tokenId, { decision, drafted: speculated, accepted: speculated && accepted });
    if (this.finish && this.#drafts.length > 0) this.dropDrafts();
  }

  /** Takes in a token that nobody scored. */
  force(tokenId: number): void {
    this.views.forEach((view) => view.settle(this.position));
    this.#push(tokenId, null);
  }

  /** As if the tokens from `length` on had never been. */
  rewind(length: number): void {
    if (length === this.tokens.length) return;
    this.tokens.length = length;
    this.#origins.length = Math.max(0, length - this.#recordedFrom);
    if (this.#matches.length > 0) this.#matches.length = length + 1;
    this.#drafts.length = 0;
    this.finish = null;
    this.#replay();
    this.views.forEach((view) => view.rewind(length));
  }

  /** A copy with rows of its own, for the views of another nature. Those that this branch lacks set out from the trunk, which has all. */
  fork(nature: BranchNature, trunk: Sequence = this): Sequence {
    const tokens = [...this.tokens];
    const sources = nature.slots.map((slot) => {
      const own = this.view(slot);
      const view = own ?? trunk.view(slot);
      if (!view) throw new Error(`a fork needs the view ${slot}, which its trunk lacks`);
      return { view, shared: own ? tokens.length : commonLength(trunk.tokens, tokens) };
    });
    this.isStem ||= nature.slots.length > 0;
    const views = sources.map(({ view, shared }) => view.fork(tokens, shared));
    const copy = new Sequence(this.#context, nature, tokens, views, this.#matches);
    copy.#origins = [...this.#origins];
    copy.#recordedFrom = this.#recordedFrom;
    return copy;
  }

  /** Takes over the other's tokens, and what its views have taken in; the other keeps nothing. */
  become(other: Sequence): void {
    const shared = commonLength(this.tokens, other.tokens);
    this.rewind(shared);
    for (const [at, id] of other.tokens.entries()) {
      if (at < shared) continue;
      this.views.forEach((view) => view.settle(at));
      this.#push(id, other.originAt(at));
    }
    this.views.forEach((view, v) => {
      const theirs = other.view(this.nature.slots[v] ?? -1);
      if (theirs) view.takeRow(theirs);
    });
    other.release();
  }

  /** How the token at `position` came, as long as that is kept. */
  originAt(position: number): Origin | null {
    return this.#origins[position - this.#recordedFrom] ?? null;
  }

  /** What is known of tokens before `position` is no longer needed. */
  forgetOrigins(position: number): void {
    this.#origins.splice(0, position - this.#recordedFrom);
    this.#recordedFrom = position;
  }

  /** Claims rows; tokens that are given and not scored yet are known to the views again. */
  claim(): void {
    for (const view of this.views) view.claim();
    this.showForced();
  }

  /** Tokens that are to be scored are taken in like drafts, and become tokens one by one. */
  showForced(): void {
    if (this.ended || this.ask?.kind !== 'grow' || this.ask.forced === null) return;
    this.#drafts.splice(0, Infinity, ...this.ask.forced.slice(this.ask.ids.length));
    this.views.forEach((view) => view.show(this.#drafts));
  }

  /** Rows go back; tokens stay, and what is asked. */
  release(): void {
    this.#drafts.length = 0;
    this.views.forEach((view) => view.release());
  }

  #push(tokenId: number, origin: Origin | null): void {
    this.tokens.push(tokenId);
    this.#origins.push(origin);
    this.#note(tokenId);
  }

  #note(tokenId: number): void {
    const { request } = this.#context;
    this.#counts.set(tokenId, (this.#counts.get(tokenId) ?? 0) + 1);
    this.#counted++;
    const isOver = this.#match(tokenId);
    if (request.stopTokenIds.includes(tokenId)) {
      this.finish = { reason: 'stop', stopReason: tokenId };
      return;
    }
    let stopped = this.#text?.push(tokenId, null).stopped ?? null;
    const isLast = this.#counted >= request.maxTokens;
    // What was held back as a possible beginning of a stop string may turn out, at the end, to hold a shorter one.
    if (stopped === null && (isLast || isOver)) stopped = this.#text?.flush().stopped ?? null;
    if (stopped !== null) this.finish = { reason: 'stop', stopReason: stopped };
    else if (isOver) this.finish = { reason: 'stop', stopReason: null };
    else if (isLast) this.finish = { reason: 'length', stopReason: null };
  }

  /** Notes where the constraint stands after a token; true when nothing more may follow. */
  #match(tokenId: number): boolean {
    const { constraint, request } = this.#context;
    if (!constraint) return false;
    const known = this.#matches[this.#counted];
    const before = this.#matches[this.#counted - 1] as MatchState;
    const after = known ?? (request.stopTokenIds.includes(tokenId) ? before : constraint.after(before, tokenId));
    if (!after) throw new Error(`a token that the constraint forbids: ${tokenId}`);
    this.#matches[this.#counted] = after;
    return isComplete(after);
  }

  /** Null where there is no constraint, or where it forbids what is drafted. */
  #matchAfter(ahead: number): MatchState | null {
    const { constraint, request } = this.#context;
    let match = this.#matches.at(-1) ?? null;
    for (const id of this.#drafts.slice(0, ahead))
      match = constraint && match && (request.stopTokenIds.includes(id) ? match : constraint.after(match, id));
    return match;
  }

  /** Notes all tokens again: counts and the search for stop strings depend on nothing else. */
  #replay(): void {
    this.#counts.clear();
    this.#counted = 0;
    this.#text = this.#freshText();
    for (const id of this.tokens) this.#note(id);
  }

  #freshText(): TextStream<null> | null {
    const { request, table } = this.#context;
    if (request.stop.length === 0) return null;
    return new TextStream(table, { stops: request.stop, minTokens: request.minTokens, shown: request.shownTokenIds });
  }
}

/** With what the search adds to the scores. */
function biased(sampling: SamplingParams, ask: Sequence['ask']): SamplingParams {
  const bias = ask?.kind === 'grow' ? ask.options.bias : undefined;
  return bias && bias.length > 0 ? { ...sampling, logitBias: [...sampling.logitBias, ...bias] } : sampling;
}

export function commonLength(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
