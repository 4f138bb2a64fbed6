// What a row's members think of its token, as nodes of a graph: for requests that ask how each token came about. Every figure is a pass
// over the vocabulary of its own. Used by kernel.ts.
import type { GraphBuilder, Value } from '../graph.js';
import { Add, Cast, Concat, Equal, Mul, ReduceSum, Squeeze, Sub, Where } from '../ops.js';
import { allowed, at, deepSoftmax, normaliserOf } from './stage.js';

const perRow = { axes: [1], keepdims: true } as const;

export interface Traced {
  /** [R, V] each, the first one being what the others steer. */
  readonly views: readonly Value[];
  /** [R, V]: edited. */
  readonly scores: Value;
  /** [R, 1] */
  readonly id: Value;
  /** [R, 1] int64: tokens that the row's filters left. */
  readonly kept: Value;
}

export function traceOutputs(graph: GraphBuilder, { views, scores, id, kept }: Traced): void {
  const [base] = views as readonly [Value, ...Value[]];
  const normalisers = views.map((view) => normaliserOf(view));
  graph.output(
    'trace_members',
    Concat(
      views.map((view, index) => Sub(at(view, id), normalisers[index] as Value)),
      1,
    ),
  );
  const { probs } = deepSoftmax(scores);
  // What has no probability adds nothing, whatever the base says of it.
  const gain = Where(Equal(scores, -Infinity), 0, Mul(probs, Sub(scores, base)));
  const shift = Sub(normalisers[0] as Value, normaliserOf(scores));
  graph.output('trace_kl', Squeeze(Add(ReduceSum(gain, perRow), shift), [1]));
  graph.output('trace_kept', Squeeze(Cast(kept, 'int32'), [1]));
  graph.output('trace_allowed', Squeeze(Cast(allowed(scores), 'int32'), [1]));
}
