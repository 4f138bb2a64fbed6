// RAIN as it was published, for comparison: one leaf at a time, simulated, judged and expanded at once, the tree kept as plain objects. No
// similarity, no sharing of forks, no cache of judgements. Slow and short.
import {
  commit,
  force,
  fork,
  logprobs,
  read,
  release,
  sample,
  text,
  type Branch,
  type Search,
} from '../../decoders/search.js';

export interface PublishedRules {
  readonly max_iterations: number;
  readonly extra_iterations: number;
  readonly min_visits: number;
  readonly value_threshold: number;
  readonly exploration: number;
  readonly smoothing: number;
  readonly candidates: number;
  readonly set_tokens: readonly number[];
  readonly lookahead: number;
}

interface Node {
  readonly set: readonly number[];
  readonly depth: number;
  p: number;
  n: number;
  q: number;
  children: Node[];
}

const FREELY = { temperature: 1, topK: 0, topP: 1, minP: 0 };

export function* published(trunk: Branch, rules: PublishedRules): Search {
  let root: Node = { set: [], depth: 0, p: 0, n: 0, q: 0, children: [] };
  while (!trunk.ended) {
    const end = Math.max(rules.max_iterations, root.n + rules.extra_iterations);
    for (let i = root.n; i < end; i++) {
      // Descend.
      const path = [root];
      let node = root;
      while (node.children.length > 0) {
        const rank = (child: Node): number =>
          (child.n === 0 ? 0 : (child.q + 1) / 2) + (rules.exploration * child.p * Math.sqrt(node.n)) / (1 + child.n);
        node = node.children.reduce((best, child) => (rank(child) > rank(best) ? child : best));
        path.push(node);
      }
      const state = path.slice(1).flatMap(({ set }) => set);
      const leaf = yield* fork(trunk, { sampling: FREELY });
      yield* force(leaf, state);
      const isTerminal = leaf.ended;
      // Simulate and judge.
      if (!isTerminal && !/[,.?:;\n]$/.test(yield* text(leaf)))
        yield* sample(leaf, { tokens: rules.lookahead, until: [',', '.', '?', ':', ';', '\n'] });
      const [value = NaN] = yield* read(0, leaf);
      yield* release(leaf);
      // Expand.
      if (!isTerminal) {
        const length = rules.set_tokens[Math.min(node.depth, rules.set_tokens.length - 1)]!;
        const sets: { set: readonly number[]; p: number }[] = [];
        for (let k = 0; k < (length === 1 ? 1 : rules.candidates); k++) {
          const branch = yield* fork(trunk, { sampling: k === 0 ? { temperature: 0 } : { ...FREELY, topK: 15 } });
          yield* force(branch, state);
          if (length === 1) {
            const top = yield* logprobs(branch, rules.candidates);
            top.ids.forEach((id, at) => sets.push({ set: [id], p: Math.exp(top.logprobs[at]!) }));
          } else {
            const drawn = yield* sample(branch, { tokens: length, logprobs: true });
            const p = Math.exp(drawn.logprobs.reduce((sum, each) => sum + each, 0));
            if (!sets.some(({ set }) => set.join() === drawn.ids.join())) sets.push({ set: drawn.ids, p });
          }
          yield* release(branch);
        }
        const others = sets.slice(1).map(({ p }) => p);
        if (length > 1 && others.length > 0) {
          const bound = Math.min(
            sets[0]!.p,
            others.reduce((sum, p) => sum + p, 0),
          );
          sets[0]!.p = Math.max(bound, Math.max(...others) + Math.min(...others));
        }
        const total = sets.reduce((sum, { p }) => sum + p, 0);
        node.children = sets.map(({ set, p }) => ({
          set,
          depth: node.depth + 1,
          p: p / total,
          n: 0,
          q: 0,
          children: [],
        }));
        if (node === root) smooth(root, rules.smoothing);
      }
      // Back up.
      for (const each of path) {
        each.n += 1;
        each.q += (value - each.q) / each.n;
      }
      const lead = mostVisited(root);
      if (lead && lead.n > rules.min_visits && lead.q > rules.value_threshold) break;
    }
    const best = mostVisited(root)!;
    yield* force(trunk, best.set);
    yield* commit(trunk);
    root = best;
    smooth(root, rules.smoothing);
  }
}

function mostVisited({ children }: Node): Node | undefined {
  const order = (a: Node, b: Node): number => b.n - a.n || b.q - a.q || b.p - a.p;
  return children.toSorted(order)[0];
}

function smooth({ children }: Node, smoothing: number): void {
  for (const child of children) child.p = (1 - smoothing) * child.p + smoothing / children.length;
}
