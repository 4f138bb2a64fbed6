// The union of expressions over next-token scores: what every decoding method of the "formula" kind is. Immutable plain
// data, serialisable across threads. Evaluated by the naive twin (evaluate.ts), compiled by kernels/logits/lower.ts.
// Knows no model, no device.
//
// A score of −∞ says "forbidden". A linear combination forbids what any of its terms (of non-zero weight) forbids,
// whatever the sign of that weight: hence −∞ − (−∞) has a meaning and NaN can only come out of a model.

/** A model with one of the request's prompts. `prompt` names the prompt ("default" is the request's own). */
export interface View {
  readonly model: string;
  readonly prompt: string;
}

/** Unnormalised scores, one per token: log-probabilities up to a constant. */
export type Logits =
  | { readonly kind: 'logits'; readonly view: View }
  | { readonly kind: 'linear'; readonly terms: readonly Term[] }
  | { readonly kind: 'maximum'; readonly of: readonly Logprobs[] }
  | { readonly kind: 'minimum'; readonly of: readonly Logprobs[] }
  | { readonly kind: 'where'; readonly mask: Mask; readonly then: Scores; readonly otherwise: Scores }
  | { readonly kind: 'masked'; readonly of: Scores; readonly mask: Mask }
  | Fused;

/**
 * base + Σ aₜ·(expertₜ − reference), where the aₜ are found anew for every row: decoders/fusion.ts has the objective. A
 * token that any member forbids is forbidden, and the solver does not see it. `bounds` holds the largest aₜ of each
 * expert; it is bound per row.
 */
export interface Fused {
  readonly kind: 'fused';
  readonly base: Logprobs;
  readonly reference: Logprobs;
  readonly experts: readonly Logprobs[];
  readonly search: FusionSearch;
  readonly bounds: readonly number[];
}

/** Which experts may act on one token: one alone, or any set of them together. */
export type FusionSearch = 'single' | 'joint';

/** Normalised: the exponentials sum to one. */
export type Logprobs = { readonly kind: 'logSoftmax'; readonly of: Scores };

/** A set of tokens. */
export type Mask =
  | { readonly kind: 'plausible'; readonly of: Logprobs; readonly ratio: number }
  | { readonly kind: 'nucleus'; readonly of: Logprobs; readonly mass: number };

export type Scores = Logits | Logprobs;
export type Expr = Scores | Mask;

/**
 * One weighted member of a linear combination. The weight is a scalar that is bound per row: it is no part of the
 * kernel.
 */
export interface Term {
  readonly weight: number;
  readonly of: Scores;
}

/** A node that cannot exist: wrong number of members, a weight that is no number, a ratio outside [0, 1]. */
export class ExprError extends Error {
  override readonly name = 'ExprError';
}

export const DEFAULT_PROMPT = 'default';

// ---- constructors: the only place where a node's scalars are checked

export function logits(model: string, prompt: string = DEFAULT_PROMPT): Logits {
  if (model === '') throw new ExprError('a view needs the name of a model; got an empty string');
  return { kind: 'logits', view: { model, prompt } };
}

/** Σ weight · scores. */
export function linear(terms: readonly (readonly [weight: number, of: Scores])[]): Logits {
  nonEmpty('linear', terms);
  for (const [weight] of terms)
    if (!Number.isFinite(weight)) throw new ExprError(`linear: a weight must be a finite number; got ${weight}`);
  return { kind: 'linear', terms: terms.map(([weight, of]) => ({ weight, of })) };
}

/** of − log Σ exp(of). */
export function logSoftmax(of: Scores): Logprobs {
  return { kind: 'logSoftmax', of };
}

/** The union of distributions: per token the largest log-probability. Not normalised. */
export function maximum(of: readonly Logprobs[]): Logits {
  return { kind: 'maximum', of: nonEmpty('maximum', of) };
}

/** The intersection of distributions: per token the smallest log-probability. Not normalised. */
export function minimum(of: readonly Logprobs[]): Logits {
  return { kind: 'minimum', of: nonEmpty('minimum', of) };
}

/** `then` inside the mask, `otherwise` outside: both on the same scale, which the caller answers for. */
export function where(mask: Mask, then: Scores, otherwise: Scores): Logits {
  return { kind: 'where', mask, then, otherwise };
}

/** `of` inside the mask; tokens outside are forbidden. */
export function masked(of: Scores, mask: Mask): Logits {
  return { kind: 'masked', of, mask };
}

/** Points of the published grid: 0.0 to 2.0 in steps of 0.1. */
export const FUSION_GRID = 21;

/** Which experts act together: every one alone, then, jointly, every larger set; smaller sets first. */
export function expertSets(count: number, search: FusionSearch): number[][] {
  const experts = Array.from({ length: count }, (_, expert) => expert);
  if (search === 'single') return experts.map((expert) => [expert]);
  const sets = Array.from({ length: 2 ** count - 1 }, (_, index) =>
    experts.filter((expert) => ((index + 1) >> expert) & 1),
  );
  return sets.sort((a, b) => a.length - b.length);
}

/** The joint search tries every set of experts. */
export const MAX_JOINT_EXPERTS = 4;

/** Dynamic logit fusion. One bound per expert, at least 0. */
export function fused({ base, reference, experts, search, bounds }: Omit<Fused, 'kind'>): Logits {
  nonEmpty('fused', experts);
  if (search === 'joint' && experts.length > MAX_JOINT_EXPERTS)
    throw new ExprError(`fused: the joint search takes at most ${MAX_JOINT_EXPERTS} experts; got ${experts.length}`);
  if (bounds.length !== experts.length)
    throw new ExprError(`fused: needs one bound per expert, ${experts.length}; got ${bounds.length}`);
  for (const bound of bounds)
    if (!(bound >= 0 && bound < Infinity)) throw new ExprError(`fused: a bound must be at least 0; got ${bound}`);
  return { kind: 'fused', base, reference, experts, search, bounds };
}

/** Σ weight · logprobs / Σ weight: the sum of the weights must be above 0, or what is avoided would be preferred. */
export function average(terms: readonly (readonly [weight: number, of: Scores])[]): Logits {
  const sum = terms.reduce((total, [weight]) => total + weight, 0);
  if (!(sum > 1e-9)) throw new ExprError(`average: the weights must add up to more than 0; they add up to ${sum}`);
  return linear(terms.map(([weight, of]) => [weight / sum, of]));
}

/** Tokens whose probability is at least `ratio` times the largest one. 0 holds every token. */
export function plausible(of: Logprobs, ratio: number): Mask {
  return { kind: 'plausible', of, ratio: fraction('plausible: ratio', ratio) };
}

/**
 * The smallest set of most probable tokens that holds at least `mass`; ties go to the lower id, 1 holds every token,
 * and there is always one.
 */
export function nucleus(of: Logprobs, mass: number): Mask {
  return { kind: 'nucleus', of, mass: fraction('nucleus: mass', mass) };
}

function nonEmpty<T>(kind: string, members: readonly T[]): readonly T[] {
  if (members.length === 0) throw new ExprError(`${kind}: needs at least one member; got none`);
  return members;
}

function fraction(what: string, value: number): number {
  if (!(value >= 0 && value <= 1)) throw new ExprError(`${what} must lie in [0, 1]; got ${value}`);
  return value;
}

// ---- walks

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
