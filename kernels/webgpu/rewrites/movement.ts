// Rewrites of what moves elements by places that are computed.
import { GraphError, type Value } from '../../graph.js';
import * as ops from '../../ops.js';
import { axisOf, back, type Rewrites } from './rewrite.js';

export const movement: Rewrites = {
  Range: (node, legal) => {
    const origin = legal.originOf(node.inputs[1] ?? '');
    if (origin === undefined) throw new GraphError('Range: the device needs a length that the host says.');
    const all = legal.iota([legal.axes.longest], 0);
    const inputs = [all, legal.g.constant('int64', [1], [0]), legal.host(origin), null];
    const shape = node.outputs[0]?.shape ?? [];
    return ops.Cast(legal.g.node('Slice', inputs, [{ dtype: 'float32', shape }])[0] as Value, 'int32');
  },
  // [R, n, m] by [R, 1]: row r's slice.
  GatherND: (node, legal) => {
    const [data, place] = [legal.in(node, 0), legal.in(node, 1)];
    const width = data.shape[2];
    if (typeof width !== 'number') throw new GraphError('GatherND: the device needs a last axis of known length.');
    const everywhere = ops.Add(
      ops.Unsqueeze(place, [2]),
      legal.g.constant('int32', [1, 1, width], new Int32Array(width)),
    );
    return ops.Squeeze(ops.GatherElements(data, everywhere, { axis: 1 }), [1]);
  },
  GatherElements: (node, legal) => {
    const data = legal.in(node, 0);
    const at = { axis: axisOf(node) };
    if (data.dtype === 'float32') return ops.GatherElements(data, legal.index(node, 1), at);
    return back(ops.GatherElements(ops.Cast(data, 'float32'), legal.index(node, 1), at), data.dtype);
  },
  ScatterElements: (node, legal) => {
    const [data, updates] = [legal.in(node, 0), legal.in(node, 2)];
    const at = { axis: axisOf(node) };
    const index = legal.index(node, 1);
    if (data.dtype === 'float32') return ops.ScatterElements(data, index, updates, at);
    const floats = ops.ScatterElements(ops.Cast(data, 'float32'), index, ops.Cast(updates, 'float32'), at);
    return back(floats, data.dtype);
  },
};
