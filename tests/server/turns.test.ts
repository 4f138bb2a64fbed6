import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { turn } from '../../server/routes/turns.js';

test('a burst is spread over turns of the event loop, in its order, and the next burst starts anew', async () => {
  for (let round = 0; round < 2; round++) {
    const begun: number[] = [];
    const all = Promise.all(Array.from({ length: 40 }, async (_, i) => turn().then(() => begun.push(i))));
    const counts: number[] = [];
    while (counts.at(-1) !== 40) {
      await nextTurn();
      counts.push(begun.length);
    }
    await all;
    expect(begun).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(Math.max(...counts.map((count, i) => count - (counts[i - 1] ?? 0)))).toBe(16);
    await nextTurn();
    await nextTurn();
  }
});
