// Qwen 3: RMS norm of every head of q and k before the rotation; no biases unless attention_bias.
import { type Family, llamaNames } from '../family.js';
import { preNorms, readActivation, readLlamaLike, readSwitchedWindows } from './shared.js';

export const qwen3: Family = {
  name: 'qwen3',
  modelTypes: ['qwen3'],
  names: llamaNames,
  read: (config) =>
    readLlamaLike(config, {
      family: 'qwen3',
      epsilon: 1e-6,
      theta: 10_000,
      tied: false,
      activation: readActivation(config, 'hidden_act', 'silu'),
      headDim: 128,
      maxPositions: 32_768,
      norms: preNorms,
      qkNorm: 'head',
      qkvBias: config.boolean('attention_bias', false),
      outputBias: config.boolean('attention_bias', false),
      windows: (layers) => readSwitchedWindows(config, layers, false),
    }),
};
