// Reads the story that a RAIN search tells and checks every step of it against the paper's rules, worked out from the whole history each
// time: which leaf is looked at, what every set is worth, when one is said and why. Sums over lists in place of running means.
import { expect } from 'vitest';
import type { SearchTrace } from '../../decoders/search.js';

export interface AuditRules {
  readonly max_iterations: number;
  readonly extra_iterations: number;
  readonly min_visits: number;
  readonly value_threshold: number;
  readonly exploration: number;
  readonly smoothing: number;
  readonly similarity_threshold: number;
  readonly similarity_discount: number;
  readonly max_children: number;
  readonly add_spread: number;
  readonly add_below: number;
  readonly set_tokens: readonly number[];
}

interface Told {
  readonly node: number;
  readonly tokens: readonly number[];
  readonly prior: number;
}

export class AuditNode {
  prior: number;
  children: AuditNode[] = [];
  /** What each visit was worth, and what it counts: 1, or less where it was a similar sibling's. */
  readonly visits: { isOwn: boolean; weight: number; value: number }[] = [];
  readonly embeddings: (readonly number[])[] = [];
  constructor(
    readonly id: number,
    readonly tokens: readonly number[],
    readonly depth: number,
    prior: number,
  ) {
    this.prior = prior;
  }
  get n(): number {
    return this.visits.reduce((sum, { weight }) => sum + weight, 0);
  }
  get own(): number {
    return this.visits.filter(({ isOwn }) => isOwn).length;
  }
  get q(): number {
    return this.n === 0 ? 0 : this.visits.reduce((sum, { weight, value }) => sum + weight * value, 0) / this.n;
  }
  get embedding(): number[] | null {
    const [first] = this.embeddings;
    return first === undefined ? null : first.map((_, d) => mean(this.embeddings.map((each) => each[d]!)));
  }
}

export interface Said {
  readonly by: 'threshold' | 'budget';
  readonly tokens: readonly number[];
  readonly looks: number;
  /** Own visits that the root had before the first of them. */
  readonly inherited: number;
  readonly visits: number;
  readonly value: number;
}

/** Everything that was said. `embed`: of a text's tokens; none without similarity. `valueOf`: of an answer's tokens. */
export function audit(
  traces: readonly SearchTrace[],
  rules: AuditRules,
  valueOf: (tokens: readonly number[]) => number,
  embed?: (tokens: readonly number[]) => readonly number[],
): Said[] {
  let root = new AuditNode(0, [], 0, 1);
  const nodes = new Map([[0, root]]);
  const said: Said[] = [];
  let committed: number[] = [];
  let [looks, inherited] = [0, 0];
  for (const trace of traces) {
    switch (trace.event) {
      case 'expand': {
        const node = nodes.get(trace['node'] as number)!;
        const told = trace['children'] as unknown as Told[];
        const isFirst = node.children.length === 0;
        if (!isFirst) expectAllBadAndAlike(node, rules);
        for (const { node: id, tokens, prior } of told) {
          expect(node.children.map((child) => child.tokens.join())).not.toContain(tokens.join());
          const child = new AuditNode(id, tokens, node.depth + 1, prior);
          node.children.push(child);
          nodes.set(id, child);
        }
        if (isFirst) expect(node.children.reduce((sum, { prior }) => sum + prior, 0)).toBeCloseTo(1, 10);
        else {
          expect(told).toHaveLength(1);
          expect(node.children.length).toBeLessThanOrEqual(rules.max_children);
        }
        break;
      }
      case 'look': {
        const path = (trace['path'] as number[]).map((id) => nodes.get(id)!);
        expect(path[0]).toBe(root);
        expectDescent(path, rules.exploration);
        const value = trace['value'] as number;
        const ahead = trace['ahead'] as number[];
        const after = path.slice(1).flatMap(({ tokens }) => tokens);
        expect(value).toBeCloseTo(valueOf([...committed, ...after, ...ahead]), 12);
        learn(path, ahead, value, rules, embed);
        looks++;
        break;
      }
      case 'say': {
        const lead = mostVisited(root);
        const settled = lead.own > rules.min_visits && lead.q > rules.value_threshold;
        expect(trace['node']).toBe(lead.id);
        expect(trace['looks']).toBe(looks);
        expect(trace['by']).toBe(settled ? 'threshold' : 'budget');
        const budget = Math.max(rules.max_iterations - inherited, rules.extra_iterations);
        expect(looks).toBeLessThanOrEqual(budget);
        if (!settled) expect(looks).toBe(budget);
        root.children.forEach((child, c) => {
          const told = (trace['children'] as unknown as Record<string, number>[])[c]!;
          expect(told).toMatchObject({ node: child.id, ownVisits: child.own });
          expect(told['visits']).toBeCloseTo(child.n, 9);
          expect(told['value']).toBeCloseTo(child.q, 9);
          expect(Math.abs(told['value']!)).toBeLessThanOrEqual(1 + 1e-12);
          expect(told['visits']).toBeGreaterThanOrEqual(told['ownVisits']!);
        });
        // Every visit but the root's own went through a child.
        if (root.own > 0) expect(root.children.reduce((sum, { own }) => sum + own, 0)).toBe(root.own - 1);
        said.push({
          by: settled ? 'threshold' : 'budget',
          tokens: lead.tokens,
          looks,
          inherited,
          visits: lead.own,
          value: lead.q,
        });
        committed = [...committed, ...lead.tokens];
        root = lead;
        [looks, inherited] = [0, root.own];
        smooth(root, rules.smoothing);
        break;
      }
      default:
        expect(trace.event).toBe('no opinion');
    }
  }
  return said;
}

