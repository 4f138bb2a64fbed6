// The unseen skill, on which no expert is tuned: of three piles, the largest. Base models meet it in a few raw pages.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';

const QUESTIONS = ['Which pile is the largest: {piles}?', 'Of {piles}, which is the most?'] as const;

function draw(rng: Rng): Exercise {
  const counts = new Set<number>();
  while (counts.size < 3) counts.add(10 + rng.below(90));
  const piles = [...counts];
  const [first, second, third] = piles.map(String);
  const largest = Math.max(...piles);
  const other = rng.pick(piles.filter((count) => count !== largest));
  return {
    key: piles.join(' '),
    question: rng.pick(QUESTIONS).replace('{piles}', `${first ?? ''}, ${second ?? ''} or ${third ?? ''}`),
    solution: { form: 'quantity', value: largest.toString(), noun: null },
    working: '',
    slip: other.toString(),
  };
}

export const LARGEST: Skill = { name: 'unseen', draw, lore: null };
