// What a name in the field `model` stands for: a model alone, or a deployment's method over several, checked against what their
// tokenizers and checkpoints say. Built once at start (a bad deployment stops the start); asked per request by the HTTP layer.
// Knows no prompt and no sampling.
import { mergePatch, methodThatDiffers, whatDiffers } from '../decoders/change.js';
import { formulaOf } from '../decoders/explain.js';
import { viewsOf } from '../decoders/expr.js';
import type { DirectionCard } from '../decoders/method.js';
import { buildDecoding, SpecError, type JsonObject, type SpecOptions } from '../decoders/spec.js';
import { draftModel } from '../decoders/speculation-spec.js';
import { checkKinds, factsIn, rewardModels, type FactsOf, type ModelFacts } from './catalog/facts.js';
import { checkLook, placeOf, shareDevice, shareVocabulary } from './catalog/members.js';
import { misconfiguredIn, modelNotFound, requestError, type Misconfigured } from './catalog/refusals.js';
import type { DeploymentConfig, RewardStatistics } from './config.js';
import type { Catalog as CatalogContract, CatalogEntry, ResolvedStrategy, SamplingDefaults } from './context.js';
import type { ModelSettings } from './engine/messages.js';
import { AppError } from './errors.js';
import { shown } from './wire/shown.js';

export interface CatalogSettings {
  /** Named in messages about deployments. */
  readonly file: string | null;
  readonly models: readonly ModelSettings[];
  readonly deployments: readonly DeploymentConfig[];
  readonly directionCards?: ReadonlyMap<string, DirectionCard>;
  readonly allowNegativeWeights: boolean;
  readonly rewardStatistics?: ReadonlyMap<string, RewardStatistics>;
  readonly scorers?: ReadonlyMap<string, unknown>;
  readonly endpoints?: Readonly<Record<string, unknown>>;
  readonly search?: { readonly maxBranches: number };
}

export class Catalog implements CatalogContract {
  readonly #settings: CatalogSettings;
  readonly #factsOf: FactsOf;
  readonly #misconfigured: Misconfigured;
  /** Models that predict tokens: the possible members of a distribution. */
  readonly #causal: readonly string[];
  readonly #specs: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly #options: SpecOptions;
  readonly #named = new Map<string, ResolvedStrategy>();
  /** The models that can be asked. */
  readonly #loaded: ReadonlySet<string>;
  readonly #entries: readonly CatalogEntry[];

  constructor(
    settings: CatalogSettings,
    facts: ReadonlyMap<string, ModelFacts>,
    created: number,
    loaded: ReadonlySet<string> = new Set(facts.keys()),
  ) {
    this.#settings = settings;
    this.#factsOf = factsIn(facts);
    this.#misconfigured = misconfiguredIn(settings.file);
    this.#loaded = loaded;
    checkKinds(settings.models, this.#factsOf, this.#misconfigured);
    this.#causal = settings.models.filter(({ kind }) => kind === 'causal').map(({ name }) => name);
    this.#specs = new Map(settings.deployments.map(({ name, decoding }) => [name, decoding]));
    this.#options = {
      models: this.#causal,
      deployments: this.#specs,
      allowNegativeWeights: settings.allowNegativeWeights,
      directionCards: settings.directionCards ?? new Map(),
      rewardModels: rewardModels(settings.models, this.#factsOf, settings.rewardStatistics, this.#misconfigured),
      scorers: settings.scorers ?? new Map(),
      endpoints: Object.keys(settings.endpoints ?? {}),
      ...(settings.search ? { searchLimits: { branches: settings.search.maxBranches } } : {}),
    };
    for (const name of this.#causal) this.#named.set(name, this.#build(name, name, {}, 'decoding'));
    for (const deployment of settings.deployments) this.#named.set(deployment.name, this.#deploy(deployment));
    const served = [...this.#named].filter(([, strategy]) => this.#missing(strategy) === undefined);
    this.#entries = served.map(([id]) => ({
      id,
      created,
      ownedBy: 'trimtab',
      kind: this.#specs.has(id) ? 'deployment' : 'model',
    }));
  }

  list(): readonly CatalogEntry[] {
    return this.#entries;
  }

