// The plan of one search while it is made: gives numbers to the distributions and sources that the search and its scorers name. Called by
// spec.ts.
import type { Scores } from './expr.js';
import type { BuildContext, DirectionCard } from './method.js';
import type { ScoreSource, SearchPlan } from './plan.js';
import { SpecError } from './fields.js';
import type { PlanContext, RewardFacts, SearchLimits } from './search-method.js';

export class Planning implements PlanContext {
  readonly allowNegativeWeights: boolean;
  readonly limits: SearchLimits;
  readonly #base: BuildContext;
  readonly #rewardModels: ReadonlyMap<string, RewardFacts>;
  readonly #distributions = new Map<string, { readonly number: number; readonly scores: Scores }>();
  readonly #sources = new Map<string, { readonly number: number; readonly source: ScoreSource }>();
  readonly #forkedToScore: number[] = [];

  constructor(
    base: BuildContext,
    { rewardModels, limits }: { rewardModels: ReadonlyMap<string, RewardFacts>; limits: SearchLimits },
  ) {
    this.#base = base;
    this.allowNegativeWeights = base.allowNegativeWeights;
    this.#rewardModels = rewardModels;
    this.limits = limits;
  }

  directionCard(model: string): DirectionCard | undefined {
    return this.#base.directionCard(model);
  }

  distribution(scores: Scores): number {
    const key = JSON.stringify(scores);
    const known = this.#distributions.get(key) ?? { number: this.#distributions.size, scores };
    this.#distributions.set(key, known);
    return known.number;
  }

  source(source: ScoreSource): number {
    const key = JSON.stringify(source);
    const known = this.#sources.get(key) ?? { number: this.#sources.size, source };
    this.#sources.set(key, known);
    return known.number;
  }

  rewardModel(name: string): RewardFacts {
    const facts = this.#rewardModels.get(name);
    if (!facts) throw new SpecError(name, 'unknown name', name, 'It is no reward model.');
    return facts;
  }

  forksToScore(distribution: number): void {
    this.#forkedToScore.push(distribution);
  }

  /** The branches that a search says it keeps, and those of its scorers beside them. */
  branchesWith({ branches, scored }: Pick<SearchPlan, 'branches' | 'scored'>): number[] {
    const most = Array.from({ length: this.#distributions.size }, (_, number) => branches[number] ?? 0);
    for (const number of this.#forkedToScore) most[number] = (most[number] ?? 0) + scored;
    return most;
  }

  result(): Pick<SearchPlan, 'distributions' | 'sources' | 'readers'> {
    return {
      readers: [...new Set(this.#forkedToScore)],
      distributions: [...this.#distributions.values()].map(({ scores }) => scores),
      sources: [...this.#sources.values()].map(({ source }) => source),
    };
  }
}
