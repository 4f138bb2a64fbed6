// What a search may ask of the engine, and what it gets back. A search is a synchronous generator about one choice of one request: it
// yields requests, the engine batches what all searches ask for and resumes each with its answer. `yield*` composes searches; all state is
// in arguments and locals. A test drives one with a plain list of answers, or with the naive twin of the engine.
//
// The trunk is the branch that becomes the answer. Only what is committed is streamed; nothing committed is ever taken back, so the trunk
// is never rewound below it. Every other branch is a fork, and its search releases it (the engine does when the search ends or fails).
import type { Json } from './fields.js';
import type { Warp } from './warp.js';

/** One line of generated text. What it holds can be read at any time; it changes only by requests. */
export interface Branch {
  /** Generated token ids, from the end of the prompt on. */
  readonly tokens: readonly number[];
  /** An end token, a stop string or the length ended it: nothing may follow, except after a rewind. */
  readonly ended: boolean;
}

/** Changes of the request's own sampling, for branches that are only looked at. What is left out stays the request's. */
export interface BranchSampling {
  /** 0 is greedy. */
  readonly temperature?: number;
  /** 0 is off. */
  readonly topK?: number;
  /** 1 is off. */
  readonly topP?: number;
  /** 0 is off. */
  readonly minP?: number;
}

export interface ForkOptions {
  /** Which distribution of the plan draws on the fork; the parent's own when left out. The trunk has distribution 0. */
  readonly distribution?: number;
  readonly sampling?: BranchSampling;
  /** Only its text is wanted: it takes given tokens in and computes nothing, so it costs no row. The trunk may become it. */
  readonly textOnly?: boolean;
}

/** Added to the scores of a few tokens, as the request's own `logit_bias` is: before temperature and filters, part of the log-probabilities. */
export type TokenBias = readonly (readonly [tokenId: number, bias: number])[];

export interface SampleOptions {
  /** At most so many tokens. */
  readonly tokens: number;
  /** Ends early, after a token whose text ends with one of these characters. */
  readonly until?: readonly string[];
  /** The log-probabilities of the tokens are wanted. */
  readonly logprobs?: boolean;
  /** For each of these tokens alike; −Infinity forbids. */
  readonly bias?: TokenBias;
}

/** How a branch has grown. */
export interface Growth {
  /** The tokens that came; a stop string or the length may cut `force` short. */
  readonly ids: readonly number[];
  /** log softmax of the scores before temperature and filters, parallel to `ids`; empty where not asked for. */
  readonly logprobs: readonly number[];
  readonly ended: boolean;
}

/** Tokens by falling log-probability (ties: rising id); tokens that the request forbids are left out. */
export interface TopTokens {
  readonly ids: readonly number[];
  /** Of the branch's distribution, before temperature and filters; normalised over the whole vocabulary. */
  readonly logprobs: readonly number[];
}

export type SearchRequest =
  | { readonly kind: 'sample'; readonly branch: Branch; readonly options: SampleOptions }
  | { readonly kind: 'force'; readonly branch: Branch; readonly ids: readonly number[]; readonly logprobs: boolean }
  | { readonly kind: 'logprobs'; readonly branch: Branch; readonly top: number }
  | { readonly kind: 'sampling'; readonly branch: Branch }
  | { readonly kind: 'fork'; readonly branch: Branch; readonly options: ForkOptions }
  | { readonly kind: 'rewind'; readonly branch: Branch; readonly length: number }
  | { readonly kind: 'become'; readonly branch: Branch; readonly other: Branch }
  | { readonly kind: 'release'; readonly branch: Branch }
  | { readonly kind: 'commit'; readonly branch: Branch }
  | { readonly kind: 'text'; readonly branch: Branch; readonly from: number }
  | { readonly kind: 'uniform'; readonly branch: Branch; readonly nth: number }
  | {
      readonly kind: 'read';
      readonly source: number;
      readonly variant: number;
      readonly branch: Branch;
      readonly from: number;
    }
  | { readonly kind: 'trace'; readonly entry: SearchTrace }
  | { readonly kind: 'count'; readonly what: string; readonly by: number }
  | { readonly kind: 'all'; readonly requests: readonly SearchRequest[] };

export type SearchAnswer =
  Growth | TopTokens | Warp | Branch | string | number | readonly number[] | readonly SearchAnswer[] | null;

/** A step of a search's story, for a page to draw: `event` says what it is, the rest belongs to it. */
export interface SearchTrace {
  readonly event: string;
  readonly [key: string]: Json;
}

/** A piece of a search that comes to T. */
export type Searching<T> = Generator<SearchRequest, T, SearchAnswer>;
export type Search = Searching<void>;

/** The budget of the request has ended: thrown into a search once, which may wind up with what it has; if it does not, the engine drops what is not committed and goes on plainly. */
export class BudgetSpent extends Error {
  override readonly name = 'BudgetSpent';
  readonly budget: 'forwards' | 'time' | 'tokens';

  constructor(budget: BudgetSpent['budget']) {
    super(`the search's budget of ${budget} has ended`);
    this.budget = budget;
  }
}

/**
 * A scorer gave NaN, or an answer in time it did not: thrown into a search where the operator lets such requests go on plainly. A scorer throws it
 * where what it got has not the number that it needs.
 */
export class ScorerFailed extends Error {
  override readonly name = 'ScorerFailed';
}

/** Lets the branch's distribution choose one token. */
export function* next(branch: Branch): Searching<{ readonly tokenId: number; readonly ended: boolean }> {
  const { ids, ended } = yield* sample(branch, { tokens: 1 });
  return { tokenId: ids[0] ?? -1, ended };
}

/** Lets the branch's distribution choose up to so many tokens. */
export function* sample(branch: Branch, options: SampleOptions): Searching<Growth> {
  return (yield { kind: 'sample', branch, options }) as Growth;
}

