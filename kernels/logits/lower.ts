// An expression over views → nodes of a graph that compute [R, V] scores for R rows at once. Scalars are inputs bound
// per row, so one graph serves every weight. One case per kind; the naive twin is decoders/evaluate.ts, and the law of
// every node is in decoders/expr.ts.
import { mayForbid, slotsOf } from '../../decoders/expr.js';
import type { Fused, Mask, Scores, Term } from '../../decoders/expr.js';
import type { GraphBuilder, Value } from '../graph.js';
import {
  Add,
  And,
  Cast,
  CumSum,
  Equal,
  Exp,
  ExpandTo,
  GreaterOrEqual,
  Less,
  Log,
  LogSoftmax,
  Max,
  Min,
  Mul,
  Neg,
  Not,
  Or,
  ReduceMax,
  ScatterElements,
  Shape,
  Sub,
  TopK,
  Where,
} from '../ops.js';
import { lastOf } from './blocks.js';
import { fuse, type Fusion } from './fusion.js';
import { normaliserOf } from './stage.js';

/** A weight that is 1 or −1 in every row of the call needs no multiplication. */
export type Coefficient = Value | 1 | -1;

export interface Bindings {
  readonly graph: GraphBuilder;
  /** [R, V] float32, one per view of the expression, in the order of `viewsOf`. */
  readonly view: (model: string, prompt: string) => Value;
  /** [R, 1] float32 or a unit, by slot of `scalarsOf`. */
  readonly scalar: (slot: number) => Coefficient;
  /** Whether a view may hold −∞, which costs extra passes over the vocabulary. */
  readonly viewsMayForbid: boolean;
  /** [1] int64: how many tokens a nucleus looks at. */
  readonly preselection: () => Value;
}

export interface Lowered {
  /** [R, V] */
  readonly scores: Value;
  /** [R, 1] bool: the preselection held every nucleus; null when there is none. */
  readonly covered: Value | null;
  /** In the order of their slots. */
  readonly fusions: readonly Fusion[];
}

const perRow = { axes: [1], keepdims: true } as const;

export function lower(expr: Scores, bindings: Bindings): Lowered {
  const lowering = new Lowering(bindings);
  const scores = lowering.scores(expr, 0);
  return { scores, covered: lowering.covered, fusions: lowering.fusions };
}

/** Slots are counted in pre-order, as `scalarsOf` does: every method gets the first slot of its node. */
class Lowering {
  readonly #bindings: Bindings;
  readonly #fusions = new Map<number, Fusion>();
  covered: Value | null = null;

  constructor(bindings: Bindings) {
    this.#bindings = bindings;
  }

