// Gemma 2: norms (1 + w) around both halves of a block, embeddings × √hidden, softcaps, every other layer with a window.
import { type Family, llamaLayer, llamaNames, type TensorNames } from '../family.js';
import { allNorms, readActivation, readLlamaLike, readWindows } from './shared.js';

export const gemmaNames: TensorNames = {
  ...llamaNames,
  prefixes: ['model.', '', 'language_model.model.', 'model.language_model.'],
  heads: ['lm_head', 'language_model.lm_head'],
  layer: (index) => ({
    ...llamaLayer(index),
    attentionOut: `layers.${index}.post_attention_layernorm`,
    mlpIn: `layers.${index}.pre_feedforward_layernorm`,
    mlpOut: `layers.${index}.post_feedforward_layernorm`,
  }),
};

export const gemma2: Family = {
  name: 'gemma2',
  modelTypes: ['gemma2'],
  names: gemmaNames,
  read: (config) => {
    const queryScalar = config.positive('query_pre_attn_scalar', 256);
    const window = config.isNull('sliding_window') ? null : config.size('sliding_window', 4096);
    const bias = config.boolean('attention_bias', false);
    return readLlamaLike(config, {
      family: 'gemma2',
      epsilon: 1e-6,
      theta: 10_000,
      tied: true,
      // hidden_act of old configs says "gelu" and is not what the model computes.
      activation: readActivation(config, 'hidden_activation', 'gelu_pytorch_tanh'),
      heads: 8,
      kvHeads: 4,
      headDim: 256,
      maxPositions: 8192,
      norms: allNorms,
      normOffset: 1,
      qkvBias: bias,
      outputBias: bias,
      scale: () => queryScalar ** -0.5,
      embeddingScale: (hiddenSize) => Math.sqrt(hiddenSize),
      attentionSoftcap: config.optionalPositive('attn_logit_softcapping', 50),
      headSoftcap: config.optionalPositive('final_logit_softcapping', 30),
      windows: (layers) => readWindows(config, layers, window, (layer) => layer % 2 === 0),
    });
  },
};
