// What the catalog needs of the models' checkpoints, and whether the configuration agrees: with the kind of each, and with the scores of reward
// models. Knows no spec.
import type { RewardFacts } from '../../decoders/search-method.js';
import type { RewardStatistics } from '../config.js';
import type { ModelSettings } from '../engine/messages.js';
import type { VocabularyDifference } from '../models/text-jobs.js';
import type { Misconfigured } from './refusals.js';

/** What the catalog needs to know of a model's files. */
export interface ModelFacts {
  /** Of the tokenizer, without padding. */
  readonly vocabSize: number;
  /** Equal exactly when ids mean the same pieces. */
  readonly vocabularyHash: string;
  readonly contextLength: number;
  readonly eosTokenIds: readonly number[];
  /** False for a classification head. */
  readonly predictsTokens: boolean;
  /** Names of a classification head's scores. */
  readonly heads?: readonly string[];
  /** Of a model that reads pictures. */
  readonly vision?: { readonly projections: readonly string[] } | null;
  /** By the name of a model with another vocabulary: the first id that the two read differently. */
  readonly differences?: ReadonlyMap<string, VocabularyDifference>;
}

export type FactsOf = (model: string) => ModelFacts;

export const factsIn =
  (facts: ReadonlyMap<string, ModelFacts>): FactsOf =>
  (model) => {
    const own = facts.get(model);
    if (own === undefined) throw new Error(`no facts of the model ${model}`);
    return own;
  };

/** What the configuration says of a model must be what its checkpoint is. */
export function checkKinds(models: readonly ModelSettings[], factsOf: FactsOf, misconfigured: Misconfigured): void {
  for (const { name, kind } of models) {
    const { predictsTokens } = factsOf(name);
    if (predictsTokens === (kind === 'causal')) continue;
    const problem = predictsTokens
      ? 'the checkpoint predicts tokens, it is no reward model'
      : 'the checkpoint is a reward model, which gives scores and predicts no tokens';
    const remedy = predictsTokens ? 'Remove the key.' : 'Set it to "reward" in the configuration.';
    throw misconfigured(`models.${name}.kind`, problem, kind, remedy);
  }
  if (models.every(({ kind }) => kind === 'reward')) {
    const remedy = 'Add a model that predicts tokens.';
    throw misconfigured('models', 'every model is a reward model, so nothing can be served', 'reward', remedy);
  }
}

/** The reward models, with their scores in order. */
export function rewardModels(
  models: readonly ModelSettings[],
  factsOf: FactsOf,
  statisticsOf: ReadonlyMap<string, RewardStatistics> | undefined,
  misconfigured: Misconfigured,
): ReadonlyMap<string, RewardFacts> {
  const rewards = models.filter(({ kind }) => kind === 'reward');
  return new Map(
    rewards.map(({ name }) => {
      const heads = factsOf(name).heads ?? [];
      const statistics = statisticsOf?.get(name) ?? null;
      const unknown = Object.keys(statistics ?? {}).find((head) => !heads.includes(head));
      const missing = statistics && heads.find((head) => statistics[head] === undefined);
      if (unknown !== undefined || missing)
        throw misconfigured(
          `models.${name}.reward.statistics`,
          unknown === undefined ? `it lacks the score ${missing ?? ''}` : `${unknown} is no score of this model`,
          Object.keys(statistics ?? {}).join(', '),
          `Its scores are ${heads.join(', ')}: give each.`,
        );
      const spread = statistics && heads.flatMap((head) => statistics[head] ?? []);
      return [name, { heads, statistics: spread }];
    }),
  );
}
