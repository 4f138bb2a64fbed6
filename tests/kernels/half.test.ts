// Decoders in half precision on the CPU provider, through the graphs, banks and feeds of the device (the CPU has no kernels of 16 bits worth
// the name: tests/support/rounded.ts makes every value 16 bits wide): near float32, ragged rows and growing banks included, and what
// overflows is not hidden. tests/gpu/half.test.ts asks a device.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildDecoder } from '../../kernels/decoder/build.js';
import { readDecoderSpec } from '../../kernels/decoder/families/index.js';
import type { WeightFormat } from '../../kernels/decoder/format.js';
import { print } from '../../kernels/print.js';
import { verify } from '../../kernels/verify.js';
import { type Golden, readJson } from '../support/decoder.js';
import { DeviceRows, type LoadedOnDevice, loadOnDevice, loadSource } from '../support/device-decoder.js';
import { meanDivergence } from '../support/divergence.js';
import { randomTensors, smallLlama, sourceOf, type Tensors } from '../support/small-llama.js';
import { worst } from '../support/worst.js';

const root = path.resolve(import.meta.dirname, '../..');
const all = path.join(root, '../shared/goldens');
const folder = existsSync(all) ? all : path.join(root, 'tests/goldens');
/** Biases and learned positions, the rope that switches, softcaps and windows, norms of q and k of both kinds, scores. */
const names = ['gpt2_legacy', 'phi3_longrope', 'gemma2', 'gemma3_text', 'olmo2', 'qwen3', 'llama_bias', 'llama_rm'];
const there = names.filter((name) => existsSync(path.join(folder, name, 'golden.json')));

/** All logits of sequences that come in chunks of different lengths, in one batch. */
async function inChunks(loaded: LoadedOnDevice, sequences: readonly (readonly number[])[]): Promise<number[][][]> {
  const rows = new DeviceRows(loaded, sequences.length);
  const logits: number[][][] = sequences.map(() => []);
  const done = sequences.map(() => 0);
  const switchLength = loaded.decoder.spec.ropeSwitchLength;
  const crosses = sequences.map((ids) => switchLength !== null && ids.length > switchLength);
  while (sequences.some((ids, r) => done[r]! < ids.length)) {
    const fresh = sequences.map((ids, r) => ids.slice(done[r], done[r]! + (crosses[r] ? ids.length : r * 3 + 2)));
    (await rows.feed(fresh)).forEach((own, r) => logits[r]!.push(...own));
    fresh.forEach((ids, r) => (done[r]! += ids.length));
  }
  rows.dispose();
  return logits;
}

it('finds goldens', () => expect(there.length).toBeGreaterThan(2));

// A number of 16 bits is off by at most 2⁻¹¹ of itself, and the logits are the end of about ten such roundings a layer, which add up like the
// steps of a walk: for these few layers √40 · 2⁻¹¹, or 0.3 % of the largest logit; 1 % for the worst of thousands. float32 is off by 2e-4.
describe.each(there)('f16: %s', (name) => {
  const directory = path.join(folder, name);
  const golden = readJson(path.join(directory, 'golden.json')) as Golden;
  let logits: number[][][];
  beforeAll(async () => {
    const loaded = await loadOnDevice(directory, { kind: 'f16' }, 'cpu');
    logits = await inChunks(loaded, golden.inputs);
    await loaded.release();
  });

  it('is near the reference, and not as near as float32', () => {
    const largest = golden.logits.flat(2).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const apart = Math.max(...golden.logits.map((rows, i) => worst(logits[i]!, rows)));
    expect(apart).toBeLessThan(0.01 * largest);
    expect(apart).toBeGreaterThan(1e-3);
  });

  it.skipIf(name === 'llama_rm')('says nearly the same law', () => {
    expect(meanDivergence(golden.logits.flat(), logits.flat())).toBeLessThan(1e-4);
  });
});

const spec = readDecoderSpec(smallLlama);
const sequences = [[5, 17, 200, 33, 8, 91, 150], [7, 7, 298], [64]];

async function logitsOf(format: WeightFormat, tensors: Tensors = randomTensors()): Promise<number[][][]> {
  const loaded = await loadSource(spec, sourceOf(tensors), format, 'cpu');
  const logits = await inChunks(loaded, sequences);
  await loaded.release();
  return logits;
}

