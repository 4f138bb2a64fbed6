// What RAIN asks of the engine at the leaves of its tree: the token sets that may follow, simulations, their judgements. Nodes hold tokens only.
// A scout walks from leaf to leaf: it goes back to what its last path and the next have in common and on from there, so that little is
// computed twice. rain.ts calls this and has the algorithm.
import type { Scorer } from '../plan.js';
import { scoreAll } from '../scorers/index.js';
import { all, count, force, logprobs, read, rewind, sample, text, trace } from '../search.js';
import type { Branch, BranchSampling, Searching, TopTokens } from '../search.js';
import { borrowing, type Loans } from './forks.js';
import { placesFor, setsAfter, type Wanted } from './rain-sets.js';
import { forecast, leafOf, newNode, priorOfNewcomer, priorsOf, select, smoothed, unit } from './rain-tree.js';
import type { Candidate, Look, Path, TreeNode, TreeRules } from './rain-tree.js';

/** Plain data: what the plan hands to the search. */
export interface RainValues extends TreeRules {
  readonly judge: Scorer;
  /** From the judge's score to [−1, 1]. */
  readonly scale: Scale;
  /** Where embeddings are read; null: no sharing between similar sets. */
  readonly embedding: number | null;
  readonly candidates: number;
  /** Tokens of a set by its depth; the last holds for all deeper ones. */
  readonly setTokens: readonly number[];
  readonly lookahead: number;
  readonly maxIterations: number;
  readonly extraIterations: number;
  readonly parallel: number;
}

export type Scale =
  | { readonly kind: 'linear'; readonly least: number; readonly most: number }
  /** tanh of the score: for scores without bounds. */
  | { readonly kind: 'tanh' };

/** One answer's search. */
export interface Rain {
  readonly trunk: Branch;
  /** As many as leaves may be looked from at once. */
  readonly scouts: readonly Branch[];
  readonly values: RainValues;
  /** Judgements by text. */
  readonly judged: Map<string, number>;
  /** Whether a token's text ends a clause, as far as anybody has asked. */
  readonly clauseEnds: Map<number, boolean>;
  /** Nodes so far. */
  nodes: number;
}

const CLAUSE_ENDS = [',', '.', '?', ':', ';', '\n'] as const;
/** The model's own law, whatever the request's sampling. */
const FREELY: BranchSampling = { temperature: 1, topK: 0, topP: 1, minP: 0 };

export function setTokensAt({ setTokens }: RainValues, { depth }: TreeNode): number {
  return setTokens[Math.min(depth, setTokens.length - 1)] ?? 1;
}

/**
 * Sees to it that the next leaf has a look and children, and those that will likely follow, side by side: as many as `parallel` says. They
 * count when the search comes to them and not before, so that its law is that of one look after the other.
 */
export function* lookAhead(rain: Rain, root: TreeNode): Searching<void> {
  const { parallel, exploration } = rain.values;
  const next = forecast(root, parallel, exploration);
  yield* borrowing(function* (loans) {
    yield* all(next.map(({ path, times }, l) => lookFrom(rain, scoutOf(rain, l), path, times, loans)));
  });
}

/** Gives the root children without looking ahead. */
export function* expandRoot(rain: Rain, root: TreeNode): Searching<void> {
  const scout = scoutOf(rain, 0);
  yield* goTo(rain, scout, [root]);
  const top = yield* logprobs(scout, placesFor(wantedAt(rain, root)));
  yield* borrowing((loans) => expand(rain, scout, [root], top, loans));
}

/** Gives an inner node one more child, if a draw brings a new one. */
export function* addChild(rain: Rain, path: Path): Searching<void> {
  const scout = scoutOf(rain, 0);
  yield* goTo(rain, scout, path);
  const node = leafOf(path);
  const { tokens } = wantedAt(rain, node);
  // The next probable token; of longer sets the greedy one and a drawn one.
  const wanted = { tokens, sets: tokens === 1 ? node.children.length + 1 : 2 };
  const top = yield* logprobs(scout, placesFor(wanted));
  const sets = yield* borrowing((loans) => setsAfter(scout, top, wanted, loans));
  const found = sets.find(({ tokens: own }) => !node.children.some((child) => child.tokens.join() === own.join()));
  if (found === undefined) return;
  yield* attach(rain, path, [found], [priorOfNewcomer(node.children, found)]);
  yield* count('added');
}

/** Looks from a leaf and expands it; with `times` above 1 also from its best child, and so on, as soon as that is known. */
function* lookFrom(rain: Rain, scout: Branch, path: Path, times: number, loans: Loans): Searching<void> {
  yield* goTo(rain, scout, path);
  const leaf = leafOf(path);
  if (scout.ended) {
    leaf.look = yield* lookAt(rain, path, scout);
    return;
  }
  // Known before anything is forked, so that the forks begin with what is computed here.
  const top = yield* logprobs(scout, placesFor(wantedAt(rain, leaf)));
  const branch = yield* loans.fork(scout, { sampling: FREELY });
  yield* all([simulate(rain, path, branch), goOn(rain, scout, path, top, times, loans)]);
}

function* goOn(rain: Rain, scout: Branch, path: Path, top: TopTokens, times: number, loans: Loans): Searching<void> {
  yield* expand(rain, scout, path, top, loans);
  const leaf = leafOf(path);
  if (times === 1 || leaf.children.length === 0) return;
  yield* lookFrom(rain, scout, [...path, select(leaf, rain.values.exploration)], times - 1, loans);
}

