// What a search method and a scorer are: a name, documented fields, a function from checked values to plain data, and the coroutine that
// runs on it. One file per search in searches/, per scorer in scorers/, and one line in each index. spec.ts reads requests with them, the
// engine runs them, `explain` shows them.
import type { Scores } from './expr.js';
import type { BuildContext, Fields, ValuesOf } from './method.js';
import type { Scorer, ScoreSource, SearchPlan } from './plan.js';
import type { Branch, Search, Searching } from './search.js';

/** What a method may know beyond its fields while its plan is made. */
export interface PlanContext extends BuildContext {
  /** The distribution's number in the plan; equal ones share theirs. A search names its trunk's first: that is number 0. */
  distribution(scores: Scores): number;
  /** The source's number in the plan; equal ones share theirs. */
  source(source: ScoreSource): number;
  rewardModel(name: string): RewardFacts;
  /** A scorer forks every answer that it scores once into this distribution, for as long as it scores it. */
  forksToScore(distribution: number): void;
  readonly limits: SearchLimits;
}

/** From a reward model's checkpoint and configuration. */
export interface RewardFacts {
  /** Names of its numbers, in their order. */
  readonly heads: readonly string[];
  /** Mean and standard deviation of each head over calibration answers, where the operator gave them. */
  readonly statistics: readonly { readonly mean: number; readonly deviation: number }[] | null;
}

/** The operator's bounds on one request. */
export interface SearchLimits {
  /** Branches of one distribution alive at once. */
  readonly branches: number;
}

export type Planned<V extends object> = Pick<SearchPlan, 'branches' | 'scored' | 'biased'> & { readonly values: V };

export interface SearchDefinition<F extends Fields, V extends object> {
  readonly name: string;
  /** Which specs of this name are searches, where not all are (dpa). */
  readonly when?: (spec: Readonly<Record<string, unknown>>) => boolean;
  readonly summary: string;
  readonly equation: string;
  readonly paper: string;
  /** What is streamed at a time. */
  readonly granularity: string;
  readonly fields: F;
  /** Names its distributions and sources in `context`. Throws `Conflict` where fields that are right alone do not go together. */
  plan(values: ValuesOf<F>, context: PlanContext): Planned<V>;
  /** Commits as it goes; may end with an uncommitted or unended trunk: what is left is then decoded plainly. */
  run(trunk: Branch, values: V): Search;
  /** How the formula of the trunk's distribution goes on by what the search adds to it; left out where it only chooses. */
  formula?(values: V, inner: string): string;
  /** Forwards per emitted token by number of distribution, roughly, for `explain`; and rows scored per emitted token. */
  cost(values: V): SearchCost;
}

/** In words that `explain` prints beside the formula, and numbers where they can be said. */
export interface SearchCost {
  /** Tokens computed per emitted token by each distribution of the plan. */
  readonly tokens: readonly number[];
  /** Answers scored per emitted token. */
  readonly scored: number;
  readonly note: string;
}

export interface ScorerDefinition<F extends Fields, S extends Scorer> {
  readonly kind: S['kind'];
  readonly summary: string;
  readonly equation: string;
  readonly paper: string;
  readonly fields: F;
  /** Names its sources and distributions in `context`. Nested scorers are built by `build` of their values. */
  build(values: ValuesOf<F>, context: PlanContext): S;
  /** One number per branch, higher is better; all branches are answers to one request. */
  score(scorer: S, branches: readonly Branch[], others: ScoreAll): Searching<readonly number[]>;
  /** Bounds of the score where it has any. */
  range(scorer: S, others: RangeOf): readonly [least: number, most: number] | null;
}

/** Scores branches by any scorer: how one scorer asks its members. */
export type ScoreAll = (scorer: Scorer, branches: readonly Branch[]) => Searching<readonly number[]>;
export type RangeOf = (scorer: Scorer) => readonly [least: number, most: number] | null;

/** Definitions whose value types are forgotten: what the lists hold. */
export type SearchMethod = SearchDefinition<Fields, object>;
export type ScorerMethod = ScorerDefinition<Fields, Scorer>;

export function defineSearch<const F extends Fields, V extends object>(
  definition: SearchDefinition<F, V>,
): SearchMethod {
  return {
    ...definition,
    plan: (values, context) => definition.plan(values as ValuesOf<F>, context),
    run: (trunk, values) => definition.run(trunk, values as V),
    formula: (values, inner) => definition.formula?.(values as V, inner) ?? inner,
    cost: (values) => definition.cost(values as V),
  };
}

export function defineScorer<const F extends Fields, S extends Scorer>(
  definition: ScorerDefinition<F, S>,
): ScorerMethod {
  return {
    ...definition,
    build: (values, context) => definition.build(values as ValuesOf<F>, context),
    score: (scorer, branches, others) => definition.score(scorer as S, branches, others),
    range: (scorer, others) => definition.range(scorer as S, others),
  };
}
