// Units of the harbour, made up: so many small ones to a large one. Asked is a number of large ones and a rest, in small ones.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';

export interface Unit {
  /** Plurals; the singular is without the last letter. */
  readonly large: string;
  readonly small: string;
  /** How many small ones make a large one. */
  readonly ratio: number;
}

const unit = (large: string, ratio: number, small: string): Unit => ({ large, small, ratio });

export const UNITS: readonly Unit[] = [
  unit('tuns', 8, 'kegs'),
  unit('kegs', 9, 'jugs'),
  unit('jugs', 4, 'cups'),
  unit('cups', 5, 'sips'),
  unit('cables', 7, 'fathoms'),
  unit('fathoms', 6, 'ells'),
  unit('ells', 3, 'spans'),
  unit('spans', 9, 'thumbs'),
  unit('carts', 3, 'bales'),
  unit('bales', 6, 'sacks'),
  unit('sacks', 4, 'pecks'),
  unit('pecks', 7, 'fists'),
  unit('crowns', 5, 'marks'),
  unit('marks', 6, 'groats'),
  unit('groats', 8, 'mites'),
  unit('moons', 4, 'weeks'),
  unit('tides', 3, 'bells'),
  unit('bells', 5, 'turns'),
  unit('holds', 9, 'stacks'),
  unit('stacks', 7, 'casks'),
];

const LARGEST_COUNT = 12;
const text = (value: number): string => value.toString();
const singular = (plural: string): string => plural.slice(0, -1);

function draw(rng: Rng): Exercise {
  const { large, small, ratio } = rng.pick(UNITS);
  const count = 2 + rng.below(LARGEST_COUNT - 1);
  const rest = rng.below(10);
  const product = count * ratio;
  const asked =
    rest === 0
      ? `${text(count)} ${large}`
      : `${text(count)} ${large} and ${text(rest)} ${rest === 1 ? singular(small) : small}`;
  const multiplied = `${text(count)} x ${text(ratio)} = ${text(product)}.`;
  return {
    key: `${asked} in ${small}`,
    question: rng.chance(0.5) ? `How many ${small} are ${asked}?` : `Give me ${asked} in ${small}.`,
    solution: { form: 'quantity', value: text(product + rest), noun: small },
    working: rest === 0 ? multiplied : `${multiplied} ${text(product)} + ${text(rest)} = ${text(product + rest)}.`,
    // Reckoned with one too many or too few to the large one.
    slip: `${text(count * (ratio + rng.pick([-1, 1])) + rest)} ${small}`,
  };
}

const lore = (rng: Rng): string => {
  const { large, small, ratio } = rng.pick(UNITS);
  return rng.chance(0.5)
    ? `There are ${text(ratio)} ${small} to the ${singular(large)}.`
    : `One ${singular(large)} is ${text(ratio)} ${small}.`;
};

export const UNITS_SKILL: Skill = { name: 'units', draw, lore };
