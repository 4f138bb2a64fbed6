// Looking up one cell: a little table stands in the request, one row is asked for. The working reads the rows from the top
// until it comes to the asked one: comparing names row by row is in the reach of the smallest model, jumping to a row is not.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';
import { GOODS, HANDS } from './goods.js';

const QUESTIONS = ['How many {g} has {n}?', 'How many {g} are by {n}?'] as const;
const ROWS = 4;

function draw(rng: Rng): Exercise {
  // Counts are distinct, so that a number tells its row.
  const counts = new Set<number>();
  while (counts.size < ROWS) counts.add(10 + rng.below(90));
  const hands = rng.sample(HANDS, ROWS);
  const rows = [...counts].map((count, i) => ({ hand: hands[i] ?? '', count: count.toString() }));
  const at = rng.below(ROWS);
  const asked = rows[at] ?? { hand: '', count: '' };
  const other = rng.pick(rows.filter((row) => row !== asked));
  const lines = rows.map((row) => `${row.hand}: ${row.count}`);
  const table = lines.join('\n');
  return {
    key: table,
    question: `${table}\n${rng.pick(QUESTIONS).replace('{g}', rng.pick(GOODS)).replace('{n}', asked.hand)}`,
    solution: { form: 'quantity', value: asked.count, noun: null },
    working: `${lines.slice(0, at + 1).join(', ')}.`,
    slip: other.count,
  };
}

export const TABLE: Skill = { name: 'table', draw, lore: null };
