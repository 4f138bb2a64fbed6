// The rewrite of CumSum: along an axis whose length only the host says, and which is long, in two steps.
import type { Attributes, Dim, Value } from '../../graph.js';
import * as ops from '../../ops.js';
import { isSet, type Rewrites } from './rewrite.js';

/** Numbers that a running sum goes through in one go, where an axis is long. */
const RUNNING = 256;

/** Two numbers of the host beside one that says how long an axis is: nothing, and what it lacks to a multiple of RUNNING. */
export const paddingTwin = (input: string): string => `${input}.padding`;
export const paddingFor = (length: number): number => (RUNNING - (length % RUNNING)) % RUNNING;

export const runningSum: Rewrites = {
  CumSum: (node, legal) => {
    const x = legal.in(node, 0);
    const [axis = 0] = legal.known(node, 1, 'a known axis');
    const exclusive = isSet(node, 'exclusive');
    const length = legal.axes.areLong ? legal.lengthOf(x.shape[axis]) : null;
    if (length === null || axis !== x.shape.length - 1 || axis !== 1) return ops.CumSum(x, { axis, exclusive });
    const rows = x.shape[0] ?? 'R';
    const [padded, blocks] = [`${length} padded`, `${length} blocks`];
    const zero = legal.g.constant('float32', [], [0]);
    const at = legal.g.constant('int64', [1], [axis]);
    const padding = legal.g.input(paddingTwin(length), 'int64', [2]);
    const made = (op: string, inputs: readonly Value[], shape: readonly Dim[], attributes: Attributes = {}): Value =>
      legal.g.node(op, inputs, [{ dtype: 'float32', shape }], attributes)[0] as Value;
    const whole = made('Pad', [x, padding, zero, at], [rows, padded], { mode: { string: 'constant' } });
    const grid = ops.Reshape(whole, [0, -1, RUNNING], [rows, blocks, RUNNING]);
    const before = ops.CumSum(ops.ReduceSum(grid, { axes: [2], keepdims: false }), { axis: 1, exclusive: true });
    const running = ops.Add(ops.CumSum(grid, { axis: 2, exclusive }), ops.Unsqueeze(before, [2]));
    const flat = ops.Reshape(running, [0, -1], [rows, padded]);
    return made('Slice', [flat, legal.g.constant('int64', [1], [0]), legal.host(length), at], x.shape);
  },
};
