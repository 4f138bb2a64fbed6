// The tree of RAIN: token sets with visits, values and embeddings, and the paper's rules on them. Pure, apart from the nodes that are changed
// where a function says so; knows no branch and no engine. rain.ts has the algorithm.

/** A token set: what it adds to its parent's text. */
export interface TreeNode {
  /** For the story: numbers in the order of making. */
  readonly id: number;
  readonly tokens: readonly number[];
  /** Sets from the beginning of the answer to the end of this one. */
  readonly depth: number;
  /** Of the tokens after the parent's. */
  readonly logprob: number;
  prior: number;
  /** Own visits, and shares in those of similar siblings. */
  visits: number;
  ownVisits: number;
  /** Mean of what the visits were worth, in [−1, 1]. */
  value: number;
  /** Mean of the unit embeddings of the texts from here to the end of a simulation; null before the first, or without embeddings. */
  embedding: readonly number[] | null;
  /** What was seen from here, at the first visit or before it; null until somebody has looked. */
  look: Look | null;
  /** Visits that are only expected, while the next ones are forecast; else none. */
  expected: { visits: number; value: number };
  children: TreeNode[];
}

/** A simulation from the end of a node's tokens. */
export interface Look {
  /** What was sampled. */
  readonly ahead: readonly number[];
  readonly value: number;
  /** Unit vectors of the text from each set on, those of the path at that time, the root's null; empty without embeddings. */
  readonly embeddings: readonly (readonly number[] | null)[];
}

/** From the root to a leaf: a set that was never visited, or one that ends the answer. */
export type Path = readonly [TreeNode, ...TreeNode[]];

export interface TreeRules {
  readonly exploration: number;
  readonly smoothing: number;
  readonly similarityDiscount: number;
  readonly similarityThreshold: number;
  readonly maxChildren: number;
  readonly addSpread: number;
  readonly addBelow: number;
  readonly minVisits: number;
  readonly valueThreshold: number;
}

/** Tokens that may follow a node, and their log-probability. */
export interface Candidate {
  readonly tokens: readonly number[];
  readonly logprob: number;
}

export function newNode(id: number, { tokens, logprob }: Candidate, depth: number, prior: number): TreeNode {
  const unvisited = { visits: 0, ownVisits: 0, value: 0, embedding: null, look: null };
  return { id, tokens, depth, logprob, prior, ...unvisited, expected: { visits: 0, value: 0 }, children: [] };
}

/**
 * Shares of the candidates. The first one is greedy: where candidates were drawn its weight is moved into [max + min, sum] of the others', so
 * that it leads and does not rule (where these bounds cross, the lower one holds).
 */
export function priorsOf(candidates: readonly Candidate[], areDrawn: boolean): number[] {
  const most = Math.max(...candidates.map(({ logprob }) => logprob));
  const weights = candidates.map(({ logprob }) => Math.exp(logprob - most));
  const [greedy = 0, ...others] = weights;
  if (areDrawn && others.length > 0)
    weights[0] = Math.max(Math.min(greedy, sumOf(others)), Math.max(...others) + Math.min(...others));
  const total = sumOf(weights);
  return weights.map((weight) => weight / total);
}

/** The share of one that comes late; those of the others stay. */
export function priorOfNewcomer(children: readonly TreeNode[], { logprob }: Candidate): number {
  const most = Math.max(logprob, ...children.map((child) => child.logprob));
  const own = Math.exp(logprob - most);
  return own / (own + sumOf(children.map((child) => Math.exp(child.logprob - most))));
}

/** A root gives every child a chance: prior ← (1 − smoothing)·prior + smoothing/children. */
export function smoothed(prior: number, children: number, smoothing: number): number {
  return (1 - smoothing) * prior + smoothing / children;
}

/** Whoever becomes the root has its children's priors smoothed, and normalised where some came late. */
export function smoothChildren({ children }: TreeNode, smoothing: number): void {
  const priors = children.map(({ prior }) => smoothed(prior, children.length, smoothing));
  const total = sumOf(priors);
  children.forEach((child, at) => (child.prior = (priors[at] ?? NaN) / total));
}

export const leafOf = (path: Path): TreeNode => path.at(-1) ?? path[0];

/** argmax (value + 1)/2 + exploration·prior·√(visits of the parent)/(1 + visits), unvisited counting as the worst value; ties: the first. */
export function select(parent: TreeNode, exploration: number): TreeNode {
  const breadth = exploration * Math.sqrt(visitsOf(parent));
  const rank = (child: TreeNode): number => standing(child) + (breadth * child.prior) / (1 + visitsOf(child));
  return best(parent.children, rank);
}

const visitsOf = ({ visits, expected }: TreeNode): number => visits + expected.visits;

/** The value on a scale from 0 (worst) to 1. */
function standing(node: TreeNode): number {
  const visits = visitsOf(node);
  return visits === 0 ? 0 : ((node.value * node.visits + node.expected.value) / visits + 1) / 2;
}

/** May the search go on from here to a child? */
export function isOpen({ ownVisits, expected, children }: TreeNode): boolean {
  return ownVisits + expected.visits > 0 && children.length > 0;
}

/**
 * The next leaves by the rules, if a look that nobody has taken is worth what its parent is: so many without a look, and how often each comes.
 * Coming again to a leaf without a look means going on to its best child, whatever that will be.
 */
