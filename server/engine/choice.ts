// One choice of a request: its trunk and forks, the search that drives them, and what has been committed of it. Does for the search what can
// be done at once (fork, rewind, commit …) and says what has to be waited for. Knows no batch; owned by a Run.
import { forkStream, lotStream, uniform } from '../../decoders/random.js';
import {
  BudgetSpent,
  type ScorerFailed,
  type Search,
  type SearchAnswer,
  type SearchTrace,
} from '../../decoders/search.js';
import type { Branch, BranchSampling, ForkOptions } from '../../decoders/search.js';
import { plainly } from '../../decoders/searches/sample.js';
import type { DecodeEvent, DecodeRequest, SamplingParams, SearchReport } from '../wire/decode.js';
import { Answer } from './answer.js';
import { grown, type Ask, type GrowthAsk, type TopAsk } from './ask.js';
import { branchText } from './branch-text.js';
import { Driver, type Host, type OneRequest } from './driver.js';
import type { Reads } from './reads.js';
import type { Sequence } from './sequence.js';
import { commonLength, type Decision } from './sequence.js';
import type { TokenTable } from './text-stream.js';

/** What a choice needs of its request. */
export interface ChoiceContext {
  readonly request: DecodeRequest;
  readonly table: TokenTable;
  readonly reads: Reads | null;
  /** Numbers of the views that a distribution reads, the draft's included where it draws on drafts. */
  slotsOf(distribution: number): readonly number[];
  /** A control of a search's branches: what is drawn and computed there. */
  grew(tokens: number): void;
}

/** Of the figures that every search has; its own are in `counts`. */
export type Ended = SearchReport['ended'][number];

export class Choice implements Host {
  readonly index: number;
  readonly trunk: Sequence;
  readonly answer: Answer;
  readonly counts: Record<string, number> = {};
  ended: Ended | null = null;
  rewinds = 0;
  /** Each token is asked for by itself and told at once. */
  isPlain: boolean;
  readonly #context: ChoiceContext;
  readonly #forks = new Set<Sequence>();
  readonly #onlyTrunk: readonly Sequence[];
  #driver: Driver;
  #hasBegun = false;
  #serial = 0;
  #events: DecodeEvent[] = [];
  #story: SearchTrace[] = [];
  #told = 0;

  constructor(index: number, trunk: Sequence, search: (trunk: Branch) => Search, context: ChoiceContext) {
    this.index = index;
    this.trunk = trunk;
    this.#onlyTrunk = [trunk];
    this.answer = new Answer(index, context.request, context.table);
    this.#context = context;
    this.#driver = new Driver(search(trunk), this);
    this.isPlain = !context.request.search;
  }

  /** Nothing more will come. */
  get done(): boolean {
    return this.answer.finish !== null;
  }

  /** The trunk, while it is needed, and all forks. */
  get branches(): readonly Sequence[] {
    if (this.done) return NONE;
    return this.#forks.size === 0 ? this.#onlyTrunk : [this.trunk, ...this.#forks];
  }