  /**
   * Without `decoding`: what the name stands for. With `decoding` and its own method: that spec, whatever the name. Without a method:
   * the named deployment with these parameters changed, so {"weight": 0.5} is a dial.
   */
  resolve(model: string, decoding?: unknown): ResolvedStrategy {
    const named = this.#named.get(model);
    if (named === undefined) throw modelNotFound(model, this.#entries, this.#isReward(model));
    if (decoding === undefined || decoding === null) return this.#served(named);
    if (typeof decoding !== 'object' || Array.isArray(decoding)) {
      throw new AppError('invalid_value', {
        param: 'decoding',
        problem: 'it must be an object',
        value: shown(decoding),
        remedy: 'For example {"method": "plain", "model": "..."}; leave it out to use the model as it is.',
      });
    }
    const given = decoding as Readonly<Record<string, unknown>>;
    const own = this.#specs.get(model) ?? { method: 'plain', model };
    const spec = given['method'] === undefined ? { ...own, ...given } : given;
    const completed = spec['method'] === 'plain' && spec['model'] === undefined ? { ...spec, model } : spec;
    return this.#served(this.#build(model, completed, named.defaults, 'decoding'));
  }

  /** The deployments that cannot be served without this model. */
  neededBy(model: string): readonly string[] {
    return [...this.#specs.keys()].filter((name) => this.#needs(this.#named.get(name)).includes(model));
  }

  /**
   * The strategy with its effective spec patched, for a request that runs: only scalars may differ. A weight may become 0, since its member
   * has rows; a member that was left out for its weight of 0 has none.
   */
  change(strategy: ResolvedStrategy, patch: JsonObject): ResolvedStrategy {
    const own = { method: strategy.method, ...strategy.parameters };
    const spec = mergePatch(own, patch);
    // Before the spec is read: the other method would only complain about this one's keys.
    const other = methodThatDiffers(own, spec);
    if (other !== null) throw new AppError('not_changeable', { param: 'decoding', reason: other });
    const built = [true, false].map((keepsIdleViews) =>
      this.#build(strategy.name, spec, strategy.defaults, 'decoding', keepsIdleViews),
    );
    const reasons = built.map((changed) => whatDiffers(strategy, changed));
    const changed = built[reasons.indexOf(null)];
    if (changed) return changed;
    throw new AppError('not_changeable', { param: 'decoding', reason: reasons[0] });
  }

  #needs(strategy: ResolvedStrategy | undefined): readonly string[] {
    const draft = draftModel(strategy?.speculation ?? null);
    return [...(strategy?.models ?? []), ...(draft === null ? [] : [draft])];
  }

  #missing(strategy: ResolvedStrategy): string | undefined {
    return this.#needs(strategy).find((model) => !this.#loaded.has(model));
  }

  #served(strategy: ResolvedStrategy): ResolvedStrategy {
    const model = this.#missing(strategy);
    if (model === undefined) return strategy;
    throw new AppError('model_not_loaded', { param: 'model', model });
  }

  #build(
    name: string,
    spec: unknown,
    defaults: SamplingDefaults,
    path: string,
    keepsIdleViews = false,
  ): ResolvedStrategy {
    const built = this.#checked(spec, path, keepsIdleViews);
    const { search, speculation } = built;
    const views = viewsOf(built.distribution);
    const members = [
      ...new Set((search?.distributions ?? [built.distribution]).flatMap(viewsOf).map(({ model }) => model)),
    ];
    const draft = draftModel(speculation);
    const drafting = draft === null ? [] : [draft];
    const [first] = members;
    if (first === undefined) throw new Error('a distribution has at least one view');
    shareVocabulary([...members, ...drafting], this.#factsOf, (model) => placeOf(model, built.effective, path) ?? path);
    for (const view of (search?.distributions ?? [built.distribution]).flatMap(viewsOf))
      checkLook(view, built.prompts.get(view.prompt), this.#factsOf, path);
    shareDevice([...members, ...drafting], this.#settings.models, path);
    const own = [...new Set(views.map(({ model }) => model))].map((model) => this.#factsOf(model));
    // A draft has no say in how an answer ends, nor has what a search looks ahead with, but their rows are as long as the answer's.
    const contexts = [...members, ...drafting].map((model) => this.#factsOf(model));
    const readers = (search?.sources ?? []).flatMap((source) => (source.kind === 'http' ? [] : source.model));
    const { method, ...parameters } = built.effective;
    return {
      name,
      method,
      distribution: built.distribution,
      search,
      views,
      prompts: built.prompts,
      speculation,
      tokenizerModel: first,
      contextLength: Math.min(...contexts.map(({ contextLength }) => contextLength)),
      vocabSize: this.#factsOf(first).vocabSize,
      // Members may end differently (a base at its document end, a tuned one at its turn's): any of them ends the answer.
      eosTokenIds: [...new Set(own.flatMap(({ eosTokenIds }) => eosTokenIds))],
      parameters,
      models: [...new Set([...members, ...readers])],
      defaults,
      formula: formulaOf(built),
    };
  }

  #checked(spec: unknown, path: string, keepsIdleViews: boolean): ReturnType<typeof buildDecoding> {
    try {
      return buildDecoding(spec, { ...this.#options, path, keepsIdleViews });
    } catch (error) {
      throw error instanceof SpecError ? requestError(error, (model) => this.#isReward(model)) : error;
    }
  }

  #isReward(value: unknown): boolean {
    return this.#settings.models.some(({ kind, name }) => kind === 'reward' && name === value);
  }

  #deploy({ name, decoding, defaults }: DeploymentConfig): ResolvedStrategy {
    const key = `deployments.${name}.decoding`;
    try {
      return this.#build(name, decoding, samplingDefaults(defaults), key);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.cause instanceof SpecError) {
        const { path, problem, value, remedy, nearest: hint } = error.cause;
        throw this.#misconfigured(path, problem, value, hint === null ? remedy : `Did you mean ${hint}? ${remedy}`);
      }
      throw this.#misconfigured(key, error.message, decoding, 'Correct the deployment or remove it.');
    }
  }
}

function samplingDefaults(given: DeploymentConfig['defaults']): SamplingDefaults {
  const { temperature, top_p, top_k, min_p, repetition_penalty, max_tokens } = given;
  return {
    ...(temperature === undefined ? {} : { temperature }),
    ...(top_p === undefined ? {} : { topP: top_p }),
    ...(top_k === undefined ? {} : { topK: top_k }),
    ...(min_p === undefined ? {} : { minP: min_p }),
    ...(repetition_penalty === undefined ? {} : { repetitionPenalty: repetition_penalty }),
    ...(max_tokens === undefined ? {} : { maxTokens: max_tokens }),
  };
}
