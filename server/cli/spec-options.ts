// What a spec may refer to under a configuration, without loading a model. Called by the commands explain and models.
import type { RewardFacts } from '../../decoders/search-method.js';
import type { SpecOptions } from '../../decoders/spec.js';
import type { Config } from '../config.js';
import { readCheckpoint } from '../models/checkpoint.js';

export function specOptions(config: Config, furtherModels: readonly string[] = []): SpecOptions {
  const models = config.models.filter(({ kind }) => kind === 'causal').map(({ name }) => name);
  return {
    models: [...models, ...furtherModels],
    deployments: new Map<string, unknown>(config.deployments.map(({ name, decoding }) => [name, decoding])),
    allowNegativeWeights: true,
    directionCards: config.directionCards,
    rewardModels: rewardFacts(config),
    scorers: config.scorers,
    endpoints: Object.keys(config.endpoints),
    searchLimits: { branches: config.search.maxBranches },
  };
}

/** What the folders of the reward models say; no weights are read. */
function rewardFacts({ models, rewardStatistics }: Config): ReadonlyMap<string, RewardFacts> {
  const rewards = models.filter(({ kind }) => kind === 'reward');
  return new Map(
    rewards.map(({ name, path }) => {
      const { head } = readCheckpoint(path).spec;
      const heads = head.kind === 'classification' ? head.labels : [];
      const spread = rewardStatistics.get(name);
      return [name, { heads, statistics: spread ? heads.flatMap((each) => spread[each] ?? []) : null }];
    }),
  );
}
