// Layouts of the cache's arrays: moved within their memory they hold what they would in fresh memory, and the memory is kept, up to a bound.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LaneArrays, type Source } from '../../server/engine/lane-arrays.js';
import { moveInto, moveWithin, runsOf } from '../../server/engine/lane-moves.js';

describe('moveWithin', () => {
  const layout = fc
    .record({
      kvHeads: fc.integer({ min: 1, max: 3 }),
      headDim: fc.integer({ min: 1, max: 3 }),
      before: fc.integer({ min: 0, max: 6 }),
      after: fc.integer({ min: 0, max: 8 }),
      lanesBefore: fc.integer({ min: 0, max: 5 }),
      lanesAfter: fc.integer({ min: 0, max: 5 }),
    })
    .chain((shape) => {
      const slots = fc
        .subarray(
          Array.from({ length: shape.before }, (_, slot) => slot),
          { maxLength: Math.min(shape.before, shape.after) },
        )
        .chain((kept) => fc.option(fc.constant(kept)));
      const lanes = Math.min(shape.lanesBefore, shape.lanesAfter);
      return fc.record({ shape: fc.constant(shape), kept: fc.array(slots, { minLength: lanes, maxLength: lanes }) });
    });

  it('leaves what moveInto makes in fresh memory, whatever lay there', () => {
    fc.assert(
      fc.property(layout, ({ shape, kept }) => {
        const { kvHeads, headDim, lanesBefore, lanesAfter } = shape;
        const moves = kept.flatMap((slots, lane) =>
          slots ? [{ lane, to: lane, runs: runsOf(slots), tokens: slots.length }] : [],
        );
        const [old, length] = [lanesBefore * shape.before, lanesAfter * shape.after].map((n) => n * kvHeads * headDim);
        const array = Float32Array.from({ length: Math.max(old!, length!) + 3 }, (_, i) => (i < old! ? i + 1 : NaN));
        const fresh = new Float32Array(length!);
        moveInto(fresh, array.slice(0, old), shape, moves);
        moveWithin(array, shape, lanesAfter, moves);
        expect(array.subarray(0, length)).toEqual(fresh);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('LaneArrays', () => {
  const layers = [{ kvHeads: 2, headDim: 4 }];
  const all = (lane: number, count: number): Source => ({ lane, slots: Array.from({ length: count }, (_, s) => s) });

  it('keep their memory when nobody is left, and hold nothing of those before', () => {
    const arrays = new LaneArrays(layers);
    arrays.layOut(4, 16, []);
    const tokens = { length: 2, keys: [new Float32Array(16).fill(NaN)], values: [new Float32Array(16).fill(5)] };
    for (let lane = 0; lane < 4; lane++) arrays.put(lane, [0, 1], tokens);
    const held = arrays.heldBytes;
    arrays.layOut(0, 0, []);
    expect([arrays.bytes, arrays.heldBytes]).toEqual([0, held]);
    arrays.layOut(2, 8, []);
    arrays.check();
    expect(arrays.heldBytes).toBe(held);
    const { keys, values } = arrays.slice(0, 2);
    expect([...keys, ...values].every((array) => array.every((x) => x === 0))).toBe(true);
  });

  it('move lanes that change places into other memory', () => {
    const arrays = new LaneArrays(layers);
    arrays.layOut(2, 4, []);
    const of = (x: number) => ({
      length: 1,
      keys: [new Float32Array(8).fill(x)],
      values: [new Float32Array(8).fill(-x)],
    });
    arrays.put(0, [0], of(1));
    arrays.put(1, [0], of(2));
    arrays.layOut(2, 4, [all(1, 1), all(0, 1)]);
    expect([0, 1].map((lane) => arrays.read(all(lane, 1)).keys[0]![0])).toEqual([2, 1]);
  });

  it('give back what is beyond 256 MB and not in use', () => {
    const arrays = new LaneArrays(layers);
    arrays.layOut(1024, 8192, []);
    expect(arrays.heldBytes).toBe(2 ** 29);
    arrays.layOut(1, 64, []);
    expect(arrays.heldBytes).toBe(arrays.bytes);
  });
});
