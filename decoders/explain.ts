// What a method is and what a spec computes, as plain data in the names of the wire: the one source of `trimtab explain` and of the
// routes under /v1/decoding. Runs no model.
import { structureKey, viewsOf } from './expr.js';
import type { Scores, View } from './expr.js';
import type { Json } from './fields.js';
import { methods } from './distributions/index.js';
import type { Fields } from './method.js';
import type { ScoreSource } from './plan.js';
import { print } from './print.js';
import { promptOf, writePrompt } from './prompt.js';
import { scorers } from './scorers/index.js';
import type { SearchMethod } from './search-method.js';
import { searches } from './searches/index.js';
import type { Decoding } from './spec.js';
import { draftModel } from './speculation-spec.js';

export interface ParameterDescription {
  readonly name: string;
  readonly type: string;
  /** Legal values, '' where the type says it all. */
  readonly range: string;
  readonly required: boolean;
  /** null: none, or required. */
  readonly default: Json;
  readonly help: string;
}

export interface MethodDescription {
  readonly name: string;
  /** A distribution is a formula of one position; a search looks ahead, judges and goes back. */
  readonly kind: 'distribution' | 'search' | 'scorer';
  /** Of a search: what is streamed at a time. */
  readonly granularity?: string;
  readonly summary: string;
  readonly equation: string;
  readonly paper: string;
  readonly parameters: readonly ParameterDescription[];
}

/** What a distribution costs and computes. */
export interface DistributionDescription {
  readonly formula: string;
  readonly views: readonly { readonly model: string; readonly prompt: Json }[];
  /** Decoder rows per emitted token, by model; drafts that do not stand come on top. */
  readonly forwards_per_token: Readonly<Record<string, number>>;
  /** Structures of the logit kernels: what shares one shares a batch, whatever its weights. */
  readonly kernels: readonly string[];
}

export interface SearchDescription {
  /** What is streamed at a time. */
  readonly granularity: string;
  /** The distributions that it draws from, the trunk's first, with the tokens that each computes per emitted one. */
  readonly distributions: readonly (DistributionDescription & { readonly tokens_per_token: number })[];
  /** What says how good an answer is. */
  readonly sources: readonly string[];
  /** Answers that are scored per emitted token. */
  readonly scored_per_token: number;
  /** Rows that it may keep at once, by distribution. */
  readonly branches: readonly number[];
  readonly note: string;
}

export interface Explanation extends DistributionDescription {
  readonly method: MethodDescription;
  readonly search: SearchDescription | null;
  /** The spec with every default filled in and every deployment's name resolved. */
  readonly effective: Json;
  readonly speculation: { readonly draft: string; readonly tokens: number } | null;
}

export function describeMethods(): readonly MethodDescription[] {
  return [...methods.map((method) => describe(method, 'distribution')), ...searches.map(describeSearchMethod)];
}

export function describeScorers(): readonly MethodDescription[] {
  return scorers.map((scorer) => describe({ ...scorer, name: scorer.kind }, 'scorer'));
}

export function explainDecoding({
  method,
  distribution,
  search,
  effective,
  speculation,
}: Pick<Decoding, 'method' | 'distribution' | 'search' | 'effective' | 'speculation'>): Explanation {
  const described = describeDistribution(distribution);
  const searching = search && searchNamed(search, effective);
  const known = searching ? null : methods.find(({ name }) => name === method);
  const definition = searching ? describeSearchMethod(searching) : known ? describe(known, 'distribution') : null;
  if (definition === null) throw new Error(`no method ${method}`);
  const looking = search && searching ? describeSearch(searching, search) : null;
  const forwards: Record<string, number> = {};
  for (const { forwards_per_token, tokens_per_token } of looking?.distributions ?? [
    { ...described, tokens_per_token: 1 },
  ])
    for (const [model, count] of Object.entries(forwards_per_token))
      forwards[model] = (forwards[model] ?? 0) + count * tokens_per_token;
  // A draft that is no member takes in every token too, whether or not a block is worth it.
  const draft = draftModel(speculation);
  if (draft !== null) forwards[draft] ??= 1;
  return {
    method: definition,
    ...described,
    formula: formulaOf({ distribution, search, effective }),
    forwards_per_token: forwards,
    search: looking,
    effective,
    speculation,
  };
}

/** As the reply tells it: the distribution that the answer is drawn from, and what its search adds to it. */
export function formulaOf({
  distribution,
  search,
  effective,
}: Pick<Decoding, 'distribution' | 'search' | 'effective'>): string {
  const inner = print(distribution);
  return (search && searchNamed(search, effective)?.formula?.(search.values, inner)) ?? inner;
}

function searchNamed(
  { method }: NonNullable<Decoding['search']>,
  effective: Decoding['effective'],
): SearchMethod | undefined {
  return searches.find(({ name, when }) => name === method && (when?.(effective) ?? true));
}

function describeSearch(
  method: SearchMethod,
  { values, distributions, sources, readers, branches }: NonNullable<Decoding['search']>,
): SearchDescription {
  const cost = method.cost(values);
  return {
    granularity: method.granularity,
    distributions: distributions.map((distribution, d) => ({
      ...describeDistribution(distribution),
      tokens_per_token: cost.tokens[d] ?? 0,
    })),
    sources: [...sources.map(describeSource), ...readers.flatMap((d) => describeReader(distributions[d]))],
    scored_per_token: cost.scored,
    branches,
    note: cost.note,
  };
}

/** What that comes to per token grows with the answer, so it is in no figure. */
function describeReader(distribution: Scores | undefined): readonly string[] {
  if (!distribution) return [];
  return [
    `${print(distribution)}, which reads every answer that is scored from its beginning: not in forwards per token`,
  ];
}

function describeSource(source: ScoreSource): string {
  switch (source.kind) {
    case 'reward':
      return `reward model ${source.model}`;
    case 'judge':
      return `${source.model}, asked in words for ${source.options.join(' or ')}${source.variants.length > 1 ? `, in ${source.variants.length} orders` : ''}`;
    case 'embedding':
      return `embeddings of ${source.model}`;
    case 'http':
      return `endpoint ${source.endpoint}`;
    default:
      return source satisfies never;
  }
}

function describeSearchMethod(method: SearchMethod): MethodDescription {
  return { ...describe(method, 'search'), granularity: method.granularity };
}

export function describeDistribution(distribution: Scores): DistributionDescription {
  const views = viewsOf(distribution);
  const forwards: Record<string, number> = {};
  for (const { model } of views) forwards[model] = (forwards[model] ?? 0) + 1;
  return {
    formula: print(distribution),
    views: views.map(describeView),
    forwards_per_token: forwards,
    kernels: [structureKey(distribution)],
  };
}

interface Described {
  readonly name: string;
  readonly summary: string;
  readonly equation: string;
  readonly paper: string;
  readonly fields: Fields;
}

function describe(
  { name, summary, equation, paper, fields }: Described,
  kind: MethodDescription['kind'],
): MethodDescription {
  const parameters = Object.entries(fields).map(([key, field]) => ({
    name: key,
    type: field.type,
    range: field.range,
    required: field.fallback === undefined,
    default: field.fallback === undefined ? null : field.show(field.fallback),
    help: field.help,
  }));
  return { name, kind, summary, equation, paper, parameters };
}

/** A prompt of null is the request's own. */
function describeView({ model, prompt }: View): { readonly model: string; readonly prompt: Json } {
  return { model, prompt: writePrompt(promptOf(prompt)) };
}
