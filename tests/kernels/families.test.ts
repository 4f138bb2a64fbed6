// Reading configs: the defaults that stand where keys are absent, and the refusal of every value that would change what a model computes.
import { describe, expect, it } from 'vitest';
import { type JsonObject, UnsupportedConfigError } from '../../kernels/decoder/config.js';
import { knownModelTypes, readDecoderSpec } from '../../kernels/decoder/families/index.js';

const sizes = {
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 6,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 100,
  max_position_embeddings: 256,
};
const config = (model_type: string, extra: JsonObject = {}): JsonObject =>
  model_type === 'gpt2'
    ? { model_type, n_embd: 64, n_head: 4, n_layer: 6, n_positions: 256, vocab_size: 100, ...extra }
    : { model_type, ...sizes, ...extra };

const read = (model_type: string, extra: JsonObject = {}) => readDecoderSpec(config(model_type, extra));
const windows = (model_type: string, extra: JsonObject = {}) =>
  read(model_type, extra).layers.map(({ window }) => window);

describe('absent keys', () => {
  it('every model type reads with its sizes alone', () => {
    // llava has the sizes of its decoder one level down.
    for (const modelType of knownModelTypes.filter((type) => type !== 'llava'))
      expect(read(modelType).layers).toHaveLength(6);
  });

  it.each([
    ['llama', false],
    ['mistral', false],
    ['qwen2', false],
    ['qwen3', false],
    ['phi3', false],
    ['olmo2', false],
    ['gemma2', true],
    ['gemma3_text', true],
    ['gpt2', true],
    ['smollm3', true],
  ])('%s: embeddings tied: %s', (modelType, tied) => {
    expect(read(modelType).head).toMatchObject({ kind: 'lm', tied });
    expect(read(modelType, { tie_word_embeddings: !tied }).head).toMatchObject({ tied: !tied });
  });

  it('head_dim: absent, null, given', () => {
    const headDim = (modelType: string, extra: JsonObject = {}) => read(modelType, extra).layers[0]?.headDim;
    expect(headDim('llama')).toBe(16);
    expect(headDim('llama', { head_dim: null })).toBe(16);
    expect(headDim('llama', { head_dim: 24 })).toBe(24);
    expect(headDim('qwen3')).toBe(128);
    expect(headDim('qwen3', { head_dim: null })).toBe(16);
    expect(headDim('gemma2')).toBe(256);
    expect(headDim('llama', { num_attention_heads: 6, num_key_value_heads: 6 })).toBe(10);
    expect(read('llama', { head_dim: 24 }).layers[0]?.scale).toBeCloseTo(24 ** -0.5, 12);
    expect(read('gemma2', { query_pre_attn_scalar: 100 }).layers[0]?.scale).toBe(0.1);
  });

  it('windows', () => {
    expect(windows('mistral')).toEqual(Array(6).fill(4096));
    expect(windows('mistral', { sliding_window: null })).toEqual(Array(6).fill(null));
    expect(windows('qwen2', { sliding_window: 8 })).toEqual(Array(6).fill(null));
    expect(windows('qwen2', { sliding_window: 8, use_sliding_window: true, max_window_layers: 4 })).toEqual([
      ...Array<null>(4).fill(null),
      8,
      8,
    ]);
    expect(windows('qwen3', { use_sliding_window: true, max_window_layers: 0 })).toEqual(Array(6).fill(4096));
    expect(windows('qwen2', { use_sliding_window: true, max_window_layers: 0, sliding_window: null })).toEqual(
      Array(6).fill(null),
    );
    expect(windows('gemma2', { sliding_window: 8 })).toEqual([8, null, 8, null, 8, null]);
    expect(windows('gemma3_text', { sliding_window: 8 })).toEqual([8, 8, 8, 8, 8, null]);
    expect(windows('gemma3_text', { sliding_window: 8, sliding_window_pattern: 2 })).toEqual([
      8,
      null,
      8,
      null,
      8,
      null,
    ]);
    expect(windows('phi3')).toEqual(Array(6).fill(null));
  });

  it('gemma3: local layers have their own rope, which is never scaled', () => {
    const spec = read('gemma3_text', {
      head_dim: 16,
      rope_theta: 1e6,
      rope_local_base_freq: 1e4,
      rope_scaling: { rope_type: 'linear', factor: 8 },
    });
    expect(spec.layers.map(({ rope }) => rope)).toEqual([1, 1, 1, 1, 1, 0]);
    expect(spec.ropes[0]?.frequencies[1]).toBeCloseTo(1e6 ** (-2 / 16) / 8, 12);
    expect(spec.ropes[1]?.frequencies[1]).toBeCloseTo(1e4 ** (-2 / 16), 12);
  });

  it('gemma3: the text part of a multimodal config', () => {
    const text = config('gemma3_text', { sliding_window: 8 });
    const spec = readDecoderSpec({
      model_type: 'gemma3',
      architectures: ['Gemma3ForConditionalGeneration'],
      text_config: text,
      vision_config: {},
    });
    expect(spec).toEqual(readDecoderSpec(text));
  });

  it('gemma3: a text_config leaves out the sizes of its class', () => {
    const spec = readDecoderSpec({
      model_type: 'gemma3',
      architectures: ['Gemma3ForConditionalGeneration'],
      text_config: { model_type: 'gemma3_text', hidden_size: 2560, intermediate_size: 10_240, num_hidden_layers: 34 },
      vision_config: {},
    });
    expect(spec).toMatchObject({ vocabSize: 262_208, hiddenSize: 2560, contextLength: 131_072 });
    expect(spec.layers).toHaveLength(34);
    expect(spec.layers[0]).toMatchObject({ heads: 8, kvHeads: 4, headDim: 256, window: 4096, mlp: { size: 10_240 } });
  });

  it('smollm3: 1 means that the layer has rope; every fourth has none', () => {
    expect(read('smollm3').layers.map(({ rope }) => rope)).toEqual([0, 0, 0, null, 0, 0]);
    expect(read('smollm3', { no_rope_layers: [0, 1, 1, 1, 1, 0] }).layers.map(({ rope }) => rope)).toEqual([
      null,
      0,
      0,
      0,
      0,
      null,
    ]);
  });

  it('labels of a classifier', () => {
    const classifier = { architectures: ['LlamaForSequenceClassification'] };
    expect(read('llama', classifier).head).toEqual({ kind: 'classification', labels: ['LABEL_0', 'LABEL_1'] });
    expect(read('llama', { ...classifier, id2label: { '0': 'reward' } }).head).toEqual({
      kind: 'classification',
      labels: ['reward'],
    });
    expect(read('llama', { ...classifier, num_labels: 3 }).head).toMatchObject({ labels: { length: 3 } });
  });

  it('yarn and longrope, by their formulas', () => {
    const yarn = read('llama', {
      rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64 },
    });
    expect(yarn.ropes[0]?.scale).toBeCloseTo(0.1 * Math.log(4) + 1, 12);
    // The fastest dimension extrapolates, the slowest is interpolated.
    expect(yarn.ropes[0]?.frequencies[0]).toBe(1);
    expect(yarn.ropes[0]?.frequencies[7]).toBeCloseTo(10_000 ** (-14 / 16) / 4, 12);
    const factors = { short_factor: Array<number>(8).fill(1), long_factor: Array<number>(8).fill(2) };
    const long = read('phi3', {
      original_max_position_embeddings: 64,
      rope_scaling: { type: 'longrope', ...factors },
    });
    expect(long.ropeSwitchLength).toBe(64);
    expect(read('phi3', { original_max_position_embeddings: 64, rope_scaling: { type: 'yarn', ...factors } })).toEqual(
      long,
    );
    expect(long.ropes[0]?.scale).toBeCloseTo(Math.sqrt(1 + Math.log(4) / Math.log(64)), 12);
    expect(long.ropes[0]?.longFrequencies?.[3]).toBeCloseTo((long.ropes[0]?.frequencies[3] ?? 0) / 2, 12);
  });
});

