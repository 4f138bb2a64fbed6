// The naive twin of the engine for searches: branches are arrays, every law is evaluated from its whole prefix, nothing is batched or
// cached. It defines what each request of decoders/search.ts means; the engine must give the same answers.
import { forkStream, lotStream, uniform } from '../../decoders/random.js';
import { descending, normalise } from '../../decoders/rows.js';
import type {
  Branch,
  BranchSampling,
  Growth,
  Search,
  SearchAnswer,
  SearchRequest,
  SearchTrace,
  TokenBias,
  TopTokens,
} from '../../decoders/search.js';
import { applyEdits, draw, editsOf, lawOf, type Law, type Warp } from '../../decoders/warp.js';

export interface TwinWorld {
  /** Scores of the next token by this distribution of the plan after these generated tokens; −∞ forbids. Bias and penalties included. */
  scores(distribution: number, tokens: readonly number[]): Float64Array;
  /** What a source says of these tokens as an answer. `ended` tells whether the last of them ended it. */
  read?(source: number, variant: number, tokens: readonly number[], ended: boolean): readonly number[];
  /** Nothing may follow these tokens: a constraint is fulfilled. */
  isOver?(tokens: readonly number[]): boolean;
  /** Of one token; the letters a, b, c … when left out. End tokens have none. */
  textOf?(token: number): string;
  readonly stopTokenIds: readonly number[];
  readonly maxTokens: number;
  readonly seed?: number;
  readonly choice?: number;
  /** Of the request; temperature 1 and no filters when left out. */
  readonly sampling?: Warp;
  /** Decides in place of random numbers: how search-law.ts goes through every outcome. */
  readonly decide?: { draw(law: Law): number; uniform(): number };
  /** Throw this into the search instead of answering the so-many-th request (from 1). */
  readonly interrupt?: { readonly at: number; readonly error: Error };
}

export interface TwinResult {
  /** Committed tokens, end token included. */
  readonly tokens: readonly number[];
  /** Lengths of the trunk at each commit. */
  readonly commits: readonly number[];
  readonly traces: readonly SearchTrace[];
  readonly counts: Readonly<Record<string, number>>;
  /** Kinds of requests, `all` unfolded. */
  readonly requests: readonly SearchRequest['kind'][];
  /** Tokens drawn or forced on all branches. */
  readonly tokensGrown: number;
  /** Forks that were never released. */
  readonly leaked: number;
  /** Most branches alive at once, the trunk included; those that are made for their text cost nothing. */
  readonly mostAlive: number;
}

const NO_PENALTIES = { repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 };

class TwinBranch implements Branch {
  tokens: number[];
  ended: boolean;
  alive = true;
  constructor(
    tokens: readonly number[],
    ended: boolean,
    readonly distribution: number,
    readonly sampling: BranchSampling,
    readonly stream: number,
    readonly textOnly: boolean,
  ) {
    this.tokens = [...tokens];
    this.ended = ended;
  }
}

