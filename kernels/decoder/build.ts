// A decoder's spec and weights → its graph. Read this first: the residual stream from ids to logits. Tokens of all rows are one axis,
// N = B·S, except inside attention.
import { type Graph, GraphBuilder, type Value } from '../graph.js';
import * as ops from '../ops.js';
import type { Device } from '../session.js';
import { besideTower } from '../vision/llava.js';
import { activate } from './activate.js';
import { attention, AttentionInputs } from './attention.js';
import { UnsupportedConfigError } from './config.js';
import { familyOf } from './families/index.js';
import type { LayerNames } from './family.js';
import { isHalf, type WeightFormat } from './format.js';
import { halve } from './half.js';
import { Linear } from './linear.js';
import {
  hiddenOutput,
  idsInput,
  imageRowsInput,
  imageSlotsInput,
  logitsOutput,
  newKeyValuesOutput,
  positionsInput,
  slotsInput,
} from './ports.js';
import type { DecoderSpec, LayerSpec } from './spec.js';
import { Tensors } from './tensors.js';
import type { TensorSource } from './weights.js';

export interface BuiltDecoder {
  readonly graph: Graph;
  /** Elements of the checkpoint's tensors that the graph uses. */
  readonly parameters: number;
}

/** The residual stream: its sum so far, and what the last half-block adds. Adding is left to the next norm, which does both at once. */
interface Residual {
  readonly sum: Value;
  readonly delta: Value | null;
}

