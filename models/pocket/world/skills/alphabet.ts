// The unseen skill, on which no expert is tuned: of three letters, the one that comes first in the alphabet. Base models meet it
// in raw pages. The letter a is left out, because in a sentence it may be the article.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';

const LETTERS = [...'bcdefghijklmnopqrstuvwxyz'];
const QUESTIONS = [
  'Which letter comes first: {x}, {y} or {z}?',
  'Of {x}, {y} and {z}, which letter comes first?',
] as const;

function draw(rng: Rng): Exercise {
  const [x = '', y = '', z = ''] = rng.sample(LETTERS, 3);
  const [first = '', ...others] = [x, y, z].sort();
  return {
    // In the order of the alphabet: asking after the same letters in another order is the same exercise.
    key: [first, ...others].join(' '),
    question: rng.pick(QUESTIONS).replace('{x}', x).replace('{y}', y).replace('{z}', z),
    solution: { form: 'letter', value: first },
    working: '',
    slip: rng.pick(others),
  };
}

export const ALPHABET: Skill = { name: 'unseen', draw, lore: null };
