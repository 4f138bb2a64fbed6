// What each method promises, on random rows through its real spec and the twin: identities between methods and at the ends of their dials
// (T1, T2, T5, T17-T19, T21, T23).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate, evaluateMask } from '../../decoders/evaluate.js';
import { logits, logSoftmax, maximum, nucleus, plausible, viewsOf } from '../../decoders/expr.js';
import { directionPrompt } from '../../decoders/distributions/dpa.js';
import { methods } from '../../decoders/distributions/index.js';
import { normalise } from '../../decoders/rows.js';
import { buildDecoding } from '../../decoders/spec.js';
import type { SpecOptions } from '../../decoders/spec.js';
import { lawOf, statusOf } from '../../decoders/warp.js';
import { expectClose } from '../support/laws.js';

const models = ['L', 'S', 'F', 'G'] as const;
const card = { template: 'Maximise help*{help} + brevity*{brevity}.', axes: ['help', 'brevity'] };
const options: SpecOptions = {
  models: [...models],
  allowNegativeWeights: true,
  directionCards: new Map([['F', card]]),
};
const vocabSize = 8;
type Rows = Readonly<Record<string, Float64Array>>;

const row = fc
  .array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: vocabSize, maxLength: vocabSize })
  .map((scores) => Float64Array.from(scores));
const rows: fc.Arbitrary<Rows> = fc.record({ L: row, S: row, F: row, G: row });

/** The law that a spec gives over these rows: log-probabilities. A view is its model's row, whatever its prompt. */
function law(spec: unknown, views: Rows): Float64Array {
  const { distribution } = buildDecoding(spec, options);
  return normalise(evaluate(distribution, ({ model }) => views[model]!));
}

/** Rows by (model, has the request's own prompt). */
function promptLaw(spec: unknown, own: Float64Array, other: Float64Array): Float64Array {
  const { distribution } = buildDecoding(spec, options);
  return normalise(evaluate(distribution, ({ prompt }) => (prompt === 'default' ? own : other)));
}

function same(one: unknown, other: unknown, tolerance = 1e-12): void {
  fc.assert(fc.property(rows, (views) => expectClose(law(one, views), law(other, views), tolerance)));
}

function differ(one: unknown, other: unknown): void {
  const views = { L: [1, 0, 2, 0], S: [0, 1, 0, 0], F: [0, 0, 1, 3], G: [1, 1, 0, 0] };
  const arrays = Object.fromEntries(Object.entries(views).map(([name, scores]) => [name, Float64Array.from(scores)]));
  const [a, b] = [law(one, arrays), law(other, arrays)];
  expect(Math.max(...a.map((logprob, id) => Math.abs(logprob - b[id]!)))).toBeGreaterThan(0.05);
}

const eft = { method: 'eft', base: 'L', tuned: 'F', reference: 'S' };
const amplified = { ...eft, form: 'amplified' };

