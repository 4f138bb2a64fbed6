import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lookUp } from '../../decoders/lookup.js';
import { draftUniforms, drawSpeculated, pointMass } from '../../decoders/speculation.js';
import { draw } from '../../decoders/warp.js';

const normalised = (weights: readonly number[]): number[] => {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
};

const arbitraryRow = (width: number): fc.Arbitrary<number[]> =>
  fc
    .array(fc.oneof(fc.constant(0), fc.double({ min: 1e-3, max: 1, noNaN: true })), {
      minLength: width,
      maxLength: width,
    })
    .filter((row) => row.some((weight) => weight > 0))
    .map(normalised);

const arbitraryPair = fc
  .integer({ min: 1, max: 7 })
  .chain((width) => fc.tuple(arbitraryRow(width), arbitraryRow(width)));

/** Cell borders of a cumulated row, as [from, to, middle]. */
function cells(masses: readonly number[]): { size: number; middle: number }[] {
  let before = 0;
  return masses.flatMap((mass) => {
    const from = before;
    before += mass;
    return mass > 0 ? [{ size: mass, middle: from + mass / 2 }] : [];
  });
}

/** The emitted law by integration over the three uniform numbers: the draw is constant on boxes, whose borders are known. */
function emittedLaw(p: readonly number[], q: readonly number[]): number[] {
  const law = p.map(() => 0);
  const ids = [...q.keys()].filter((id) => q[id]! > 0);
  const rest = normalised(p.map((mass, id) => Math.max(0, mass - q[id]!)));
  const residuals = rest.every(Number.isFinite) ? cells(rest) : [{ size: 1, middle: 0.5 }];
  for (const { size, middle } of cells(q)) {
    const proposal = draw({ ids, probs: Float64Array.from(ids, (id) => q[id]!) }, middle);
    const threshold = Math.min(1, p[proposal]! / q[proposal]!);
    for (const accept of cells([threshold, 1 - threshold]))
      for (const residual of residuals) {
        const { id } = drawSpeculated(p, q, proposal, { accept: accept.middle, residual: residual.middle });
        law[id]! += size * accept.size * residual.size;
      }
  }
  return law;
}

describe('drawSpeculated', () => {
  it('T3: emits exactly p, whatever q proposes', () => {
    fc.assert(
      fc.property(arbitraryPair, ([p, q]) => {
        emittedLaw(p, q).forEach((mass, id) => expect(Math.abs(mass - p[id]!)).toBeLessThan(1e-12));
      }),
    );
  });

  it('accepts everything where q is p, nothing where they share no token, and a looked-up token with its probability', () => {
    const p = [0.2, 0, 0.5, 0.3];
    const never = { accept: 1 - 2 ** -53, residual: 0.4 };
    for (const id of [0, 2, 3]) expect(drawSpeculated(p, p, id, never)).toEqual({ id, accepted: true });
    expect(drawSpeculated([1, 0], [0, 1], 1, { accept: 0, residual: 0.9 })).toEqual({ id: 0, accepted: false });
    emittedLaw(p, [...pointMass(2, 4)]).forEach((mass, id) => expect(mass).toBeCloseTo(p[id]!, 12));
  });

  it('takes its numbers from seed, choice and position, three different ones', () => {
    const drawn = draftUniforms(7, 0, 3);
    expect(draftUniforms(7, 0, 3)).toEqual(drawn);
    expect(
      new Set([drawn, draftUniforms(7, 1, 3)].flatMap(({ propose, accept, residual }) => [propose, accept, residual]))
        .size,
    ).toBe(6);
    const pairs = Array.from({ length: 4000 }, (_, position) => draftUniforms(11, 0, position));
    const correlation =
      pairs.reduce((sum, { propose, accept }) => sum + (propose - 0.5) * (accept - 0.5), 0) / 4000 / (1 / 12);
    expect(Math.abs(correlation)).toBeLessThan(0.06);
  });
});

describe('lookUp', () => {
  it('continues the longest, then the latest, earlier occurrence of the ending', () => {
    expect(lookUp([5, 1, 2, 9, 7, 2, 8, 1, 2])).toBe(9);
    expect(lookUp([1, 2, 3, 1, 2, 4, 1, 2])).toBe(4);
    expect(lookUp([6, 6])).toBe(6);
    expect(lookUp([1, 2, 3])).toBeNull();
    expect(lookUp([])).toBeNull();
  });

  it('looks no further than four tokens back for a match', () => {
    expect(lookUp([1, 2, 3, 4, 5, 70, 9, 2, 3, 4, 5, 80, 1, 2, 3, 4, 5])).toBe(80);
  });
});
