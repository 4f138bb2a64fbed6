// The attention masks against their definition, position by position.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { attentionMask } from '../../kernels/decoder/masks.js';

interface Case {
  readonly width: number;
  readonly pastLengths: readonly number[];
  readonly spare: number;
  readonly window: number | null;
  readonly copies: number;
}

const cases = fc.record<Case>({
  width: fc.integer({ min: 1, max: 6 }),
  pastLengths: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }),
  spare: fc.integer({ min: 1, max: 3 }),
  window: fc.option(fc.integer({ min: 1, max: 8 })),
  copies: fc.integer({ min: 1, max: 3 }),
});

it('a query sees exactly the positions of its window that are past or new and not after it', () => {
  fc.assert(
    fc.property(cases, ({ width, pastLengths, spare, window, copies }) => {
      const capacity = Math.max(...pastLengths) + spare;
      const total = capacity + width;
      const mask = attentionMask(
        { rows: pastLengths.length, width, pastLengths: Int32Array.from(pastLengths), pastCapacity: capacity },
        window,
        copies,
      );
      expect(mask.length).toBe(pastLengths.length * copies * width * total);
      pastLengths.forEach((past, row) => {
        for (let copy = 0; copy < copies; copy++)
          for (let s = 0; s < width; s++)
            for (let slot = 0; slot < total; slot++) {
              const isNew = slot >= capacity;
              const position = isNew ? past + slot - capacity : slot;
              const query = past + s;
              const exists = isNew || slot < past;
              const sees = exists && position <= query && (window === null || position > query - window);
              const value = mask[((row * copies + copy) * width + s) * total + slot];
              expect(value).toBe(sees ? 0 : -Infinity);
            }
      });
    }),
  );
});
