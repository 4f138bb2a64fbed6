// Random expressions, logits, sampler rows and edits over tiny vocabularies, for fast-check. Logits are multiples of
// 1/64 and weights of 1/4, so that float32 sums of a few of them are exact and ties are real ties.
import fc from 'fast-check';
import {
  fused,
  linear,
  logits,
  logSoftmax,
  masked,
  maximum,
  minimum,
  nucleus,
  plausible,
  viewKey,
  viewsOf,
  where,
} from '../../decoders/expr.js';
import type { FusionSearch, Logprobs, Mask, Scores, View } from '../../decoders/expr.js';
import type { Edits, Warp } from '../../decoders/warp.js';

export const modelNames = ['a', 'b', 'c', 'd'] as const;

export const weights = fc.integer({ min: -8, max: 8 }).map((quarters) => quarters / 4);
export const logit = fc.integer({ min: -512, max: 512 }).map((steps) => steps / 64);

export interface TreeOptions {
  readonly depth: number;
  /** false: views, linear and log softmax only. */
  readonly masks: boolean;
  /** Dynamic fusion too, whose weights jump where two experts do equally well. */
  readonly fusion?: boolean;
}

export function scoresTree({ depth, masks, fusion = false }: TreeOptions): fc.Arbitrary<Scores> {
  const leaf: fc.Arbitrary<Scores> = fc.constantFrom(...modelNames).map((model) => logits(model));
  if (depth === 0) return leaf;
  const inner = scoresTree({ depth: depth - 1, masks, fusion });
  const normal: fc.Arbitrary<Logprobs> = inner.map(logSoftmax);
  const sum: fc.Arbitrary<Scores> = fc
    .array(fc.tuple(weights, inner), { minLength: 1, maxLength: 3 })
    .map((terms) => linear(terms));
  if (!masks)
    return fc.oneof({ weight: 2, arbitrary: leaf }, { weight: 4, arbitrary: sum }, { weight: 1, arbitrary: normal });
  const several = fc.array(normal, { minLength: 1, maxLength: 3 });
  const mask = maskOver(normal);
  return fc.oneof(
    { weight: 2, arbitrary: leaf },
    { weight: 4, arbitrary: sum },
    { weight: 1, arbitrary: normal },
    { weight: 1, arbitrary: several.map(maximum) },
    { weight: 1, arbitrary: several.map(minimum) },
    { weight: 1, arbitrary: fc.tuple(mask, inner, inner).map(([m, then, otherwise]) => where(m, then, otherwise)) },
    { weight: 1, arbitrary: fc.tuple(inner, mask).map(([of, m]) => masked(of, m)) },
    ...(fusion ? [{ weight: 2, arbitrary: fusionOver(normal) }] : []),
  );
}

function fusionOver(of: fc.Arbitrary<Logprobs>): fc.Arbitrary<Scores> {
  const bound = fc.constantFrom(0, 0.5, 1, 2);
  const members = fc.array(fc.tuple(of, bound), { minLength: 1, maxLength: 3 });
  return fc
    .tuple(of, of, members, fc.constantFrom<FusionSearch>('single', 'joint'))
    .map(([base, reference, experts, search]) =>
      fused({ base, reference, experts: experts.map(([x]) => x), search, bounds: experts.map(([, b]) => b) }),
    );
}

function maskOver(of: fc.Arbitrary<Logprobs>): fc.Arbitrary<Mask> {
  const fraction = fc.constantFrom(0, 0.013, 0.11, 0.37, 0.61, 0.93, 1);
  return fc.oneof(
    fc.tuple(of, fraction).map(([x, ratio]) => plausible(x, ratio)),
    fc.tuple(of, fraction).map(([x, mass]) => nucleus(x, mass)),
  );
}

/** One row of logits per view of `expr`. */
export type Rows = ReadonlyMap<string, Float32Array>;

export function rowsFor(expr: Scores, vocabSize: number): fc.Arbitrary<Rows> {
  const views = viewsOf(expr);
  const row = fc
    .array(logit, { minLength: vocabSize, maxLength: vocabSize })
    .map((values) => Float32Array.from(values));
  return fc
    .tuple(...views.map(() => row))
    .map((rows) => new Map(views.map((view, index) => [viewKey(view), rows[index]!])));
}

export function rowOf(rows: Rows): (view: View) => Float32Array {
  return (view) => rows.get(viewKey(view))!;
}

export const warp: fc.Arbitrary<Warp> = fc.record({
  temperature: fc.constantFrom(0, 0.3, 0.7, 1, 1, 1.9),
  topK: fc.constantFrom(0, 0, 0, 1, 2, 3, 5, 100),
  topP: fc.constantFrom(1, 1, 1, 0.01, 0.4, 0.77, 0.95, 0.999),
  minP: fc.constantFrom(0, 0, 0.03, 0.2, 0.9),
});

export function edits(vocabSize: number): fc.Arbitrary<Edits> {
  const add = fc.oneof({ weight: 4, arbitrary: logit }, { weight: 1, arbitrary: fc.constant(-Infinity) });
  const entry = fc.tuple(fc.integer({ min: 0, max: vocabSize - 1 }), add, fc.constantFrom(1, 1, 1.25, 2, 0.5));
  return fc.uniqueArray(entry, { selector: ([id]) => id, maxLength: Math.min(4, vocabSize) }).map((entries) => ({
    ids: entries.map(([id]) => id),
    add: entries.map(([, value]) => value),
    repetition: entries.map(([, , factor]) => factor),
  }));
}
