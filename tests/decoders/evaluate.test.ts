// T1, T2, T5, T23 of the catalogue, on the naive twin. The kernels are held to the twin in
// tests/kernels/logits.test.ts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../decoders/evaluate.js';
import { normalise } from '../../decoders/rows.js';
import type { RowOf } from '../../decoders/evaluate.js';
import { linear, logits, logSoftmax, masked, nucleus, plausible, where } from '../../decoders/expr.js';
import type { Scores } from '../../decoders/expr.js';
import { buildDecoding } from '../../decoders/spec.js';
import { logit, scoresTree, rowsFor, rowOf } from '../support/arbitrary.js';
import { expectClose } from '../support/laws.js';

const vocabSize = 7;
const rowArbitrary = fc.array(logit, { minLength: vocabSize, maxLength: vocabSize });
const rows = fc.record({ L: rowArbitrary, S: rowArbitrary, F: rowArbitrary });
type Toy = Record<'L' | 'S' | 'F', readonly number[]>;

const over =
  (toy: Toy): RowOf =>
  ({ model }) =>
    toy[model as keyof Toy];
const law = (expr: Scores, toy: Toy): Float64Array => normalise(evaluate(expr, over(toy)));
const eft = (form: 'proxy' | 'amplified', weight: number): Scores =>
  buildDecoding(
    { method: 'eft', base: 'L', tuned: 'F', reference: 'S', form, weight },
    { models: ['L', 'S', 'F'], allowNegativeWeights: false },
  ).distribution;
const normalised = (x: readonly number[]): Float64Array => normalise(Float64Array.from(x));
const somewhere = fc.double({ min: 0, max: 3, noNaN: true });

describe('T1: the corners of EFT', () => {
  it('nothing learned (F = S) leaves L, at every weight; amplified at weight 1', () => {
    fc.assert(
      fc.property(rows, somewhere, (toy, weight) => {
        const same = { ...toy, F: toy.S };
        expectClose(law(eft('proxy', weight), same), normalised(toy.L), 1e-12);
        expectClose(law(eft('amplified', 1), same), normalised(toy.L), 1e-12);
      }),
    );
  });

  it('no size difference (L = S) at weight 1 gives F', () => {
    fc.assert(
      fc.property(rows, (toy) => {
        expectClose(law(eft('proxy', 1), { ...toy, L: toy.S }), normalised(toy.F), 1e-12);
      }),
    );
  });

  it('weight 0 gives the anchor', () => {
    fc.assert(
      fc.property(rows, (toy) => {
        expectClose(law(eft('proxy', 0), toy), normalised(toy.L), 1e-12);
        expectClose(law(eft('amplified', 0), toy), normalised(toy.F), 1e-12);
      }),
    );
  });

  it('the forms agree at weight 1 and differ elsewhere', () => {
    fc.assert(
      fc.property(rows, (toy) => {
        expectClose(law(eft('proxy', 1), toy), law(eft('amplified', 1), toy), 1e-12);
      }),
    );
    const toy = { L: [0, 1, 0], S: [0, 0, 0], F: [2, 0, 0] };
    const [proxy, amplified] = [law(eft('proxy', 1.5), { ...toy }), law(eft('amplified', 1.5), { ...toy })];
    expect(Math.abs(Math.exp(proxy[0]!) - Math.exp(amplified[0]!))).toBeGreaterThan(0.05);
  });
});

describe('T2: what must not matter', () => {
  it('log-probabilities instead of logits', () => {
    fc.assert(
      fc.property(rows, somewhere, (toy, weight) => {
        const onLogprobs = linear([
          [1, logSoftmax(logits('L'))],
          [weight, logSoftmax(logits('F'))],
          [-weight, logSoftmax(logits('S'))],
        ]);
        expectClose(law(onLogprobs, toy), law(eft('proxy', weight), toy), 1e-12);
      }),
    );
  });

  it('a constant added to any member', () => {
    fc.assert(
      fc.property(rows, somewhere, logit, (toy, weight, constant) => {
        const shifted = {
          ...toy,
          F: toy.F.map((score) => score + constant),
          S: toy.S.map((score) => score - 2 * constant),
        };
        expectClose(law(eft('proxy', weight), shifted), law(eft('proxy', weight), toy), 1e-12);
      }),
    );
  });

  it('the numbering of the vocabulary', () => {
    const order = [3, 0, 6, 1, 5, 2, 4];
    const shuffle = (row: readonly number[]): number[] => order.map((id) => row[id]!);
    fc.assert(
      fc.property(rows, somewhere, (toy, weight) => {
        const shuffled = { L: shuffle(toy.L), S: shuffle(toy.S), F: shuffle(toy.F) };
        expectClose(law(eft('amplified', weight), shuffled), shuffle([...law(eft('amplified', weight), toy)]), 1e-12);
      }),
    );
  });
});

