// What a method is and what a spec computes, as plain data in the names of the wire: the one source of `trimtab explain` and of the
// routes under /v1/decoding. Runs no model.
import { structureKey, viewsOf } from './expr.js';
import type { Scores, View } from './expr.js';
import type { Json } from './fields.js';
import { methods } from './distributions/index.js';
import type { Method } from './method.js';
import { print } from './print.js';
import { promptOf, writePrompt } from './prompt.js';
import type { Decoding } from './spec.js';
import { LOOKUP } from './speculation-spec.js';

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

export interface Explanation extends DistributionDescription {
  readonly method: MethodDescription;
  /** The spec with every default filled in and every deployment's name resolved. */
  readonly effective: Json;
  readonly speculation: { readonly draft: string; readonly tokens: number } | null;
}

export function describeMethods(): readonly MethodDescription[] {
  return methods.map(describeMethod);
}

export function explainDecoding({
  method,
  distribution,
  effective,
  speculation,
}: Pick<Decoding, 'method' | 'distribution' | 'effective' | 'speculation'>): Explanation {
  const known = methods.find(({ name }) => name === method);
  if (known === undefined) throw new Error(`no method ${method}`);
  const described = describeDistribution(distribution);
  const forwards = { ...described.forwards_per_token };
  // A draft that is no member takes in every token too, whether or not a block is worth it.
  if (speculation !== null && speculation.draft !== LOOKUP) forwards[speculation.draft] ??= 1;
  return { method: describeMethod(known), ...described, forwards_per_token: forwards, effective, speculation };
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

function describeMethod({ name, summary, equation, paper, fields }: Method): MethodDescription {
  const parameters = Object.entries(fields).map(([key, field]) => ({
    name: key,
    type: field.type,
    range: field.range,
    required: field.fallback === undefined,
    default: field.fallback === undefined ? null : field.show(field.fallback),
    help: field.help,
  }));
  return { name, summary, equation, paper, parameters };
}

/** A prompt of null is the request's own. */
function describeView({ model, prompt }: View): { readonly model: string; readonly prompt: Json } {
  return { model, prompt: writePrompt(promptOf(prompt)) };
}
