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
  /** Visits under way, each counted as the worst one meanwhile. */
  pending: number;
  children: TreeNode[];
}

/** From the root to a leaf. */
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
  const unvisited = { visits: 0, ownVisits: 0, value: 0, embedding: null, pending: 0 };
  return { id, tokens, depth, logprob, prior, ...unvisited, children: [] };
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

/** argmax (value + 1)/2 + exploration·prior·√(visits of the parent)/(1 + visits), unvisited counting as the worst value; ties: the first. */
export function select({ visits, pending, children }: TreeNode, exploration: number): TreeNode {
  const breadth = exploration * Math.sqrt(visits + pending);
  const rank = (child: TreeNode): number =>
    standing(child) + (breadth * child.prior) / (1 + child.visits + child.pending);
  return best(children, rank);
}

/** The value on a scale from 0 (worst) to 1. */
function standing({ visits, pending, value }: TreeNode): number {
  const all = visits + pending;
  return all === 0 ? 0 : ((value * visits - pending) / all + 1) / 2;
}

/**
 * A simulation from the end of the path was worth `value`: changes the nodes of the path, and siblings that are like them. `embeddings`:
 * unit vectors of the text from each node on, parallel to the path; null where there is none.
 */
export function backUp(
  path: Path,
  value: number,
  embeddings: readonly (readonly number[] | null)[],
  rules: Pick<TreeRules, 'similarityDiscount' | 'similarityThreshold'>,
): void {
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
