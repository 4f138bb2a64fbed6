// The closed world: every entity with one value per attribute, its rank by how often people speak of it, and the Zipf
// law that draws entities. Who tells the facts, and how, is not here (pages.ts, chat.ts).
import type { Attribute, Kind, Name } from './kind.js';
import { ANIMAL } from './kinds/animal.js';
import { DISH } from './kinds/dish.js';
import { INN } from './kinds/inn.js';
import { LAW } from './kinds/law.js';
import { PERSON } from './kinds/person.js';
import { SHIP } from './kinds/ship.js';
import { STREET } from './kinds/street.js';
import type { Rng } from './rng.js';

export const KINDS: readonly Kind[] = [PERSON, SHIP, STREET, ANIMAL, INN, DISH, LAW];

export type Band = 'frequent' | 'middle' | 'rare';

export interface Fact {
  readonly attribute: Attribute;
  readonly value: string;
}

export interface Entity {
  readonly kind: Kind;
  readonly name: Name;
  readonly facts: readonly Fact[];
  /** 0 is the entity spoken of most. */
  readonly rank: number;
  readonly band: Band;
}

export interface World {
  readonly entities: readonly Entity[];
  /** Draws an entity with probability proportional to 1 / (rank + ZIPF_SHIFT). */
  readonly draw: (rng: Rng) => Entity;
}

/**
 * Chosen for the models' appetite (tellings.ts counts): while the large base reads six million tokens of these pages, a rare fact
 * is told some 65 times and a frequent one 320 times; the small base reads a quarter of that.
 */
const ZIPF_SHIFT = 50;
const FREQUENT_SHARE = 0.15;
const MIDDLE_SHARE = 0.4;

function bandOf(rank: number, count: number): Band {
  if (rank < count * FREQUENT_SHARE) return 'frequent';
  return rank < count * MIDDLE_SHARE ? 'middle' : 'rare';
}

/** Deals values like cards, so that every value of a set is about equally common and a constant guess wins nothing. */
function deal(values: readonly string[], count: number, rng: Rng): string[] {
  const dealt: string[] = [];
  while (dealt.length < count) dealt.push(...rng.shuffled(values));
  return rng.shuffled(dealt.slice(0, count));
}

export function buildWorld(rng: Rng): World {
  const unranked = KINDS.flatMap((kind) => {
    const columns = kind.attributes.map((attribute) =>
      deal(attribute.values, kind.names.length, rng.fork(`${kind.kind}.${attribute.key}`)),
    );
    return kind.names.map((name, i) => ({
      kind,
      name,
      facts: kind.attributes.map((attribute, j): Fact => ({ attribute, value: columns[j]?.[i] ?? '' })),
    }));
  });
  const ranked = rng.fork('rank').shuffled(unranked);
  const entities = ranked.map((entity, rank): Entity => ({ ...entity, rank, band: bandOf(rank, ranked.length) }));

  const cumulative: number[] = [];
  let total = 0;
  for (const { rank } of entities) cumulative.push((total += 1 / (rank + ZIPF_SHIFT)));
  const draw = (draws: Rng): Entity => {
    const u = draws.next() * total;
    // Binary search for the first edge above u.
    let [low, high] = [0, cumulative.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (u < (cumulative[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    const entity = entities[low];
    if (entity === undefined) throw new RangeError(`no entity at cumulative weight ${u.toString()}`);
    return entity;
  };
  return { entities, draw };
}
