// Fields whose values are distributions: one, several, several with weights. A member is a model's name, a deployment's name, a nested spec,
// or {"model": …, "prompt": …}; spec.ts reads it.
import { SpecError } from './fields.js';
import type { Field, FieldContext, Json, Member } from './fields.js';
import { readWeight } from './fields.js';

/** More would not be looked at together by any method. */
export const MAX_EXPERTS = 8;

/** A place where a model's name or a nested distribution may stand. */
export function member(help: string): Field<Member> {
  return {
    type: 'model or distribution',
    help,
    range: '',
    fallback: undefined,
    read: (value, path, context) => context.member(value, path),
    show: (value) => value.effective,
  };
}

/** A list of members, or one alone. */
export function members(help: string): Field<readonly Member[]> {
  return {
    type: 'list of models or distributions',
    help,
    range: `1 to ${MAX_EXPERTS}`,
    fallback: undefined,
    read: (value, path, context) =>
      Array.isArray(value)
        ? counted(value, path).map((one, index) => context.member(one, `${path}[${index}]`))
        : [context.member(value, path)],
    show: (value) => value.map(({ effective }) => effective),
  };
}

export interface WeightedMember {
  readonly member: Member;
  readonly weight: number;
}

/** One member with weight 1, or a list of {"model": …, "weight": …}. */
export function weightedMembers(help: string, max: number): Field<readonly WeightedMember[]> {
  return {
    type: 'model or distribution, or list of {"model", "weight"}',
    help,
    range: `1 to ${MAX_EXPERTS}, weights 0 to ${max}; negative only where the operator allows it`,
    fallback: undefined,
    read: (value, path, context) =>
      Array.isArray(value)
        ? counted(value, path).map((one, index) => readWeighted(one, `${path}[${index}]`, max, context))
        : [{ member: context.member(value, path), weight: 1 }],
    show: (value) => {
      const [only] = value;
      if (only !== undefined && value.length === 1 && only.weight === 1) return only.member.effective;
      return value.map((each): Json => ({ model: each.member.effective, weight: each.weight }));
    },
  };
}

/** Members by a name that the method gives a meaning to. */
export function namedMembers(help: string): Field<ReadonlyMap<string, Member> | null> {
  return {
    type: 'object of models or distributions',
    help,
    range: `1 to ${MAX_EXPERTS}`,
    fallback: null,
    read: (value, path, context) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw new SpecError(path, 'wrong type', value, 'Use an object: {"name": "model"}.');
      const entries = counted(Object.entries(value), path);
      return new Map(entries.map(([name, one]) => [name, context.member(one, `${path}.${name}`)]));
    },
    show: (value) =>
      value === null ? null : Object.fromEntries([...value].map(([name, { effective }]) => [name, effective])),
  };
}

function readWeighted(value: unknown, path: string, max: number, context: FieldContext): WeightedMember {
  const example = 'Use {"model": "name or distribution", "weight": 0.5}.';
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SpecError(path, 'wrong type', value, example);
  const { model, weight: given, ...others }: { model?: unknown; weight?: unknown } = value;
  const [extra] = Object.keys(others);
  if (extra !== undefined)
    throw new SpecError(`${path}.${extra}`, 'unknown key', extra, example, { known: ['model', 'weight'] });
  if (model === undefined) throw new SpecError(`${path}.model`, 'missing', undefined, example);
  if (given === undefined) throw new SpecError(`${path}.weight`, 'missing', undefined, example);
  const weight = readWeight(given, `${path}.weight`, max, context);
  return { member: context.member(model, `${path}.model`), weight };
}

function counted<T>(list: readonly T[], path: string): readonly T[] {
  if (list.length === 0) throw new SpecError(path, 'out of range', list, 'Give at least one model or distribution.');
  if (list.length > MAX_EXPERTS)
    throw new SpecError(path, 'too large', list.length, `Give at most ${MAX_EXPERTS} models or distributions.`);
  return list;
}