/** Appends given tokens. Costs their forward when the branch is next asked for something; with `logprobs` they are scored at once. */
export function* force(branch: Branch, ids: readonly number[], { logprobs = false } = {}): Searching<Growth> {
  return (yield { kind: 'force', branch, ids, logprobs }) as Growth;
}

/** What may come next on the branch: its `top` most probable tokens, all of them with Infinity. */
export function* logprobs(branch: Branch, top: number): Searching<TopTokens> {
  return (yield { kind: 'logprobs', branch, top }) as TopTokens;
}

/** How the branch draws: the request's temperature and filters, or the fork's own. */
export function* sampling(branch: Branch): Searching<Warp> {
  return (yield { kind: 'sampling', branch }) as Warp;
}

/** A copy that goes its own way. It draws other random numbers than its parent and its siblings. */
export function* fork(branch: Branch, options: ForkOptions = {}): Searching<Branch> {
  return (yield { kind: 'fork', branch, options }) as Branch;
}

/** Back to so many tokens: as if the rest had never been. */
export function* rewind(branch: Branch, length: number): Searching<void> {
  yield { kind: 'rewind', branch, length };
}

/** The branch takes over the other's tokens and what was computed for them; the other is released. */
export function* become(branch: Branch, other: Branch): Searching<void> {
  yield { kind: 'become', branch, other };
}

export function* release(branch: Branch): Searching<void> {
  yield { kind: 'release', branch };
}

/** All tokens of the trunk so far are the answer: they may be streamed. Where the trunk has ended the answer is whole, and the search over. */
export function* commit(trunk: Branch): Searching<void> {
  yield { kind: 'commit', branch: trunk };
}

/** The text of the tokens from `from` on, without end token and stop string. */
export function* text(branch: Branch, from = 0): Searching<string> {
  return (yield { kind: 'text', branch, from }) as string;
}

/**
 * A random number in [0, 1) for a choice that the search makes itself. It belongs to the branch and its length, so asking again gives it again,
 * and is independent of those that tokens are drawn with.
 */
export function* uniform(branch: Branch, nth = 0): Searching<number> {
  return (yield { kind: 'uniform', branch, nth }) as number;
}

/** What a source of scores (plan.ts) says of the branch's text, of its tokens from `from` on, as an answer to the request. Equal texts are asked once. */
export function* read(source: number, branch: Branch, variant = 0, from = 0): Searching<readonly number[]> {
  return (yield { kind: 'read', source, variant, branch, from }) as readonly number[];
}

/** A fork that is sampled, looked at by `visit`, and gone. */
export function* rollout<T>(
  branch: Branch,
  options: SampleOptions & ForkOptions,
  visit: (ahead: Branch, growth: Growth) => Searching<T>,
): Searching<T> {
  const ahead = yield* fork(branch, options);
  const growth: Growth = ahead.ended ? { ids: [], logprobs: [], ended: true } : yield* sample(ahead, options);
  const seen = yield* visit(ahead, growth);
  yield* release(ahead);
  return seen;
}

/** Tells a step of the story; costs nothing where nobody asked for it. */
export function* trace(entry: SearchTrace): Searching<void> {
  yield { kind: 'trace', entry };
}

/** Adds to a figure of the reply's `decoding.search`. */
export function* count(what: string, by = 1): Searching<void> {
  yield { kind: 'count', what, by };
}

/**
 * Searches that go on side by side, in step: what they ask for at the same time is one batch. The step ends when all its answers are there.
 * Those whose requests take no forward catch up with the others first, so that all forwards meet.
 * What is thrown into it is thrown into each of them: those that wind up do so in step, and so do those that only release what they hold.
 */
export function* all<T>(searches: readonly Searching<T>[]): Searching<T[]> {
  const results = new Array<T>(searches.length);
  const thrown = { isThere: false, error: undefined as unknown, escaped: false };
  let running = searches.map((search, index) => ({ search, index, step: search.next() }));
  try {
    for (;;) {
      running = running.filter(({ step, index }) => {
        if (step.done === true) results[index] = step.value;
        return step.done !== true;
      });
      if (running.length === 0) {
        if (thrown.escaped) throw thrown.error;
        return results;
      }
      const quick = running.filter(({ step }) => !takesForwards(step.value as SearchRequest));
      const turn = quick.length > 0 ? quick : running;
      const requests = turn.map(({ step }) => step.value as SearchRequest);
      let answers: readonly SearchAnswer[] | null = null;
      try {
        answers = (yield { kind: 'all', requests }) as readonly SearchAnswer[];
      } catch (error) {
        Object.assign(thrown, { isThere: true, error });
      }
      const left: typeof running = [];
      for (const each of running) {
        const r = turn.indexOf(each);
        try {
          if (!answers) each.step = each.search.throw(thrown.error);
          else if (r >= 0) each.step = each.search.next(answers[r] ?? null);
          left.push(each);
        } catch (error) {
          if (!thrown.isThere || error !== thrown.error) throw error;
          thrown.escaped = true;
        }
      }
      running = left;
    }
  } finally {
    // Ended from outside, or one of them threw what is new: the others must not believe that they go on.
    for (const { search } of running) search.return(undefined as T);
  }
}

function takesForwards(request: SearchRequest): boolean {
  switch (request.kind) {
    case 'sample':
    case 'logprobs':
    case 'read':
      return true;
    case 'force':
      return request.logprobs;
    case 'all':
      return request.requests.some(takesForwards);
    case 'sampling':
    case 'fork':
    case 'rewind':
    case 'become':
    case 'release':
    case 'commit':
    case 'text':
    case 'uniform':
    case 'trace':
    case 'count':
      return false;
    default:
      return request satisfies never;
  }
}
