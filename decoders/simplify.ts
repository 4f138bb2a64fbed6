// Rewrites an expression into an equal one that costs less, by a table of named rules, bottom-up. Equal means: the same
// scores up to a constant per row (which no sampler sees), for every finite input. Called where a spec becomes a
// distribution; tests compare with the original.
import { linear, logits, mayForbid, rewrite, scalarsOf, structureKey, viewsOf } from './expr.js';
import type { Expr, Logits, Logprobs, Scores, Term } from './expr.js';

export interface Rule {
  readonly name: string;
  readonly equation: string;
  /** The replacement, or null where the rule does not apply. */
  readonly apply: (node: Logits) => Scores | null;
}

export const rules: readonly Rule[] = [
  {
    name: 'flatten',
    equation: 'a·(Σ bᵢ·xᵢ) + … = Σ ab ᵢ·xᵢ + …',
    apply: (node) => {
      if (node.kind !== 'linear' || !node.terms.some(({ of }) => of.kind === 'linear')) return null;
      return withTerms(
        node.terms.flatMap(({ weight, of }) =>
          of.kind === 'linear'
            ? of.terms.map((inner) => ({ weight: weight * inner.weight, of: inner.of }))
            : [{ weight, of }],
        ),
      );
    },
  },
  {
    // Where x may forbid, a + b = 0 would lose what it forbids.
    name: 'merge equal members',
    equation: 'a·x + b·x = (a + b)·x, x finite or a + b ≠ 0',
    apply: (node) => {
      if (node.kind !== 'linear') return null;
      const merged: Term[] = [];
      for (const term of node.terms) {
        const index = merged.findIndex((other) => equal(other.of, term.of));
        const weight = (merged[index]?.weight ?? 0) + term.weight;
        const isSafe = !mayForbid(term.of) || (weight !== 0 && term.weight !== 0 && merged[index]?.weight !== 0);
        if (index >= 0 && isSafe) merged[index] = { weight, of: term.of };
        else merged.push(term);
      }
      return merged.length < node.terms.length ? withTerms(merged) : null;
    },
  },
  {
    name: 'drop zero weights',
    equation: '0·x + … = …',
    apply: (node) => {
      if (node.kind !== 'linear') return null;
      const live = node.terms.filter(({ weight }) => weight !== 0);
      if (live.length === node.terms.length || (live.length === 0 && node.terms.length === 1)) return null;
      return live.length > 0 ? withTerms(live) : flat(node);
    },
  },
  {
    name: 'unit weight',
    equation: '1·x = x',
    apply: (node) => {
      const only = node.kind === 'linear' && node.terms.length === 1 ? node.terms[0] : undefined;
      return only?.weight === 1 ? only.of : null;
    },
  },
  {
    name: 'single member',
    equation: 'max(x) = min(x) = x',
    apply: (node) =>
      node.kind === 'maximum' || node.kind === 'minimum' ? (node.of.length === 1 ? (node.of[0] ?? null) : null) : null,
  },
  {
    name: 'idempotence',
    equation: 'max(x, x, …) = max(x, …); likewise min',
    apply: (node) => {
      if (node.kind !== 'maximum' && node.kind !== 'minimum') return null;
      const distinct = node.of.filter((member, index) => node.of.findIndex((other) => equal(other, member)) === index);
      return distinct.length < node.of.length ? { kind: node.kind, of: distinct } : null;
    },
  },
  {
    name: 'equal branches',
    equation: 'where(m, x, x) = x',
    apply: (node) => (node.kind === 'where' && equal(node.then, node.otherwise) ? node.then : null),
  },
  {
    name: 'full mask',
    equation: 'm holds every token: where(m, x, y) = masked(x, m) = x',
    apply: (node) => {
      if (node.kind !== 'where' && node.kind !== 'masked') return null;
      const { mask } = node;
      const isFull = mask.kind === 'plausible' ? mask.ratio === 0 : mask.mass === 1;
      if (!isFull) return null;
      return node.kind === 'where' ? node.then : node.of;
    },
  },
  {
    name: 'mask twice',
    equation: 'masked(masked(x, m), m) = masked(x, m)',
    apply: (node) =>
      node.kind === 'masked' && node.of.kind === 'masked' && equal(node.mask, node.of.mask) ? node.of : null,
  },
  {
    // An expert or a reference that may forbid does so at weight 0 too.
    name: 'idle fusion',
    equation: 'fused(base, s, (x…)) = base where every x = s or every bound is 0, and only base may forbid',
    apply: (node) => {
      if (node.kind !== 'fused') return null;
      const { base, reference, experts, bounds } = node;
      const idle = bounds.every((bound) => bound === 0) || experts.every((expert) => equal(expert, reference));
      return idle && ![reference, ...experts].some(mayForbid) ? base : null;
    },
  },
];

/** The same distribution, cheaper. */
export function simplify(expr: Scores): Scores {
  let current = expr;
  for (;;) {
    const next = dropNormalisers(
      rewrite(current, {
        logits: applyRules,
        // log softmax is idempotent
        logprobs: (node): Logprobs =>
          node.of.kind === 'logSoftmax' ? node.of : { ...node, of: dropNormalisers(node.of) },
        mask: (node) => node,
      }),
    );
    if (equal(next, current)) return next;
    current = next;
  }
}

/**
 * log softmax(x) = x − constant: where only differences between tokens matter (at the root and under another log
 * softmax) the normalisation of a term is wasted work. Not below where, max and min, which compare scales.
 */
export function dropNormalisers(node: Scores): Scores {
  switch (node.kind) {
    case 'logSoftmax':
      return dropNormalisers(node.of);
    case 'linear':
      return { kind: 'linear', terms: node.terms.map(({ weight, of }) => ({ weight, of: dropNormalisers(of) })) };
    case 'masked':
      return { ...node, of: dropNormalisers(node.of) };
    case 'logits':
    case 'maximum':
    case 'minimum':
    case 'where':
    case 'fused':
      return node;
    default:
      return node satisfies never;
  }
}

/** The same tree with the same scalars over the same views. */
export function equal(a: Expr, b: Expr): boolean {
  return (
    structureKey(a) === structureKey(b) &&
    JSON.stringify([viewsOf(a), scalarsOf(a)]) === JSON.stringify([viewsOf(b), scalarsOf(b)])
  );
}

function applyRules(node: Logits): Scores {
  for (const rule of rules) {
    const replacement = rule.apply(node);
    if (replacement) return replacement;
  }
  return node;
}

/** All weights are zero: every token scores 0. One view stays, because a row needs a width. */
function flat(node: Logits): Logits {
  const [view] = viewsOf(node);
  return linear([[0, view ? logits(view.model, view.prompt) : node]]);
}

function withTerms(terms: readonly Term[]): Logits {
  return { kind: 'linear', terms };
}
