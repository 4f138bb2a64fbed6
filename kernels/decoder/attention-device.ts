// Attention of a decoder whose keys and values stay on the device. The cache goes in and a fresh one comes out: new tokens are put at
// their places in it, then every query looks at all of it, so that rows of any past and any number of new tokens share one graph. A write
// in place is not to be had of the provider (docs/gpu.md).
//
// Shapes: B rows, S new tokens, M slots; keys lie transposed, [B, kvHeads, D, M], because the device multiplies without transposing.
// Masks are computed from places: nothing as long as the cache crosses the bus. Called by attention.ts.
import type { GraphBuilder, Value } from '../graph.js';
import * as ops from '../ops.js';
import {
  firstFreeInput,
  lastFreeInput,
  pastKeyInput,
  pastValueInput,
  presentKeyOutput,
  presentValueOutput,
  queryPlacesInput,
  slotNumbersInput,
} from './ports.js';
import type { LayerSpec } from './spec.js';

/** Far below any score, and finite: a query that may look at nothing (padding) must not become NaN. */
const MASKED = -1e30;

export class DeviceAttention {
  readonly #g: GraphBuilder;

  constructor(g: GraphBuilder) {
    this.#g = g;
  }

  /** [N, heads·D] of what the queries see; the layer's cache becomes outputs of the graph. */
  mix(queries: Value, newKeys: Value, newValues: Value, index: number, layer: LayerSpec): Value {
    const g = this.#g;
    const { heads, kvHeads, headDim, softcap } = layer;
    const pastKeys = g.input(pastKeyInput(index), 'float32', ['B', kvHeads, headDim, 'M']);
    const pastValues = g.input(pastValueInput(index), 'float32', ['B', kvHeads, 'M', headDim]);
    const { isNew, token } = this.#placing();
    // By places and not by a product with ones and zeros, which would carry a NaN to every slot of its row.
    const keys = ops.Where(
      isNew,
      ops.GatherElements(ops.Transpose(newKeys, [0, 1, 3, 2]), this.#everywhere(token, [1, kvHeads, headDim, 1]), {
        axis: 3,
      }),
      pastKeys,
    );
    const slotsDown = (value: Value): Value => ops.Reshape(value, [0, 1, -1, 1], ['B', 1, 'M', 1]);
    const values = ops.Where(
      slotsDown(isNew),
      ops.GatherElements(newValues, this.#everywhere(slotsDown(token), [1, kvHeads, 1, headDim]), { axis: 2 }),
      pastValues,
    );
    g.output(presentKeyOutput(index), keys);
    g.output(presentValueOutput(index), values);
    const group = heads / kvHeads;
    // The heads that share a key head become further lines of it.
    const lines = group > 1 ? 'Y' : 'S';
    const q = ops.Reshape(queries, [0, kvHeads, -1, headDim], ['B', kvHeads, lines, headDim]);
    let scores = ops.MatMul(q, keys);
    if (softcap !== null) scores = ops.Mul(ops.Tanh(scores), softcap);
    const probs = ops.Softmax(ops.Add(scores, this.#mask(layer.window, group, lines)));
    const mixed = ops.Reshape(ops.MatMul(probs, values), [0, heads, -1, headDim], ['B', heads, 'S', headDim]);
    return ops.Reshape(ops.Transpose(mixed, [0, 2, 1, 3]), [-1, heads * headDim], ['N', heads * headDim]);
  }

  /** [1, 1, 1, M] int32 */
  #slots(): Value {
    return this.#g.input(slotNumbersInput, 'int32', [1, 1, 1, 'M']);
  }

  /** Which slots the new tokens take, and which of them; [B, 1, 1, M] both. */
  #placing(): { readonly isNew: Value; readonly token: Value } {
    const slots = this.#slots();
    const bound = (name: string): Value => this.#g.input(name, 'int32', ['B', 1, 1, 1]);
    const [first, last] = [bound(firstFreeInput), bound(lastFreeInput)];
    const isNew = ops.And(ops.GreaterOrEqual(slots, first), ops.Less(slots, last));
    return { isNew, token: ops.Where(isNew, ops.Sub(slots, first), 0) };
  }

  /** The same for every element that a slot holds; layers of one shape share it. */
  #everywhere(token: Value, shape: readonly number[]): Value {
    const count = shape.reduce((product, dim) => product * dim, 1);
    return ops.Add(token, this.#g.constant('int32', shape, new Int32Array(count)));
  }

  /** [B, 1, lines, M] */
  #mask(window: number | null, group: number, lines: string): Value {
    const places = this.#g.input(queryPlacesInput(group), 'int32', ['B', 1, lines, 1]);
    const slots = this.#slots();
    const reaches = ops.LessOrEqual(slots, places);
    const visible = window === null ? reaches : ops.And(reaches, ops.Greater(slots, ops.Sub(places, window)));
    return ops.Where(visible, this.#g.constant('float32', [], [0]), MASKED);
  }
}
