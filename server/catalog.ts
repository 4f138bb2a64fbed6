// What a name in the field `model` stands for: a model alone, or a deployment's method over several, checked against what their
// tokenizers and checkpoints say. Built once at start (a bad deployment stops the start); asked per request by the HTTP layer.
// Knows no prompt and no sampling.
import { mergePatch, whatDiffers } from '../decoders/change.js';
import { buildDecoding, SpecError } from '../decoders/spec.js';
import { viewsOf, type View } from '../decoders/expr.js';
import type { PromptVariant } from '../decoders/prompt.js';
import type { DirectionCard } from '../decoders/method.js';
import type { JsonObject, SpecOptions } from '../decoders/spec.js';
import type { RewardFacts } from '../decoders/search-method.js';
import { print } from '../decoders/print.js';
import { draftModel } from '../decoders/speculation-spec.js';
import { nearest } from './config/nearest.js';
import type { DeploymentConfig, RewardStatistics } from './config.js';
import type { Catalog as CatalogContract, CatalogEntry, ResolvedStrategy, SamplingDefaults } from './context.js';
import type { ModelSettings } from './engine/messages.js';
import { AppError } from './errors.js';
import type { VocabularyDifference } from './models/text-jobs.js';
import { shown } from './wire/shown.js';

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
  readonly #facts: ReadonlyMap<string, ModelFacts>;
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
    this.#facts = facts;
    this.#loaded = loaded;
    this.#checkKinds();
    this.#causal = settings.models.filter(({ kind }) => kind === 'causal').map(({ name }) => name);
    this.#specs = new Map(settings.deployments.map(({ name, decoding }) => [name, decoding]));
    this.#options = {
      models: this.#causal,
      deployments: this.#specs,
      allowNegativeWeights: settings.allowNegativeWeights,
      directionCards: settings.directionCards ?? new Map(),
      rewardModels: this.#rewardModels(),
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
    if (named === undefined) throw this.#notFound(model);
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
    const spec = mergePatch({ method: strategy.method, ...strategy.parameters }, patch);
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
    this.#shareVocabulary([...members, ...drafting], (model) => placeOf(model, built.effective, path) ?? path);
    for (const view of (search?.distributions ?? [built.distribution]).flatMap(viewsOf))
      this.#checkLook(view, built.prompts.get(view.prompt), path);
    this.#shareDevice([...members, ...drafting], path);
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
      formula: print(built.distribution),
    };
  }

  #rewardModels(): ReadonlyMap<string, RewardFacts> {
    const rewards = this.#settings.models.filter(({ kind }) => kind === 'reward');
    return new Map(
      rewards.map(({ name }) => {
        const heads = this.#factsOf(name).heads ?? [];
        const statistics = this.#settings.rewardStatistics?.get(name) ?? null;
        const unknown = Object.keys(statistics ?? {}).find((head) => !heads.includes(head));
        const missing = statistics && heads.find((head) => statistics[head] === undefined);
        if (unknown !== undefined || missing)
          throw this.#inFile(
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

  #checked(spec: unknown, path: string, keepsIdleViews: boolean): ReturnType<typeof buildDecoding> {
    try {
      return buildDecoding(spec, { ...this.#options, path, keepsIdleViews });
    } catch (error) {
      throw error instanceof SpecError ? this.#requestError(error) : error;
    }
  }

  #deploy({ name, decoding, defaults }: DeploymentConfig): ResolvedStrategy {
    const key = `deployments.${name}.decoding`;
    try {
      return this.#build(name, decoding, samplingDefaults(defaults), key);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.cause instanceof SpecError) {
        const { path, problem, value, remedy, nearest: hint } = error.cause;
        throw this.#inFile(path, problem, value, hint === null ? remedy : `Did you mean ${hint}? ${remedy}`);
      }
      throw this.#inFile(key, error.message, decoding, 'Correct the deployment or remove it.');
    }
  }

  /** What the configuration says of a model must be what its checkpoint is. */
  #checkKinds(): void {
    for (const { name, kind } of this.#settings.models) {
      const { predictsTokens } = this.#factsOf(name);
      if (predictsTokens === (kind === 'causal')) continue;
      const problem = predictsTokens
        ? 'the checkpoint predicts tokens, it is no reward model'
        : 'the checkpoint is a reward model, which gives scores and predicts no tokens';
      const remedy = predictsTokens ? 'Remove the key.' : 'Set it to "reward" in the configuration.';
      throw this.#inFile(`models.${name}.kind`, problem, kind, remedy);
    }
    if (this.#settings.models.every(({ kind }) => kind === 'reward')) {
      const remedy = 'Add a model that predicts tokens.';
      throw this.#inFile('models', 'every model is a reward model, so nothing can be served', 'reward', remedy);
    }
  }

  #inFile(key: string, problem: string, value: unknown, remedy: string): AppError {
    const path = this.#settings.file ?? 'command line';
    return new AppError('config_invalid', { path, key, problem, value: shown(value), remedy });
  }

  #shareVocabulary(models: readonly string[], pathOf: (model: string) => string): void {
    const [first, ...others] = models;
    if (first === undefined) return;
    const own = this.#factsOf(first);
    for (const other of others) {
      const facts = this.#factsOf(other);
      if (facts.vocabularyHash === own.vocabularyHash) continue;
      throw new AppError('vocabulary_mismatch', {
        param: pathOf(other),
        first,
        firstSize: own.vocabSize,
        second: other,
        secondSize: facts.vocabSize,
        difference: describeDifference(own.differences?.get(other), own.vocabSize === facts.vocabSize),
      });
    }
  }

  /** What pictures are to be seen by has to be there. */
  #checkLook({ model }: View, variant: PromptVariant | undefined, path: string): void {
    if (variant?.kind !== 'images') return;
    const { vision } = this.#factsOf(model);
    const { look } = variant;
    if (!vision)
      throw new AppError('invalid_value', {
        param: path,
        problem: 'it names a way to see pictures, for a model that reads text only',
        value: shown(model),
        remedy: 'Use a model with a vision tower.',
      });
    if (look.kind !== 'projection' || vision.projections.includes(look.name)) return;
    const hint = nearest(look.name, [...vision.projections]);
    throw new AppError('invalid_value', {
      param: path,
      problem: `there is no such projection beside ${model}`,
      value: shown(look.name),
      remedy: `${hint === null ? '' : `Did you mean ${hint}? `}There ${vision.projections.length === 1 ? 'is' : 'are'} ${vision.projections.join(', ') || 'none: put them into the folder projections/ of the checkpoint'}.`,
    });
  }

  #shareDevice([first, ...others]: readonly string[], path: string): void {
    const { models } = this.#settings;
    // A start without a GPU fails where a model insists on one: where all is well, "auto" found it too.
    const auto = models.some(({ device }) => device === 'webgpu') ? 'webgpu' : 'auto';
    const deviceOf = (name: string | undefined): string => {
      const device = models.find((model) => model.name === name)?.device ?? 'cpu';
      return device === 'auto' ? auto : device;
    };
    const stranger = others.find((other) => deviceOf(other) !== deviceOf(first));
    if (stranger === undefined) return;
    throw new AppError('device_mismatch', {
      param: path,
      first,
      firstDevice: deviceOf(first),
      second: stranger,
      secondDevice: deviceOf(stranger),
    });
  }

  #factsOf(model: string): ModelFacts {
    const facts = this.#facts.get(model);
    if (facts === undefined) throw new Error(`no facts of the model ${model}`);
    return facts;
  }

  /** A spec's own complaint in the words of the wire. */
  #requestError(error: SpecError): AppError {
    const { path, problem, value, remedy, known } = error;
    const hint = error.nearest === null ? '' : ` Did you mean ${error.nearest}?`;
    if (problem === 'unknown key') {
      return new AppError(
        'unknown_key',
        {
          param: path,
          key: shown(path.split('.').at(-1)),
          where: path.split('.').slice(0, -1).join('.'),
          nearest: hint,
          known: known.join(', '),
        },
        { cause: error },
      );
    }
    const reward = this.#settings.models.some((model) => model.kind === 'reward' && model.name === value);
    return new AppError(
      'invalid_value',
      {
        param: path,
        problem: reward ? 'it is a reward model, which gives scores and predicts no tokens' : problem,
        value: shown(value),
        remedy: `${hint} ${remedy}`.trim(),
      },
      { cause: error },
    );
  }

  #notFound(model: string): AppError {
    const known = this.#entries.map(({ id }) => id);
    const hint = nearest(model, known);
    return new AppError('model_not_found', {
      param: 'model',
      model: shown(model),
      available: `${known.join(', ')}${hint === null ? '' : ` (did you mean ${hint}?)`}`,
    });
  }
}

/** Where a spec names the model; null where it does so only through a deployment. */
function placeOf(model: string, spec: unknown, path: string): string | null {
  if (spec === model) return path;
  if (typeof spec !== 'object' || spec === null) return null;
  for (const [key, value] of Object.entries(spec)) {
    const place = placeOf(model, value, Array.isArray(spec) ? `${path}[${key}]` : `${path}.${key}`);
    if (place !== null) return place;
  }
  return null;
}

function describeDifference(difference: VocabularyDifference | undefined, sizesAgree: boolean): string {
  if (difference === undefined)
    return sizesAgree ? 'the sizes agree, but ids stand for different pieces' : 'sizes differ';
  const { id, piece, otherPiece } = difference;
  const side = (text: string | null): string => (text === null ? 'nothing' : shown(text));
  return `the first token that differs is id ${id}, ${side(piece)} in one and ${side(otherPiece)} in the other`;
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