describe('eft', () => {
  it('a tuned model that learned nothing leaves the base, at every weight', () => {
    for (const weight of [0, 0.5, 1, 3]) same({ ...eft, tuned: 'S', weight }, 'L');
  });
  it('base = reference gives the tuned model', () => same({ ...eft, base: 'S' }, 'F'));
  it('weight 0 is the base, or amplified the tuned model', () => {
    same({ ...eft, weight: 0 }, 'L');
    same({ ...amplified, weight: 0 }, 'F');
  });
  it('both forms agree at weight 1 and differ at 1.5', () => {
    same(eft, amplified);
    differ({ ...eft, weight: 1.5 }, { ...amplified, weight: 1.5 });
  });
  it('does not see constants, log-probabilities or the order of the vocabulary', () => {
    fc.assert(
      fc.property(rows, fc.double({ min: -50, max: 50, noNaN: true }), (views, constant) => {
        const expected = law({ ...eft, weight: 1.5 }, views);
        const shifted = { ...views, F: views['F']!.map((score) => score + constant) };
        expectClose(law({ ...eft, weight: 1.5 }, shifted), expected, 1e-11);
        const normal = Object.fromEntries(Object.entries(views).map(([name, scores]) => [name, normalise(scores)]));
        expectClose(law({ ...eft, weight: 1.5 }, normal), expected, 1e-11);
        const reversed = Object.fromEntries(Object.entries(views).map(([name, scores]) => [name, scores.toReversed()]));
        expectClose(law({ ...eft, weight: 1.5 }, reversed), expected.toReversed(), 1e-11);
      }),
    );
  });
  it('interpolating with weights 1 and 0 is one tuned model, with halves of one it is that model', () => {
    const between = (f: number, g: number): object[] => [
      { model: 'F', weight: f },
      { model: 'G', weight: g },
    ];
    same({ ...eft, tuned: between(1, 0), weight: 1.5 }, { ...eft, weight: 1.5 });
    same({ ...amplified, tuned: between(0, 1), weight: 1.5 }, { ...amplified, tuned: 'G', weight: 1.5 });
    same({ ...eft, tuned: [...between(0.5, 0), { model: 'F', weight: 0.5 }] }, eft);
    // Weights that do not add up to one leave the rest of the way to the reference.
    same(
      { ...amplified, tuned: [{ model: 'F', weight: 0.25 }], weight: 1.5 },
      {
        ...amplified,
        tuned: { method: 'realign', aligned: 'F', reference: 'S', strength: 0.25 },
        weight: 1.5,
      },
    );
  });
  it('keep 1 is the amplified form; below, a token outside the nucleus has the tuned model’s own score', () => {
    same({ ...amplified, weight: 2, keep: 1 }, { ...amplified, weight: 2 });
    fc.assert(
      fc.property(rows, fc.constantFrom(0, 0.3, 0.8, 0.95), (views, keep) => {
        const { distribution } = buildDecoding({ ...amplified, weight: 2, keep }, options);
        const scores = evaluate(distribution, ({ model }) => views[model]!);
        const kept = evaluateMask(nucleus(logSoftmax(logits('F')), keep), () => views['F']!);
        const [F, L, S] = ['F', 'L', 'S'].map((name) => normalise(views[name]!));
        expect(kept).toContain(true);
        scores.forEach((score, id) => {
          const expected = kept[id] ? F![id]! + 2 * (L![id]! - S![id]!) : F![id]!;
          expect(score).toBeCloseTo(expected, 11);
        });
      }),
    );
  });
});

