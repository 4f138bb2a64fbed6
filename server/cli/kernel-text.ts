// The graph that a distribution's views meet in, as text, for `explain --graph`: the variant of one request that samples from the whole
// vocabulary at its own temperature.
import { viewsOf, type Scores } from '../../decoders/expr.js';
import { slotVariants } from '../../kernels/logits/variants.js';
import { buildKernel } from '../../kernels/logits/kernel.js';
import { print } from '../../kernels/print.js';

/** Any would do: the structure does not depend on it beyond the blocks of the sampler. */
const SHOWN_VOCABULARY = 32_000;

export function kernelText(distribution: Scores): string {
  const graph = buildKernel('explain', distribution, {
    vocabSize: SHOWN_VOCABULARY,
    views: viewsOf(distribution).map(() => ({ gathered: false, width: SHOWN_VOCABULARY })),
    slots: slotVariants([distribution]),
    soundness: 'assumed',
    trace: false,
    draft: null,
    sortsMany: false,
    sampler: {
      kind: 'full',
      edits: false,
      mask: false,
      temperature: true,
      minP: false,
      greedyRows: false,
      wholeMass: false,
      logprob: true,
      top: false,
      full: false,
    },
  });
  return print(graph);
}
