// Decomposed attention with delta outputs: scores over past keys where they lie, scores over the new ones, one softmax over both, two
// products added. Past keys and values are inputs, only the new tokens' leave the graph.
//
// The G query heads that share a key head and the S new tokens are two axes [X, Y] of every product, and the host chooses how: one new
// token goes as [G, 1], because the runtime multiplies a single row by a matrix without packing (copying) keys and values first; several
// go as [1, G·S], so that they are packed once and not G times. The single-row path also wants alpha = 1: the scale of the scores is
// folded into what makes the queries.
//
// Shapes: B rows, S new tokens, M past slots, N = B·S tokens. Called by build.ts.
import { addDims } from '../dims.js';
import type { GraphBuilder, Value } from '../graph.js';
import { remembered } from '../memo.js';
import * as ops from '../ops.js';
import type { Device } from '../session.js';
import { DeviceAttention } from './attention-device.js';
import type { Linear } from './linear.js';
import {
  cosInput,
  headsShapeInput,
  maskInput,
  pastKeyInput,
  pastValueInput,
  queryShapeInput,
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
  /** New keys and values, [B, kvHeads, S, headDim] each; none where the cache stays on the device. */
  readonly fresh: readonly Value[];
}

/** What attention shares over layers: the inputs, made at first use. */
export class AttentionInputs {
  readonly #g: GraphBuilder;
  readonly #made = new Map<string, Value>();
  /** Where the cache stays on the device. */
  readonly device: DeviceAttention | null;

  constructor(g: GraphBuilder, device: Device) {
    this.#g = g;
    this.device = device === 'webgpu' ? new DeviceAttention(g) : null;
  }