  /** Branches that wait for tokens or for their next distribution, and those that others set out from. */
  get hungry(): readonly Sequence[] {
    const { branches } = this;
    return branches.every(isHungry) ? branches : branches.filter(isHungry);
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  begin(): void {
    this.#hasBegun = true;
    this.#driver.begin();
    this.#goOn();
  }

  /** A token was decided for a branch. False when nothing after it stands: the branch has ended, or its draft was another token. */
  accept(sequence: Sequence, decision: Decision): boolean {
    const { ask, drafts } = sequence;
    if (ask?.kind !== 'grow') throw new Error('a token that nobody asked for');
    const [draft] = drafts;
    sequence.accept(decision);
    this.#context.grew(1);
    grown(ask, decision, this.#context.table);
    if (ask.answer === null) return draft === decision.tokenId;
    const { isPlain } = this;
    // A search may fork or go back now: nothing may be known of tokens that are only proposed.
    if (!isPlain) sequence.dropDrafts();
    this.#resume(sequence);
    return isPlain && !sequence.ended && draft === decision.tokenId;
  }

  /** The next-token distribution of a branch is there. */
  tell(sequence: Sequence, { top }: Decision): void {
    const { ask } = sequence;
    if (ask?.kind !== 'top') throw new Error('a distribution that nobody asked for');
    const allowed = top.filter(({ logprob }) => logprob !== -Infinity).slice(0, ask.top);
    ask.answer = { ids: allowed.map(({ id }) => id), logprobs: allowed.map(({ logprob }) => logprob) };
    this.#resume(sequence);
  }

  /** Goes on if readings have brought what the search waits for. */
  resume(): void {
    if (this.#hasBegun && !this.done && this.#driver.resume()) this.#goOn();
  }

  /**
   * The search cannot go on as it was meant to. It may wind up with what it has; if it does not, what is not committed is dropped and the
   * rest is decoded plainly.
   */
  interrupt(cause: BudgetSpent | ScorerFailed): void {
    if (this.done || this.ended) return;
    const reason = cause instanceof BudgetSpent ? cause.budget : 'scorer';
    this.ended = { choice: this.index, reason, at: this.answer.length };
    for (const branch of this.branches) branch.ask = null;
    if (this.#driver.interrupt(cause)) this.#goOn();
    else this.#goOnPlainly();
  }

  /** What may be told now. */
  takeEvents(): readonly DecodeEvent[] {
    const events = this.#events;
    if (events.length === 0 && this.#story.length === 0) return events;
    this.#events = [];
    if (this.#story.length > 0) {
      const limit = this.#context.request.traceLimit ?? 0;
      const entries = this.#story.slice(0, Math.max(0, limit - this.#told));
      const cut = entries.length < this.#story.length && this.#told <= limit;
      this.#told += this.#story.length;
      this.#story = [];
      if (entries.length > 0 || cut)
        events.unshift({ kind: 'search', choice: this.index, entries, ...(cut ? { cut } : {}) });
    }
    return events;
  }

  /** Everything is given back, and nothing more is asked. */
  release(): void {
    this.#driver.stop();
    this.rest();
  }

  /** Rows are given back; tokens stay. */
  rest(): void {
    this.trunk.release();
    for (const fork of this.#forks) fork.release();
  }

  open(request: OneRequest): { readonly now: SearchAnswer } | { readonly ask: Ask } {
    switch (request.kind) {
      case 'sample':
        return { ask: this.#grow(this.#own(request.branch), null, request.options) };
      case 'force':
        return this.#force(this.#own(request.branch), request.ids, request.logprobs);
      case 'logprobs': {
        const sequence = this.#own(request.branch);
        const ask: TopAsk = {
          kind: 'top',
          sequence,
          top: Math.min(request.top, this.#context.request.vocabSize),
          answer: null,
        };
        return { ask: this.#ask(sequence, ask) };
      }
      case 'sampling': {
        const { temperature, topK, topP, minP } = this.#own(request.branch).nature.sampling;
        return { now: { temperature, topK, topP, minP } };
      }
      case 'fork':
        return { now: this.#fork(this.#own(request.branch), request.options) };
      case 'rewind':
        return { now: this.#rewind(this.#own(request.branch), request.length) };
      case 'become':
        return { now: this.#become(this.#own(request.branch), this.#own(request.other)) };
      case 'release':
        return { now: this.#drop(this.#own(request.branch)) };
      case 'commit':
        return { now: this.#commit(this.#own(request.branch)) };
      case 'text':
        return { now: branchText(this.#own(request.branch), this.#context, request.from) };
      case 'uniform': {
        const { nature, position } = this.#own(request.branch);
        return { now: uniform(this.#context.request.seed, lotStream(nature.stream, request.nth), position) };
      }
      case 'read': {
        const { reads } = this.#context;
        if (!reads) throw new Error('a reading in a request without sources');
        const answer = branchText(this.#own(request.branch), this.#context, request.from);
        return { ask: { kind: 'read', reading: reads.open(request.source, request.variant, answer) } };
      }
      case 'trace':
        if ((this.#context.request.traceLimit ?? 0) > 0) this.#story.push(request.entry);
        return { now: null };
      case 'count':
        this.counts[request.what] = (this.counts[request.what] ?? 0) + request.by;
        return { now: null };
      default:
        return request satisfies never;
    }
  }

  #own(branch: Branch): Sequence {
    const sequence = branch as Sequence;
    if (sequence === this.trunk || this.#forks.has(sequence)) return sequence;
    throw new Error('a search asked for a branch that was released');
  }

  #ask<T extends GrowthAsk | TopAsk>(sequence: Sequence, ask: T): T {
    if (sequence.ended) throw new Error('a search asked for more of a branch that has ended');
    if (!sequence.isComputed)
      throw new Error('a search asked for more than the text of a branch that it made for its text');
    if (sequence.ask !== null) throw new Error('a search asked two things of one branch at once');
    sequence.ask = ask;
    return ask;
  }

  #grow(sequence: Sequence, forced: readonly number[] | null, options: GrowthAsk['options']): GrowthAsk {
    const ask: GrowthAsk = { kind: 'grow', sequence, forced, options, ids: [], logprobs: [], answer: null };
    this.#ask(sequence, ask);
    sequence.showForced();
    return ask;
  }

  #force(
    sequence: Sequence,
    ids: readonly number[],
    logprobs: boolean,
  ): { readonly now: SearchAnswer } | { readonly ask: Ask } {
    sequence.checkForced(ids);
    // What may become the answer has its log-probabilities told where the client asked for them.
    const isTold = this.#context.request.logprobs !== null && sequence.nature.distribution === 0 && sequence.isComputed;
    if (ids.length > 0 && (logprobs || isTold))
      return { ask: this.#grow(sequence, ids, { tokens: ids.length, logprobs }) };
    const taken: number[] = [];
    for (const id of ids) {
      if (sequence.ended) break;
      sequence.force(id);
      taken.push(id);
    }
    this.#context.grew(taken.length);
    return { now: { ids: taken, logprobs: [], ended: sequence.ended } };
  }

  #fork(parent: Sequence, { distribution, sampling, textOnly = false }: ForkOptions): Sequence {
    const { nature } = parent;
    const own = {
      choice: this.index,
      distribution: distribution ?? nature.distribution,
      // The trunk has the views of all distributions; a fork takes in tokens for its own alone, which is what it was priced for.
      slots: textOnly ? NO_SLOTS : this.#context.slotsOf(distribution ?? nature.distribution),
      sampling: sampling ? changed(this.#context.request.sampling, sampling) : nature.sampling,
      stream: forkStream(this.index, ++this.#serial),
    };
    const fork = parent.fork(own, this.trunk);
    this.#forks.add(fork);
    return fork;
  }

  #rewind(sequence: Sequence, length: number): null {
    const least = sequence === this.trunk ? this.answer.length : 0;
    if (length < least || length > sequence.tokens.length)
      throw new Error(`cannot rewind ${sequence.tokens.length} tokens to ${length}; ${least} are committed`);
    if (length < sequence.tokens.length) this.rewinds++;
    this.#noticeRewind(sequence, length);
    sequence.rewind(length);
    return null;
  }

  /** Only of the trunk: forks are the search's own affair. */
  #noticeRewind(sequence: Sequence, to: number): void {
    const from = sequence.tokens.length;
    if (sequence === this.trunk && to < from && this.#context.request.notices)
      this.#events.push({ kind: 'rewind', choice: this.index, from, to });
  }

  #become(sequence: Sequence, other: Sequence): null {
    if (sequence === other || other === this.trunk) throw new Error('only a fork can be taken over');
    const committed = sequence === this.trunk ? this.answer.length : 0;
    if (sequence.tokens.slice(0, committed).some((id, at) => id !== other.tokens[at]))
      throw new Error('the other branch lacks what is committed');
    this.#noticeRewind(sequence, commonLength(sequence.tokens, other.tokens));
    sequence.become(other);
    this.#forks.delete(other);
    return null;
  }

  #drop(sequence: Sequence): null {
    if (sequence === this.trunk) throw new Error('the trunk cannot be released');
    sequence.release();
    this.#forks.delete(sequence);
    return null;
  }

  #commit(sequence: Sequence): null {
    if (sequence !== this.trunk) throw new Error('only the trunk can be committed');
    for (let at = this.answer.length; at < sequence.tokens.length; at++) {
      const finish = at === sequence.tokens.length - 1 ? sequence.finish : null;
      const delta = this.answer.push(sequence.tokens[at] ?? 0, sequence.originAt(at), finish);
      if (delta) this.#events.push(delta);
    }
    sequence.forgetOrigins(sequence.tokens.length);
    if (this.#context.request.notices && this.#context.request.search && !this.isPlain)
      this.#events.push({ kind: 'commit', choice: this.index, length: this.answer.length });
    return null;
  }

  #resume(sequence: Sequence): void {
    sequence.ask = null;
    if (this.#driver.resume()) this.#goOn();
  }

  /** The search has moved: has it ended, and has its answer? */
  #goOn(): void {
    if (this.#driver.ended && !this.done && !this.trunk.ended) {
      this.#goOnPlainly();
      return;
    }
    if (this.#driver.ended && !this.done) this.#commit(this.trunk);
    const { finish } = this.answer;
    if (finish === null) return;
    this.#driver.stop();
    this.#events.push({ kind: 'finished', choice: this.index, ...finish });
  }

  /** What is not committed is dropped, and the rest decoded plainly. */
  #goOnPlainly(): void {
    this.#driver.stop();
    for (const fork of this.#forks) this.#drop(fork);
    this.trunk.ask = null;
    this.#noticeRewind(this.trunk, this.answer.length);
    this.trunk.rewind(this.answer.length);
    this.isPlain = true;
    this.#driver = new Driver(plainly(this.trunk), this);
    this.#driver.begin();
    this.#goOn();
  }
}

const NONE: readonly Sequence[] = [];
const NO_SLOTS: readonly number[] = [];

const isHungry = ({ ask, isStem, ended }: Sequence): boolean => ask !== null || (isStem && !ended);

function changed(own: SamplingParams, { temperature, topK, topP, minP }: BranchSampling): SamplingParams {
  return {
    ...own,
    ...(temperature === undefined ? {} : { temperature }),
    ...(topK === undefined ? {} : { topK }),
    ...(topP === undefined ? {} : { topP }),
    ...(minP === undefined ? {} : { minP }),
  };
}
