// dpa in the mode `reward`: a preference direction over the heads of a reward model (scorers/direction.ts) steers another search, which needs no
// model that was trained for it. The search is written by its name or as an object with its own parameters; where it gets its distribution
// and its scorer from is said here.
import { direction as directionField } from '../direction.js';
import { boolean, list, nearestName, oneOf, optional, SpecError, strings } from '../fields.js';
import type { Field, JsonObject, ReadScorer } from '../fields.js';
import { member } from '../member-fields.js';
import { Conflict } from '../method.js';
import { readFields, type FieldsOwner, type ReadFields } from '../read-fields.js';
import { rewardModel } from '../scorer-fields.js';
import { direction } from '../scorers/direction.js';
import { defineSearch } from '../search-method.js';
import type { SearchMethod } from '../search-method.js';
import { args } from './args.js';
import { bestOfN } from './best-of-n.js';
import { blockwise } from './blockwise.js';
import { rejection } from './rejection.js';
import { transferQ } from './transfer-q.js';

/** A search that may be steered, and its names for what is drawn from and what is steered by. */
interface Steered {
  readonly search: SearchMethod;
  readonly drawsFrom: string;
  readonly follows: string;
}

const STEERED: readonly Steered[] = [
  { search: bestOfN, drawsFrom: 'inner', follows: 'scorer' },
  { search: blockwise, drawsFrom: 'inner', follows: 'scorer' },
  { search: rejection, drawsFrom: 'inner', follows: 'scorer' },
  { search: args, drawsFrom: 'inner', follows: 'reward' },
  { search: transferQ, drawsFrom: 'proposal', follows: 'reward' },
];

interface Values {
  readonly search: string;
  readonly values: object;
}

export const dpaReward = defineSearch({
  name: 'dpa',
  when: ({ mode }) => mode === 'reward',
  summary: 'Follows a preference direction over the heads of a reward model, by a search.',
  equation: 'score(answer) = Σ vⱼ · (headⱼ(answer) − meanⱼ) / deviationⱼ, |v| = 1',
  paper: 'arXiv:2402.18571 (DPA)',
  granularity: 'that of the search',
  fields: {
    mode: oneOf('Who follows the direction: here a reward model.', ['reward'], 'reward'),
    direction: directionField('Where to go. It is scaled to length 1.'),
    inner: member('Who writes.'),
    reward: rewardModel('The reward model that has the objectives as heads.'),
    axes: optional(
      strings('Heads that the direction is over, in its order; all when left out.', { least: 1, most: 16 }),
    ),
    standardise: boolean('Brings the heads to one scale: mean 0 and deviation 1 over the calibration answers.', true),
    search: steeredSearch('How answers are found that go there.'),
  },
  plan: ({ direction: towards, inner, reward, axes, standardise, search: { steered, read } }, context) => {
    const scorer = direction.build({ model: reward, direction: towards, axes, standardise }, context);
    const built: ReadScorer = { effective: null, build: () => scorer };
    const values = { ...read.values, [steered.drawsFrom]: inner, [steered.follows]: built };
    const planned = within(steered, () => steered.search.plan(values, context));
    return { ...planned, values: { search: steered.search.name, values: planned.values } satisfies Values };
  },
  run: (trunk, { search, values }) => named(search).search.run(trunk, values),
  cost: ({ search, values }) => named(search).search.cost(values),
});

/** What the search complains about stands one level further in. */
function within<T>({ drawsFrom }: Steered, plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    if (!(error instanceof Conflict)) throw error;
    throw new Conflict(error.field === drawsFrom ? 'inner' : `search.${error.field}`, error.value, error.message);
  }
}

function named(name: string): Steered {
  const steered = STEERED.find(({ search }) => search.name === name);
  if (!steered) throw new Error(`no search ${name} to steer`);
  return steered;
}

/** "best_of_n", or {"method": "best_of_n", "n": 4}. */
function steeredSearch(help: string): Field<{ readonly steered: Steered; readonly read: ReadFields }> {
  const names = STEERED.map(({ search }) => search.name);
  const remedy = `Use one of ${list(names)}, or an object: {"method": "${bestOfN.name}", "n": 4}.`;
  return {
    type: 'name of a search, or object with "method" and its parameters',
    help,
    range: names.join(' | '),
    fallback: undefined,
    read: (value, path, context) => {
      const spec = typeof value === 'string' ? { method: value } : value;
      if (!isObject(spec)) throw new SpecError(path, 'wrong type', value, remedy, { known: names });
      const method = spec['method'];
      const at = typeof value === 'string' ? path : `${path}.method`;
      if (method === undefined) throw new SpecError(at, 'missing', undefined, remedy, { known: names });
      const steered = STEERED.find(({ search }) => search.name === method);
      if (!steered)
        throw new SpecError(at, 'unknown method', method, remedy, {
          known: names,
          nearest: typeof method === 'string' ? nearestName(method, names) : null,
        });
      return { steered, read: readFields(ownFields(steered), spec, path, context) };
    },
    show: ({ read }) => read.effective,
  };
}

/** All but what dpa itself says. */
function ownFields({ search: { name, fields }, drawsFrom, follows }: Steered): FieldsOwner {
  const own = Object.entries(fields).filter(([key]) => key !== drawsFrom && key !== follows);
  return { name, fields: Object.fromEntries(own), tag: 'method' };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
