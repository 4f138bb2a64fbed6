// A tower's and a projector's spec and weights → their graphs. One picture at a time, so every shape is concrete: patches that the host
// has cut out and normalised go in, features come out; features go in, rows of the decoder's width come out.
import { activate } from '../decoder/activate.js';
import type { WeightFormat } from '../decoder/format.js';
import { Linear } from '../decoder/linear.js';
import { bytesOf, type Matrix, Tensors } from '../decoder/tensors.js';
import type { TensorSource } from '../decoder/weights.js';
import { type Graph, GraphBuilder, type Value } from '../graph.js';
import * as ops from '../ops.js';
import { featureSize, imageTokens, towerTokens, type VisionSpec } from './spec.js';

export interface BuiltPart {
  readonly graph: Graph;
  readonly parameters: number;
}

export const patchesInput = 'patches';
export const featuresOutput = 'features';
export const featuresInput = 'features';
export const rowsOutput = 'rows';

const towerPrefixes = [
  'vision_tower.vision_model.',
  'model.vision_tower.vision_model.',
  'vision_tower.',
  'model.vision_tower.',
];
const projectorPrefixes = ['multi_modal_projector.', 'model.multi_modal_projector.', ''];

/** A tower runs once per picture, and small errors in it are seen by every token: 4 bits and quantised activations are not worth it. */
const towerFormat = (format: WeightFormat): WeightFormat =>
  format.kind === 'q8' || format.kind === 'q4' ? { kind: 'q8', blockSize: format.blockSize } : { kind: 'f32' };

export function buildTower(
  { tower, featureLayers, dropsFirst }: VisionSpec,
  source: TensorSource,
  format: WeightFormat,
): BuiltPart {
  const g = new GraphBuilder(tower.kind);
  const tensors = new Tensors(source, { prefixes: towerPrefixes, embedding: 'embeddings.position_embedding.weight' });
  const linear = new Linear(g, towerFormat(format));
  const { hiddenSize, epsilon } = tower;
  const tokens = towerTokens(tower);

  const norm = (x: Value, name: string): Value => {
    const scale = linear.vector(`${name}.scale`, hiddenSize, tensors.vector(`${name}.weight`, hiddenSize));
    const bias = linear.vector(`${name}.bias`, hiddenSize, tensors.vector(`${name}.bias`, hiddenSize));
    return ops.LayerNormalization(x, scale, bias, { epsilon });
  };
  const table = (name: string, shape: readonly number[], rows: number): Value => {
    const read = tensors.whole(name, shape);
    return g.weight(name, 'float32', [rows, hiddenSize], () => bytesOf(read()));
  };

  let x = ops.Add(embedded(), table('embeddings.position_embedding.weight', [tokens, hiddenSize], tokens));
  if (tower.kind === 'clip') x = norm(x, 'pre_layrnorm');
  const deepest = Math.max(...featureLayers);
  const states = [x];
  for (let index = 0; index < deepest; index++) {
    const at = `encoder.layers.${index}`;
    x = ops.Add(x, attention(norm(x, `${at}.layer_norm1`), at));
    const up = apply(norm(x, `${at}.layer_norm2`), `${at}.mlp.fc1`, tower.mlpSize, hiddenSize);
    x = ops.Add(x, apply(activate(up, tower.activation), `${at}.mlp.fc2`, hiddenSize, tower.mlpSize));
    states.push(x);
  }
  const features = ops.Concat(
    featureLayers.map((layer) => states[layer] ?? x),
    1,
  );
  g.output(featuresOutput, dropsFirst ? ops.Slice(features, { axis: 0, start: 1, end: tokens }) : features);
  return { graph: g.finish(), parameters: tensors.parameters };

  function apply(value: Value, name: string, rows: number, columns: number): Value {
    return linear.apply(value, tensors.matrix(name, [name], [rows], columns), tensors.bias([name], [rows], true));
  }

  /** The convolution of a stride that equals its kernel is a product with cut-out patches. */
  function embedded(): Value {
    const { patchSize, kind } = tower;
    const columns = 3 * patchSize ** 2;
    const patches = g.input(patchesInput, 'float32', [Math.floor(tower.imageSize / patchSize) ** 2, columns]);
    const read = tensors.whole('embeddings.patch_embedding.weight', [hiddenSize, 3, patchSize, patchSize]);
    const matrix: Matrix = { name: 'embeddings.patch_embedding', rows: hiddenSize, columns, read };
    const bias = tensors.bias(['embeddings.patch_embedding'], [hiddenSize], kind === 'siglip');
    const cut = linear.apply(patches, matrix, bias, { kind: 'f32' });
    return kind === 'siglip' ? cut : ops.Concat([table('embeddings.class_embedding', [hiddenSize], 1), cut], 0);
  }

  function attention(value: Value, at: string): Value {
    const { heads } = tower;
    const headDim = hiddenSize / heads;
    const names = ['q', 'k', 'v'].map((part) => `${at}.self_attn.${part}_proj`);
    const sizes = names.map(() => hiddenSize);
    const qkv = linear.apply(
      value,
      tensors.matrix(`${at}.self_attn.qkv`, names, sizes, hiddenSize),
      tensors.bias(names, sizes, true),
    );
    const byHead = ops.Transpose(ops.Reshape(qkv, [tokens, 3 * heads, headDim]), [1, 0, 2]);
    const [q, k, v] = ops.Split(byHead, [heads, heads, heads], 0);
    if (!q || !k || !v) throw new Error('Split gave no values');
    const probs = ops.Softmax(ops.FusedMatMul(q, k, { alpha: headDim ** -0.5, transB: true }));
    const mixed = ops.Reshape(ops.Transpose(ops.MatMul(probs, v), [1, 0, 2]), [tokens, hiddenSize]);
    return apply(mixed, `${at}.self_attn.out_proj`, hiddenSize, hiddenSize);
  }
}

/** `source` holds the checkpoint, or a projection beside it: the same names, with or without the projector's prefix. */
export function buildProjector(spec: VisionSpec, hiddenSize: number, source: TensorSource): BuiltPart {
  const g = new GraphBuilder('projector');
  const tensors = new Tensors(source, { prefixes: projectorPrefixes, embedding: 'linear_1.weight' });
  const linear = new Linear(g, { kind: 'f32' });
  const { activation, bias } = spec.projector;
  const apply = (x: Value, name: string, columns: number): Value =>
    linear.apply(x, tensors.matrix(name, [name], [hiddenSize], columns), tensors.bias([name], [hiddenSize], bias));
  const features = g.input(featuresInput, 'float32', [imageTokens(spec), featureSize(spec)]);
  const first = activate(apply(features, 'linear_1', featureSize(spec)), activation);
  g.output(rowsOutput, apply(first, 'linear_2', hiddenSize));
  return { graph: g.finish(), parameters: tensors.parameters };
}
