// Dynamic logit fusion (Fan et al., arXiv:2406.15480), one row in float64: the naive twin of kernels/logits/fusion.ts. Called by evaluate.ts.
// With L, S, Fₜ the log-probabilities of base, reference and experts, P̃(a) = softmax(L + Σ aₜ·(Fₜ − S)), and for each expert the two
// lengths of what tuning did to the small model, Aₜ = KL(Fₜ‖S) and Bₜ = KL(S‖Fₜ), the weights minimise
//
//   J(a) = Σₜ (KL(P̃‖L) − Aₜ)² + (KL(L‖P̃) − Bₜ)²        (pairing of the paper's main text)
//
// The candidates are rays a = s·(bounds of a set of experts), s in [0, 1]: each expert alone ("single", as published) or every non-empty
// set ("joint", ours). Along a ray with d = Σ boundₜ·(Fₜ − S):
//
//   z(s) = log Σ L̂·exp(s·d), E = E_P̃[d];   f(s) = KL(P̃‖L) = s·E − z;   g(s) = KL(L‖P̃) = z − s·E_L[d]
//
// both rising in s. Since Σₜ (f − Aₜ)² = T·(f − mean A)² + constant, J falls until the first of f and g reaches its mean target and rises
// after the second has: the minimum lies between the two crossings. J may have several minima there, hence a grid before the refinement.
import { logSumExp } from './rows.js';
import { expertSets, FUSION_GRID } from './expr.js';
import type { FusionSearch } from './expr.js';

export interface FusionMembers {
  /** Log-probabilities, one per token. What −∞ forbids in any member is left out of every sum. */
  readonly base: ArrayLike<number>;
  readonly reference: ArrayLike<number>;
  readonly experts: readonly ArrayLike<number>[];
}

export interface FusionWeights {
  /** aₜ, one per expert. */
  readonly weights: readonly number[];
  /** Whether an acting expert stands at its bound: a longer step would have matched better. */
  readonly atBound: readonly boolean[];
  /** J at the weights. */
  readonly objective: number;
}

/** Solves one row. Equal objectives go to the earlier ray (fewer experts, then their order), then to the smaller step. */
export function solveFusion(
  members: FusionMembers,
  bounds: readonly number[],
  search: FusionSearch = 'single',
): FusionWeights {
  const row = new FusionRow(members);
  let best = { objective: row.objective(row.at(bounds.map(() => 0))), weights: bounds.map(() => 0), step: 0 };
  for (const set of expertSets(bounds.length, search)) {
    const direction = bounds.map((bound, expert) => (set.includes(expert) ? bound : 0));
    const step = minimise((s) => row.at(scaled(direction, s)), row);
    const weights = scaled(direction, step);
    const objective = row.objective(row.at(weights));
    if (objective < best.objective) best = { objective, weights, step };
  }
  const { objective, weights, step } = best;
  return { objective, weights, atBound: weights.map((weight) => weight > 0 && step === 1) };
}

/** KL(P̃‖L) and KL(L‖P̃). */
export interface Lengths {
  readonly forward: number;
  readonly backward: number;
}

/** What one row asks: lengths at any weights, and how far they are from the targets. */
export class FusionRow {
  /** Per expert: KL(Fₜ‖S) and KL(S‖Fₜ). */
  readonly targets: readonly Lengths[];
  readonly #base: Float64Array;
  /** Fₜ − S per expert, over the tokens that nobody forbids. */
  readonly #differences: readonly Float64Array[];

  constructor({ base, reference, experts }: FusionMembers) {
    const ids = Array.from(base, (_, id) => id).filter((id) =>
      [base, reference, ...experts].every((member) => member[id] !== -Infinity),
    );
    const allowed = (member: ArrayLike<number>): Float64Array => {
      const kept = Float64Array.from(ids, (id) => member[id] ?? NaN);
      const total = logSumExp(kept);
      return kept.map((logprob) => logprob - total);
    };
    this.#base = allowed(base);
    const small = allowed(reference);
    const tuned = experts.map(allowed);
    this.#differences = tuned.map((expert) => expert.map((logprob, id) => logprob - (small[id] ?? NaN)));
    this.targets = tuned.map((expert) => ({ forward: kl(expert, small), backward: kl(small, expert) }));
  }

  /** The lengths of the step that these weights make. */
  at(weights: readonly number[]): Lengths {
    const step = this.#base.map((_, id) =>
      weights.reduce((sum, weight, expert) => sum + weight * (this.#differences[expert]?.[id] ?? NaN), 0),
    );
    const moved = this.#base.map((logprob, id) => logprob + (step[id] ?? NaN));
    const z = logSumExp(moved);
    let [movedMean, baseMean] = [0, 0];
    step.forEach((difference, id) => {
      movedMean += Math.exp((moved[id] ?? NaN) - z) * difference;
      baseMean += Math.exp(this.#base[id] ?? NaN) * difference;
    });
    // Rounding may leave a length a hair below zero.
    return { forward: Math.max(0, movedMean - z), backward: Math.max(0, z - baseMean) };
  }

  objective({ forward, backward }: Lengths): number {
    return this.targets.reduce((sum, to) => sum + (forward - to.forward) ** 2 + (backward - to.backward) ** 2, 0);
  }
}

/** The step in [0, 1] with the least objective along a ray. */
function minimise(lengths: (step: number) => Lengths, row: FusionRow): number {
  const mean = (of: (target: Lengths) => number): number =>
    row.targets.reduce((sum, target) => sum + of(target), 0) / row.targets.length;
  const objective = (step: number): number => row.objective(lengths(step));
  const crossings = [
    crossing(
      (step) => lengths(step).forward,
      mean(({ forward }) => forward),
    ),
    crossing(
      (step) => lengths(step).backward,
      mean(({ backward }) => backward),
    ),
  ];
  const [low, high] = [Math.min(...crossings), Math.max(...crossings)];
  // A point of the published grid outside the bracket is no better than the bracket's end next to it: the result never loses to that grid.
  const grid = Array.from({ length: FUSION_GRID }, (_, point) => point / (FUSION_GRID - 1));
  const points = [low, ...grid.filter((step) => step > low && step < high), high];
  const best = points.reduce((at, step, index) => (objective(step) < objective(points[at] ?? 0) ? index : at), 0);
  const here = points[best] ?? 0;
  const refined = goldenSection(objective, points[best - 1] ?? here, points[best + 1] ?? here);
  return objective(refined) < objective(here) ? refined : here;
}

/** Where a rising function reaches `target` in [0, 1]; 1 if it does not. */
function crossing(rising: (step: number) => number, target: number): number {
  if (rising(0) >= target) return 0;
  if (rising(1) < target) return 1;
  let [low, high] = [0, 1];
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (rising(middle) < target) low = middle;
    else high = middle;
  }
  return high;
}

/** The least point between two neighbours of a grid point, where one minimum is left. */
function goldenSection(objective: (step: number) => number, from: number, to: number): number {
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [from, to];
  for (let round = 0; round < 60; round++) {
    const [left, right] = [high - ratio * (high - low), low + ratio * (high - low)];
    if (objective(left) <= objective(right)) high = right;
    else low = left;
  }
  return (low + high) / 2;
}

function scaled(direction: readonly number[], step: number): number[] {
  return direction.map((bound) => bound * step);
}

/** KL(p‖q) of two rows of finite log-probabilities. */
function kl(p: Float64Array, q: Float64Array): number {
  return p.reduce((sum, logprob, id) => sum + Math.exp(logprob) * (logprob - (q[id] ?? NaN)), 0);
}
