// OLMo 2: no norm before, one after each half of a block; q and k are normed over the whole projection.
import { type Family, llamaLayer, llamaNames } from '../family.js';
import { postNorms, readActivation, readLlamaLike } from './shared.js';

export const olmo2: Family = {
  name: 'olmo2',
  modelTypes: ['olmo2'],
  names: {
    ...llamaNames,
    layer: (index) => ({
      ...llamaLayer(index),
      attentionOut: `layers.${index}.post_attention_layernorm`,
      mlpOut: `layers.${index}.post_feedforward_layernorm`,
    }),
  },
  read: (config) => {
    const bias = config.boolean('attention_bias', false);
    return readLlamaLike(config, {
      family: 'olmo2',
      epsilon: 1e-5,
      theta: 10_000,
      tied: false,
      activation: readActivation(config, 'hidden_act', 'silu'),
      headDim: null,
      maxPositions: 2048,
      norms: postNorms,
      qkNorm: 'full',
      qkvBias: bias,
      outputBias: bias,
    });
  },
};
