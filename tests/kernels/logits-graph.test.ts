// The graphs of the logit kernels as such: every variant is legal by the executable grammar, and the two most used ones
// are what the golden files say. A golden changes only in a commit that says why.
import { describe, expect, it } from 'vitest';
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
  slotsOf,
  viewsOf,
  where,
} from '../../decoders/expr.js';
import type { FusionSearch, Scores } from '../../decoders/expr.js';
import { buildKernel, type KernelVariant } from '../../kernels/logits/kernel.js';
import type { SamplerKind, SamplerVariant } from '../../kernels/logits/stage.js';
import { print } from '../../kernels/print.js';
import { violations } from '../../kernels/verify.js';

const [L, F, S] = [logits('large'), logits('small-chat'), logits('small')];
const eft = (weight: number): Scores =>
  linear([
    [1, L],
    [
      weight,
      linear([
        [1, F],
        [-1, S],
      ]),
    ],
  ]);
const fusion = (search: FusionSearch, count: number): Scores => {
  const experts = [F, logits('b'), logits('c')].slice(0, count).map(logSoftmax);
  return fused({ base: logSoftmax(L), reference: logSoftmax(S), experts, search, bounds: experts.map(() => 2) });
};
const contrast = masked(
  linear([
    [1, L],
    [-0.5, S],
  ]),
  plausible(logSoftmax(L), 0.1),
);
const exprs: readonly (readonly [string, Scores])[] = [
  ['plain', L],
  ['eft', eft(0.5)],
  [
    'eft of an eft',
    linear([
      [1, eft(2)],
      [
        1,
        linear([
          [1, F],
          [-1, S],
        ]),
      ],
    ]),
  ],
  [
    'only subtracted',
    linear([
      [-1, L],
      [-1, S],
    ]),
  ],
  ['log softmax', logSoftmax(eft(1))],
  [
    'union and intersection',
    linear([
      [0.5, maximum([logSoftmax(L), logSoftmax(S)])],
      [1, minimum([logSoftmax(F)])],
    ]),
  ],
  ['weight filter', where(nucleus(logSoftmax(F), 0.9), eft(1), F)],
  ['contrast', contrast],
  ['fusion', fusion('single', 1)],
  ['joint fusion of three, inside a sum', linear([[0.5, fusion('joint', 3)]])],
  ['masks in masks', masked(eft(1), nucleus(logSoftmax(masked(F, nucleus(logSoftmax(L), 0.5))), 0.9))],
];

const off: SamplerVariant = {
  kind: 'greedy',
  edits: false,
  mask: false,
  temperature: false,
  minP: false,
  greedyRows: false,
  wholeMass: false,
  logprob: true,
  top: false,
  full: false,
};

function variantOf(expr: Scores, sampler: Partial<SamplerVariant>, more: Partial<KernelVariant> = {}): KernelVariant {
  return {
    vocabSize: 128_256,
    views: viewsOf(expr).map(() => ({ gathered: false, width: 128_256 })),
    trace: false,
    draft: null,
    sortsMany: false,
    slots: slotsOf(expr).map(({ kind, value }) =>
      kind === 'weight' && value === 1 ? 'one' : kind === 'weight' && value === -1 ? 'minus one' : 'bound',
    ),
    soundness: 'assumed',
    sampler: { ...off, ...sampler },
    ...more,
  };
}

const kinds: readonly SamplerKind[] = ['greedy', 'full', 'filtered', 'nucleus'];

describe.each(exprs)('%s', (name, expr) => {
  it.each(kinds)('every variant of the %s sampler is a legal graph', (kind) => {
    for (const flags of [0, 1, 2, 4, 8, 16, 32, 63]) {
      const on = (bit: number): boolean => (flags & (1 << bit)) !== 0;
      const sampler = {
        kind,
        edits: on(0),
        temperature: on(1) && kind !== 'greedy',
        minP: on(2) && kind !== 'greedy',
        greedyRows: on(3) && kind === 'full',
        wholeMass: on(3) && kind === 'filtered',
        logprob: !on(2),
        top: on(4),
        full: on(4),
      };
      const views = viewsOf(expr).map(() => ({ gathered: on(5), width: on(4) ? 50_304 : 50_257 }));
      const more = { vocabSize: 50_257, views, soundness: on(5) ? 'checked' : 'assumed', trace: on(3) } as const;
      expect(violations(buildKernel(name, expr, variantOf(expr, sampler, more)))).toEqual([]);
    }
  });
});

describe('golden graphs', () => {
  it('plain, greedy', async () => {
    const text = print(buildKernel('plain-greedy', L, variantOf(L, {})));
    await expect(text).toMatchFileSnapshot('golden/plain-greedy.txt');
  });

  it('eft, sampling from the whole vocabulary', async () => {
    const text = print(buildKernel('eft-full', eft(0.5), variantOf(eft(0.5), { kind: 'full', temperature: true })));
    await expect(text).toMatchFileSnapshot('golden/eft-full.txt');
  });

  it.each<[string, Scores]>([
    ['nested-eft', exprs.find(([name]) => name === 'eft of an eft')![1]],
    ['union', exprs.find(([name]) => name === 'union and intersection')![1]],
    ['weight-filter', exprs.find(([name]) => name === 'weight filter')![1]],
    ['contrast', contrast],
    ['fusion', fusion('single', 1)],
    ['fusion-of-two', fusion('single', 2)],
    ['joint-fusion', fusion('joint', 2)],
  ])('%s, greedy', async (name, expr) => {
    const text = print(buildKernel(name, expr, variantOf(expr, {})));
    await expect(text).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  it('plain with a trace', async () => {
    const text = print(buildKernel('trace', L, variantOf(L, { kind: 'full' }, { trace: true })));
    await expect(text).toMatchFileSnapshot('golden/trace.txt');
  });

  it('equal views are one input, equal parts are computed once', () => {
    const twice = where(
      nucleus(logSoftmax(F), 0.9),
      linear([
        [1, logSoftmax(F)],
        [1, logSoftmax(F)],
      ]),
      F,
    );
    const graph = buildKernel('shared', twice, variantOf(twice, {}));
    expect(graph.inputs.filter(({ name }) => name.startsWith('view_'))).toHaveLength(1);
    expect(graph.nodes.filter(({ op }) => op === 'LogSoftmax')).toHaveLength(1);
  });
});
