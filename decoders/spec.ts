// The tree under a request's `decoding` → a distribution, or a search over distributions. Wherever a model's name may stand, a
// deployment's name or a nested spec may stand; a search stands outermost. Called by the HTTP layer per request, by the configuration per
// deployment, by `explain`. Knows which names exist, not what they hold.
import { ExprError, logits, sizeOf, viewKey, viewsOf } from './expr.js';
import type { Scores } from './expr.js';
import { list, nearestName, SpecError } from './fields.js';
import type { FieldContext, Json, JsonObject, Member, ReadScorer } from './fields.js';
import { methods } from './distributions/index.js';
import { Conflict } from './method.js';
import type { BuildContext, DirectionCard, Fields, Method } from './method.js';
import { promptOf } from './prompt.js';
import type { PromptVariant } from './prompt.js';
import type { Budget, SearchPlan } from './plan.js';
import { noBudget, readBudget } from './budget.js';
import { Planning } from './planning.js';
import { scorers } from './scorers/index.js';
import type { RewardFacts, SearchLimits, SearchMethod } from './search-method.js';
import { searches } from './searches/index.js';
import { readFields, type ReadFields } from './read-fields.js';
import { readSpeculation } from './speculation-spec.js';
import type { Speculation } from './speculation-spec.js';
import { simplify } from './simplify.js';

export { SpecError } from './fields.js';
export type { Speculation } from './speculation-spec.js';
export type { Json, JsonObject, SpecProblem } from './fields.js';

export interface SpecOptions {
  readonly models: readonly string[];
  /** Named specs of the configuration; a model's name takes precedence over an equal one here. */
  readonly deployments?: ReadonlyMap<string, unknown>;
  /** The operator's flag. */
  readonly allowNegativeWeights: boolean;
  /** Models that were trained to be told a preference direction. */
  readonly directionCards?: ReadonlyMap<string, DirectionCard>;
  readonly rewardModels?: ReadonlyMap<string, RewardFacts>;
  /** Named scorers of the configuration; a reward model's name takes precedence. */
  readonly scorers?: ReadonlyMap<string, unknown>;
  /** Scoring endpoints of the configuration. */
  readonly endpoints?: readonly string[];
  readonly searchLimits?: SearchLimits;
  /** What messages call the root. */
  readonly path?: string;
  /** Views whose weight is zero stay in the formula: a request that runs has them. */
  readonly keepsIdleViews?: boolean;
}

/** A checked spec. */
export interface Decoding {
  readonly method: string;
  /** What the answer is drawn from; of a search the first of its distributions. */
  readonly distribution: Scores;
  readonly search: SearchPlan | null;
  /** The spec with every default filled in and every deployment's name resolved: what the reply reports. */
  readonly effective: EffectiveSpec;
  /** What each `prompt` of the views stands for. */
  readonly prompts: ReadonlyMap<string, PromptVariant>;
  /** How drafts are made, if at all. The law of the answer is the same. */
  readonly speculation: Speculation | null;
}

export type EffectiveSpec = JsonObject & { readonly method: string };

/** Methods inside methods, and distinct (model, prompt) pairs: each costs a forward per token. */
export const MAX_DEPTH = 8;
export const MAX_VIEWS = 16;
const MAX_MEMBERS = 64;
/** Some methods write a member down several times, so that nests grow exponentially; a kernel's cost grows with its nodes. */
export const MAX_NODES = 512;

