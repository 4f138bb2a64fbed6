// config.json of LlavaForConditionalGeneration → the decoder's spec with the vision part in it. Defaults are those of transformers'
// config classes. Called by families/index.ts.
import { ConfigReader, isObject, type JsonObject } from '../decoder/config.js';
import { readActivation } from '../decoder/families/shared.js';
import type { TensorNames } from '../decoder/family.js';
import type { DecoderSpec } from '../decoder/spec.js';
import type { TowerSpec, VisionSpec } from './spec.js';

export const llavaModelType = 'llava';

/** A text_config leaves out what equals its class default: LlamaConfig's sizes are those of 7B. */
const llamaDefaults: JsonObject = {
  model_type: 'llama',
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  vocab_size: 32_000,
};

interface TowerDefaults {
  readonly patch: number;
  readonly activation: string;
  readonly epsilon: number;
}

const towers: Readonly<Record<string, readonly [TowerSpec['kind'], TowerDefaults]>> = {
  clip_vision_model: ['clip', { patch: 32, activation: 'quick_gelu', epsilon: 1e-5 }],
  siglip_vision_model: ['siglip', { patch: 16, activation: 'gelu_pytorch_tanh', epsilon: 1e-6 }],
};

export function readLlava(config: ConfigReader, readText: (config: JsonObject) => DecoderSpec): DecoderSpec {
  config.only('quantization_config', []);
  const given = config.raw('text_config');
  const own = isObject(given) ? given : {};
  const isLlama = (own['model_type'] ?? 'llama') === 'llama';
  const tied = config.raw('tie_word_embeddings') ?? own['tie_word_embeddings'];
  const text = readText({
    ...(isLlama ? llamaDefaults : {}),
    ...own,
    ...(tied === undefined || tied === null ? {} : { tie_word_embeddings: tied }),
  });
  return { ...text, vision: readVision(config, text.vocabSize) };
}

function readVision(config: ConfigReader, vocabSize: number): VisionSpec {
  const tower = readTower(config);
  const key = config.has('image_token_id') ? 'image_token_id' : 'image_token_index';
  const imageTokenId = config.number(key, 32_000);
  if (!Number.isInteger(imageTokenId) || imageTokenId < 0 || imageTokenId >= vocabSize)
    config.fail(key, imageTokenId, `a token id below vocab_size (${vocabSize})`);
  const strategy = config.string('vision_feature_select_strategy', 'default');
  if (strategy !== 'default' && strategy !== 'full')
    config.fail('vision_feature_select_strategy', strategy, 'default, full');
  return {
    tower,
    featureLayers: readFeatureLayers(config, tower.layers),
    dropsFirst: strategy === 'default',
    projector: {
      activation: readActivation(config, 'projector_hidden_act', 'gelu'),
      bias: config.boolean('multimodal_projector_bias', true),
    },
    imageTokenId,
  };
}

/** One layer or a list; negative ones count from the end. */
function readFeatureLayers(config: ConfigReader, layers: number): readonly number[] {
  const given = config.raw('vision_feature_layer') ?? -2;
  const list = Array.isArray(given) ? (given as readonly unknown[]) : [given];
  if (list.length === 0) config.fail('vision_feature_layer', given, 'a layer or a list of layers');
  return list.map((layer) => {
    const at = typeof layer === 'number' && layer < 0 ? layers + 1 + layer : layer;
    return typeof at === 'number' && Number.isInteger(at) && at >= 0 && at <= layers
      ? at
      : config.fail('vision_feature_layer', given, `layers from ${-layers - 1} to ${layers}`);
  });
}

function readTower(config: ConfigReader): TowerSpec {
  const vision = config.object('vision_config');
  // Without one, LlavaConfig takes the tower of CLIP ViT-L/14 at 336 pixels.
  const read =
    vision ??
    new ConfigReader(
      {
        model_type: 'clip_vision_model',
        hidden_size: 1024,
        intermediate_size: 4096,
        num_hidden_layers: 24,
        num_attention_heads: 16,
        image_size: 336,
        patch_size: 14,
      },
      'vision_config.',
    );
  const type = read.string('model_type', 'clip_vision_model');
  const known = Object.hasOwn(towers, type) ? towers[type] : undefined;
  const [kind, defaults] = known ?? read.fail('model_type', type, Object.keys(towers).join(', '));
  read.only('num_channels', [3]);
  read.only('quantization_config', []);
  const hiddenSize = read.size('hidden_size', 768);
  const heads = read.size('num_attention_heads', 12);
  if (hiddenSize % heads !== 0) read.fail('num_attention_heads', heads, `a divisor of hidden_size (${hiddenSize})`);
  const imageSize = read.size('image_size', 224);
  const patchSize = read.size('patch_size', defaults.patch);
  if (patchSize > imageSize) read.fail('patch_size', patchSize, `at most image_size (${imageSize})`);
  return {
    kind,
    hiddenSize,
    heads,
    layers: read.size('num_hidden_layers', 12),
    mlpSize: read.size('intermediate_size', 3072),
    activation: readActivation(read, 'hidden_act', defaults.activation),
    epsilon: read.positive('layer_norm_eps', defaults.epsilon),
    imageSize,
    patchSize,
  };
}

/** Where a checkpoint of both parts keeps the decoder: as published first, and as newer versions of transformers save it. */
export const besideTower = (names: TensorNames): TensorNames => ({
  ...names,
  prefixes: ['language_model.model.', 'model.language_model.', ...names.prefixes],
  heads: ['language_model.lm_head', ...names.heads],
});