/** To the end of a clause, token by token, in step with the sets that are drawn beside it. */
function* simulate(rain: Rain, path: Path, branch: Branch): Searching<void> {
  const start = branch.tokens.length;
  while (!branch.ended && branch.tokens.length - start < rain.values.lookahead) {
    if (yield* endsClause(rain, branch)) break;
    yield* sample(branch, { tokens: 1 });
  }
  leafOf(path).look = yield* lookAt(rain, path, branch);
}

/** Gives a leaf children: none where nothing may follow. The scout goes on to the one that ranks best, where the next look will likely be. */
function* expand(rain: Rain, scout: Branch, path: Path, top: TopTokens, loans: Loans): Searching<void> {
  const leaf = leafOf(path);
  const wanted = wantedAt(rain, leaf);
  const sets = yield* setsAfter(scout, top, wanted, loans);
  if (sets.length === 0) return;
  yield* attach(rain, path, sets, priorsOf(sets, wanted.tokens > 1));
  yield* count('expanded');
  const fork = sets[leaf.children.indexOf(select(leaf, rain.values.exploration))]?.fork ?? null;
  if (fork !== null) yield* loans.become(scout, fork);
}

/** More children for the node at the path's end. */
function* attach(rain: Rain, path: Path, sets: readonly Candidate[], priors: readonly number[]): Searching<void> {
  const node = leafOf(path);
  const isRoot = path.length === 1;
  const children = node.children.length + sets.length;
  const fresh = sets.map((set, s) => {
    const prior = priors[s] ?? NaN;
    const own = isRoot ? smoothed(prior, children, rain.values.smoothing) : prior;
    return newNode(++rain.nodes, set, node.depth + 1, own);
  });
  node.children.push(...fresh);
  const told = fresh.map(({ id, tokens, prior }) => ({ node: id, tokens: [...tokens], prior }));
  yield* trace({ event: 'expand', node: node.id, children: told });
}

/** What there is to learn from a text that begins with this path. */
function* lookAt(rain: Rain, path: Path, branch: Branch): Searching<Look> {
  const { trunk, values } = rain;
  const start = trunk.tokens.length;
  const ahead = branch.tokens.slice(start + tokensOf(path).length);
  const { embedding } = values;
  const starts = path.map((_, at) => start + tokensOf([path[0], ...path.slice(1, at)]).length);
  const below = embedding === null ? [] : starts.slice(1).map((from) => embedFrom(embedding, branch, from));
  const [value, embeddings] = yield* both(judge(rain, branch), all(below));
  return { ahead, value, embeddings: [null, ...embeddings] };
}

/** What a text is worth. Equal texts are judged once. */
function* judge({ values, judged }: Rain, branch: Branch): Searching<number> {
  const said = yield* text(branch);
  const known = judged.get(said);
  if (known !== undefined) {
    yield* count('judged_before');
    return known;
  }
  const [score = NaN] = yield* scoreAll(values.judge, [branch]);
  const value = scaled(score, values.scale);
  judged.set(said, value);
  return value;
}

/** Of the text from this token on. */
function* embedFrom(source: number, branch: Branch, from: number): Searching<readonly number[] | null> {
  const said = yield* text(branch, from);
  return said.trim() === '' ? null : unit(yield* read(source, branch, 0, from));
}

/** Sends a scout to the end of a path. */
function* goTo({ trunk }: Rain, scout: Branch, path: Path): Searching<void> {
  const goal = [...trunk.tokens, ...tokensOf(path)];
  const parting = goal.findIndex((token, at) => token !== scout.tokens[at]);
  const shared = parting === -1 ? goal.length : parting;
  if (scout.tokens.length > shared) yield* rewind(scout, shared);
  if (shared < goal.length && !scout.ended) yield* force(scout, goal.slice(shared));
}

function scoutOf({ scouts }: Rain, number: number): Branch {
  const scout = scouts[number];
  if (scout === undefined) throw new Error(`no scout ${number}`);
  return scout;
}

function* endsClause({ clauseEnds }: Rain, branch: Branch): Searching<boolean> {
  const last = branch.tokens.at(-1);
  if (last === undefined) return false;
  const known = clauseEnds.get(last);
  if (known !== undefined) return known;
  const said = yield* text(branch, branch.tokens.length - 1);
  const isEnd = CLAUSE_ENDS.some((end) => said.endsWith(end));
  clauseEnds.set(last, isEnd);
  return isEnd;
}

function wantedAt({ values }: Rain, node: TreeNode): Wanted {
  return { tokens: setTokensAt(values, node), sets: values.candidates };
}

function scaled(score: number, scale: Scale): number {
  switch (scale.kind) {
    case 'linear':
      return (2 * (score - scale.least)) / (scale.most - scale.least) - 1;
    case 'tanh':
      return Math.tanh(score);
    default:
      return scale satisfies never;
  }
}

function tokensOf(path: Path): readonly number[] {
  return path.slice(1).flatMap(({ tokens }) => tokens);
}

function* both<A, B>(one: Searching<A>, other: Searching<B>): Searching<[A, B]> {
  return (yield* all<A | B>([one, other])) as [A, B];
}