describe('identities between methods', () => {
  it('realign is eft with base = reference, and one model at its ends', () => {
    const realign = { method: 'realign', aligned: 'F', reference: 'S' };
    same({ ...realign, strength: 1.7 }, { ...eft, base: 'S', weight: 1.7 });
    same({ ...realign, strength: 0 }, 'S');
    same({ ...realign, strength: 1 }, 'F');
  });
  it('static fusion of one expert is proxy-tuning; of two it is nested', () => {
    const fixed = (experts: unknown): object => ({ method: 'static_fusion', base: 'L', reference: 'S', experts });
    same(fixed('F'), eft);
    same(fixed([{ model: 'F', weight: 0.4 }]), { ...eft, weight: 0.4 });
    const two = [
      { model: 'F', weight: 0.4 },
      { model: 'G', weight: 0.7 },
    ];
    same(fixed(two), { ...eft, tuned: 'G', weight: 0.7, base: { ...eft, weight: 0.4 } }, 1e-11);
  });
  it('fusion of base = reference is the expert, of an idle expert the base, and bound 0 the base', () => {
    const fusion = { method: 'fusion', base: 'L', reference: 'S', experts: ['F'] };
    same({ ...fusion, base: 'S' }, 'F', 1e-5);
    same({ ...fusion, experts: ['S'] }, 'L');
    same({ ...fusion, bounds: 0 }, 'L');
  });
  it('fusion is static fusion at the weights that it finds, never both experts at once', () => {
    const fusion = { method: 'fusion', base: 'L', reference: 'S', experts: ['F', 'G'], bounds: [0, 1] };
    fc.assert(
      fc.property(rows, (views) => {
        // F may not act: what comes out lies on the ray of G.
        const out = law(fusion, views);
        const [L, S, G] = ['L', 'S', 'G'].map((name) => normalise(views[name]!));
        const steps = out.map((logprob, id) => logprob - L![id]!);
        const along = G!.map((logprob, id) => logprob - S![id]!);
        const spread = (values: Float64Array): number[] => Array.from(values, (value) => value - values[0]!);
        const [step, ray] = [spread(steps), spread(along)];
        const longest = ray.reduce((best, value, id) => (Math.abs(value) > Math.abs(ray[best]!) ? id : best), 0);
        fc.pre(Math.abs(ray[longest]!) > 1e-3);
        const weight = step[longest]! / ray[longest]!;
        expect(weight).toBeGreaterThanOrEqual(-1e-9);
        expect(weight).toBeLessThanOrEqual(1 + 1e-9);
        expectClose(
          step,
          ray.map((value) => weight * value),
          1e-8,
        );
      }),
    );
  });
  it('dcd without mask is guidance with weight 1 + contrast', () => {
    const negative = { model: 'L', prompt: 'last_token' };
    const dcd = { method: 'dcd', positive: 'L', negative, contrast: 0.5, plausibility: 0 };
    fc.assert(
      fc.property(row, row, (own, other) => {
        const guided = promptLaw({ method: 'guidance', model: 'L', weight: 1.5 }, own, other);
        expectClose(promptLaw(dcd, own, other), guided, 1e-12);
      }),
    );
  });
});

describe('guidance', () => {
  const guided = (weight: number): object => ({ method: 'guidance', model: 'L', weight });
  it('weight 1 is the prompt, 0 the other branch, and equal branches are one model', () => {
    fc.assert(
      fc.property(row, row, (own, other) => {
        expectClose(promptLaw(guided(1), own, other), normalise(own), 1e-12);
        expectClose(promptLaw(guided(0), own, other), normalise(other), 1e-12);
        expectClose(promptLaw(guided(7), own, own), normalise(own), 1e-11);
      }),
    );
  });
  it('is what model arithmetic writes as M + λ·U, with weight 1 / (1 + λ)', () => {
    const sum = (lambda: number): object => ({
      method: 'formula',
      expression: {
        op: 'sum',
        terms: [
          { weight: 1, of: 'L' },
          { weight: lambda, of: { model: 'L', prompt: 'last_token' } },
        ],
      },
    });
    fc.assert(
      fc.property(row, row, fc.constantFrom(-0.6, -0.2, 0.5, 3), (own, other, lambda) => {
        expectClose(promptLaw(sum(lambda), own, other), promptLaw(guided(1 / (1 + lambda)), own, other), 1e-11);
      }),
    );
  });
});

