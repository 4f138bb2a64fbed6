// Llama 1 to 3.2 and everything that was saved in its shape.
import { type Family, llamaNames } from '../family.js';
import { preNorms, readActivation, readLlamaLike } from './shared.js';

export const llama: Family = {
  name: 'llama',
  modelTypes: ['llama'],
  names: llamaNames,
  read: (config) =>
    readLlamaLike(config, {
      family: 'llama',
      epsilon: 1e-6,
      theta: 10_000,
      tied: false,
      activation: readActivation(config, 'hidden_act', 'silu'),
      headDim: null,
      maxPositions: 2048,
      norms: preNorms,
      // One key for all four projections of attention.
      qkvBias: config.boolean('attention_bias', false),
      outputBias: config.boolean('attention_bias', false),
      mlpBias: config.boolean('mlp_bias', false),
    }),
};
