// Ways through an expression: its members, views, scalars and structure, and replacement from the bottom up. The order in which a
// node's members are visited is the order of views and scalars everywhere. Part of expr.ts, which hands it on.
import type { Expr, Logits, Logprobs, Mask, Scores, View } from './expr.js';

/** A node's direct members, in the order that fixes views, scalars and keys. */
export function membersOf(node: Expr): readonly Expr[] {
  switch (node.kind) {
    case 'logits':
      return [];
    case 'linear':
      return node.terms.map((term) => term.of);
    case 'maximum':
    case 'minimum':
      return node.of;
    case 'where':
      return [node.mask, node.then, node.otherwise];
    case 'masked':
      return [node.of, node.mask];
    case 'fused':
      return [node.base, node.reference, ...node.experts];
    case 'logSoftmax':
    case 'plausible':
    case 'nucleus':
      return [node.of];
    default:
      return node satisfies never;
  }
}

/** Bottom-up: every node with the results of its members. */
export function fold<T>(node: Expr, visit: (node: Expr, members: readonly T[]) => T): T {
  return visit(
    node,
    membersOf(node).map((member) => fold(member, visit)),
  );
}

/**
 * What to put in place of a node whose members are already rewritten. A normalised node may only become a normalised
 * one.
 */
export interface Rewriter {
  logits(node: Logits): Scores;
  logprobs(node: Logprobs): Logprobs;
  mask(node: Mask): Mask;
}

/** Bottom-up replacement. */
export function rewrite(node: Scores, by: Rewriter): Scores {
  const logprobs = (of: Logprobs): Logprobs => by.logprobs({ kind: 'logSoftmax', of: rewrite(of.of, by) });
  const mask = (of: Mask): Mask => by.mask({ ...of, of: logprobs(of.of) });
  switch (node.kind) {
    case 'logits':
      return by.logits(node);
    case 'linear':
      return by.logits({
        kind: 'linear',
        terms: node.terms.map(({ weight, of }) => ({ weight, of: rewrite(of, by) })),
      });
    case 'maximum':
    case 'minimum':
      return by.logits({ kind: node.kind, of: node.of.map(logprobs) });
    case 'where':
      return by.logits({
        kind: 'where',
        mask: mask(node.mask),
        then: rewrite(node.then, by),
        otherwise: rewrite(node.otherwise, by),
      });
    case 'masked':
      return by.logits({ kind: 'masked', of: rewrite(node.of, by), mask: mask(node.mask) });
    case 'fused':
      return by.logits({
        ...node,
        base: logprobs(node.base),
        reference: logprobs(node.reference),
        experts: node.experts.map(logprobs),
      });
    case 'logSoftmax':
      return logprobs(node);
    default:
      return node satisfies never;
  }
}

/** Pre-order visit. */
function walk(node: Expr, visit: (node: Expr) => void): void {
  visit(node);
  for (const member of membersOf(node)) walk(member, visit);
}

/** Nodes of the tree as it is written out: what stands in several places counts in each. */
export function sizeOf(expr: Expr): number {
  return fold<number>(expr, (_, members) => members.reduce((sum, size) => sum + size, 1));
}

/** The distinct views, in order of first appearance: what must be run. */
export function viewsOf(expr: Expr): View[] {
  const views = new Map<string, View>();
  walk(expr, (node) => {
    if (node.kind !== 'logits') return;
    const key = viewKey(node.view);
    if (!views.has(key)) views.set(key, node.view);
  });
  return [...views.values()];
}

/** Equal for equal (model, prompt). */
export function viewKey(view: View): string {
  return JSON.stringify([view.model, view.prompt]);
}

export interface Scalar {
  readonly kind: 'weight' | 'ratio' | 'mass' | 'bound';
  readonly value: number;
}

/**
 * Every scalar in pre-order: what is bound per row. Two expressions of one structure have equally many, kind by kind.
 */
export function slotsOf(expr: Expr): Scalar[] {
  const slots: Scalar[] = [];
  walk(expr, (node) => slots.push(...ownSlots(node)));
  return slots;
}

export function scalarsOf(expr: Expr): number[] {
  return slotsOf(expr).map(({ value }) => value);
}

function ownSlots(node: Expr): readonly Scalar[] {
  switch (node.kind) {
    case 'linear':
      return node.terms.map(({ weight }) => ({ kind: 'weight', value: weight }));
    case 'plausible':
      return [{ kind: 'ratio', value: node.ratio }];
    case 'nucleus':
      return [{ kind: 'mass', value: node.mass }];
    case 'fused':
      return node.bounds.map((value) => ({ kind: 'bound', value }));
    case 'logits':
    case 'maximum':
    case 'minimum':
    case 'where':
    case 'masked':
    case 'logSoftmax':
      return [];
    default:
      return node satisfies never;
  }
}

/**
 * Names the kernel that an expression needs: the tree without its scalars, views by number (in the order of `viewsOf`),
 * e.g. `linear(0,linear(1,2))`. Expressions of one key run in one batch.
 */
export function structureKey(expr: Expr): string {
  let key = structureKeys.get(expr);
  if (key === undefined) {
    const numbers = new Map(viewsOf(expr).map((view, index) => [viewKey(view), index]));
    key = fold<string>(expr, (node, members) =>
      node.kind === 'logits' ? String(numbers.get(viewKey(node.view))) : `${operatorOf(node)}(${members.join(',')})`,
    );
    structureKeys.set(expr, key);
  }
  return key;
}

/** Two searches are two kernels. */
function operatorOf(node: Expr): string {
  return node.kind === 'fused' && node.search === 'joint' ? 'fusedJointly' : node.kind;
}

/** Asked for every row of every step; expressions never change. */
const structureKeys = new WeakMap<Expr, string>();

/** Whether scores of this node may be −∞ although every view is finite: only a mask forbids. */
export function mayForbid(expr: Scores): boolean {
  switch (expr.kind) {
    case 'logits':
      return false;
    case 'linear':
      return expr.terms.some((term) => mayForbid(term.of));
    case 'maximum':
    case 'minimum':
      return expr.of.some(mayForbid);
    case 'where':
      return mayForbid(expr.then) || mayForbid(expr.otherwise);
    case 'masked':
      return true;
    case 'fused':
      return [expr.base, expr.reference, ...expr.experts].some(mayForbid);
    case 'logSoftmax':
      return mayForbid(expr.of);
    default:
      return expr satisfies never;
  }
}
