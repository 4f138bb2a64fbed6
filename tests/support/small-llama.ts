// A llama of two layers with random weights, for tests of weight formats: its config, its tensors as a map that a test may change, and the map
// as the converter reads it.
import type { JsonObject } from '../../kernels/decoder/config.js';
import type { TensorSource } from '../../kernels/decoder/weights.js';

// Columns that no block size divides (40, 72), and a vocabulary large enough for the table to be quantised.
export const smallLlama: JsonObject = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  hidden_size: 40,
  intermediate_size: 72,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 12,
  vocab_size: 300,
  max_position_embeddings: 64,
  tie_word_embeddings: true,
};

/** mulberry32: any fixed noise will do. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export type Tensors = Map<string, { shape: number[]; data: Float32Array }>;

/** Its tensors, out of one seed. */
export function randomTensors(vocab = 300): Tensors {
  const random = noise(7);
  const tensors: Tensors = new Map();
  const add = (name: string, shape: number[], scale: number, offset = 0): void => {
    const size = shape.reduce((a, b) => a * b, 1);
    tensors.set(name, { shape, data: Float32Array.from({ length: size }, () => offset + scale * random()) });
  };
  add('model.embed_tokens.weight', [vocab, 40], 1);
  add('model.norm.weight', [40], 0.1, 1);
  for (const i of [0, 1]) {
    const at = `model.layers.${i}.`;
    add(`${at}input_layernorm.weight`, [40], 0.1, 1);
    add(`${at}post_attention_layernorm.weight`, [40], 0.1, 1);
    add(`${at}self_attn.q_proj.weight`, [48, 40], 0.3);
    add(`${at}self_attn.k_proj.weight`, [24, 40], 0.3);
    add(`${at}self_attn.v_proj.weight`, [24, 40], 0.3);
    add(`${at}self_attn.o_proj.weight`, [40, 48], 0.3);
    add(`${at}mlp.gate_proj.weight`, [72, 40], 0.3);
    add(`${at}mlp.up_proj.weight`, [72, 40], 0.3);
    add(`${at}mlp.down_proj.weight`, [40, 72], 0.3);
  }
  return tensors;
}

export const sourceOf = (tensors: Tensors): TensorSource => ({
  has: (name) => tensors.has(name),
  info: (name) => ({ shape: tensors.get(name)!.shape, dtype: 'F32' }),
  readF32: (name) => tensors.get(name)!.data.slice(),
});
