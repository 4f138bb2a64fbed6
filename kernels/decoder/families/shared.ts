// Reading what most families share: sizes, rope, windows, activation, head. A family file passes its differences and defaults (those
// of its transformers config class, which stand where a key is absent).
import type { ConfigReader } from '../config.js';
import { type ReadRope, readRope } from '../rope.js';
import type { Activation, DecoderSpec, HeadSpec, LayerSpec, NormPlaces } from '../spec.js';

const activations: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  quick_gelu: 'quick_gelu',
  relu: 'relu',
};

export function readActivation(config: ConfigReader, key: string, fallback: string): Activation {
  const name = config.string(key, fallback);
  return activations[name] ?? config.fail(key, name, Object.keys(activations).join(', '));
}

/** Keys that change what a model computes and that no family here implements: each must be absent or have its neutral value. */
export function refuseForeignKeys(config: ConfigReader): void {
  config.only('quantization_config', []);
  config.only('use_bidirectional_attention', [false]);
  config.only('is_causal', [true]);
  config.only('add_cross_attention', [false]);
  config.only('is_encoder_decoder', [false]);
  config.only('clip_qkv', []);
  config.only('attention_chunk_size', []);
  config.only('attention_multiplier', []);
  for (const key of ['embedding_multiplier', 'residual_multiplier', 'logits_scaling', 'logit_scale'])
    config.only(key, [1]);
  for (const key of ['num_experts', 'num_local_experts', 'n_routed_experts']) config.only(key, [0]);
}

/** The architecture decides the head: ...ForCausalLM, ...ForSequenceClassification. */
export function readHead(config: ConfigReader, tiedByDefault: boolean, softcap: number | null = null): HeadSpec {
  const names = config.strings('architectures') ?? [];
  if (names.length > 1) config.fail('architectures', [...names], 'one architecture');
  const name = names[0] ?? 'ForCausalLM';
  if (name.endsWith('ForSequenceClassification')) return { kind: 'classification', labels: readLabels(config) };
  if (!/(ForCausalLM|LMHeadModel|ForConditionalGeneration)$/.test(name))
    config.fail(
      'architectures',
      [name],
      'an architecture ending in ForCausalLM, LMHeadModel or ForSequenceClassification',
    );
  return { kind: 'lm', tied: config.boolean('tie_word_embeddings', tiedByDefault), softcap };
}

function readLabels(config: ConfigReader): readonly string[] {
  const labels = config.object('id2label');
  // transformers leaves both keys out when there are its default two labels.
  const count = labels ? labels.keys().length : config.size('num_labels', 2);
  return Array.from({ length: count }, (_, i) => (labels ? labels.string(String(i)) : `LABEL_${i}`));
}

/** Windows per layer where layer_types may say so and `otherwise` is the family's rule without it. */
export function readWindows(
  config: ConfigReader,
  layers: number,
  window: number | null,
  otherwise: (layer: number) => boolean,
): readonly (number | null)[] {
  const kinds = readLayerTypes(config, layers);
  return Array.from({ length: layers }, (_, i) => {
    const slides = kinds ? kinds[i] === 'sliding_attention' : otherwise(i);
    return slides ? window : null;
  });
}

export function readLayerTypes(config: ConfigReader, layers: number): readonly string[] | null {
  const kinds = config.strings('layer_types');
  if (!kinds) return null;
  if (kinds.length !== layers) config.fail('layer_types', [...kinds], `a list of ${layers} kinds`);
  const foreign = kinds.find((kind) => kind !== 'full_attention' && kind !== 'sliding_attention');
  if (foreign !== undefined) config.fail('layer_types', foreign, 'full_attention, sliding_attention');
  return kinds;
}

/** sliding_window of the families that switch it with use_sliding_window, from layer max_window_layers up. */
export function readSwitchedWindows(
  config: ConfigReader,
  layers: number,
  onByDefault: boolean,
): readonly (number | null)[] {
  if (!config.boolean('use_sliding_window', onByDefault)) return Array.from({ length: layers }, () => null);
  const window = config.isNull('sliding_window') ? null : config.size('sliding_window', 4096);
  const from = config.number('max_window_layers', 28);
  return readWindows(config, layers, window, (layer) => layer >= from);
}

