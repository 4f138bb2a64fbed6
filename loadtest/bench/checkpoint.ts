// Makes a random-weight checkpoint in Hugging Face's layout (llama architecture, bf16 safetensors, byte-level BPE tokenizer, ChatML
// template), so that speed can be measured in any model's true shape without downloading that model. The text it writes means nothing.
// Called by the benchmarks; alone: `node dist/loadtest/bench/checkpoint.js SHAPE DIRECTORY [SEED]`.
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { reasonOf } from '../../server/reason.js';
import { cannotWrite } from '../write.js';
import { chatTemplate, specials, tokenizerOf } from './tokenizer.js';

export interface LlamaShape {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly intermediate: number;
  readonly vocab: number;
  readonly context: number;
  readonly ropeTheta: number;
  readonly ropeScaling: Readonly<Record<string, number | string>> | null;
}

export const shapes = {
  /** Two layers: what is left of a step is the engine's own work. */
  tiny: shape(64, 2, 4, 2, 128, 512, 2048),
  /** The same with the vocabulary of smol135: a reader of its texts that costs next to nothing. */
  tiny49k: shape(64, 2, 4, 2, 128, 49152, 8192),
  pocket: shape(256, 6, 8, 4, 768, 2048, 4096),
  /** A small partner of smol135 for steering: the same vocabulary. */
  small49k: shape(256, 8, 8, 4, 768, 49152, 8192, 100_000),
  /** A 135M model with 49k tokens. */
  smol135: shape(576, 30, 9, 3, 1536, 49152, 8192, 100_000),
  /** A 362M model with the same vocabulary. */
  smol360: shape(960, 32, 15, 5, 2560, 49152, 8192, 100_000),
  /** A 1.24B model with 128k tokens. */
  llama1b: {
    ...shape(2048, 16, 32, 8, 8192, 128256, 131072, 500_000),
    ropeScaling: {
      rope_type: 'llama3',
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    },
  },
} as const satisfies Readonly<Record<string, LlamaShape>>;

export type ShapeName = keyof typeof shapes;

function shape(
  hidden: number,
  layers: number,
  heads: number,
  kvHeads: number,
  intermediate: number,
  vocab: number,
  context: number,
  ropeTheta = 10_000,
): LlamaShape {
  return { hidden, layers, heads, kvHeads, intermediate, vocab, context, ropeTheta, ropeScaling: null };
}

const STANDARD_DEVIATION = 0.02;

/** A decoder, or the same with one score in place of next tokens. */
export type CheckpointKind = 'causal' | 'reward';

export async function writeCheckpoint(
  llama: LlamaShape,
  directory: string,
  seed = 0,
  kind: CheckpointKind = 'causal',
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const json = (name: string, value: unknown) => writeFile(path.join(directory, name), JSON.stringify(value));
  await json('config.json', configOf(llama, kind));
  await json('generation_config.json', { bos_token_id: 1, eos_token_id: [2, 0], pad_token_id: 0, do_sample: false });
  await json('tokenizer.json', tokenizerOf(llama.vocab));
  await json('tokenizer_config.json', {
    tokenizer_class: 'PreTrainedTokenizerFast',
    add_bos_token: false,
    bos_token: specials[1],
    eos_token: specials[2],
    pad_token: specials[0],
    chat_template: chatTemplate,
    clean_up_tokenization_spaces: false,
    model_max_length: llama.context,
  });
  await writeWeights(tensorsOf(llama, kind), path.join(directory, 'model.safetensors'), seed);
}

export function configOf(llama: LlamaShape, kind: CheckpointKind): object {
  return {
    architectures: [kind === 'causal' ? 'LlamaForCausalLM' : 'LlamaForSequenceClassification'],
    ...(kind === 'causal' ? {} : { id2label: { '0': 'score' } }),
    model_type: 'llama',
    hidden_size: llama.hidden,
    intermediate_size: llama.intermediate,
    num_hidden_layers: llama.layers,
    num_attention_heads: llama.heads,
    num_key_value_heads: llama.kvHeads,
    head_dim: llama.hidden / llama.heads,
    vocab_size: llama.vocab,
    hidden_act: 'silu',
    max_position_embeddings: llama.context,
    rms_norm_eps: 1e-5,
    rope_theta: llama.ropeTheta,
    rope_scaling: llama.ropeScaling,
    tie_word_embeddings: true,
    attention_bias: false,
    mlp_bias: false,
    torch_dtype: 'bfloat16',
    bos_token_id: 1,
    eos_token_id: 2,
    pad_token_id: 0,
  };
}

