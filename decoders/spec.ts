// The tree under a request's `decoding` → a distribution. Wherever a model's name may stand, a deployment's name or a
// nested spec may stand. Called by the HTTP layer per request, by the configuration per deployment, by `explain`. Knows
// which names exist, not what they hold.
import { ExprError, logits, sizeOf, viewsOf } from './expr.js';
import type { Scores } from './expr.js';
import { list, nearestName, SpecError } from './fields.js';
import type { FieldContext, Json, JsonObject, Member } from './fields.js';
import { methods } from './distributions/index.js';
import { Conflict } from './method.js';
import type { BuildContext, DirectionCard, Method } from './method.js';
import { promptOf } from './prompt.js';
import type { PromptVariant } from './prompt.js';
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
  /** What messages call the root. */
  readonly path?: string;
}

/** A checked spec. */
export interface Decoding {
  readonly method: string;
  readonly distribution: Scores;
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
  const built = new Reader(options).root(spec, path);
  const views = viewsOf(built.scores);
  if (views.length > MAX_VIEWS)
    throw new SpecError(
      path,
      'too large',
      views.length,
      `A distribution may use at most ${MAX_VIEWS} different models and prompts.`,
    );
  const effective = typeof built.effective === 'string' ? { method: 'plain', model: built.effective } : built.effective;
  const distribution = withoutIdleViews(built.scores);
  const prompts = new Map(viewsOf(distribution).map(({ prompt }) => [prompt, promptOf(prompt)]));
  return { method: effective.method, distribution, effective, prompts, speculation: built.speculation };
}

/** A view whose weight is zero or cancels is not worth a forward; otherwise the formula stays as it was written. */
function withoutIdleViews(scores: Scores): Scores {
  const simple = simplify(scores);
  return viewsOf(simple).length < viewsOf(scores).length ? simple : scores;
}

type Built = { readonly scores: Scores; readonly effective: string | EffectiveSpec };

const SPECULATION = 'speculation';

class Reader {
  readonly #options: SpecOptions;
  readonly #context: BuildContext;
  #members = 0;

  constructor(options: SpecOptions) {
    this.#options = options;
    const { allowNegativeWeights, directionCards } = options;
    this.#context = { allowNegativeWeights, directionCard: (model) => directionCards?.get(model) };
  }

  /** The root alone may say how drafts are made: they are of the whole distribution. */
  root(value: unknown, path: string): Built & { readonly speculation: Speculation | null } {
    if (!isObject(value)) {
      const spec =
        typeof value === 'string' && !this.#isModel(value) ? this.#options.deployments?.get(value) : undefined;
      if (isObject(spec) && spec[SPECULATION] !== undefined) return this.root(spec, path);
      return { ...this.member(value, path, 0, []), speculation: null };
    }
    const { [SPECULATION]: given, ...spec } = value;
    const built = this.member(spec, path, 0, []);
    if (given === undefined || given === null) return { ...built, speculation: null };
    const speculation = readSpeculation(given, `${path}.${SPECULATION}`, this.#options.models);
    const effective =
      typeof built.effective === 'string' ? { method: 'plain', model: built.effective } : built.effective;
    return { scores: built.scores, effective: { ...effective, [SPECULATION]: { ...speculation } }, speculation };
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
      throw new SpecError(path, 'unknown name', name, `Use one of ${list(this.#names())}.`, {
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
    const method = findMethod(spec['method'], `${path}.method`);
    if (Object.hasOwn(spec, SPECULATION))
      throw new SpecError(
        `${path}.${SPECULATION}`,
        'not allowed',
        spec[SPECULATION],
        'Drafts are of the whole distribution: move it to the outermost method.',
      );
    const keys = ['method', ...Object.keys(method.fields)];
    for (const key of Object.keys(spec))
      if (!keys.includes(key))
        throw new SpecError(`${path}.${key}`, 'unknown key', key, `The method "${method.name}" has ${list(keys)}.`, {
          nearest: nearestName(key, keys),
          known: keys,
        });
    const context: FieldContext = {
      allowNegativeWeights: this.#options.allowNegativeWeights,
      member: (value, at): Member => this.member(value, at, depth + 1, open),
    };
    const values: Record<string, unknown> = {};
    const effective: Record<string, Json> & { method: string } = { method: method.name };
    for (const [key, field] of Object.entries(method.fields)) {
      const given = Object.hasOwn(spec, key) ? spec[key] : undefined;
      if (given === undefined && field.fallback === undefined)
        throw new SpecError(`${path}.${key}`, 'missing', undefined, `Give "${key}": ${field.type}. ${field.help}`, {
          known: keys,
        });
      const read: unknown = given === undefined ? field.fallback : field.read(given, `${path}.${key}`, context);
      values[key] = read;
      const shown = field.show(read);
      if (shown !== null) effective[key] = shown;
    }
    try {
      const scores = method.build(values, this.#context);
      const size = sizeOf(scores);
      if (size > MAX_NODES)
        throw new SpecError(
          path,
          'too large',
          size,
          `Written out, an expression may have at most ${MAX_NODES} nodes: nest fewer methods.`,
        );
      return { scores, effective };
    } catch (error) {
      if (error instanceof Conflict)
        throw new SpecError(`${path}.${error.field}`, 'not allowed', error.value, error.message);
      // A method checks each field; what only shows when they meet is the expression's own complaint.
      if (error instanceof ExprError) throw new SpecError(path, 'out of range', spec, error.message);
      throw error;
    }
  }

  #names(): string[] {
    return [...new Set([...this.#options.models, ...(this.#options.deployments?.keys() ?? [])])];
  }
}

function findMethod(name: Json | undefined, path: string): Method {
  const known = methods.map((method) => method.name);
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
