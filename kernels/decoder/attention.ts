// Decomposed attention with delta outputs: scores over past keys where they lie, scores over the new ones, one softmax over both, two
// products added. Past keys and values are inputs, only the new tokens' leave the graph. Query heads that share a key head are
// folded into the token axis, ordered [group][token], so that each key head needs one product.
//
// Shapes: B rows, S new tokens, M past slots, N = B·S tokens. Called by build.ts.
import { addDims, multiplyDims } from '../dims.js';
import type { GraphBuilder, Value } from '../graph.js';
import * as ops from '../ops.js';
import type { Linear } from './linear.js';
import {
  cosInput,
  maskInput,
  pastKeyInput,
  pastValueInput,
  ropeIndexInput,
  rowsWidthInput,
  sinInput,
  splitInput,
} from './ports.js';
import type { DecoderSpec, LayerSpec } from './spec.js';
import type { LayerNames } from './family.js';
import type { Tensors } from './tensors.js';

export interface AttentionResult {
  /** [N, hidden] */
  readonly output: Value;
  /** [B, kvHeads, S, headDim] */
  readonly newKeys: Value;
  readonly newValues: Value;
}

/** What attention shares over layers: the inputs, made at first use. */
export class AttentionInputs {
  readonly #g: GraphBuilder;
  readonly #made = new Map<string, Value>();

  constructor(g: GraphBuilder) {
    this.#g = g;
  }

  #once(name: string, make: (name: string) => Value): Value {
    const known = this.#made.get(name) ?? make(name);
    this.#made.set(name, known);
    return known;
  }

  rowsWidth(): Value {
    return this.#once(rowsWidthInput, (name) => this.#g.input(name, 'int64', [2]));
  }

  pastAndNew(): Value {
    return this.#once(splitInput, (name) => this.#g.input(name, 'int64', [2]));
  }

  mask(window: number | null, group: number): Value {
    const shape = ['B', 1, multiplyDims([group, 'S']), addDims(['M', 'S'])];
    return this.#once(maskInput(window, group), (name) => this.#g.input(name, 'float32', shape));
  }

  rope(index: number, width: number): { readonly cos: Value; readonly sin: Value; readonly index: Value } {
    const table = (name: string): Value => this.#g.input(name, 'float32', ['N', width]);
    return {
      cos: this.#once(cosInput(index), table),
      sin: this.#once(sinInput(index), table),
      index: this.#once(ropeIndexInput, (name) => this.#g.input(name, 'int64', ['B', 'S'])),
    };
  }
}

interface Context {
  readonly g: GraphBuilder;
  readonly spec: DecoderSpec;
  readonly linear: Linear;
  readonly tensors: Tensors;
  readonly inputs: AttentionInputs;
}

/** q, k over the whole projection before the heads are split (OLMo 2). */
function normWholeProjection(
  { linear, spec, tensors }: Context,
  qkv: Value,
  layer: LayerSpec,
  names: LayerNames,
  role: string,
): Value {
  const { heads, kvHeads, headDim } = layer;
  const sizes = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
  const [q, k, v] = ops.Split(qkv, sizes, 1);
  if (!q || !k || !v || !names.qNorm || !names.kNorm) throw new Error(`${role}: no names of the q and k norms`);
  const { epsilon, offset } = spec.norm;
  const norm = (x: Value, name: string, kind: string, length: number): Value =>
    ops.SimplifiedLayerNormalization(
      x,
      linear.vector(`${role}.${kind}`, length, tensors.vector(`${name}.weight`, length, offset)),
      { epsilon },
    );
  const qNormed = norm(q, names.qNorm, 'q_norm', heads * headDim);
  const kNormed = norm(k, names.kNorm, 'k_norm', kvHeads * headDim);
  return ops.Concat([qNormed, kNormed, v], 1);
}