export const preNorms: NormPlaces = { attentionIn: true, attentionOut: false, mlpIn: true, mlpOut: false };
export const postNorms: NormPlaces = { attentionIn: false, attentionOut: true, mlpIn: false, mlpOut: true };
export const allNorms: NormPlaces = { attentionIn: true, attentionOut: true, mlpIn: true, mlpOut: true };

/** What distinguishes a family of the llama kind. Functions of the layer where layers differ. */
export interface Differences {
  readonly family: string;
  readonly epsilon: number;
  readonly theta: number;
  readonly tied: boolean;
  readonly activation: Activation;
  readonly heads?: number;
  readonly kvHeads?: number;
  /** The class default of head_dim; null: hidden_size / num_attention_heads. */
  readonly headDim: number | null;
  readonly maxPositions: number;
  readonly norms: NormPlaces;
  readonly normOffset?: 0 | 1;
  readonly qkvBias?: boolean;
  readonly outputBias?: boolean;
  readonly mlpBias?: boolean;
  readonly qkNorm?: 'head' | 'full';
  readonly partialRotary?: boolean;
  readonly scale?: (headDim: number) => number;
  readonly embeddingScale?: (hiddenSize: number) => number;
  readonly attentionSoftcap?: number | null;
  readonly headSoftcap?: number | null;
  readonly windows?: (layers: number) => readonly (number | null)[];
  /** All ropes and which one a layer uses; one for all layers by default. */
  readonly ropes?: (
    headDim: number,
    window: (layer: number) => number | null,
  ) => {
    readonly ropes: readonly ReadRope[];
    readonly of: (layer: number) => number | null;
  };
}

export function readLlamaLike(config: ConfigReader, family: Differences): DecoderSpec {
  refuseForeignKeys(config);
  if (family.headSoftcap === undefined)
    for (const key of ['attn_logit_softcapping', 'final_logit_softcapping']) config.only(key, []);
  const hiddenSize = config.size('hidden_size');
  const layerCount = config.size('num_hidden_layers');
  const heads = config.size('num_attention_heads', family.heads);
  const kvHeads = config.size('num_key_value_heads', family.kvHeads ?? heads);
  if (heads % kvHeads !== 0) config.fail('num_key_value_heads', kvHeads, `a divisor of num_attention_heads (${heads})`);
  const divided = Math.trunc(hiddenSize / heads);
  const headDim = config.has('head_dim')
    ? config.size('head_dim')
    : config.isNull('head_dim')
      ? divided
      : (family.headDim ?? divided);
  const contextLength = config.size('max_position_embeddings', family.maxPositions);
  const windows = family.windows?.(layerCount) ?? [];
  const windowOf = (layer: number): number | null => windows[layer] ?? null;
  readLayerTypes(config, layerCount)?.forEach((kind, i) => {
    if (kind === 'sliding_attention' && windowOf(i) === null)
      config.fail('layer_types', kind, 'full_attention, unless the family has a sliding_window and it is on');
  });
  const { ropes, of } = family.ropes?.(headDim, windowOf) ?? {
    ropes: [
      readRope(config, {
        headDim,
        theta: family.theta,
        maxPositions: contextLength,
        partial: family.partialRotary ?? false,
      }),
    ],
    of: () => 0,
  };
  const layer = (index: number): LayerSpec => ({
    heads,
    kvHeads,
    headDim,
    scale: family.scale?.(headDim) ?? headDim ** -0.5,
    window: windowOf(index),
    rope: of(index),
    qkNorm: family.qkNorm ?? null,
    softcap: family.attentionSoftcap ?? null,
    qkvBias: family.qkvBias ?? false,
    outputBias: family.outputBias ?? false,
    norms: family.norms,
    mlp: {
      kind: 'gated',
      activation: family.activation,
      size: config.size('intermediate_size'),
      bias: family.mlpBias ?? false,
    },
  });
  return {
    family: family.family,
    hiddenSize,
    vocabSize: config.size('vocab_size'),
    contextLength,
    embeddingScale: family.embeddingScale?.(hiddenSize) ?? 1,
    learnedPositions: null,
    norm: { kind: 'rms', epsilon: config.positive('rms_norm_eps', family.epsilon), offset: family.normOffset ?? 0 },
    ropes: ropes.map(({ rope }) => rope),
    ropeSwitchLength: ropes.find(({ switchLength }) => switchLength !== null)?.switchLength ?? null,
    layers: Array.from({ length: layerCount }, (_, i) => layer(i)),
    head: readHead(config, family.tied, family.headSoftcap ?? null),
  };
}