/** Reads `spec`: a tree, or the name of a model or a deployment. Throws SpecError. */
export function buildDecoding(spec: unknown, options: SpecOptions): Decoding {
  const path = options.path ?? 'decoding';
  const { scores, search, effective: read, speculation } = new Reader(options).root(spec, path);
  const views = new Set((search?.distributions ?? [scores]).flatMap(viewsOf).map(viewKey));
  if (views.size > MAX_VIEWS)
    throw new SpecError(
      path,
      'too large',
      views.size,
      `A distribution may use at most ${MAX_VIEWS} different models and prompts.`,
    );
  const effective = typeof read === 'string' ? { method: 'plain', model: read } : read;
  const written = search?.distributions ?? [scores];
  const [distribution, ...others] = options.keepsIdleViews ? written : written.map(withoutIdleViews);
  const distributions = [distribution ?? scores, ...others];
  const prompts = new Map(distributions.flatMap(viewsOf).map(({ prompt }) => [prompt, promptOf(prompt)]));
  return {
    method: effective.method,
    distribution: distribution ?? scores,
    search: search && { ...search, distributions },
    effective,
    prompts,
    speculation,
  };
}

/** A view whose weight is zero or cancels is not worth a forward; otherwise the formula stays as it was written. */
function withoutIdleViews(scores: Scores): Scores {
  const simple = simplify(scores);
  return viewsOf(simple).length < viewsOf(scores).length ? simple : scores;
}

type Built = { readonly scores: Scores; readonly effective: string | EffectiveSpec };
type Root = Built & { readonly search: SearchPlan | null; readonly speculation: Speculation | null };

const SPECULATION = 'speculation';
const BUDGET = 'budget';
const USUAL_BRANCHES = 64;
/** Parameters of searches that set how many branches there are at once. */
const SIDE_BY_SIDE = ['n', 'candidates', 'rollouts', 'at_once', 'parallel', 'search'];

class Reader {
  readonly #options: SpecOptions;
  readonly #context: BuildContext;
  #members = 0;

  constructor(options: SpecOptions) {
    this.#options = options;
    const { allowNegativeWeights, directionCards } = options;
    this.#context = { allowNegativeWeights, directionCard: (model) => directionCards?.get(model) };
  }