export interface TensorPlan {
  readonly name: string;
  readonly shape: readonly number[];
  /** Norm weights scatter around one, everything else around zero. */
  readonly mean: 0 | 1;
}

export function tensorsOf(
  { hidden, layers, heads, kvHeads, intermediate, vocab }: LlamaShape,
  kind: CheckpointKind,
): TensorPlan[] {
  const kvWidth = (hidden / heads) * kvHeads;
  const matrix = (name: string, rows: number, columns: number): TensorPlan => ({
    name: `${name}.weight`,
    shape: [rows, columns],
    mean: 0,
  });
  const norm = (name: string): TensorPlan => ({ name: `${name}.weight`, shape: [hidden], mean: 1 });
  return [
    matrix('model.embed_tokens', vocab, hidden),
    ...Array.from({ length: layers }, (_, layer) => `model.layers.${layer}.`).flatMap((prefix) => [
      norm(`${prefix}input_layernorm`),
      matrix(`${prefix}self_attn.q_proj`, hidden, hidden),
      matrix(`${prefix}self_attn.k_proj`, kvWidth, hidden),
      matrix(`${prefix}self_attn.v_proj`, kvWidth, hidden),
      matrix(`${prefix}self_attn.o_proj`, hidden, hidden),
      norm(`${prefix}post_attention_layernorm`),
      matrix(`${prefix}mlp.gate_proj`, intermediate, hidden),
      matrix(`${prefix}mlp.up_proj`, intermediate, hidden),
      matrix(`${prefix}mlp.down_proj`, hidden, intermediate),
    ]),
    norm('model.norm'),
    ...(kind === 'reward' ? [matrix('score', 1, hidden)] : []),
  ];
}

const elements = (plan: TensorPlan): number => plan.shape.reduce((a, b) => a * b, 1);

async function writeWeights(plans: readonly TensorPlan[], file: string, seed: number): Promise<void> {
  const header: Record<string, unknown> = {};
  let offset = 0;
  for (const plan of plans) {
    const end = offset + 2 * elements(plan);
    header[plan.name] = { dtype: 'BF16', shape: plan.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));

  const partial = `${file}.partial`;
  await pipeline(Readable.from(bytes()), createWriteStream(partial)).catch(async (error: unknown) => {
    await rm(partial, { force: true });
    throw cannotWrite(file, error);
  });
  await rename(partial, file);

  function* bytes(): Generator<Uint8Array> {
    yield length;
    yield padded;
    const random = xorshift(seed);
    const tables = [normalTable(0, random), normalTable(1, random)] as const;
    const chunkElements = 1 << 22;
    for (const plan of plans) {
      for (let left = elements(plan); left > 0; left -= chunkElements) {
        const chunk = new Uint16Array(Math.min(left, chunkElements));
        fill(chunk, tables[plan.mean], random);
        yield new Uint8Array(chunk.buffer);
      }
    }
  }
}

/** 65536 normal samples as bf16 bits: drawing from them is as random as a benchmark needs, and fast enough for 10⁹ weights. */
export function normalTable(mean: number, random: () => number): Uint16Array {
  const samples = new Float32Array(1 << 16);
  for (let i = 0; i < samples.length; i++) {
    const radius = Math.sqrt(-2 * Math.log(((random() >>> 0) + 1) / 2 ** 32));
    samples[i] = mean + STANDARD_DEVIATION * radius * Math.cos((2 * Math.PI * (random() >>> 0)) / 2 ** 32);
  }
  const bits = new Uint32Array(samples.buffer);
  return Uint16Array.from(bits, (word) => word >>> 16);
}

function fill(chunk: Uint16Array, table: Uint16Array, random: () => number): void {
  for (let i = 0; i < chunk.length; i += 2) {
    const word = random();
    chunk[i] = table[word & 0xffff] ?? 0;
    if (i + 1 < chunk.length) chunk[i + 1] = table[word >>> 16] ?? 0;
  }
}

export function xorshift(seed: number): () => number {
  let state = (seed * 0x9e3779b1 + 0x6d2b79f5) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name = '', directory, seed = '0'] = process.argv.slice(2);
  if (!(name in shapes) || directory === undefined) {
    process.stderr.write(`usage: checkpoint.js ${Object.keys(shapes).join('|')} DIRECTORY [SEED]\n`);
    process.exitCode = 2;
  } else {
    await writeCheckpoint(shapes[name as ShapeName], directory, Number(seed)).catch((error: unknown) => {
      process.stderr.write(`error: ${reasonOf(error)}\n`);
      process.exitCode = 1;
    });
  }
}