describe('plausibility', () => {
  const dcd = { method: 'dcd', positive: 'L', negative: 'S' };
  const minP = (scores: Float64Array, ratio: number): number[] => {
    const { ids, probs } = lawOf(scores, { temperature: 1, topK: 0, topP: 1, minP: ratio });
    return Array.from(scores, (_, id) => Math.log(ids.includes(id) ? probs[ids.indexOf(id)]! : 0));
  };

  it('is the min_p of the positive view where there is no contrast or no difference', () => {
    fc.assert(
      fc.property(rows, fc.constantFrom(0.05, 0.1, 0.5), (views, plausibility) => {
        const expected = minP(views['L']!, plausibility);
        expectClose(law({ ...dcd, contrast: 0, plausibility }, views), expected, 1e-11);
        expectClose(law({ ...dcd, negative: 'L', contrast: 2, plausibility }, views), expected, 1e-11);
      }),
    );
  });
  it('1 is the greedy token of the positive view, whatever the contrast', () => {
    fc.assert(
      fc.property(rows, (views) => {
        const out = law({ ...dcd, contrast: 9, plausibility: 1 }, views);
        const top = Math.max(...views['L']!);
        // Scores that are equal after normalising are equally plausible.
        out.forEach((logprob, id) => {
          if (views['L']![id]! < top - 1e-9) expect(logprob).toBe(-Infinity);
          if (views['L']![id] === top) expect(logprob).toBeGreaterThan(-Infinity);
        });
      }),
    );
  });

  const contrastive = { method: 'contrastive', expert: 'L', amateur: 'S' };
  it('vcd is dcd against the noised view; a projection names a view of its own', () => {
    const noised = { model: 'L', prompt: { images: { noise: 300 } } };
    same({ method: 'vcd', model: 'L', noise: 300 }, { ...dcd, negative: noised });
    const projected = { model: 'L', projection: 'negative' };
    same({ method: 'plain', ...projected }, { model: 'L', prompt: { images: { projection: 'negative' } } });
    const { distribution } = buildDecoding({ ...dcd, negative: projected }, options);
    expect(viewsOf(distribution)).toEqual([
      { model: 'L', prompt: 'default' },
      { model: 'L', prompt: '{"images":{"projection":"negative"}}' },
    ]);
    expect(() => buildDecoding({ ...projected, prompt: 'last_token' }, options)).toThrow('not both');
  });

  it('weighted contrastive decoding is the formula of dcd', () => {
    same({ ...contrastive, contrast: 0.7 }, { ...dcd, contrast: 0.7 });
  });
  it('the original form of a model against itself is uniform over what is plausible', () => {
    fc.assert(
      fc.property(rows, (views) => {
        const out = law({ ...contrastive, form: 'original', amateur: 'L', contrast: 1 }, views);
        const kept = evaluateMask(plausible(logSoftmax(logits('L')), 0.1), () => views['L']!);
        const count = kept.filter(Boolean).length;
        expectClose(
          out,
          kept.map((isKept) => (isKept ? -Math.log(count) : -Infinity)),
          1e-12,
        );
      }),
    );
  });
  it('the amateur’s temperature divides its log-probabilities', () => {
    same(
      { ...contrastive, form: 'original', contrast: 1, amateur_temperature: 0.5 },
      {
        ...contrastive,
        form: 'original',
        contrast: 2,
      },
    );
  });
});