describe('refusals name key, value and what is supported', () => {
  it.each<[string, JsonObject, RegExp]>([
    ['mamba', {}, /model_type is "mamba"; supported: llama, mistral/],
    ['llama', { hidden_act: 'softsign' }, /hidden_act is "softsign"; supported: silu/],
    ['gemma2', { hidden_activation: 'xielu' }, /hidden_activation is "xielu"/],
    ['gpt2', { activation_function: 'mish' }, /activation_function is "mish"/],
    ['llama', { rope_scaling: { rope_type: 'ntk' } }, /rope_scaling\.rope_type is "ntk"; supported: default, linear/],
    ['llama', { rope_scaling: { type: 'magic', factor: 2 } }, /rope_scaling\.type is "magic"/],
    ['llama', { rope_scaling: { rope_type: 'linear' } }, /rope_scaling\.factor is nothing; supported: a finite number/],
    ['llama', { rope_scaling: 'linear' }, /rope_scaling is "linear"; supported: an object/],
    [
      'phi3',
      { rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [1] } },
      /short_factor is \[1\]; supported: a list of 8/,
    ],
    ['llama', { quantization_config: { quant_method: 'gptq' } }, /quantization_config is .*gptq.*; supported: absent/],
    ['llama', { partial_rotary_factor: 0.5 }, /partial_rotary_factor is 0\.5; supported: absent or 1/],
    ['phi3', { partial_rotary_factor: 1.5 }, /partial_rotary_factor is 1\.5/],
    ['llama', { head_dim: 15 }, /head_dim is 15; supported: a head size whose rotated part/],
    [
      'llama',
      { num_key_value_heads: 3 },
      /num_key_value_heads is 3; supported: a divisor of num_attention_heads \(4\)/,
    ],
    ['llama', { hidden_size: 64.5 }, /hidden_size is 64\.5; supported: an integer/],
    ['llama', { hidden_size: '64' }, /hidden_size is "64"/],
    ['llama', { vocab_size: 0 }, /vocab_size is 0/],
    ['llama', { tie_word_embeddings: 'yes' }, /tie_word_embeddings is "yes"; supported: true or false/],
    [
      'llama',
      { architectures: ['LlamaModel'] },
      /architectures is \["LlamaModel"\]; supported: an architecture ending in/,
    ],
    ['llama', { architectures: ['LlamaForTokenClassification'] }, /LlamaForTokenClassification/],
    ['llama', { attention_bias: 1 }, /attention_bias is 1/],
    ['mistral', { attention_bias: true }, /attention_bias is true; supported: absent, false/],
    ['qwen2', { layer_types: ['full_attention'] }, /layer_types is \["full_attention"\]; supported: a list of 6/],
    ['gemma3_text', { layer_types: Array<string>(6).fill('chunked_attention') }, /layer_types is "chunked_attention"/],
    ['llama', { layer_types: Array<string>(6).fill('sliding_attention') }, /layer_types is "sliding_attention"/],
    ['gemma3_text', { use_bidirectional_attention: true }, /use_bidirectional_attention is true/],
    ['llama', { num_local_experts: 8 }, /num_local_experts is 8/],
    ['llama', { residual_multiplier: 0.22 }, /residual_multiplier is 0\.22/],
    ['llama', { attention_multiplier: 0.0625 }, /attention_multiplier is 0\.0625; supported: absent/],
    ['llama', { final_logit_softcapping: 30 }, /final_logit_softcapping is 30; supported: absent/],
    ['qwen3', { attn_logit_softcapping: 50 }, /attn_logit_softcapping is 50; supported: absent/],
    ['gemma3', { text_config: 'text' }, /text_config is "text"; supported: an object/],
    ['gpt2', { add_cross_attention: true }, /add_cross_attention is true/],
    ['gpt2', { n_head: 5 }, /n_head is 5; supported: a divisor of n_embd \(64\)/],
    ['olmo2', { clip_qkv: 8 }, /clip_qkv is 8/],
  ])('%s %j', (modelType, extra, message) => {
    expect(() => read(modelType, extra)).toThrow(UnsupportedConfigError);
    expect(() => read(modelType, extra)).toThrow(message);
  });
});
