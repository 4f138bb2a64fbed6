// Phi 3 and 4-mini: fused [q|k|v] and [gate|up], a window on every layer, partial rotary, longrope.
import { type Family, llamaLayer, llamaNames } from '../family.js';
import { preNorms, readActivation, readLlamaLike, readWindows } from './shared.js';

export const phi3: Family = {
  name: 'phi3',
  modelTypes: ['phi3'],
  names: {
    ...llamaNames,
    layer: (index) => ({
      ...llamaLayer(index),
      qkv: [`layers.${index}.self_attn.qkv_proj`],
      mlpUp: [`layers.${index}.mlp.gate_up_proj`],
    }),
  },
  read: (config) => {
    config.only('attention_bias', [false]);
    const window = config.has('sliding_window') ? config.size('sliding_window') : null;
    return readLlamaLike(config, {
      family: 'phi3',
      epsilon: 1e-5,
      theta: 10_000,
      tied: false,
      activation: readActivation(config, 'hidden_act', 'silu'),
      headDim: null,
      maxPositions: 4096,
      norms: preNorms,
      partialRotary: true,
      windows: (layers) => readWindows(config, layers, window, () => true),
    });
  },
};
