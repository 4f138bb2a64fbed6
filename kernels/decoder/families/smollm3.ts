// SmolLM 3: llama in which some layers do not rotate. no_rope_layers reads inverted: 1 means that the layer has rope.
import { type Family, llamaNames } from '../family.js';
import { readRope } from '../rope.js';
import { preNorms, readActivation, readLlamaLike, readWindows } from './shared.js';

export const smollm3: Family = {
  name: 'smollm3',
  modelTypes: ['smollm3'],
  names: llamaNames,
  read: (config) => {
    const layers = config.size('num_hidden_layers');
    const interval = config.size('no_rope_layer_interval', 4);
    const listed = config.has('no_rope_layers') ? config.numbers('no_rope_layers', layers) : null;
    const rotates = (layer: number): boolean => (listed ? listed[layer] !== 0 : (layer + 1) % interval !== 0);
    const window =
      config.boolean('use_sliding_window', false) && config.has('sliding_window')
        ? config.size('sliding_window')
        : null;
    const bias = config.boolean('attention_bias', false);
    const maxPositions = config.size('max_position_embeddings', 32_768);
    return readLlamaLike(config, {
      family: 'smollm3',
      epsilon: 1e-6,
      theta: 2_000_000,
      tied: true,
      activation: readActivation(config, 'hidden_act', 'silu'),
      heads: 16,
      kvHeads: 4,
      headDim: null,
      maxPositions,
      norms: preNorms,
      qkvBias: bias,
      outputBias: bias,
      mlpBias: config.boolean('mlp_bias', false),
      windows: () => readWindows(config, layers, window, (layer) => !rotates(layer)),
      ropes: (headDim) => ({
        ropes: [readRope(config, { headDim, theta: 2_000_000, maxPositions, partial: false })],
        of: (layer) => (rotates(layer) ? 0 : null),
      }),
    });
  },
};
