// Looking up one cell: a little table of the week's catch stands in the request, one day is asked for. The working reads the rows
// from the top until it comes to that day: the smallest model learns when to stop, but not to jump to a row, nor to find a row
// among labels in any order.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';
import { DAYS, GOODS } from './goods.js';

function draw(rng: Rng): Exercise {
  // Counts are distinct, so that a number tells its row.
  const counts = new Set<number>();
  while (counts.size < DAYS.length) counts.add(10 + rng.below(90));
  const rows = [...counts].map((count, i) => ({ day: DAYS[i] ?? '', count: count.toString() }));
  const at = rng.below(rows.length);
  const asked = rows[at] ?? { day: '', count: '' };
  const other = rng.pick(rows.filter((row) => row !== asked));
  const lines = rows.map((row) => `${row.day}: ${row.count}`);
  const table = lines.join('\n');
  return {
    key: table,
    question: `${table}\nHow many ${rng.pick(GOODS)} on ${asked.day}?`,
    solution: { form: 'quantity', value: asked.count, noun: null },
    working: `${lines.slice(0, at + 1).join(', ')}.`,
    slip: other.count,
  };
}

export const TABLE: Skill = { name: 'table', draw, lore: null };