/** Each head of q and k: one norm without scale over all heads, then the scales of q and k repeated over their heads. */
function normHeads({ g, spec, tensors }: Context, qk: Value, layer: LayerSpec, names: LayerNames, role: string): Value {
  const { heads, kvHeads, headDim } = layer;
  if (!names.qNorm || !names.kNorm) throw new Error(`${role}: no names of the q and k norms`);
  const { epsilon, offset } = spec.norm;
  const q = tensors.vector(`${names.qNorm}.weight`, headDim, offset);
  const k = tensors.vector(`${names.kNorm}.weight`, headDim, offset);
  const scales = g.weight(`${role}.qk_norm`, 'float32', [heads + kvHeads, 1, headDim], () => {
    const all = new Float32Array((heads + kvHeads) * headDim);
    const [forQueries, forKeys] = [q(), k()];
    for (let head = 0; head < heads + kvHeads; head++) all.set(head < heads ? forQueries : forKeys, head * headDim);
    return new Uint8Array(all.buffer);
  });
  const ones = g.constant('float32', [headDim], new Float32Array(headDim).fill(1));
  return ops.Mul(ops.SimplifiedLayerNormalization(qk, ones, { epsilon }), scales);
}

export function attention(
  context: Context,
  x: Value,
  index: number,
  layer: LayerSpec,
  names: LayerNames,
): AttentionResult {
  const { g, spec, linear, tensors, inputs } = context;
  const { heads, kvHeads, headDim, scale, softcap } = layer;
  const role = `layer.${index}.attention`;
  const group = heads / kvHeads;
  const sizes = [heads * headDim, kvHeads * headDim, kvHeads * headDim];

  let qkv = linear.apply(
    x,
    tensors.matrix(`${role}.qkv`, names.qkv, sizes, spec.hiddenSize),
    tensors.bias(names.qkv, sizes, layer.qkvBias),
  );
  if (layer.qkNorm === 'full') qkv = normWholeProjection(context, qkv, layer, names, role);

  // [N, all heads · D] → [B, all heads, S, D]
  const allHeads = heads + 2 * kvHeads;
  const shape = ops.Concat([inputs.rowsWidth(), g.constant('int64', [2], [allHeads, headDim])], 0);
  const byHead = ops.Transpose(ops.ReshapeTo(qkv, shape, ['B', 'S', allHeads, headDim]), [0, 2, 1, 3]);
  const [qkRaw, newValues] = ops.Split(byHead, [heads + kvHeads, kvHeads], 1);
  if (!qkRaw || !newValues) throw new Error('Split gave no values');
  let qk = layer.qkNorm === 'head' ? normHeads(context, qkRaw, layer, names, role) : qkRaw;
  if (layer.rope !== null) {
    const width = spec.ropes[layer.rope]?.frequencies.length ?? 0;
    const rope = inputs.rope(layer.rope, width);
    const partial = 2 * width < headDim ? { rotaryDim: 2 * width, heads: heads + kvHeads } : {};
    qk = ops.RotaryEmbedding(qk, rope.index, rope.cos, rope.sin, partial);
  }
  const [qHeads, newKeys] = ops.Split(qk, [heads, kvHeads], 1);
  if (!qHeads || !newKeys) throw new Error('Split gave no values');
  const q = group === 1 ? qHeads : ops.Reshape(qHeads, [0, kvHeads, -1, headDim]);

  const pastKeys = g.input(pastKeyInput(index), 'float32', ['B', kvHeads, 'M', headDim]);
  const pastValues = g.input(pastValueInput(index), 'float32', ['B', kvHeads, 'M', headDim]);
  const alpha = softcap === null ? scale : scale / softcap;
  let scores = ops.Concat(
    [ops.FusedMatMul(q, pastKeys, { alpha, transB: true }), ops.FusedMatMul(q, newKeys, { alpha, transB: true })],
    3,
  );
  if (softcap !== null) scores = ops.Mul(ops.Tanh(scores), softcap);
  const probs = ops.Softmax(ops.Add(scores, inputs.mask(layer.window, group)));
  const [overPast, overNew] = ops.SplitBy(probs, inputs.pastAndNew(), 3, ['M', 'S']);
  if (!overPast || !overNew) throw new Error('Split gave no values');
  const mixed = ops.Add(ops.MatMul(overPast, pastValues), ops.MatMul(overNew, newValues));

  // [B, kvHeads, group·S, D] → [N, heads·D]
  const perHead = group === 1 ? mixed : ops.Reshape(mixed, [0, heads, -1, headDim]);
  const merged = ops.Transpose(perHead, [0, 2, 1, 3]);
  const flat = ops.Reshape(merged, [-1, heads * headDim], ['N', heads * headDim]);
  const output = linear.apply(
    flat,
    tensors.matrix(`${role}.output`, [names.output], [spec.hiddenSize], heads * headDim),
    tensors.bias([names.output], [spec.hiddenSize], layer.outputBias),
  );
  return { output, newKeys, newValues };
}
