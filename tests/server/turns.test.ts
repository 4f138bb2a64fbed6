import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { turn } from '../../server/routes/turns.js';

test('a burst is spread over turns of the event loop, in its order, and the next burst starts anew', async () => {
  for (let round = 0; round < 2; round++) {
    const begun: number[] = [];
    const all = Promise.all(Array.from({ length: 40 }, async (_, i) => turn().then(() => begun.push(i))));
    // What may begin at once does so before anything else of this turn.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    const counts = [begun.length];
    while (counts.at(-1) !== 40) {
      await nextTurn();
      counts.push(begun.length);
    }
    await all;
    expect(begun).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(counts).toEqual([16, 32, 40]);
    await nextTurn();
    await nextTurn();
  }
});
