// Gemma 3, the text part: gemma2's norms, per-head q/k norm, five local layers to one global, each kind with its own rope.
import { ConfigReader, isObject, type JsonObject } from '../config.js';
import type { Family } from '../family.js';
import { readRopeOfKind, unscaledRope } from '../rope.js';
import type { DecoderSpec } from '../spec.js';
import { gemmaNames } from './gemma2.js';
import { allNorms, readActivation, readHead, readLayerTypes, readLlamaLike, readWindows } from './shared.js';

function readText(config: ConfigReader): DecoderSpec {
  const queryScalar = config.positive('query_pre_attn_scalar', 256);
  const pattern = config.size('sliding_window_pattern', config.size('_sliding_window_pattern', 6));
  const window = config.size('sliding_window', 4096);
  const bias = config.boolean('attention_bias', false);
  const isLocal = (layer: number): boolean => (layer + 1) % pattern !== 0;
  const maxPositions = config.size('max_position_embeddings', 131_072);
  return readLlamaLike(config, {
    family: 'gemma3',
    epsilon: 1e-6,
    theta: 1_000_000,
    tied: true,
    activation: readActivation(config, 'hidden_activation', 'gelu_pytorch_tanh'),
    heads: 8,
    kvHeads: 4,
    headDim: 256,
    maxPositions,
    norms: allNorms,
    normOffset: 1,
    qkNorm: 'head',
    qkvBias: bias,
    outputBias: bias,
    scale: () => queryScalar ** -0.5,
    embeddingScale: (hiddenSize) => Math.sqrt(hiddenSize),
    // attn_logit_softcapping exists in the config class, but no implementation applies it to this family.
    headSoftcap: config.optionalPositive('final_logit_softcapping'),
    windows: (layers) => readWindows(config, layers, window, isLocal),
    ropes: (headDim) => {
      const defaults = { headDim, theta: 1_000_000, maxPositions, partial: false };
      const global = readRopeOfKind(config, 'full_attention', defaults);
      // Local layers have their own base and are never scaled, unless rope_parameters describes them.
      const local = config.object('rope_parameters')?.has('sliding_attention')
        ? readRopeOfKind(config, 'sliding_attention', { ...defaults, theta: 10_000 })
        : unscaledRope(headDim, config.positive('rope_local_base_freq', 10_000));
      const kinds = readLayerTypes(config, config.size('num_hidden_layers'));
      return {
        ropes: [global, local],
        of: (layer) => ((kinds ? kinds[layer] === 'sliding_attention' : isLocal(layer)) ? 1 : 0),
      };
    },
  });
}

/** A text_config leaves out what equals its class default. */
const textDefaults: JsonObject = {
  vocab_size: 262_208,
  hidden_size: 2304,
  intermediate_size: 9216,
  num_hidden_layers: 26,
};

export const gemma3: Family = {
  name: 'gemma3',
  modelTypes: ['gemma3_text', 'gemma3'],
  names: gemmaNames,
  read: (config) => {
    // The multimodal wrapper keeps the language model's config one level down, its architecture on top.
    const text = config.raw('text_config');
    if (text === undefined) return readText(config);
    if (!isObject(text)) return config.fail('text_config', text, 'an object');
    config.only('quantization_config', []);
    const spec = readText(new ConfigReader({ ...textDefaults, ...text }, 'text_config.'));
    const softcap = spec.head.kind === 'lm' ? spec.head.softcap : null;
    return { ...spec, head: readHead(config, true, softcap) };
  },
};
