// Mistral: llama with a window on every layer.
import { type Family, llamaNames } from '../family.js';
import { preNorms, readActivation, readLlamaLike, readWindows } from './shared.js';

export const mistral: Family = {
  name: 'mistral',
  modelTypes: ['mistral'],
  names: llamaNames,
  read: (config) => {
    config.only('attention_bias', [false]);
    // The class default of an absent key is 4096; null switches the window off.
    const window = config.isNull('sliding_window') ? null : config.size('sliding_window', 4096);
    return readLlamaLike(config, {
      family: 'mistral',
      epsilon: 1e-6,
      theta: 10_000,
      tied: false,
      activation: readActivation(config, 'hidden_act', 'silu'),
      headDim: null,
      maxPositions: 131_072,
      norms: preNorms,
      windows: (layers) => readWindows(config, layers, window, () => true),
    });
  },
};
