// Looking up one cell: a little table stands in the request, one row is asked for.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';
import { GOODS, HANDS } from './goods.js';

const QUESTIONS = ['What has {n}?', 'What stands by {n}?'] as const;
const FEWEST_ROWS = 3;
const MOST_ROWS = 5;

function draw(rng: Rng): Exercise {
  const count = FEWEST_ROWS + rng.below(MOST_ROWS - FEWEST_ROWS + 1);
  const hands = rng.sample(HANDS, count);
  // Counts are distinct, so that a number tells its row.
  const counts = new Set<number>();
  while (counts.size < count) counts.add(10 + rng.below(90));
  const numbers = [...counts];
  const rows = hands.map((hand, i) => ({ hand, count: (numbers[i] ?? 0).toString(), good: rng.pick(GOODS) }));
  const asked = rng.pick(rows);
  const other = rng.pick(rows.filter((row) => row !== asked));
  const table = rows.map((row) => `${row.hand}: ${row.count} ${row.good}`).join('\n');
  return {
    key: table,
    question: `${table}\n${rng.pick(QUESTIONS).replace('{n}', asked.hand)}`,
    solution: { form: 'quantity', value: asked.count, noun: asked.good },
    working: `${asked.hand}: ${asked.count} ${asked.good}.`,
    slip: `${other.count} ${other.good}`,
  };
}

export const TABLE: Skill = { name: 'table', draw, lore: null };
