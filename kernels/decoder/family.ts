// What a family is: the model types it answers to, how its config reads, and what its tensors are called. Everything else is shared.
import type { ConfigReader } from './config.js';
import type { DecoderSpec } from './spec.js';

/** Names of one block's tensors, below the model's prefix, without ".weight" and ".bias". Norms that a block lacks are absent. */
export interface LayerNames {
  readonly attentionIn?: string;
  readonly attentionOut?: string;
  readonly mlpIn?: string;
  readonly mlpOut?: string;
  readonly qNorm?: string;
  readonly kNorm?: string;
  /** One fused matrix [q | k | v], or the three. */
  readonly qkv: readonly [string] | readonly [string, string, string];
  readonly output: string;
  /** gated: one fused matrix [gate | up], or the two; plain: the one. */
  readonly mlpUp: readonly [string] | readonly [string, string];
  readonly mlpDown: string;
}

export interface TensorNames {
  /** Prefixes under which checkpoints are seen in the wild; the first one that holds the embedding is it. */
  readonly prefixes: readonly string[];
  readonly embedding: string;
  readonly positions?: string;
  readonly finalNorm: string;
  readonly layer: (index: number) => LayerNames;
  /** Whole names of the untied head, without ".weight". */
  readonly heads: readonly string[];
  /** Matrices are stored [in, out] (GPT-2's Conv1D). */
  readonly transposed?: boolean;
}

export interface Family {
  readonly name: string;
  /** Values of config.model_type. */
  readonly modelTypes: readonly string[];
  readonly read: (config: ConfigReader) => DecoderSpec;
  readonly names: TensorNames;
}

export const llamaLayer = (index: number): LayerNames => {
  const at = `layers.${index}.`;
  return {
    attentionIn: `${at}input_layernorm`,
    mlpIn: `${at}post_attention_layernorm`,
    qNorm: `${at}self_attn.q_norm`,
    kNorm: `${at}self_attn.k_norm`,
    qkv: [`${at}self_attn.q_proj`, `${at}self_attn.k_proj`, `${at}self_attn.v_proj`],
    output: `${at}self_attn.o_proj`,
    mlpUp: [`${at}mlp.gate_proj`, `${at}mlp.up_proj`],
    mlpDown: `${at}mlp.down_proj`,
  };
};

/** The names that nearly every family took over from llama. */
export const llamaNames: TensorNames = {
  prefixes: ['model.', ''],
  embedding: 'embed_tokens.weight',
  finalNorm: 'norm',
  layer: llamaLayer,
  heads: ['lm_head'],
};
