// The attention masks against their definition, position by position.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { attentionMask } from '../../kernels/decoder/masks.js';

interface Sequence {
  readonly past: number;
  readonly count: number;
}

interface Case {
  readonly rows: readonly (readonly Sequence[])[];
  readonly spare: number;
  readonly window: number | null;
  readonly copies: number;
  readonly order: number;
}

const cases = fc.record<Case>({
  rows: fc.array(
    fc.array(fc.record({ past: fc.integer({ min: 0, max: 9 }), count: fc.integer({ min: 1, max: 4 }) }), {
      minLength: 1,
      maxLength: 3,
    }),
    { minLength: 1, maxLength: 4 },
  ),
  spare: fc.integer({ min: 1, max: 3 }),
  window: fc.option(fc.integer({ min: 1, max: 8 })),
  copies: fc.integer({ min: 1, max: 3 }),
  order: fc.nat(1000),
});

/** Some order of the slots, so that no sequence lies in a row. */
const shuffled = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, slot) => slot).sort((a, b) => ((a * 37 + seed) % 23) - ((b * 37 + seed) % 23));

it('a query sees exactly the positions of its own sequence and window that are past or new and not after it', () => {
  fc.assert(
    fc.property(cases, ({ rows, spare, window, copies, order }) => {
      const width = Math.max(...rows.map((row) => row.reduce((sum, { count }) => sum + count, 0)));
      const capacity = Math.max(...rows.flat().map(({ past }) => past)) + spare;
      const total = capacity + width;
      // The first of a row lies in its first slots, the others anywhere; what two hold together both see.
      const segments = rows.map((row) =>
        row.map(({ past, count }, i) => ({
          past,
          count,
          slots: i === 0 ? null : shuffled(capacity, order + i).slice(0, past),
        })),
      );
      const mask = attentionMask({ rows: rows.length, width, segments, pastCapacity: capacity }, window, copies);
      expect(mask.length).toBe(rows.length * copies * width * total);
      segments.forEach((row, r) => {
        const owners = row.flatMap((segment) => Array.from({ length: segment.count }, (_, s) => ({ segment, s })));
        for (let copy = 0; copy < copies; copy++)
          for (let column = 0; column < width; column++) {
            const line = ((r * copies + copy) * width + column) * total;
            const owner = owners[column];
            const seen = new Set<number>();
            if (!owner) seen.add(capacity + column);
            else {
              const { past, slots } = owner.segment;
              for (let position = 0; position <= past + owner.s; position++)
                if (window === null || position > past + owner.s - window)
                  seen.add(
                    position < past ? (slots?.[position] ?? position) : capacity + column - owner.s + position - past,
                  );
            }
            for (let slot = 0; slot < total; slot++) expect(mask[line + slot]).toBe(seen.has(slot) ? 0 : -Infinity);
          }
      });
    }),
  );
});