export function buildDecoder(
  spec: DecoderSpec,
  source: TensorSource,
  format: WeightFormat,
  device: Device = 'cpu',
): BuiltDecoder {
  const { names: own } = familyOf(spec.family);
  const names = spec.vision ? besideTower(own) : own;
  const g = new GraphBuilder(spec.family);
  const tensors = new Tensors(source, names);
  const linear = new Linear(g, format);
  const inputs = new AttentionInputs(g, device);
  const { hiddenSize, vocabSize } = spec;

  const scaleOf = (role: string, name: string): Value =>
    linear.vector(role, hiddenSize, tensors.vector(`${name}.weight`, hiddenSize, spec.norm.offset));

  /** The norm of the stream, and the stream with its delta added. Without a name: no norm. */
  const enter = ({ sum, delta }: Residual, role: string, name: string | null): { normed: Value; sum: Value } => {
    if (name === null) {
      const added = delta ? ops.Add(sum, delta) : sum;
      return { normed: added, sum: added };
    }
    const { epsilon, kind } = spec.norm;
    const scale = scaleOf(role, name);
    if (kind === 'layer') {
      const beta = linear.vector(`${role}.bias`, hiddenSize, tensors.vector(`${name}.bias`, hiddenSize));
      if (!delta) return { normed: ops.LayerNormalization(sum, scale, beta, { epsilon }), sum };
      const both = ops.SkipLayerNormalization(sum, delta, scale, beta, { epsilon });
      return { normed: both.normalised, sum: both.sum };
    }
    if (!delta) return { normed: ops.SimplifiedLayerNormalization(sum, scale, { epsilon }), sum };
    const both = ops.SkipSimplifiedLayerNormalization(sum, delta, scale, { epsilon });
    return { normed: both.normalised, sum: both.sum };
  };

  /** A norm of what a half-block adds, before it is added. */
  const leave = (delta: Value, role: string, name: string | null): Value =>
    name === null ? delta : enter({ sum: delta, delta: null }, role, name).normed;

  const place = (present: boolean, name: string | undefined, role: string): string | null => {
    if (!present) return null;
    if (name === undefined) throw new UnsupportedConfigError(`The family ${spec.family} names no tensor for ${role}`);
    return name;
  };

  const mlp = (
    x: Value,
    index: number,
    { mlp: { kind, activation, size, bias } }: LayerSpec,
    layer: LayerNames,
  ): Value => {
    const role = `layer.${index}.mlp`;
    const sizes = kind === 'gated' ? [size, size] : [size];
    const up = linear.apply(
      x,
      tensors.matrix(`${role}.up`, layer.mlpUp, sizes, hiddenSize),
      tensors.bias(layer.mlpUp, sizes, bias),
    );
    const [gate, linearPart] = kind === 'gated' ? ops.Split(up, sizes, 1) : [up];
    if (!gate) throw new Error('Split gave no values');
    const active = activate(gate, activation);
    return linear.apply(
      linearPart ? ops.Mul(active, linearPart) : active,
      tensors.matrix(`${role}.down`, [layer.mlpDown], [hiddenSize], size),
      tensors.bias([layer.mlpDown], [hiddenSize], bias),
    );
  };

  const ids = g.input(idsInput, 'int32', ['N']);
  const slots = g.input(slotsInput, 'int32', ['L']);
  const table = tensors.table(names.embedding, vocabSize, hiddenSize);
  const embedding = { ...table, name: 'embedding' };
  let embedded = linear.gather(embedding, ids);
  if (spec.embeddingScale !== 1) embedded = ops.Mul(embedded, spec.embeddingScale);
  if (spec.vision) {
    // A picture's rows stand in the places of its tokens; most forwards have none.
    const places = g.input(imageSlotsInput, 'int64', ['I', 1]);
    embedded = ops.ScatterND(embedded, places, g.input(imageRowsInput, 'float32', ['I', hiddenSize]));
  }
  let stream: Residual = { sum: embedded, delta: null };
  if (spec.learnedPositions !== null && names.positions !== undefined) {
    const positions = g.input(positionsInput, 'int32', ['N']);
    const learned = tensors.table(names.positions, spec.learnedPositions, hiddenSize);
    stream = { sum: embedded, delta: linear.gather({ ...learned, name: 'positions_table' }, positions) };
  }

  const caches: Value[] = [];
  spec.layers.forEach((layer, index) => {
    const layerNames = names.layer(index);
    const { norms } = layer;
    const role = (where: string): string => `layer.${index}.norm.${where}`;
    const normAt = (where: 'attentionIn' | 'attentionOut' | 'mlpIn' | 'mlpOut'): string | null =>
      place(norms[where], layerNames[where], role(where));

    const before = enter(stream, role('attentionIn'), normAt('attentionIn'));
    const attended = attention({ g, spec, linear, tensors, inputs }, before.normed, index, layer, layerNames);
    caches.push(...attended.fresh);
    let half: Residual = {
      sum: before.sum,
      delta: leave(attended.output, role('attentionOut'), normAt('attentionOut')),
    };
    // Nothing after the last attention looks at other tokens: go on with the wanted ones only.
    if (index === spec.layers.length - 1)
      half = { sum: ops.Gather(half.sum, slots), delta: half.delta && ops.Gather(half.delta, slots) };
    const between = enter(half, role('mlpIn'), normAt('mlpIn'));
    const delta = mlp(between.normed, index, layer, layerNames);
    stream = { sum: between.sum, delta: leave(delta, role('mlpOut'), normAt('mlpOut')) };
  });

  const final = enter(stream, 'norm.final', names.finalNorm).normed;
  g.output(logitsOutput, headOf(final));
  g.output(hiddenOutput, final);
  if (caches.length > 0) g.output(newKeyValuesOutput, ops.Concat(caches, 0));
  const graph = g.finish();
  return { graph: isHalf(format) ? halve(graph, device) : graph, parameters: tensors.parameters };

  function headOf(x: Value): Value {
    const { head } = spec;
    if (head.kind === 'classification') {
      const { matrix, bias } = tensors.score(head.labels.length, hiddenSize);
      return linear.apply(x, matrix, bias, { kind: 'f32' });
    }
    const logits = linear.head(x, head.tied ? embedding : tensors.head(vocabSize, hiddenSize));
    return head.softcap === null ? logits : ops.Mul(ops.Tanh(ops.Mul(logits, 1 / head.softcap)), head.softcap);
  }
}
