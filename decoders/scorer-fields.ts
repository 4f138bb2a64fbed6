// Fields of scorers: a reward model, an endpoint, several scorers, numbers by the names of heads. Knows which names exist, not what they hold.
import { list, nearestName, readNumber, SpecError } from './fields.js';
import type { Field, ReadScorer } from './fields.js';

const MAX_MEMBERS = 8;
const MAX_HEADS = 64;

/** The name of a model with a head that gives scores. */
export function rewardModel(help: string): Field<string> {
  return named('reward model', help, 'reward models', ({ rewardModels }) => rewardModels);
}

/** The name that the operator gave an endpoint. */
export function endpoint(help: string): Field<string> {
  return named('endpoint of the configuration', help, 'scoring endpoints', ({ endpoints }) => endpoints);
}

function named(
  type: string,
  help: string,
  things: string,
  known: (context: Parameters<Field<string>['read']>[2]) => readonly string[],
): Field<string> {
  return {
    type,
    help,
    range: '',
    fallback: undefined,
    read: (value, path, context) => {
      const names = known(context);
      const remedy = names.length === 0 ? `There are no ${things} here.` : `Use one of ${list(names)}.`;
      if (typeof value !== 'string') throw new SpecError(path, 'wrong type', value, remedy, { known: names });
      if (!names.includes(value))
        throw new SpecError(path, 'unknown name', value, remedy, { known: names, nearest: nearestName(value, names) });
      return value;
    },
    show: (value) => value,
  };
}

export function scorerList(help: string): Field<readonly ReadScorer[]> {
  return {
    type: 'list of reward models or scorers',
    help,
    range: `1 to ${MAX_MEMBERS}`,
    fallback: undefined,
    read: (value, path, context) => {
      if (!Array.isArray(value))
        throw new SpecError(path, 'wrong type', value, 'Use a list of reward models or scorers.');
      if (value.length === 0 || value.length > MAX_MEMBERS)
        throw new SpecError(path, 'out of range', value.length, `Give 1 to ${MAX_MEMBERS} reward models or scorers.`);
      return value.map((one: unknown, index) => context.scorer(one, `${path}[${index}]`));
    },
    show: (value) => value.map(({ effective }) => effective),
  };
}

/** {"head": 1.5}, or null. */
export function numbersByHead({
  help,
  min,
  max,
}: {
  help: string;
  min: number;
  max: number;
}): Field<ReadonlyMap<string, number> | null> {
  return {
    type: 'object of numbers by head',
    help,
    range: `${min} to ${max}`,
    fallback: null,
    read: (value, path) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw new SpecError(path, 'wrong type', value, 'Use an object: {"head": 1}.');
      const entries = Object.entries(value);
      if (entries.length === 0 || entries.length > MAX_HEADS)
        throw new SpecError(path, 'out of range', entries.length, `Give 1 to ${MAX_HEADS} heads.`);
      return new Map(entries.map(([head, one]) => [head, readNumber(one, `${path}.${head}`, min, max)]));
    },
    show: (value) => (value === null ? null : Object.fromEntries(value)),
  };
}
