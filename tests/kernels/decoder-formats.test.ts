// Quantised decoders and the checks on a checkpoint's tensors, on a small random llama: near the float one, each row independent of its
// batch mates, tied tables stored once, wrong tensors refused by name.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDecoder } from '../../kernels/decoder/build.js';
import type { JsonObject } from '../../kernels/decoder/config.js';
import { readDecoderSpec } from '../../kernels/decoder/families/index.js';
import type { WeightFormat } from '../../kernels/decoder/format.js';
import { DecoderModel, writeDecoder } from '../../kernels/decoder/model.js';
import type { TensorSource } from '../../kernels/decoder/weights.js';
import { print } from '../../kernels/print.js';
import { HostCache } from '../support/decoder.js';

// Columns that no block size divides (40, 72), and a vocabulary large enough for the table to be quantised.
const config: JsonObject = {
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

function randomSource(vocab = 300): Map<string, { shape: number[]; data: Float32Array }> {
  const random = noise(7);
  const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
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

const sourceOf = (tensors: ReturnType<typeof randomSource>): TensorSource => ({
  has: (name) => tensors.has(name),
  info: (name) => ({ shape: tensors.get(name)!.shape, dtype: 'F32' }),
  readF32: (name) => tensors.get(name)!.data.slice(),
});

async function load(format: WeightFormat, vocab = 300): Promise<{ model: DecoderModel; bytes: number }> {
  const directory = mkdtempSync(path.join(tmpdir(), 'trimtab-format-'));
  try {
    const spec = readDecoderSpec({ ...config, vocab_size: vocab });
    writeDecoder(spec, sourceOf(randomSource(vocab)), format, directory);
    const bytes = statSync(path.join(directory, 'weights.bin')).size;
    return { model: await DecoderModel.load(directory, { threads: 1 }), bytes };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function divergence(reference: readonly number[], other: readonly number[]): number {
  const logprobs = (row: readonly number[]): number[] => {
    const top = Math.max(...row);
    const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top;
    return row.map((x) => x - total);
  };
  const [p, q] = [logprobs(reference), logprobs(other)];
  return p.reduce((sum, x, i) => sum + Math.exp(x) * (x - q[i]!), 0);
}

it.each<[string, WeightFormat]>([
  ['f32', { kind: 'f32' }],
  ['q4', { kind: 'q4', blockSize: 32 }],
  ['w8a8', { kind: 'w8a8' }],
])('the graph of two layers in %s is the one on file', async (name, format) => {
  const spec = readDecoderSpec(config);
  const { graph } = buildDecoder(spec, sourceOf(randomSource()), format);
  await expect(print(graph)).toMatchFileSnapshot(`golden/decoder-${name}.txt`);
});

const sequences = [[5, 17, 200, 33, 8, 91, 150], [7, 7, 298], [64]];
let floats: number[][][];
beforeAll(async () => {
  const { model } = await load({ kind: 'f32' });
  floats = await new HostCache(model, 3).feed(sequences);
  await model.release();
});

describe.each<[string, WeightFormat, number]>([
  ['q8, block 16', { kind: 'q8', blockSize: 16 }, 0.01],
  ['q8, block 32', { kind: 'q8', blockSize: 32 }, 0.01],
  ['q4, block 16', { kind: 'q4', blockSize: 16 }, 0.5],
  ['w8a8', { kind: 'w8a8' }, 0.02],
])('%s', (_, format, limit) => {
  let model: DecoderModel;
  beforeAll(async () => {
    ({ model } = await load(format));
  });
  afterAll(() => model.release());

  it('is near the float model', async () => {
    const logits = await new HostCache(model, 3).feed(sequences);
    const all = logits.flatMap((rows, r) => rows.map((row, s) => divergence(floats[r]![s]!, row)));
    const mean = all.reduce((sum, x) => sum + x, 0) / all.length;
    expect(mean).toBeGreaterThan(1e-7);
    expect(mean).toBeLessThan(limit);
  });

  it('a row does not depend on its batch mates', async () => {
    const together = await new HostCache(model, 3).feed(sequences);
    for (const [r, ids] of sequences.entries()) {
      const [alone] = await new HostCache(model, 1).feed([ids]);
      alone!.forEach((row, s) => row.forEach((x, i) => expect(Math.abs(x - together[r]![s]![i]!)).toBeLessThan(2e-3)));
    }
  });
});

describe('a large vocabulary', () => {
  const vocab = 110_000;

  it.each<[string, WeightFormat]>([
    ['q8', { kind: 'q8', blockSize: 16 }],
    ['q4', { kind: 'q4', blockSize: 16 }],
  ])('%s: the tied table is stored once, in blocks, and read both ways', async (_, format) => {
    const { model, bytes } = await load(format, vocab);
    const perElement = format.kind === 'q4' ? 0.5 : 1;
    // 40 columns are three blocks of 16 with a scale each; the rest of the model is below 100 kB.
    const table = vocab * (48 * perElement + 3 * 4);
    expect(bytes).toBeGreaterThan(table);
    expect(bytes).toBeLessThan(table + 100_000);
    const float = await load({ kind: 'f32' }, vocab);
    const ids = [[109_999, 5, 70_000]];
    const [expected] = await new HostCache(float.model, 1).feed(ids);
    const [actual] = await new HostCache(model, 1).feed(ids);
    const mean = expected!.reduce((sum, row, s) => sum + divergence(row, actual![s]!), 0) / 3;
    expect(mean).toBeLessThan(format.kind === 'q4' ? 1 : 0.02);
    await Promise.all([model.release(), float.model.release()]);
  });
});

describe('refuses tensors that the config does not imply', () => {
  const build = (change: (tensors: ReturnType<typeof randomSource>) => void, extra: JsonObject = {}) => {
    const tensors = randomSource();
    change(tensors);
    const directory = mkdtempSync(path.join(tmpdir(), 'trimtab-format-'));
    try {
      writeDecoder(readDecoderSpec({ ...config, ...extra }), sourceOf(tensors), { kind: 'f32' }, directory);
    } finally {
      rmSync(directory, { recursive: true });
    }
  };
  const vector = (length: number) => ({ shape: [length], data: new Float32Array(length) });

  it.each<[string, () => void, RegExp]>([
    [
      'missing',
      () => build((t) => t.delete('model.layers.1.mlp.up_proj.weight')),
      /no tensor model\.layers\.1\.mlp\.up_proj\.weight/,
    ],
    [
      'no embedding',
      () => build((t) => t.delete('model.embed_tokens.weight')),
      /no tensor model\.embed_tokens\.weight or embed_tokens/,
    ],
    [
      'wrong shape',
      () => build((t) => t.set('model.norm.weight', vector(41))),
      /model\.norm\.weight is \[41\], but the config implies \[40\]/,
    ],
    [
      'other head size',
      () => build(() => {}, { head_dim: 10 }),
      /q_proj\.weight is \[48, 40\], but the config implies \[40, 40\]/,
    ],
    [
      'surplus bias',
      () => build((t) => t.set('model.layers.0.self_attn.q_proj.bias', vector(48))),
      /q_proj\.bias, but its config says/,
    ],
    ['missing bias', () => build(() => {}, { mlp_bias: true }), /no tensor model\.layers\.0\.mlp\.gate_proj\.bias/],
    [
      'untied without head',
      () => build(() => {}, { tie_word_embeddings: false }),
      /tie_word_embeddings is false, .* lm_head\.weight/,
    ],
    [
      'no score',
      () => build(() => {}, { architectures: ['LlamaForSequenceClassification'] }),
      /no tensor score\.weight/,
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});
