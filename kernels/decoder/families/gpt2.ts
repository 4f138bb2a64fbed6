// GPT-2: layer norms, learned positions, [in, out] matrices (Conv1D), biases everywhere. Hub files lack the "transformer." prefix
// and carry mask buffers, which nobody asks for.
import { type Family } from '../family.js';
import type { LayerSpec } from '../spec.js';
import { preNorms, readActivation, readHead, refuseForeignKeys } from './shared.js';

export const gpt2: Family = {
  name: 'gpt2',
  modelTypes: ['gpt2'],
  names: {
    prefixes: ['transformer.', ''],
    embedding: 'wte.weight',
    positions: 'wpe.weight',
    finalNorm: 'ln_f',
    heads: ['lm_head'],
    transposed: true,
    layer: (index) => ({
      attentionIn: `h.${index}.ln_1`,
      mlpIn: `h.${index}.ln_2`,
      qkv: [`h.${index}.attn.c_attn`],
      output: `h.${index}.attn.c_proj`,
      mlpUp: [`h.${index}.mlp.c_fc`],
      mlpDown: `h.${index}.mlp.c_proj`,
    }),
  },
  read: (config) => {
    refuseForeignKeys(config);
    const hiddenSize = config.size('n_embd', 768);
    const heads = config.size('n_head', 12);
    if (hiddenSize % heads !== 0) config.fail('n_head', heads, `a divisor of n_embd (${hiddenSize})`);
    const headDim = hiddenSize / heads;
    const positions = config.size('n_positions', 1024);
    const scaled = config.boolean('scale_attn_weights', true);
    const byLayer = config.boolean('scale_attn_by_inverse_layer_idx', false);
    const activation = readActivation(config, 'activation_function', 'gelu_new');
    const size = config.size('n_inner', 4 * hiddenSize);
    const layer = (index: number): LayerSpec => ({
      heads,
      kvHeads: heads,
      headDim,
      scale: (scaled ? headDim ** -0.5 : 1) / (byLayer ? index + 1 : 1),
      window: null,
      rope: null,
      qkNorm: null,
      softcap: null,
      qkvBias: true,
      outputBias: true,
      norms: preNorms,
      mlp: { kind: 'plain', activation, size, bias: true },
    });
    return {
      family: 'gpt2',
      hiddenSize,
      vocabSize: config.size('vocab_size', 50_257),
      contextLength: positions,
      embeddingScale: 1,
      learnedPositions: positions,
      norm: { kind: 'layer', epsilon: config.positive('layer_norm_epsilon', 1e-5), offset: 0 },
      ropes: [],
      ropeSwitchLength: null,
      layers: Array.from({ length: config.size('n_layer', 12) }, (_, i) => layer(i)),
      head: readHead(config, true),
    };
  },
};