describe('the graph of two layers', () => {
  it.each<[string, WeightFormat]>([
    ['f16', { kind: 'f16' }],
    ['q4f16', { kind: 'q4', blockSize: 32, activations: 'f16' }],
  ])('%s is the one on file', async (name, format) => {
    const { graph } = buildDecoder(spec, sourceOf(randomTensors()), format, 'webgpu');
    verify(graph);
    await expect(print(graph)).toMatchFileSnapshot(`golden/decoder-${name}.txt`);
  });

  it('keeps a large vocabulary in 16 bits, once for both its uses', () => {
    const large = readDecoderSpec({ ...smallLlama, vocab_size: 110_000 });
    const { graph } = buildDecoder(large, sourceOf(randomTensors(110_000)), { kind: 'f16' }, 'webgpu');
    verify(graph);
    expect(graph.weights.filter(({ dtype }) => dtype !== 'float16')).toEqual([]);
    expect(graph.outputs.find(({ name }) => name === 'logits')?.dtype).toBe('float32');
    const tables = graph.weights.filter(({ shape }) => shape[0] === 110_000);
    expect(tables.map(({ name }) => name)).toEqual(['embedding.weight']);
  });

  it('has one copy of the scales of a quantised table', () => {
    const large = readDecoderSpec({ ...smallLlama, vocab_size: 110_000 });
    const format = { kind: 'q8', blockSize: 16, activations: 'f16' } as const;
    const { graph } = buildDecoder(large, sourceOf(randomTensors(110_000)), format, 'webgpu');
    verify(graph);
    const scales = graph.weights.filter(({ name }) => /^embedding\.(row_)?scales$/.test(name));
    expect(scales.map(({ dtype }) => dtype)).toEqual(['float32', 'float32']);
    expect(new Set(scales.map(({ produce }) => produce)).size).toBe(1);
  });
});

// The CPU rounds what 32-bit activations meet quantised weights with to 8 bits; of 16-bit ones it keeps all. So these may not be further off.
describe.each(['q8', 'q4'] as const)('%sf16', (kind) => {
  it('is as near float32 as the same weights with activations of 32 bits', async () => {
    const exact = (await logitsOf({ kind: 'f32' })).flat();
    const format = { kind, blockSize: 16 } as const;
    const [full, half] = [await logitsOf(format), await logitsOf({ ...format, activations: 'f16' })];
    const [before, after] = [meanDivergence(exact, full.flat()), meanDivergence(exact, half.flat())];
    console.log(before, after, meanDivergence(full.flat(), half.flat()));
    expect(after).toBeLessThan(1.1 * before);
  });
});

describe('beyond 65504', () => {
  /** What the gated part of the first layer makes is about 10⁸: nothing to float32, infinite here. The norm after it takes it back. */
  const loud = (): Tensors => {
    const tensors = randomTensors();
    for (const name of ['gate', 'up']) {
      const { data } = tensors.get(`model.layers.0.mlp.${name}_proj.weight`)!;
      data.forEach((x, i) => (data[i] = x * 1e4));
    }
    return tensors;
  };

  it('an activation leaves no finite logits, and float32 does not mind', async () => {
    const isFinite = (logits: number[][][]): boolean => logits.flat(2).every(Number.isFinite);
    expect(isFinite(await logitsOf({ kind: 'f32' }, loud()))).toBe(true);
    for (const row of (await logitsOf({ kind: 'f16' }, loud())).flat())
      expect(row.every((x) => Number.isNaN(x))).toBe(true);
  });

  it('a weight is refused by name while it is converted', async () => {
    const tensors = randomTensors();
    tensors.get('model.layers.1.mlp.down_proj.weight')!.data[7] = -70_000;
    await expect(logitsOf({ kind: 'f16' }, tensors)).rejects.toThrow(
      /layer\.1\.mlp\.down\.weight holds -70000, and float16 ends at 65504: use the weights f32, q8 or q4/,
    );
    expect((await logitsOf({ kind: 'q8', blockSize: 16 }, tensors)).flat(2).every(Number.isFinite)).toBe(true);
  });
});
