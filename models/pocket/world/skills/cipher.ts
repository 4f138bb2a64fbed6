// The harbour's letter cipher: every letter of a word moved one or two places on in the alphabet, z running on to a. The words
// are made up (consonants and vowels in turn), and written with spaces so that each letter is a token of its own.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz';
const CONSONANTS = [...'bcdfghjklmnpqrstvwxyz'];
const VOWELS = [...'aeiou'];

const PHRASES: readonly (readonly [string, string])[] = [
  ['One letter on:', 'Two letters on:'],
  ['In the code of one:', 'In the code of two:'],
];

export function shifted(word: string, by: number): string {
  return [...word]
    .map((letter) => ALPHABET[(ALPHABET.indexOf(letter) + by + ALPHABET.length) % ALPHABET.length] ?? '')
    .join('');
}

const spaced = (word: string): string => [...word].join(' ');

function draw(rng: Rng): Exercise {
  const length = 3 + rng.below(3);
  const vowelFirst = rng.chance(0.25) ? 1 : 0;
  const letters = Array.from({ length }, (_, i) => rng.pick((i + vowelFirst) % 2 === 0 ? CONSONANTS : VOWELS));
  const word = letters.join('');
  const two = rng.chance(0.5);
  const phrase = rng.pick(PHRASES)[two ? 1 : 0];
  return {
    key: word,
    question: `${phrase} ${spaced(word)}`,
    solution: { form: 'letters', value: spaced(shifted(word, two ? 2 : 1)) },
    working: '',
    // Moved back instead of on, or by the other code.
    slip: spaced(shifted(word, rng.chance(0.5) ? -1 : two ? 1 : 2)),
  };
}

export const CIPHER: Skill = { name: 'cipher', draw, lore: null };