  get fusions(): Fusion[] {
    return [...this.#fusions].sort(([a], [b]) => a - b).map(([, fusion]) => fusion);
  }

  scores(node: Scores, slot: number): Value {
    switch (node.kind) {
      case 'logits':
        return this.#bindings.view(node.view.model, node.view.prompt);
      case 'linear':
        return this.#linear(node.terms, slot);
      case 'maximum':
        return this.#members(node.of, slot).reduce((a, b) => Max(a, b));
      case 'minimum':
        return this.#members(node.of, slot).reduce((a, b) => Min(a, b));
      case 'where': {
        const thenSlot = slot + slotsOf(node.mask).length;
        const mask = this.#mask(node.mask, slot);
        const then = this.scores(node.then, thenSlot);
        return Where(mask, then, this.scores(node.otherwise, thenSlot + slotsOf(node.then).length));
      }
      case 'masked': {
        const of = this.scores(node.of, slot);
        return Where(this.#mask(node.mask, slot + slotsOf(node.of).length), of, -Infinity);
      }
      case 'fused':
        return this.#fused(node, slot);
      case 'logSoftmax': {
        const of = this.scores(node.of, slot);
        if (!this.#mayForbid(node.of)) return LogSoftmax(of);
        // A row of −∞ has no normaliser and comes out as NaN: what was forbidden stays forbidden.
        return Where(forbidden(of), -Infinity, Sub(of, normaliserOf(of)));
      }
      default:
        return node satisfies never;
    }
  }

  #members(nodes: readonly Scores[], slot: number): Value[] {
    let next = slot;
    return nodes.map((node) => {
      const value = this.scores(node, next);
      next += slotsOf(node).length;
      return value;
    });
  }

  #linear(terms: readonly Term[], slot: number): Value {
    const values = this.#members(
      terms.map(({ of }) => of),
      slot + terms.length,
    );
    const parts = terms.map(({ of }, index) => {
      const value = values[index] as Value;
      const coefficient = this.#bindings.scalar(slot + index);
      if (!this.#mayForbid(of)) return { value, coefficient, forbids: null };
      // −∞ is taken out before the sum, where it could meet another one, and put back after it. Weight 0 forbids
      // nothing.
      const infinite = forbidden(value);
      const forbids = typeof coefficient === 'number' ? infinite : And(infinite, Not(Equal(coefficient, 0)));
      return { value: Where(infinite, 0, value), coefficient, forbids };
    });
    const sum = weightedSum(parts);
    const forbids = parts.flatMap((part) => (part.forbids ? [part.forbids] : []));
    return forbids.length > 0
      ? Where(
          forbids.reduce((a, b) => Or(a, b)),
          -Infinity,
          sum,
        )
      : sum;
  }

  #fused(node: Fused, slot: number): Value {
    const { base, reference, experts, bounds, search } = node;
    const members = [base, reference, ...experts];
    const values = this.#members(members, slot + bounds.length);
    const mayForbid = values.filter((_, index) => this.#mayForbid(members[index] as Scores));
    const fusion = fuse(
      this.#bindings.graph,
      {
        base: values[0] as Value,
        reference: values[1] as Value,
        experts: values.slice(2),
        forbidden: mayForbid.length > 0 ? mayForbid.map(forbidden).reduce((a, b) => Or(a, b)) : null,
      },
      {
        bounds: bounds.map((_, expert) => this.#bound(slot + expert)),
        search,
        careful: this.#bindings.viewsMayForbid,
      },
    );
    this.#fusions.set(slot, fusion);
    return fusion.scores;
  }

  /** A scalar that is never a mere unit, or is looked at in any case. */
  #bound(slot: number): Value {
    const scalar = this.#bindings.scalar(slot);
    return typeof scalar === 'number' ? this.#bindings.graph.constant('float32', [1, 1], [scalar]) : scalar;
  }

  #mask(mask: Mask, slot: number): Value {
    const logprobs = this.scores(mask.of, slot + 1);
    const scalar = this.#bound(slot);
    switch (mask.kind) {
      case 'plausible':
        // log 0 = −∞: ratio 0 holds every token, forbidden ones too.
        return GreaterOrEqual(logprobs, Add(ReduceMax(logprobs, perRow), Log(scalar)));
      case 'nucleus':
        return this.#nucleus(logprobs, scalar);
      default:
        return mask satisfies never;
    }
  }

  /**
   * A token belongs to the nucleus while the mass before it, in falling order, is below `mass`. Masses add up in
   * float64.
   */
  #nucleus(logprobs: Value, mass: Value): Value {
    const { graph, preselection } = this.#bindings;
    const top = TopK(logprobs, { value: preselection(), dim: 'K' });
    const probs = Cast(Exp(top.values), 'float64');
    const before = CumSum(probs, { axis: 1, exclusive: true });
    const limit = Cast(mass, 'float64');
    const kept = Or(Less(before, limit), Equal(before, 0));
    const none = ExpandTo(graph.constant('bool', [], [0]), Shape(logprobs), logprobs.shape);
    const isFull = GreaterOrEqual(mass, 1);
    const reached = Add(lastOf(before), lastOf(probs));
    const covered = Or(isFull, GreaterOrEqual(reached, limit));
    this.covered = this.covered ? And(this.covered, covered) : covered;
    return Or(ScatterElements(none, top.indices, kept, { axis: 1 }), isFull);
  }

  #mayForbid(node: Scores): boolean {
    return this.#bindings.viewsMayForbid || mayForbid(node);
  }
}

interface Part {
  readonly value: Value;
  readonly coefficient: Coefficient;
}

function weightedSum(parts: readonly Part[]): Value {
  // Starting with a term that is not subtracted saves a negation.
  const start = Math.max(
    0,
    parts.findIndex(({ coefficient }) => coefficient !== -1),
  );
  const [first, ...rest] = [...parts.slice(start), ...parts.slice(0, start)] as [Part, ...Part[]];
  const scaled = ({ value, coefficient }: Part): Value =>
    coefficient === 1 ? value : coefficient === -1 ? Neg(value) : Mul(value, coefficient);
  return rest.reduce(
    (sum, part) => (part.coefficient === -1 ? Sub(sum, part.value) : Add(sum, scaled(part))),
    scaled(first),
  );
}

function forbidden(scores: Value): Value {
  return Equal(scores, -Infinity);
}
