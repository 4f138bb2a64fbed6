// Rewrites of what goes along an axis and leaves one number of it, or the place of one.
import { GraphError, type Node, type Value } from '../../graph.js';
import { gridOf } from '../../logits/blocks.js';
import * as ops from '../../ops.js';
import type { LegalValues } from '../legal-values.js';
import { axisOf, isSet, type Rewrites } from './rewrite.js';

/**
 * A longer axis is reduced in two steps, √n numbers at a time: one after the other, as the device takes them, 128 256 probabilities of a flat
 * row sum to 1 with an error of 1e-4 (and one thread does all the work).
 */
const LONGEST_REDUCED = 512;

export const reduction: Rewrites = {
  LogSoftmax: (node, legal) => {
    const x = legal.in(node, 0);
    const axes = { axes: [axisOf(node)], keepdims: true };
    const below = ops.Sub(x, inTwo('ReduceMax', x, axes));
    return ops.Sub(below, ops.Log(inTwo('ReduceSum', ops.Exp(below), axes)));
  },
  ReduceMax: (node, legal) => reduced('ReduceMax', node, legal),
  ReduceMin: (node, legal) => reduced('ReduceMin', node, legal),
  ReduceSum: (node, legal) => reduced('ReduceSum', node, legal),
  ArgMax: (node, legal) => place(node, legal, 'ReduceMax'),
  ArgMin: (node, legal) => place(node, legal, 'ReduceMin'),
};

function reduced(op: Reduction, node: Node, legal: LegalValues): Value {
  const axes = legal.known(node, 1, 'axes that are known');
  return inTwo(op, legal.in(node, 0), { axes, keepdims: isSet(node, 'keepdims') });
}

/** The first place of the extreme element. */
function place(node: Node, legal: LegalValues, reduce: Reduction): Value {
  const x = legal.in(node, 0);
  const axis = axisOf(node);
  const length = x.shape[axis];
  if (typeof length !== 'number') throw new GraphError(`${node.op}: the device needs an axis of known length.`);
  const iota = legal.iota(
    x.shape.map((_, i) => (i === axis ? length : 1)),
    axis,
  );
  const best = inTwo(reduce, x, { axes: [axis], keepdims: true });
  const places = ops.Where(ops.Equal(x, best), iota, length - 1);
  return ops.Cast(inTwo('ReduceMin', places, { axes: [axis], keepdims: isSet(node, 'keepdims') }), 'int32');
}

type Reduction = 'ReduceMax' | 'ReduceMin' | 'ReduceSum';

/** What changes nothing in a reduction. */
const neutral: Readonly<Record<Reduction, number>> = { ReduceMax: -Infinity, ReduceMin: Infinity, ReduceSum: 0 };

/** The reduction, in two steps where it goes along a long last axis. */
function inTwo(
  op: Reduction,
  x: Value,
  options: { readonly axes: readonly number[]; readonly keepdims: boolean },
): Value {
  const last = x.shape.length - 1;
  const length = x.shape[last];
  const [axis = last, ...more] = options.axes;
  const isLong = typeof length === 'number' && length > LONGEST_REDUCED && more.length === 0;
  if (!isLong || (axis !== last && axis !== -1) || x.dtype !== 'float32') return ops[op](x, options);
  const { blocks, size } = gridOf(length);
  const missing = blocks * size - length;
  const padded = missing > 0 ? ops.Pad(x, { axis: last, before: 0, after: missing, value: neutral[op] }) : x;
  const before = x.shape.slice(0, -1);
  const grid = ops.Reshape(padded, [...before.map(() => 0), blocks, size], [...before, blocks, size]);
  const ofBlocks = ops[op](grid, { axes: [last + 1], keepdims: false });
  return ops[op](ofBlocks, { axes: [last], keepdims: options.keepdims });
}
