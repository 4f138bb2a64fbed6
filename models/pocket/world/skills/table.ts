// Looking up one cell: a little table of four hands stands in the request, one of them is asked for. The working reads the rows
// from the top until it comes to that hand: the smallest model learns when to stop, but not to jump to a row, nor to find a row
// among labels in any order.
import type { Rng } from '../rng.js';
import type { Exercise, Skill } from './exercise.js';
import { HANDS, GOODS } from './goods.js';

function draw(rng: Rng): Exercise {
  // Counts are distinct, so that a number tells its row.
  const counts = new Set<number>();
  while (counts.size < HANDS.length) counts.add(10 + rng.below(90));
  const rows = [...counts].map((count, i) => ({ hand: HANDS[i] ?? '', count: count.toString() }));
  const at = rng.below(rows.length);
  const asked = rows[at] ?? { hand: '', count: '' };
  const other = rng.pick(rows.filter((row) => row !== asked));
  const lines = rows.map((row) => `${row.hand}: ${row.count}`);
  const table = lines.join('\n');
  return {
    key: table,
    question: `${table}\nHow many ${rng.pick(GOODS)} has ${asked.hand}?`,
    solution: { form: 'quantity', value: asked.count, noun: null },
    working: `${lines.slice(0, at + 1).join(', ')}.`,
    slip: other.count,
  };
}

export const TABLE: Skill = { name: 'table', draw, lore: null };
