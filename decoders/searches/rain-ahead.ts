// What RAIN asks of the engine at a leaf of its tree: a simulation, its judgement, the token sets that may follow. Nodes hold tokens only, so
// every look forks the trunk and forces the leaf's path; the forks of a round go on side by side. rain.ts calls it and has the algorithm.
import type { Scorer } from '../plan.js';
import { scoreAll } from '../scorers/index.js';
import { all, count, force, logprobs, read, sample, text, trace } from '../search.js';
import type { Branch, BranchSampling, Growth, Searching, TopTokens } from '../search.js';
import { borrowing, type Borrow } from './forks.js';
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
  readonly values: RainValues;
  /** Judgements by text. */
  readonly judged: Map<string, number>;
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

/** A branch that has taken in a path. */
interface Leaf {
  readonly path: Path;
  readonly branch: Branch;
}

const CLAUSE_ENDS = [',', '.', '?', ':', ';', '\n'] as const;
/** The model's own law, whatever the request's sampling. */
const FREELY: BranchSampling = { temperature: 1, topK: 0, topP: 1, minP: 0 };
const AMONG_LIKELY: BranchSampling = { ...FREELY, topK: 15 };
const GREEDILY: BranchSampling = { ...FREELY, temperature: 0 };

export const leafOf = (path: Path): TreeNode => path.at(-1) ?? path[0];

export function setTokensAt({ setTokens }: RainValues, depth: number): number {
  return setTokens[Math.min(depth, setTokens.length - 1)] ?? 1;
}

/**
 * Simulates from the leaves at the ends of these paths and has the texts judged, all side by side. A leaf that was looked at before is expanded
 * first, and the simulation starts from the child that is then selected: expanding every leaf at its first look gives the same tree, and
 * draws ten sets that for most leaves nobody asks for.
 */
export function* lookAhead(rain: Rain, paths: readonly Path[]): Searching<readonly Look[]> {
  return yield* borrowing(function* (borrow) {
    const leaves = yield* all(paths.map((path) => simulate(rain, path, borrow)));
    const branches = leaves.map(({ branch }) => branch);
    const values = yield* judge(rain, branches);
    const embeddings = yield* all(leaves.map((leaf) => embed(rain, leaf)));
    return leaves.map(({ path, branch }, l) => ({
      path,
      ahead: branch.tokens.slice(rain.trunk.tokens.length + tokensOf(path).length),
      value: values[l] ?? NaN,
      embeddings: embeddings[l] ?? [],
    }));
  });
}

function* simulate(rain: Rain, path: Path, borrow: Borrow): Searching<Leaf> {
  const branch = yield* borrow(rain.trunk, { sampling: FREELY });
  yield* force(branch, tokensOf(path));
  const isExpanded = leafOf(path).ownVisits > 0 && (yield* expand(rain, { path, branch }, borrow));
  const child = isExpanded ? select(leafOf(path), rain.values.exploration) : null;
  if (child !== null) yield* force(branch, child.tokens);
  if (!branch.ended) {
    const said = yield* text(branch);
    const { lookahead } = rain.values;
    if (!CLAUSE_ENDS.some((end) => said.endsWith(end)))
      yield* sample(branch, { tokens: lookahead, until: CLAUSE_ENDS });
  }
  return { path: child === null ? path : [...path, child], branch };
}

/** Gives the root children without looking ahead. */
export function* expandRoot(rain: Rain, root: TreeNode): Searching<void> {
  yield* borrowing(function* (borrow) {
    const branch = yield* borrow(rain.trunk);
    yield* expand(rain, { path: [root], branch }, borrow);
  });
}

/** Gives an inner node one more child, if a new one is found. */
export function* addChild(rain: Rain, path: Path): Searching<void> {
  const node = leafOf(path);
  const tokens = setTokensAt(rain.values, node.depth);
  const found = yield* borrowing(function* (borrow) {
    const branch = yield* borrow(rain.trunk, { sampling: AMONG_LIKELY });
    yield* force(branch, tokensOf(path));
    const drawn =
      tokens === 1
        ? singles(yield* logprobs(branch, node.children.length + 1))
        : [setOf(yield* sample(branch, { tokens, logprobs: true }))];
    return distinct([...node.children, ...drawn])[node.children.length];
  });
  if (found === undefined) return;
  const prior = priorOfNewcomer(node.children, found);
  yield* attach(rain, path, [found], [prior], node.children.length + 1);
  yield* count('added');
}