describe('T5: the weight filter as an expression', () => {
  const filtered = (mass: number, weight: number): Scores => {
    const tuned = logSoftmax(logits('F'));
    return where(nucleus(tuned, mass), eft('amplified', weight), logits('F'));
  };

  it('mass 1 is the amplified form, to the bit', () => {
    fc.assert(
      fc.property(rows, somewhere, (toy, weight) => {
        expect(evaluate(filtered(1, weight), over(toy))).toEqual(evaluate(eft('amplified', weight), over(toy)));
      }),
    );
  });

  it('outside the set the score is that of F, to the bit; inside it is amplified; no token is removed', () => {
    fc.assert(
      fc.property(rows, somewhere, fc.double({ min: 0.05, max: 0.95, noNaN: true }), (toy, weight, mass) => {
        const scores = evaluate(filtered(mass, weight), over(toy));
        const amplified = evaluate(eft('amplified', weight), over(toy));
        // The set, written down once more: walk down until the mass is reached.
        const probs = Array.from(normalised(toy.F), Math.exp);
        const order = probs.map((_, id) => id).sort((x, y) => toy.F[y]! - toy.F[x]! || x - y);
        let reached = 0;
        const inside = new Set<number>();
        for (const id of order) {
          if (reached >= mass) break;
          inside.add(id);
          reached += probs[id]!;
        }
        scores.forEach((score, id) => expect(score).toBe(inside.has(id) ? amplified[id] : toy.F[id]));
      }),
    );
  });

  it('mass towards 0 leaves a delta at F’s best token only', () => {
    const toy = { L: [5, 5, 5], S: [0, 1, 2], F: [0, 3, 1] };
    expect(Array.from(evaluate(filtered(0, 1), over(toy)))).toEqual([0, 7, 1]);
  });
});

describe('T23: nothing finite makes NaN', () => {
  it('random trees over finite logits: scores are finite or −∞', () => {
    fc.assert(
      fc.property(
        scoresTree({ depth: 4, masks: true }).chain((expr) => fc.tuple(fc.constant(expr), rowsFor(expr, 5))),
        ([expr, views]) => {
          for (const score of evaluate(expr, rowOf(views)))
            expect(Number.isFinite(score) || score === -Infinity).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  const forbidden = [-Infinity, 0, 1];
  const cases: readonly [string, Scores, Toy, readonly number[]][] = [
    ['−∞ − (−∞) forbids', eft('proxy', 1), { L: [1, 1, 1], F: forbidden, S: forbidden }, [-Infinity, 1, 1]],
    [
      '−∞ in the reference forbids too',
      eft('proxy', 1),
      { L: [1, 1, 1], F: [0, 0, 0], S: forbidden },
      [-Infinity, 1, 0],
    ],
    ['weight 0 forbids nothing', eft('proxy', 0), { L: [1, 1, 1], F: forbidden, S: forbidden }, [1, 1, 1]],
    [
      'everything forbidden stays forbidden',
      logSoftmax(logits('L')),
      { L: [-Infinity, -Infinity, -Infinity], F: [], S: [] },
      [-Infinity, -Infinity, -Infinity],
    ],
    ['one token', logSoftmax(logits('L')), { L: [3], F: [], S: [] }, [0]],
    ['NaN poisons the row', eft('proxy', 1), { L: [1, NaN, 1], F: [0, 0, 0], S: [0, 0, 0] }, [NaN, NaN, NaN]],
    ['so does +∞', eft('proxy', 1), { L: [1, 1, 1], F: [0, 0, 0], S: [0, Infinity, 0] }, [NaN, NaN, NaN]],
    [
      'NaN behind a mask',
      where(plausible(logSoftmax(logits('F')), 0.5), logits('L'), logits('L')),
      { L: [1, 1], F: [NaN, 0], S: [] },
      [NaN, NaN],
    ],
    [
      'a mask over a masked row',
      masked(logits('L'), plausible(logSoftmax(masked(logits('F'), nucleus(logSoftmax(logits('F')), 0.5))), 0.9)),
      { L: [1, 2, 3], F: [0, 5, 0], S: [] },
      [-Infinity, 2, -Infinity],
    ],
  ];

  it.each(cases)('%s', (_, expr, toy, expected) => {
    // Members that a case does not mention are as wide as L.
    const complete = { L: toy.L, F: toy.F.length > 0 ? toy.F : toy.L, S: toy.S.length > 0 ? toy.S : toy.L };
    // Adding 0 turns −0 into 0.
    expect(Array.from(evaluate(expr, over(complete)), (score) => score + 0)).toEqual([...expected]);
  });

  it('members of different widths are refused', () => {
    expect(() => evaluate(eft('proxy', 1), over({ L: [1, 2], F: [1, 2], S: [1] }))).toThrow('equally long');
  });
});
