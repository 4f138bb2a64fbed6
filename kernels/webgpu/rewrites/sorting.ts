// The rewrite of TopK, which has two outputs: numbers, and places that stay int64.
import type { Node } from '../../graph.js';
import * as ops from '../../ops.js';
import type { LegalValues } from '../legal-values.js';
import { axisOf } from './rewrite.js';

/** Stands for −∞ while elements are sorted; no score comes near it. */
const LOWEST = Math.fround(-3e38);

export function topK(node: Node, legal: LegalValues): void {
  const x = legal.in(node, 0);
  // The device fills up with its lowest number, which −∞ would lose against.
  const floats = ops.Max(ops.Cast(x, 'float32'), LOWEST);
  const [values, indices] = node.outputs;
  const dim = values?.shape.at(-1) ?? 'K';
  const found = ops.TopK(floats, { value: legal.host(node.inputs[1] ?? ''), dim }, { axis: axisOf(node) });
  const exact = ops.Where(ops.Equal(found.values, LOWEST), -Infinity, found.values);
  if (values) legal.set(values.name, x.dtype === 'float32' ? exact : ops.Cast(found.values, x.dtype));
  if (indices) legal.setRaw(indices.name, found.indices);
}
