// What RAIN asks of the engine at the leaves of its tree: the token sets that may follow, simulations, their judgements. Nodes hold tokens only.
// A scout walks from leaf to leaf: it goes back to what its last path and the next have in common and on from there, so that little is
// computed twice. rain.ts calls this and has the algorithm.
import type { Scorer } from '../plan.js';
import { scoreAll } from '../scorers/index.js';
import { all, count, force, logprobs, read, rewind, sample, text, trace } from '../search.js';
import type { Branch, BranchSampling, Searching } from '../search.js';
import { borrowing, type Loans } from './forks.js';
import { placesFor, setsAfter, type Drawn, type Wanted } from './rain-sets.js';
import { newNode, priorOfNewcomer, priorsOf, select, smoothed, unit } from './rain-tree.js';
import type { Candidate, Path, TreeNode, TreeRules } from './rain-tree.js';

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
  /** One for each leaf of a round. */
  readonly scouts: readonly Branch[];
  readonly values: RainValues;
  /** Judgements by text. */
  readonly judged: Map<string, number>;
  /** Whether a token's text ends a clause, as far as anybody has asked. */
  readonly clauseEnds: Map<number, boolean>;
  /** Nodes so far. */
  nodes: number;
}

/** What came of a simulation from the end of a path. */
export interface Look {
  readonly path: Path;
  /** What was sampled beyond it. */
  readonly ahead: readonly number[];
  readonly value: number;
  /** Parallel to the path. */
  readonly embeddings: readonly (readonly number[] | null)[];
}

/** A scout at the end of a path. */
interface Walk {
  readonly scout: Branch;
  readonly path: Path;
}

const CLAUSE_ENDS = [',', '.', '?', ':', ';', '\n'] as const;
/** The model's own law, whatever the request's sampling. */
const FREELY: BranchSampling = { temperature: 1, topK: 0, topP: 1, minP: 0 };

export const leafOf = (path: Path): TreeNode => path.at(-1) ?? path[0];

export function setTokensAt({ setTokens }: RainValues, { depth }: TreeNode): number {
  return setTokens[Math.min(depth, setTokens.length - 1)] ?? 1;
}

/** Simulates from these leaves, has the texts judged, and expands the leaves, all side by side. */
export function* lookAhead(rain: Rain, leaves: readonly Path[]): Searching<readonly Look[]> {
  return yield* borrowing(function* (loans) {
    const walks = yield* all(leaves.map((path, l) => goTo(rain, l, path)));
    return yield* all(walks.map((walk) => lookFrom(rain, walk, loans)));
  });
}

function* lookFrom(rain: Rain, walk: Walk, loans: Loans): Searching<Look> {
  const { scout, path } = walk;
  if (scout.ended) return yield* lookAt(rain, path, scout);
  const wanted = wantedAt(rain, leafOf(path));
  // Known before anything is forked, so that the forks begin with what is computed here.
  const top = yield* logprobs(scout, placesFor(wanted));
  const [look, sets] = yield* both(simulate(rain, walk, loans), setsAfter(scout, top, wanted, loans));
  yield* expand(rain, path, sets);
  yield* lingerAtTheBest(rain, walk, sets, loans);
  return look;
}

/** Gives the root children without looking ahead. */
export function* expandRoot(rain: Rain, root: TreeNode): Searching<void> {
  const { scout, path } = yield* goTo(rain, 0, [root]);
  const wanted = wantedAt(rain, root);
  const top = yield* logprobs(scout, placesFor(wanted));
  yield* borrowing(function* (loans) {
    yield* expand(rain, path, yield* setsAfter(scout, top, wanted, loans));
  });
}

/** Gives an inner node one more child, if a draw brings a new one. */
export function* addChild(rain: Rain, path: Path): Searching<void> {
  const { scout } = yield* goTo(rain, 0, path);
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

function wantedAt({ values }: Rain, node: TreeNode): Wanted {
  return { tokens: setTokensAt(values, node), sets: values.candidates };
}

/** Sends a scout to the end of a path. */
function* goTo({ trunk, scouts }: Rain, number: number, path: Path): Searching<Walk> {
  const scout = scouts[number];
  if (scout === undefined) throw new Error(`no scout ${number}`);
  const goal = [...trunk.tokens, ...tokensOf(path)];
  const parting = goal.findIndex((token, at) => token !== scout.tokens[at]);
  const shared = parting === -1 ? goal.length : parting;
  if (scout.tokens.length > shared) yield* rewind(scout, shared);
  if (shared < goal.length && !scout.ended) yield* force(scout, goal.slice(shared));
  return { scout, path };
}

/** To the end of a clause, on a fork where the scout does not stand at one: token by token, in step with the sets that are drawn beside it. */
function* simulate(rain: Rain, { scout, path }: Walk, loans: Loans): Searching<Look> {
  if (yield* endsClause(rain, scout)) return yield* lookAt(rain, path, scout);
  const branch = yield* loans.fork(scout, { sampling: FREELY });
  for (let drawn = 0; drawn < rain.values.lookahead && !branch.ended; drawn++) {
    yield* sample(branch, { tokens: 1 });
    if (yield* endsClause(rain, branch)) break;
  }
  return yield* lookAt(rain, path, branch);
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

function* expand(rain: Rain, path: Path, sets: readonly Drawn[]): Searching<void> {
  if (sets.length === 0) return;
  const { tokens } = wantedAt(rain, leafOf(path));
  yield* attach(rain, path, sets, priorsOf(sets, tokens > 1));
  yield* count('expanded');
}

/** The next look from here goes to the child that ranks best now, most likely: the scout waits there. */
function* lingerAtTheBest(
  { values }: Rain,
  { scout, path }: Walk,
  sets: readonly Drawn[],
  loans: Loans,
): Searching<void> {
  const leaf = leafOf(path);
  if (sets.length === 0) return;
  const fork = sets[leaf.children.indexOf(select(leaf, values.exploration))]?.fork ?? null;
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
  return { path, ahead, value, embeddings: [null, ...embeddings] };
}

/** What a text is worth. Equal texts are judged once. */
function* judge({ values, judged }: Rain, branch: Branch): Searching<number> {
  const said = yield* text(branch);
  const known = judged.get(said);
  yield* count('judged_before', known === undefined ? 0 : 1);
  if (known !== undefined) return known;
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