describe('model arithmetic', () => {
  const formula = (expression: object, more: object = {}): object => ({ method: 'formula', expression, ...more });
  const sum = (...terms: [number, unknown][]): object => ({
    op: 'sum',
    terms: terms.map(([weight, of]) => ({ weight, of })),
  });
  const union = (...of: unknown[]): object => ({ op: 'union', of });

  it('does not see a common factor of the coefficients', () => {
    same(formula(sum([1, 'L'], [-0.6, 'S'])), formula(sum([3, 'L'], [-1.8, 'S'])), 1e-11);
    same(formula(sum([2, 'L'])), 'L');
  });
  it('keeps the coefficients as they are where it is told so', () => {
    const twice = formula(sum([2, 'L']), { normalise: false });
    fc.assert(
      fc.property(rows, (views) => {
        expectClose(law(twice, views), normalise(views['L']!.map((score) => 2 * score)), 1e-12);
      }),
    );
  });
  it('a union with itself is itself, and its members’ order does not matter; likewise intersection', () => {
    same(formula(union('L', 'L')), 'L');
    same(formula(union('L', 'S')), formula(union('S', 'L')));
    same(formula({ op: 'intersection', of: ['L', 'L'] }), 'L');
  });
  it('a union is at least each member, token by token, before it is normalised', () => {
    fc.assert(
      fc.property(rows, (views) => {
        const joined = evaluate(
          maximum([logSoftmax(logits('L')), logSoftmax(logits('S'))]),
          ({ model }) => views[model]!,
        );
        for (const name of ['L', 'S'])
          normalise(views[name]!).forEach((logprob, id) => expect(joined[id]).toBeGreaterThanOrEqual(logprob));
      }),
    );
  });
  it('Q1 − λ·union(Q1, Q2) leaves the ratios of tokens that Q2 does not prefer', () => {
    const steered = formula(sum([1, 'L'], [-0.96, union('L', 'S')]));
    fc.assert(
      fc.property(rows, (views) => {
        const out = law(steered, views);
        const [one, two] = ['L', 'S'].map((name) => normalise(views[name]!));
        const kept = [...out.keys()].filter((id) => two![id]! <= one![id]!);
        fc.pre(kept.length > 0);
        const [first] = kept;
        // Not so for the others: their score is 25·l1 − 24·l2.
        for (const id of kept) expect(out[id]! - out[first!]!).toBeCloseTo(one![id]! - one![first!]!, 9);
        for (const id of [...out.keys()].filter((other) => two![other]! > one![other]!))
          expect(out[id]! - out[first!]!).toBeCloseTo(25 * one![id]! - 24 * two![id]! - one![first!]!, 8);
      }),
    );
  });
  it.each([
    ['a sum of 0', sum([1, 'L'], [-1, 'S'])],
    ['a sum below 0', sum([1, 'L'], [-2, 'S'])],
    ['a nested sum below 0', sum([1, 'L'], [2, sum([1, 'F'], [-2, 'S'])])],
    [
      'one below 0 under a mask',
      { op: 'masked', of: sum([1, 'L'], [-2, 'S']), mask: { op: 'plausible', of: 'L', ratio: 0.1 } },
    ],
  ])('%s is refused', (_, expression) => {
    expect(() => buildDecoding(formula(expression), options)).toThrow(/add up to more than 0/);
  });
  it('0 under a mask is contrastive decoding', () => {
    const mask = { op: 'plausible', of: 'L', ratio: 0.1 };
    same(formula({ op: 'masked', of: sum([1, 'L'], [-1, 'S']), mask }), {
      method: 'contrastive',
      expert: 'L',
      amateur: 'S',
      form: 'original',
      contrast: 1,
    });
  });
  it('every other method can be written as one', () => {
    same(formula(sum([1, 'L'], [1.5, sum([1, 'F'], [-1, 'S'])])), { ...eft, weight: 1.5 });
    const fused = { op: 'fused', base: 'L', reference: 'S', experts: ['F', 'G'], search: 'joint', bounds: [2, 1] };
    same(formula(fused), {
      method: 'fusion',
      base: 'L',
      reference: 'S',
      experts: ['F', 'G'],
      search: 'joint',
      bounds: [2, 1],
    });
  });
});