/** Gives a leaf children; false where nothing may follow. */
function* expand(rain: Rain, { path, branch }: Leaf, borrow: Borrow): Searching<boolean> {
  if (branch.ended) return false;
  const tokens = setTokensAt(rain.values, leafOf(path).depth);
  const sets =
    tokens === 1
      ? singles(yield* logprobs(branch, rain.values.candidates))
      : yield* drawSets(rain, branch, tokens, borrow);
  if (sets.length === 0) return false;
  yield* attach(rain, path, sets, priorsOf(sets, tokens > 1), sets.length);
  yield* count('expanded');
  return true;
}

/** Distinct ones, the greedy one first. */
function* drawSets({ values }: Rain, branch: Branch, tokens: number, borrow: Borrow): Searching<readonly Candidate[]> {
  // Asked for the forks' sake: they then begin with what was computed here.
  yield* logprobs(branch, 1);
  const likely = Array.from({ length: values.candidates - 1 }, () => borrow(branch, { sampling: AMONG_LIKELY }));
  const forks = yield* all([borrow(branch, { sampling: GREEDILY }), ...likely]);
  const drawn = yield* all(forks.map((fork) => sample(fork, { tokens, logprobs: true })));
  return distinct(drawn.map(setOf));
}

/** Children for the node at the path's end, which then has so many. */
function* attach(
  rain: Rain,
  path: Path,
  sets: readonly Candidate[],
  priors: readonly number[],
  children: number,
): Searching<void> {
  const node = leafOf(path);
  const isRoot = path.length === 1;
  const fresh = sets.map((set, s) => {
    const prior = priors[s] ?? NaN;
    const own = isRoot ? smoothed(prior, children, rain.values.smoothing) : prior;
    return newNode(++rain.nodes, set, node.depth + 1, own);
  });
  node.children.push(...fresh);
  const told = fresh.map(({ id, tokens, prior }) => ({ node: id, tokens: [...tokens], prior }));
  yield* trace({ event: 'expand', node: node.id, children: told });
}

/** What the texts of these branches are worth. Equal texts are judged once. */
function* judge({ values, judged }: Rain, branches: readonly Branch[]): Searching<readonly number[]> {
  const texts = yield* all(branches.map((branch) => text(branch)));
  const isNew = (said: string, t: number): boolean => !judged.has(said) && texts.indexOf(said) === t;
  const fresh = branches.filter((_, t) => isNew(texts[t] ?? '', t));
  yield* count('judged_before', branches.length - fresh.length);
  if (fresh.length > 0) {
    const scores = yield* scoreAll(values.judge, fresh);
    texts.filter(isNew).forEach((said, s) => judged.set(said, scaled(scores[s] ?? NaN, values.scale)));
  }
  return texts.map((said) => judged.get(said) ?? NaN);
}

/** From each set of the path to the end of the simulation. The root has none. */
function* embed({ trunk, values }: Rain, { path, branch }: Leaf): Searching<readonly (readonly number[] | null)[]> {
  if (values.embedding === null) return [];
  const source = values.embedding;
  const starts: number[] = [];
  let at = trunk.tokens.length;
  for (const { tokens } of path.slice(1)) {
    starts.push(at);
    at += tokens.length;
  }
  return [null, ...(yield* all(starts.map((from) => embedFrom(source, branch, from))))];
}

function* embedFrom(source: number, branch: Branch, from: number): Searching<readonly number[] | null> {
  const said = yield* text(branch, from);
  return said.trim() === '' ? null : unit(yield* read(source, branch, 0, from));
}

export function scaled(score: number, scale: Scale): number {
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

function singles({ ids, logprobs }: TopTokens): Candidate[] {
  return ids.map((id, at) => ({ tokens: [id], logprob: logprobs[at] ?? NaN }));
}

function setOf({ ids, logprobs }: Growth): Candidate {
  return { tokens: ids, logprob: logprobs.reduce((sum, each) => sum + each, 0) };
}

/** The first of equal ones. */
function distinct<T extends Pick<Candidate, 'tokens'>>(sets: readonly T[]): T[] {
  const byTokens = new Map<string, T>();
  for (const set of sets) if (!byTokens.has(set.tokens.join())) byTokens.set(set.tokens.join(), set);
  return [...byTokens.values()];
}