export function runTwin(start: (trunk: Branch) => Search, world: TwinWorld): TwinResult {
  const { seed = 1, choice = 0, stopTokenIds, maxTokens } = world;
  const own: Warp = world.sampling ?? { temperature: 1, topK: 0, topP: 1, minP: 0 };
  const trunk = new TwinBranch([], false, 0, {}, choice, false);
  const alive = new Set<TwinBranch>([trunk]);
  const commits: number[] = [];
  const traces: SearchTrace[] = [];
  const counts: Record<string, number> = {};
  const requests: SearchRequest['kind'][] = [];
  let [committed, serial, tokensGrown, mostAlive] = [0, 0, 0, 1];

  const textOf = (token: number): string =>
    stopTokenIds.includes(token) ? '' : (world.textOf?.(token) ?? String.fromCharCode(97 + token));
  const live = (branch: Branch): TwinBranch => {
    if (!(branch instanceof TwinBranch) || !branch.alive) throw new Error('a request about a branch that was released');
    return branch;
  };
  const push = (branch: TwinBranch, token: number): void => {
    if (branch.ended) throw new Error('a branch that has ended cannot grow');
    branch.tokens.push(token);
    tokensGrown++;
    branch.ended =
      stopTokenIds.includes(token) || branch.tokens.length >= maxTokens || (world.isOver?.(branch.tokens) ?? false);
  };
  const scoresAt = (branch: TwinBranch, bias: TokenBias = []): Float64Array => {
    if (branch.textOnly) throw new Error('a branch that was made for its text has no scores');
    const scores = world.scores(branch.distribution, branch.tokens);
    return bias.length === 0
      ? scores
      : applyEdits(scores, editsOf({ ...NO_PENALTIES, logitBias: bias }, [], new Map()));
  };

  const sample = (
    branch: TwinBranch,
    options: { tokens: number; until?: readonly string[]; logprobs?: boolean; bias?: TokenBias },
  ): Growth => {
    if (!(options.tokens >= 1)) throw new Error(`sample: ${options.tokens} tokens`);
    const [ids, logprobs]: [number[], number[]] = [[], []];
    while (ids.length < options.tokens) {
      const scores = scoresAt(branch, options.bias);
      const warp = { ...own, ...branch.sampling };
      const law = lawOf(scores, warp);
      const random = warp.temperature === 0 ? 0 : uniform(seed, branch.stream, branch.tokens.length);
      const id = world.decide?.draw(law) ?? draw(law, random);
      ids.push(id);
      if (options.logprobs) logprobs.push(normalise(scores)[id] ?? NaN);
      push(branch, id);
      const text = textOf(id);
      if (branch.ended || options.until?.some((end) => text.endsWith(end))) break;
    }
    return { ids, logprobs, ended: branch.ended };
  };

  const force = (branch: TwinBranch, forced: readonly number[], wanted: boolean): Growth => {
    const [ids, logprobs]: [number[], number[]] = [[], []];
    for (const id of forced) {
      if (branch.ended) break;
      if (wanted) logprobs.push(normalise(scoresAt(branch))[id] ?? NaN);
      push(branch, id);
      ids.push(id);
    }
    return { ids, logprobs, ended: branch.ended };
  };

  const top = (branch: TwinBranch, count: number): TopTokens => {
    const normal = normalise(scoresAt(branch));
    const ids = descending(normal)
      .filter((id) => normal[id] !== -Infinity)
      .slice(0, count);
    return { ids, logprobs: ids.map((id) => normal[id] ?? NaN) };
  };

  const answer = (request: SearchRequest): SearchAnswer => {
    if (request.kind !== 'all') requests.push(request.kind);
    switch (request.kind) {
      case 'sample':
        return sample(live(request.branch), request.options);
      case 'force':
        return force(live(request.branch), request.ids, request.logprobs);
      case 'logprobs':
        return top(live(request.branch), request.top);
      case 'sampling':
        return { ...own, ...live(request.branch).sampling };
      case 'fork': {
        const parent = live(request.branch);
        const { distribution = parent.distribution, sampling = parent.sampling, textOnly = false } = request.options;
        const stream = forkStream(choice, ++serial);
        const fork = new TwinBranch(parent.tokens, parent.ended, distribution, sampling, stream, textOnly);
        alive.add(fork);
        mostAlive = Math.max(mostAlive, [...alive].filter((branch) => !branch.textOnly).length);
        return fork;
      }
      case 'rewind': {
        const branch = live(request.branch);
        if (request.length > branch.tokens.length || (branch === trunk && request.length < committed))
          throw new Error(`cannot rewind ${branch.tokens.length} tokens to ${request.length}, committed ${committed}`);
        if (request.length < branch.tokens.length) branch.ended = false;
        branch.tokens.length = request.length;
        return null;
      }
      case 'become': {
        const [branch, other] = [live(request.branch), live(request.other)];
        if (
          branch.tokens.some((token, at) => at < committed && token !== other.tokens[at]) ||
          other.tokens.length < committed
        )
          throw new Error('become: the other branch lacks what is committed');
        branch.tokens = [...other.tokens];
        branch.ended = other.ended;
        other.alive = false;
        alive.delete(other);
        return null;
      }
      case 'release': {
        const branch = live(request.branch);
        if (branch === trunk) throw new Error('the trunk cannot be released');
        branch.alive = false;
        alive.delete(branch);
        return null;
      }
      case 'commit':
        if (live(request.branch) !== trunk) throw new Error('only the trunk can be committed');
        committed = trunk.tokens.length;
        commits.push(committed);
        return null;
      case 'text':
        return live(request.branch).tokens.slice(request.from).map(textOf).join('');
      case 'uniform': {
        const { stream, tokens } = live(request.branch);
        return world.decide?.uniform() ?? uniform(seed, lotStream(stream, request.nth), tokens.length);
      }
      case 'read': {
        const branch = live(request.branch);
        if (!world.read) throw new Error('this world has no sources of scores');
        return world.read(request.source, request.variant, branch.tokens.slice(request.from), branch.ended);
      }
      case 'trace':
        traces.push(request.entry);
        return null;
      case 'count':
        counts[request.what] = (counts[request.what] ?? 0) + request.by;
        return null;
      case 'all':
        return request.requests.map(answer);
      default:
        return request satisfies never;
    }
  };

  const search = start(trunk);
  let step = search.next();
  for (let asked = 1; step.done !== true; asked++) {
    if (asked > 200_000) throw new Error('the search does not end');
    step = world.interrupt?.at === asked ? search.throw(world.interrupt.error) : search.next(answer(step.value));
  }
  return {
    tokens: trunk.tokens.slice(0, committed),
    commits,
    traces,
    counts,
    requests,
    tokensGrown,
    leaked: alive.size - 1,
    mostAlive,
  };
}
