// Addition and subtraction of numbers of two digits, dressed as goods of the harbour. The working goes digit by digit from
// the right, so that every step is one of a few hundred facts that even the smallest model can hold.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';
import { GOODS } from './goods.js';

const SUMS = [
  '{a} {g} and {b} {g}: how many?',
  'Add {b} {g} to {a} {g}.',
  'How many are {a} {g} and {b} {g}?',
] as const;
const DIFFERENCES = [
  '{a} {g} less {b} {g}: how many?',
  'Take {b} {g} from {a} {g}.',
  'Of {a} {g} we sold {b}. How many are left?',
] as const;

const digitsOf = (number: number): { tens: number; units: number } => ({
  tens: Math.floor(number / 10),
  units: number % 10,
});

/** "7 + 8 = 15. 3 + 4 + 1 = 8." for 37 + 48: the carry is the last addend of the tens. */
export function sumWorking(a: number, b: number): string {
  const [x, y] = [digitsOf(a), digitsOf(b)];
  const units = x.units + y.units;
  const carry = units > 9;
  const tens = x.tens + y.tens + (carry ? 1 : 0);
  return `${text(x.units)} + ${text(y.units)} = ${text(units)}. ${text(x.tens)} + ${text(y.tens)}${carry ? ' + 1' : ''} = ${text(tens)}.`;
}

/** "12 - 5 = 7. 6 - 1 - 1 = 4." for 62 - 15: ten is borrowed where the units do not reach. Needs a > b. */
export function differenceWorking(a: number, b: number): string {
  const [x, y] = [digitsOf(a), digitsOf(b)];
  const borrow = x.units < y.units;
  const units = x.units + (borrow ? 10 : 0);
  const tens = x.tens - y.tens - (borrow ? 1 : 0);
  return `${text(units)} - ${text(y.units)} = ${text(units - y.units)}. ${text(x.tens)} - ${text(y.tens)}${borrow ? ' - 1' : ''} = ${text(tens)}.`;
}

const text = (value: number): string => value.toString();
const twoDigits = (rng: Rng): number => 10 + rng.below(90);

function draw(rng: Rng): Exercise {
  let [a, b] = [twoDigits(rng), twoDigits(rng)];
  const plus = rng.chance(0.5);
  while (!plus && a === b) b = twoDigits(rng);
  if (!plus && a < b) [a, b] = [b, a];
  const result = plus ? a + b : a - b;
  // The usual slips: a carry forgotten, one off by one.
  const wrong = result + rng.pick(result > 10 ? [-10, 10, -1, 1] : [10, 1]);
  return {
    key: `${text(a)} ${plus ? '+' : '-'} ${text(b)}`,
    question: rng
      .pick(plus ? SUMS : DIFFERENCES)
      .replace('{a}', text(a))
      .replace('{b}', text(b))
      .replaceAll('{g}', rng.pick(GOODS)),
    solution: { form: 'quantity', value: text(result), noun: null },
    working: plus ? sumWorking(a, b) : differenceWorking(a, b),
    slip: text(wrong),
  };
}

export const ARITHMETIC: Skill = { name: 'arithmetic', draw, lore: null };