  /** [B, S, allHeads, headDim] as a shape: the device concatenates no shapes, so its host says all of it. */
  headsShape(allHeads: number, headDim: number): Value {
    if (this.device) return this.#once(headsShapeInput(allHeads, headDim), (name) => this.#g.input(name, 'int64', [4]));
    return ops.Concat([this.rowsWidth(), this.#g.constant('int64', [2], [allHeads, headDim])], 0);
  }

  #once(name: string, make: (name: string) => Value): Value {
    return remembered(this.#made, name, () => make(name));
  }

  rowsWidth(): Value {
    return this.#once(rowsWidthInput, (name) => this.#g.input(name, 'int64', [2]));
  }

  pastAndNew(): Value {
    return this.#once(splitInput, (name) => this.#g.input(name, 'int64', [2]));
  }

  /** [B, 1, S, M + S], or [B, 1, 1, Y, M + S] where query heads come in groups. */
  mask(window: number | null, group: number): Value {
    const shape = ['B', ...(group > 1 ? [1, 1, 'Y'] : [1, 'S']), addDims(['M', 'S'])];
    return this.#once(maskInput(window, group), (name) => this.#g.input(name, 'float32', shape));
  }

  /** [B, kvHeads, X, Y, headDim] as a shape. */
  queryShape(kvHeads: number, headDim: number): Value {
    return this.#once(queryShapeInput(kvHeads, headDim), (name) => this.#g.input(name, 'int64', [5]));
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

/** What the scores are multiplied by; a softcap's division is part of it. */
const scoreScale = ({ scale, softcap }: LayerSpec): number => (softcap === null ? scale : scale / softcap);

/** The first `count` elements times `factor`: queries come first wherever q, k and v lie together. */
const scaled = (read: () => Float32Array, count: number, factor: number) => (): Float32Array => {
  const data = read();
  for (let i = 0; i < count; i++) data[i] = (data[i] ?? 0) * factor;
  return data;
};

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
  const norm = (x: Value, name: string, kind: string, length: number, factor: number): Value => {
    const scale = scaled(tensors.vector(`${name}.weight`, length, offset), length, factor);
    return ops.SimplifiedLayerNormalization(x, linear.vector(`${role}.${kind}`, length, scale), { epsilon });
  };
  const qNormed = norm(q, names.qNorm, 'q_norm', heads * headDim, scoreScale(layer));
  const kNormed = norm(k, names.kNorm, 'k_norm', kvHeads * headDim, 1);
  return ops.Concat([qNormed, kNormed, v], 1);
}

/** Each head of q and k: one norm without scale over all heads, then the scales of q and k repeated over their heads. */
function normHeads({ g, spec, tensors }: Context, qk: Value, layer: LayerSpec, names: LayerNames, role: string): Value {
  const { heads, kvHeads, headDim } = layer;
  if (!names.qNorm || !names.kNorm) throw new Error(`${role}: no names of the q and k norms`);
  const { epsilon, offset } = spec.norm;
  const q = scaled(tensors.vector(`${names.qNorm}.weight`, headDim, offset), headDim, scoreScale(layer));
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
  const { heads, kvHeads, headDim, softcap } = layer;
  const role = `layer.${index}.attention`;
  const group = heads / kvHeads;
  const sizes = [heads * headDim, kvHeads * headDim, kvHeads * headDim];

  if (layer.qkNorm === null)
    for (const name of [names.qNorm, names.kNorm]) if (name) tensors.refuse(`${name}.weight`, 'no norm of q and k');
  // A norm after the product would undo a scale in its rows: then the norm has it.
  const factor = layer.qkNorm === null ? scoreScale(layer) : 1;
  const matrix = tensors.matrix(`${role}.qkv`, names.qkv, sizes, spec.hiddenSize);
  const bias = tensors.bias(names.qkv, sizes, layer.qkvBias);
  const queries = heads * headDim;
  let qkv = linear.apply(
    x,
    { ...matrix, read: scaled(matrix.read, queries * spec.hiddenSize, factor) },
    bias && scaled(bias, queries, factor),
  );
  if (layer.qkNorm === 'full') qkv = normWholeProjection(context, qkv, layer, names, role);

  // [N, all heads · D] → [B, all heads, S, D]
  const allHeads = heads + 2 * kvHeads;
  const shape = inputs.headsShape(allHeads, headDim);
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
  const project = (flat: Value): Value =>
    linear.apply(
      flat,
      tensors.matrix(`${role}.output`, [names.output], [spec.hiddenSize], heads * headDim),
      tensors.bias([names.output], [spec.hiddenSize], layer.outputBias),
    );
  if (inputs.device) return { output: project(inputs.device.mix(qHeads, newKeys, newValues, index, layer)), fresh: [] };
  // Without groups the four axes do; else [B, kvHeads, X, Y, D] meets keys and values that broadcast over X.
  const grouped = group > 1;
  const q = grouped
    ? ops.ReshapeTo(qHeads, inputs.queryShape(kvHeads, headDim), ['B', kvHeads, 'X', 'Y', headDim])
    : qHeads;
  const perGroup = (value: Value): Value => (grouped ? ops.Unsqueeze(value, [2]) : value);
  const pastShape = ['B', kvHeads, ...(grouped ? [1] : []), 'M', headDim];
  const pastKeys = g.input(pastKeyInput(index), 'float32', pastShape);
  const pastValues = g.input(pastValueInput(index), 'float32', pastShape);
  let scores = ops.Concat(
    [ops.FusedMatMul(q, pastKeys, { transB: true }), ops.FusedMatMul(q, perGroup(newKeys), { transB: true })],
    -1,
  );
  if (softcap !== null) scores = ops.Mul(ops.Tanh(scores), softcap);
  const probs = ops.Softmax(ops.Add(scores, inputs.mask(layer.window, group)));
  const [overPast, overNew] = ops.SplitBy(probs, inputs.pastAndNew(), -1, ['M', 'S']);
  if (!overPast || !overNew) throw new Error('Split gave no values');
  const mixed = ops.Add(ops.MatMul(overPast, pastValues), ops.MatMul(overNew, perGroup(newValues)));

  // [B, kvHeads, X, Y, D] → [B, heads, S, D] → [N, heads·D]
  const perHead = grouped ? ops.Reshape(mixed, [0, heads, -1, headDim], ['B', heads, 'S', headDim]) : mixed;
  const merged = ops.Transpose(perHead, [0, 2, 1, 3]);
  const flat = ops.Reshape(merged, [-1, heads * headDim], ['N', heads * headDim]);
  return { output: project(flat), fresh: [newKeys, newValues] };
}