export function forecast(root: TreeNode, looks: number, exploration: number): readonly Forecast[] {
  const found = new Map<TreeNode, { path: Path; times: number }>();
  const changed: TreeNode[] = [];
  let missing = 0;
  for (let visit = 0; visit < looks * FORECAST_VISITS && missing < looks; visit++) {
    let path: Path = [root];
    while (isOpen(leafOf(path))) path = [...path, select(leafOf(path), exploration)];
    const leaf = leafOf(path);
    if (leaf.look === null) {
      missing++;
      found.set(leaf, { path, times: (found.get(leaf)?.times ?? 0) + 1 });
    }
    const value = leaf.look?.value ?? path.findLast(({ visits }) => visits > 0)?.value ?? 1;
    for (const node of path) {
      node.expected.visits += 1;
      node.expected.value += value;
      changed.push(node);
    }
  }
  for (const node of changed) node.expected = { visits: 0, value: 0 };
  return [...found.values()];
}

export interface Forecast {
  readonly path: Path;
  readonly times: number;
}

/** Visits that are looked through for one that needs a look. */
const FORECAST_VISITS = 4;

/** Takes a look at the path's end into account: changes the nodes of the path, and siblings that are like them. */
export function backUp(
  path: Path,
  { value, embeddings: all }: Look,
  rules: Pick<TreeRules, 'similarityDiscount' | 'similarityThreshold'>,
): void {
  // What were sets above may have been said since.
  const embeddings = all.slice(-path.length);
  path.forEach((node, at) => {
    node.visits += 1;
    node.ownVisits += 1;
    node.value += (value - node.value) / node.visits;
    const parent = path[at - 1];
    const embedding = embeddings[at] ?? null;
    if (parent === undefined || embedding === null) return;
    node.embedding = moved(node.embedding, embedding, node.ownVisits);
    for (const sibling of parent.children) if (sibling !== node) share(node.embedding, sibling, value, rules);
  });
}

/** A visit of a text like the sibling's own counts a little for it: visits += discount·cosine. */
function share(
  embedding: readonly number[],
  sibling: TreeNode,
  value: number,
  { similarityDiscount, similarityThreshold }: Pick<TreeRules, 'similarityDiscount' | 'similarityThreshold'>,
): void {
  if (sibling.embedding === null) return;
  const cosine = cosineOf(embedding, sibling.embedding);
  if (!(cosine >= similarityThreshold)) return;
  const credit = similarityDiscount * cosine;
  sibling.value = (sibling.value * sibling.visits + credit * value) / (sibling.visits + credit);
  sibling.visits += credit;
}

/** Has the search been here often enough to see that nothing among the children is good, and that they are all alike? */
export function wantsChild({ children }: TreeNode, setTokens: number, rules: TreeRules): boolean {
  if (children.length < 2 || children.length >= rules.maxChildren) return false;
  if (children.some(({ value }) => value >= rules.addBelow)) return false;
  const embeddings = children.flatMap(({ embedding }) => (embedding === null ? [] : [embedding]));
  return embeddings.length === children.length && spreadOf(embeddings) < rules.addSpread * setTokens;
}

/** Norm of the variances of the dimensions, each over n − 1. */
function spreadOf(vectors: readonly (readonly number[])[]): number {
  const [first = []] = vectors;
  const variances = first.map((_, dimension) => {
    const column = vectors.map((vector) => vector[dimension] ?? NaN);
    const mean = sumOf(column) / column.length;
    return sumOf(column.map((each) => (each - mean) ** 2)) / (column.length - 1);
  });
  return Math.hypot(...variances);
}

/** The child with the most visits; equal visits: the higher value, then the higher prior, then the first. */
export function mostVisited({ children }: TreeNode): TreeNode | null {
  const [first, ...others] = children;
  if (first === undefined) return null;
  const leads = (a: TreeNode, b: TreeNode): boolean =>
    a.visits !== b.visits ? a.visits > b.visits : a.value !== b.value ? a.value > b.value : a.prior > b.prior;
  return others.reduce((lead, child) => (leads(child, lead) ? child : lead), first);
}

/** Is the most visited child good enough to be said? */
export function isSettled(root: TreeNode, { minVisits, valueThreshold }: TreeRules): boolean {
  const lead = mostVisited(root);
  return lead !== null && lead.ownVisits > minVisits && lead.value > valueThreshold;
}

export function unit(vector: readonly number[]): readonly number[] | null {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((component) => component / length) : null;
}

function cosineOf(a: readonly number[], b: readonly number[]): number {
  return sumOf(a.map((component, at) => component * (b[at] ?? NaN))) / (Math.hypot(...a) * Math.hypot(...b));
}

function moved(mean: readonly number[] | null, next: readonly number[], count: number): readonly number[] {
  return mean === null ? next : mean.map((component, at) => component + ((next[at] ?? NaN) - component) / count);
}

function best(nodes: readonly TreeNode[], rank: (node: TreeNode) => number): TreeNode {
  let [top, highest]: [TreeNode | undefined, number] = [undefined, -Infinity];
  for (const node of nodes) {
    const own = rank(node);
    if (top === undefined || own > highest) [top, highest] = [node, own];
  }
  if (top === undefined) throw new Error('a leaf has no children to choose from');
  return top;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}
