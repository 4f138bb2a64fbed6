// Qwen 2 and 2.5: llama with biases on q, k and v (no key says so) and a window that is off unless use_sliding_window.
import { type Family, llamaNames } from '../family.js';
import { preNorms, readActivation, readLlamaLike, readSwitchedWindows } from './shared.js';

export const qwen2: Family = {
  name: 'qwen2',
  modelTypes: ['qwen2'],
  names: llamaNames,
  read: (config) => {
    config.only('attention_bias', [true]);
    return readLlamaLike(config, {
      family: 'qwen2',
      epsilon: 1e-6,
      theta: 10_000,
      tied: false,
      activation: readActivation(config, 'hidden_act', 'silu'),
      headDim: null,
      maxPositions: 32_768,
      norms: preNorms,
      qkvBias: true,
      windows: (layers) => readSwitchedWindows(config, layers, false),
    });
  },
};
