// Rewrites of what is done number by number.
import * as ops from '../../ops.js';
import { legalDtype } from '../legal-values.js';
import type { Rewrites } from './rewrite.js';

export const elementwise: Rewrites = {
  Or: (node, legal) => ops.Not(ops.And(ops.Not(legal.in(node, 0)), ops.Not(legal.in(node, 1)))),
  IsNaN: (node, legal) => {
    const x = legal.in(node, 0);
    return ops.Not(ops.Equal(x, x));
  },
  // A device's logarithm of 0 is some large negative number.
  Log: (node, legal) => {
    const x = legal.in(node, 0);
    return ops.Where(ops.Equal(x, 0), -Infinity, ops.Log(x));
  },
  Cast: (node, legal) => {
    const [output] = node.outputs;
    legal.inherit(node.inputs[0] ?? '', output?.name ?? '');
    return ops.Cast(legal.in(node, 0), legalDtype(output?.dtype ?? 'float32'));
  },
  Neg: (node, legal) => ops.Sub(0, legal.in(node, 0)),
  Clip: (node, legal) => {
    const [low, high] = [node.inputs[1] ?? '', node.inputs[2] ?? ''];
    const above = low === '' ? legal.in(node, 0) : ops.Max(legal.in(node, 0), legal.value(low));
    return high === '' ? above : ops.Min(above, legal.value(high));
  },
  // Of numbers that are not negative.
  Mod: (node, legal) => {
    const [x, by] = [legal.in(node, 0), legal.in(node, 1)];
    return ops.Sub(x, ops.Mul(ops.Div(x, by), by));
  },
};