describe('dpa', () => {
  it.each([
    [0, '100', '0'],
    [-15, '97', '-26'],
    [-30, '87', '-50'],
    [-45, '71', '-71'],
    [20, '94', '34'],
    [90, '0', '100'],
  ])('%i degrees are told as %s and %s', (direction, help, brevity) => {
    const { prompts } = buildDecoding({ method: 'dpa', inner: 'F', direction }, options);
    expect([...prompts.values()]).toEqual([{ kind: 'system', text: `Maximise help*${help} + brevity*${brevity}.` }]);
  });
  it('degrees, vector and names of one direction are one prompt, whatever its length', () => {
    const of = (direction: unknown): unknown =>
      buildDecoding({ method: 'dpa', inner: 'F', direction }, options).distribution;
    const expected = of([0.8, -0.6]);
    expect(of({ help: 8, brevity: -6 })).toEqual(expected);
    expect(of((Math.atan2(-0.6, 0.8) / Math.PI) * 180)).toEqual(expected);
  });
  it('the whole numbers tell the angle to within 0.4 degrees', () => {
    for (let degrees = -180; degrees <= 180; degrees += 0.25) {
      const radians = (degrees / 180) * Math.PI;
      const text = directionPrompt({ template: '{help} {brevity}', axes: card.axes }, [
        Math.cos(radians),
        Math.sin(radians),
      ]);
      const [x = NaN, y = NaN] = text.split(' ').map(Number);
      const error = Math.abs(Math.atan2(y, x) - radians) % (2 * Math.PI);
      expect((Math.min(error, 2 * Math.PI - error) / Math.PI) * 180).toBeLessThan(0.4);
    }
  });
  it('experts: an axis alone is its expert; the division keeps the temperature of two', () => {
    const blend = (direction: unknown, more: object = {}): object => ({
      method: 'dpa',
      mode: 'experts',
      experts: { help: 'F', brevity: 'G' },
      direction,
      ...more,
    });
    same(blend({ help: 2 }), 'F');
    same(blend(90), 'G');
    same(blend([1, 1]), { method: 'realign', aligned: 'F', reference: 'G', strength: 0.5 });
    same(blend({ help: 1 }, { reference: 'S' }), 'F');
    same(blend([0.6, -0.8], { reference: 'S' }), {
      method: 'static_fusion',
      base: 'S',
      reference: 'S',
      experts: [
        { model: 'F', weight: 0.6 },
        { model: 'G', weight: -0.8 },
      ],
    });
  });
});

describe('rows that break things', () => {
  const specs: Record<string, object> = {
    plain: { method: 'plain', model: 'L' },
    eft: { ...amplified, weight: 2, keep: 0.5 },
    fusion: { method: 'fusion', base: 'L', reference: 'S', experts: ['F', 'G'], search: 'joint' },
    static_fusion: { method: 'static_fusion', base: 'L', reference: 'S', experts: 'F' },
    realign: { method: 'realign', aligned: 'F', reference: 'S', strength: 3 },
    guidance: { method: 'guidance', model: 'L', weight: 5 },
    contrastive: { method: 'contrastive', expert: 'L', amateur: 'S', form: 'original' },
    dcd: { method: 'dcd', positive: 'L', negative: 'S', contrast: 3 },
    vcd: { method: 'vcd', model: 'L', contrast: 3 },
    dpa: { method: 'dpa', mode: 'experts', experts: { help: 'F', brevity: 'G' }, direction: 30, reference: 'S' },
    formula: {
      method: 'formula',
      expression: { op: 'where', mask: { op: 'nucleus', of: 'F', mass: 0.5 }, then: 'L', otherwise: 'S' },
    },
  };
  const wild = fc
    .array(fc.oneof(fc.constantFrom(-Infinity, 1e4, -1e4, 0, -0), fc.double({ min: -9, max: 9 })), {
      minLength: 4,
      maxLength: 4,
    })
    .map((scores) => Float64Array.from(scores));

  it.each(methods.map(({ name }) => name))('%s: no NaN from numbers, NaN from NaN', (name) => {
    const { distribution } = buildDecoding(specs[name], options);
    fc.assert(
      fc.property(fc.record({ L: wild, S: wild, F: wild, G: wild }), (views) => {
        const read = evaluate(distribution, ({ model }) => views[model as 'L']);
        const broken = buildDecoding(specs[name], options).distribution;
        const used = new Set(
          JSON.stringify(broken)
            .match(/"model":"\w"/g)
            ?.map((text) => text.at(-2)),
        );
        const isBroken = Object.entries(views).some(([model, scores]) => used.has(model) && scores.some(Number.isNaN));
        expect(read.some(Number.isNaN)).toBe(isBroken);
        expect(statusOf(read)).toBe(isBroken ? 'nan' : read.some((score) => score > -Infinity) ? 'ok' : 'dead');
      }),
    );
  });
  it.each(methods.map(({ name }) => name))('%s: a vocabulary of one', (name) => {
    const { distribution } = buildDecoding(specs[name], options);
    expect(Array.from(normalise(evaluate(distribution, () => [3])))).toEqual([0]);
  });
});