  /** The root alone may be a search, and say how drafts are made: they are of the whole distribution. */
  root(value: unknown, path: string): Root {
    if (!isObject(value)) {
      const isName = typeof value === 'string' && !this.#isModel(value);
      const spec = isName ? this.#options.deployments?.get(value) : undefined;
      const isWhole = isObject(spec) && (spec[SPECULATION] !== undefined || searchOf(spec) !== null);
      if (isWhole) return this.root(spec, path);
      return { ...this.member(value, path, 0, []), search: null, speculation: null };
    }
    const { [SPECULATION]: given, ...spec } = value;
    const method = searchOf(spec);
    const built = method ? this.#search(method, spec, path) : { ...this.member(spec, path, 0, []), search: null };
    if (given === undefined || given === null) return { ...built, speculation: null };
    const speculation = readSpeculation(given, `${path}.${SPECULATION}`, this.#options.models);
    const effective =
      typeof built.effective === 'string' ? { method: 'plain', model: built.effective } : built.effective;
    return { ...built, effective: { ...effective, [SPECULATION]: { ...speculation } }, speculation };
  }

  #search(method: SearchMethod, spec: JsonObject, path: string): Built & { readonly search: SearchPlan } {
    const { [BUDGET]: given, ...own } = spec;
    const budget: Budget = given === undefined || given === null ? noBudget : readBudget(given, `${path}.${BUDGET}`);
    const { values, effective } = this.#values(method, own, path, 0, [], [BUDGET, SPECULATION]);
    const planning = new Planning(this.#context, {
      rewardModels: this.#options.rewardModels ?? new Map(),
      limits: this.#options.searchLimits ?? { branches: USUAL_BRANCHES },
    });
    return this.#built(path, spec, () => {
      const planned = method.plan(values, planning);
      const branches = planning.branchesWith(planned);
      const search = { method: method.name, ...planned, branches, budget, ...planning.result() };
      const [scores] = search.distributions;
      if (!scores) throw new Error(`${method.name} names no distribution`);
      const most = Math.max(...branches);
      if (most > planning.limits.branches)
        throw new SpecError(
          path,
          'too large',
          most,
          `The search keeps ${most} branches at once, the limit is ${planning.limits.branches}: lower what grows side by side (${list(SIDE_BY_SIDE.filter((key) => Object.hasOwn(values, key)))}).`,
        );
      const shown = given === undefined || given === null ? {} : { [BUDGET]: { ...budget } };
      return { scores, search, effective: { ...effective, ...shown, method: method.name } };
    });
  }

  #isModel(name: string): boolean {
    return this.#options.models.includes(name);
  }

  /** `open` are the deployments that are being read around this value: meeting one again is a cycle. */
  member(value: unknown, path: string, depth: number, open: readonly string[]): Built {
    if (++this.#members > MAX_MEMBERS)
      throw new SpecError(path, 'too large', undefined, `A spec may name at most ${MAX_MEMBERS} members.`);
    if (typeof value === 'string') return this.#named(value, path, depth, open);
    if (!isObject(value))
      throw new SpecError(path, 'wrong type', value, 'Use the name of a model or an object with "method".', {
        known: this.#names(),
      });
    // {"model": …, "prompt": …} is short for plain.
    const isPlain = value['method'] === undefined && value['model'] !== undefined;
    return this.#method(isPlain ? { method: 'plain', ...value } : value, path, depth, open);
  }

  #named(name: string, path: string, depth: number, open: readonly string[]): Built {
    if (this.#isModel(name)) return { scores: logits(name), effective: name };
    const spec = this.#options.deployments?.get(name);
    if (spec === undefined)
      throw new SpecError(path, 'unknown name', name, `${notAName(name)}Use one of ${list(this.#names())}.`, {
        nearest: nearestName(name, this.#names()),
        known: this.#names(),
      });
    if (open.includes(name))
      throw new SpecError(path, 'cycle', name, `The deployments refer to each other: ${[...open, name].join(' → ')}.`);
    return this.member(spec, path, depth, [...open, name]);
  }

  #method(spec: JsonObject, path: string, depth: number, open: readonly string[]): Built {
    if (depth >= MAX_DEPTH)
      throw new SpecError(path, 'too large', depth + 1, `Methods may nest at most ${MAX_DEPTH} deep.`);
    const search = searchOf(spec);
    if (search)
      throw new SpecError(
        `${path}.method`,
        'not allowed',
        search.name,
        'A search decides token by token over a distribution and gives none itself, so no other method can build on it: make it the outermost method, over a distribution such as its own "inner".',
      );
    const method = findMethod(spec['method'], `${path}.method`);
    if (Object.hasOwn(spec, SPECULATION))
      throw new SpecError(
        `${path}.${SPECULATION}`,
        'not allowed',
        spec[SPECULATION],
        'Drafts are of the whole distribution: move it to the outermost method.',
      );
    const { values, effective } = this.#values(method, spec, path, depth, open);
    return this.#built(path, spec, () => {
      const scores = method.build(values, this.#context);
      const size = sizeOf(scores);
      if (size > MAX_NODES)
        throw new SpecError(
          path,
          'too large',
          size,
          `Written out, an expression may have at most ${MAX_NODES} nodes: nest fewer methods.`,
        );
      return { scores, effective: { ...effective, method: method.name } };
    });
  }

  /** A reward model's name, a named scorer of the configuration, or an object with "kind". */
  scorer(value: unknown, path: string, depth: number, open: readonly string[]): ReadScorer {
    if (depth > MAX_DEPTH) throw new SpecError(path, 'too large', depth, `Scorers may nest at most ${MAX_DEPTH} deep.`);
    if (typeof value === 'string') return this.#namedScorer(value, path, depth, open);
    const kinds = scorers.map(({ kind }) => kind);
    const remedy = `Use the name of a reward model, or an object with "kind": one of ${list(kinds)}.`;
    if (!isObject(value)) throw new SpecError(path, 'wrong type', value, remedy, { known: kinds });
    const given = value['kind'];
    if (given === undefined) throw new SpecError(`${path}.kind`, 'missing', undefined, remedy, { known: kinds });
    const definition = scorers.find(({ kind }) => kind === given);
    if (!definition)
      throw new SpecError(`${path}.kind`, 'unknown name', given, remedy, {
        known: kinds,
        nearest: typeof given === 'string' ? nearestName(given, kinds) : null,
      });
    const owner = { name: definition.kind, fields: definition.fields, tag: 'kind' as const };
    const { values, effective } = this.#values(owner, value, path, depth, open);
    return {
      effective,
      build: (planning) => this.#built(path, value, () => definition.build(values, planning)),
    };
  }

  #namedScorer(name: string, path: string, depth: number, open: readonly string[]): ReadScorer {
    const rewardModels = [...(this.#options.rewardModels?.keys() ?? [])];
    if (rewardModels.includes(name)) return this.scorer({ kind: 'reward', model: name }, path, depth + 1, open);
    const spec = this.#options.scorers?.get(name);
    const known = [...rewardModels, ...(this.#options.scorers?.keys() ?? [])];
    if (spec === undefined)
      throw new SpecError(
        path,
        'unknown name',
        name,
        known.length === 0
          ? 'There are no reward models and no named scorers here: use an object with "kind".'
          : `Use one of ${list(known)}, or an object with "kind".`,
        { known, nearest: nearestName(name, known) },
      );
    const key = `scorer ${name}`;
    if (open.includes(key))
      throw new SpecError(path, 'cycle', name, `The scorers refer to each other: ${[...open, key].join(' → ')}.`);
    return this.scorer(spec, path, depth + 1, [...open, key]);
  }

  /** Reads the fields of a method or a scorer; `others` are keys that somebody else reads. */
  #values(
    { name, fields, tag = 'method' }: { name: string; fields: Fields; tag?: 'method' | 'kind' },
    spec: JsonObject,
    path: string,
    depth: number,
    open: readonly string[],
    others: readonly string[] = [],
  ): ReadFields {
    const { allowNegativeWeights, rewardModels, endpoints } = this.#options;
    const context: FieldContext = {
      allowNegativeWeights,
      rewardModels: [...(rewardModels?.keys() ?? [])],
      endpoints: endpoints ?? [],
      member: (value, at): Member => this.member(value, at, depth + 1, open),
      scorer: (value, at): ReadScorer => this.scorer(value, at, depth + 1, open),
    };
    return readFields({ name, fields, tag }, spec, path, context, others);
  }

  /** What only shows when fields meet is told with the path. */
  #built<T>(path: string, spec: unknown, build: () => T): T {
    try {
      return build();
    } catch (error) {
      if (error instanceof Conflict)
        throw new SpecError(`${path}.${error.field}`, 'not allowed', error.value, error.message);
      if (error instanceof ExprError) throw new SpecError(path, 'out of range', spec, error.message);
      throw error;
    }
  }

  #names(): string[] {
    return [...new Set([...this.#options.models, ...(this.#options.deployments?.keys() ?? [])])];
  }
}

/** Who writes a formula as text is told how it is written. */
const notAName = (text: string): string =>
  /[\s()*+]/.test(text)
    ? 'A text is one name; a formula is an object: {"op": "sum", "terms": [{"weight": 1, "of": "NAME"}, …]}. '
    : '';

/** The search that a spec names, if it names one. */
function searchOf(spec: JsonObject): SearchMethod | null {
  return searches.find(({ name, when }) => name === spec['method'] && (when?.(spec) ?? true)) ?? null;
}

function findMethod(name: Json | undefined, path: string): Method {
  // What dpa does without a scorer is a method, with one it is a search.
  const known = [...new Set([...methods, ...searches].map((method) => method.name))];
  if (name === undefined) throw new SpecError(path, 'missing', undefined, `Give one of ${list(known)}.`, { known });
  if (typeof name !== 'string') throw new SpecError(path, 'wrong type', name, `Use one of ${list(known)}.`, { known });
  const method = methods.find((candidate) => candidate.name === name);
  if (!method)
    throw new SpecError(path, 'unknown method', name, `Use one of ${list(known)}.`, {
      nearest: nearestName(name, known),
      known,
    });
  return method;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
