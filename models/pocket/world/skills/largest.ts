// The unseen skill, on which no expert is tuned: of three piles, the largest. Base models meet it in a few raw pages.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';
import { GOODS } from './goods.js';

const QUESTIONS = ['Which is the most: {piles}?', 'Of {piles}, which pile is the largest?'] as const;

function draw(rng: Rng): Exercise {
  const counts = new Set<number>();
  while (counts.size < 3) counts.add(10 + rng.below(90));
  const goods = rng.sample(GOODS, 3);
  const piles = [...counts].map((count, i) => ({ count, good: goods[i] ?? '' }));
  const [first, second, third] = piles.map(({ count, good }) => `${count.toString()} ${good}`);
  const largest = piles.reduce((best, pile) => (pile.count > best.count ? pile : best));
  const other = rng.pick(piles.filter((pile) => pile !== largest));
  return {
    key: [...counts].join(' '),
    question: rng.pick(QUESTIONS).replace('{piles}', `${first ?? ''}, ${second ?? ''} or ${third ?? ''}`),
    solution: { form: 'quantity', value: largest.count.toString(), noun: largest.good },
    working: '',
    slip: `${other.count.toString()} ${other.good}`,
  };
}

export const LARGEST: Skill = { name: 'unseen', draw, lore: null };
