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
import { print } from '../../kernels/print.js';
import { weightFormat } from '../../server/models/weight-format.js';
import { HostCache } from '../support/decoder.js';
import { divergence } from '../support/divergence.js';
import { randomTensors, smallLlama, sourceOf, type Tensors } from '../support/small-llama.js';

async function load(format: WeightFormat, vocab = 300): Promise<{ model: DecoderModel; bytes: number }> {
  const directory = mkdtempSync(path.join(tmpdir(), 'trimtab-format-'));
  try {
    const spec = readDecoderSpec({ ...smallLlama, vocab_size: vocab });
    writeDecoder(spec, sourceOf(randomTensors(vocab)), format, directory);
    const bytes = statSync(path.join(directory, 'weights.bin')).size;
    return { model: await DecoderModel.load(directory, { threads: 1 }), bytes };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

it.each<[string, WeightFormat]>([
  ['f32', { kind: 'f32' }],
  ['q4', { kind: 'q4', blockSize: 32 }],
  ['w8a8', { kind: 'w8a8' }],
  ['w8a8-unsigned', { kind: 'w8a8', unsigned: true }],
])('the graph of two layers in %s is the one on file', async (name, format) => {
  const spec = readDecoderSpec(smallLlama);
  const { graph } = buildDecoder(spec, sourceOf(randomTensors()), format);
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
  ['w8a8 of this processor', weightFormat('w8a8', readDecoderSpec(smallLlama)), 0.02],
  ['w8a8, unsigned', { kind: 'w8a8', unsigned: true }, 0.02],
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
  const build = (change: (tensors: Tensors) => void, extra: JsonObject = {}) => {
    const tensors = randomTensors();
    change(tensors);
    const directory = mkdtempSync(path.join(tmpdir(), 'trimtab-format-'));
    try {
      writeDecoder(readDecoderSpec({ ...smallLlama, ...extra }), sourceOf(tensors), { kind: 'f32' }, directory);
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
    [
      'surplus norm of keys',
      () => build((t) => t.set('model.layers.1.self_attn.k_norm.weight', vector(12))),
      /k_norm\.weight, but a model of its model_type has no norm of q and k/,
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