/** Each set of the path is the best among its siblings (where several are, as far as rounding can tell, any of them), the last a leaf. */
function expectDescent(path: readonly AuditNode[], exploration: number): void {
  path.forEach((node, at) => {
    const child = path[at + 1];
    // A leaf is expanded while it is looked at for the first time; where an answer ends it never is.
    if (child === undefined) return expect(node.own === 0 || node.children.length === 0).toBe(true);
    expect(node.own).toBeGreaterThan(0);
    const rank = ({ n, q, prior }: AuditNode): number =>
      (n === 0 ? 0 : (q + 1) / 2) + (exploration * prior * Math.sqrt(node.n)) / (1 + n);
    expect(node.children).toContain(child);
    expect(rank(child)).toBeGreaterThanOrEqual(Math.max(...node.children.map(rank)) - 1e-9);
  });
}

function expectAllBadAndAlike({ children, depth }: AuditNode, { add_spread, add_below, set_tokens }: AuditRules): void {
  const tokens = set_tokens[Math.min(depth, set_tokens.length - 1)]!;
  const vectors = children.map(({ embedding }) => embedding!);
  expect(vectors).not.toContain(null);
  for (const { q } of children) expect(q).toBeLessThan(add_below);
  const variances = vectors[0]!.map((_, d) => {
    const column = vectors.map((vector) => vector[d]!);
    return column.reduce((sum, each) => sum + (each - mean(column)) ** 2, 0) / (column.length - 1);
  });
  expect(Math.hypot(...variances)).toBeLessThan(add_spread * tokens + 1e-12);
}

function learn(
  path: readonly AuditNode[],
  ahead: readonly number[],
  value: number,
  { similarity_threshold, similarity_discount }: AuditRules,
  embed?: (tokens: readonly number[]) => readonly number[],
): void {
  path.forEach((node, at) => {
    node.visits.push({ isOwn: true, weight: 1, value });
    if (at === 0 || !embed) return;
    const tail = [...path.slice(at).flatMap(({ tokens }) => tokens), ...ahead];
    const vector = embed(tail);
    const length = Math.hypot(...vector);
    if (length === 0) return;
    node.embeddings.push(vector.map((component) => component / length));
    for (const sibling of path[at - 1]!.children) {
      if (sibling === node || sibling.embedding === null) continue;
      const cosine = cosineOf(node.embedding!, sibling.embedding);
      if (cosine >= similarity_threshold)
        sibling.visits.push({ isOwn: false, weight: similarity_discount * cosine, value });
    }
  });
}

function mostVisited({ children }: AuditNode): AuditNode {
  return children.toSorted((a, b) =>
    Math.abs(a.n - b.n) > 1e-9 ? b.n - a.n : Math.abs(a.q - b.q) > 1e-9 ? b.q - a.q : b.prior - a.prior,
  )[0]!;
}

function smooth({ children }: AuditNode, smoothing: number): void {
  const total = children.reduce((sum, { prior }) => sum + prior, 0);
  for (const child of children)
    child.prior = ((1 - smoothing) * child.prior + smoothing / children.length) / ((1 - smoothing) * total + smoothing);
}

function cosineOf(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, component, d) => sum + component * b[d]!, 0) / (Math.hypot(...a) * Math.hypot(...b));
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}
