// The artifact cache: found again only when nothing changed, never half written, tidy, and honest about disks. The converter is a small
// one here; the real one is tried once.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DecoderModel } from '../../../kernels/decoder/model.js';
import { AppError } from '../../../server/errors.js';
import { ensureArtifact, type ArtifactOptions } from '../../../server/models/artifacts.js';
import { readCheckpoint } from '../../../server/models/checkpoint.js';
import type { Converter } from '../../../server/models/converter.js';
import { sweepArtifacts } from '../../../server/models/sweep.js';
import { weightFormat } from '../../../server/models/weight-format.js';
import { f32, safetensorsBytes, temporaryFolder, words, writeModel } from './write-safetensors.js';

const config = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  hidden_size: 8,
  intermediate_size: 16,
  num_attention_heads: 2,
  num_hidden_layers: 1,
  vocab_size: 5,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
  tie_word_embeddings: true,
};

function matrix(rows: number, cols: number) {
  return f32(
    [rows, cols],
    Array.from({ length: rows * cols }, (_, i) => Math.sin(i + rows)),
  );
}

function checkpoint(): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const layer = 'model.layers.0.';
  writeModel(
    folder,
    safetensorsBytes({
      'model.embed_tokens.weight': matrix(5, 8),
      'model.norm.weight': f32([8], Array<number>(8).fill(1)),
      [`${layer}input_layernorm.weight`]: f32([8], Array<number>(8).fill(1)),
      [`${layer}post_attention_layernorm.weight`]: f32([8], Array<number>(8).fill(1)),
      ...Object.fromEntries(
        ['q', 'k', 'v', 'o'].map((name) => [`${layer}self_attn.${name}_proj.weight`, matrix(8, 8)]),
      ),
      [`${layer}mlp.gate_proj.weight`]: matrix(16, 8),
      [`${layer}mlp.up_proj.weight`]: matrix(16, 8),
      [`${layer}mlp.down_proj.weight`]: matrix(8, 16),
    }),
  );
  return folder;
}

/** Copies one tensor's bytes and counts its calls. */
class SmallConverter implements Converter {
  calls = 0;
  version = '1';
  during: (directory: string) => void = () => {};

  convert: Converter['convert'] = (_checkpoint, source, _format, directory, onProgress) => {
    this.calls += 1;
    writeFileSync(join(directory, 'weights.bin'), new Uint8Array(source.readF32('model.embed_tokens.weight').buffer));
    this.during(directory);
    onProgress(1);
    writeFileSync(join(directory, 'model.onnx'), 'graph');
  };
}

function setUp(options: Partial<ArtifactOptions> = {}) {
  const converter = new SmallConverter();
  const path = options.path ?? checkpoint();
  const artifactDirectory = options.artifactDirectory ?? join(temporaryFolder(), 'artifacts');
  const ensure = (more: Partial<ArtifactOptions> = {}) =>
    ensureArtifact({ path, weights: 'q8', artifactDirectory, ...options, ...more }, converter);
  return { converter, path, artifactDirectory, ensure };
}

const failure = async (promise: Promise<unknown>): Promise<AppError> => {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
};

describe('finding it again', () => {
  test('the second start converts nothing and reads no weights', async () => {
    const { converter, ensure } = setUp();
    const stages: string[] = [];
    const onProgress = (stage: string, fraction: number) => {
      expect(fraction).toBeGreaterThanOrEqual(0);
      expect(fraction).toBeLessThanOrEqual(1);
      if (stages.at(-1) !== stage) stages.push(stage);
    };
    const first = await ensure({ onProgress });
    expect(stages).toEqual(['hashing', 'converting']);
    const second = await ensure({ onProgress });
    expect(stages).toEqual(['hashing', 'converting']);
    expect([first.cached, second.cached, converter.calls]).toEqual([false, true, 1]);
    expect(second).toEqual({ ...first, cached: true });
    expect(first.spec).toMatchObject({ family: 'llama', contextLength: 64 });
    expect(readdirSync(first.directory).sort()).toEqual(['artifact.json', 'model.onnx', 'weights.bin']);
  });

  test.each<[string, (setup: ReturnType<typeof setUp>) => Partial<ArtifactOptions> | void]>([
    [
      'the weights',
      ({ path }) => writeModel(path, safetensorsBytes({ 'model.embed_tokens.weight': words('BF16', [2], [0, 0]) })),
    ],
    [
      'one byte of the weights',
      ({ path }) => {
        const bytes = readFileSync(join(path, 'model.safetensors'));
        bytes[bytes.length - 2] = (bytes[bytes.length - 2] as number) ^ 1;
        writeModel(path, bytes);
      },
    ],
    [
      'config.json',
      ({ path }) => writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, rms_norm_eps: 1e-6 })),
    ],
    ['the format', () => ({ weights: 'q4' })],
    ['the block size', () => ({ blockSize: 64 })],
    ['the converter', ({ converter }) => void (converter.version = '2')],
  ])('%s changed: converted again', async (_, change) => {
    const setup = setUp();
    const before = await setup.ensure();
    const after = await setup.ensure(change(setup) ?? {});
    expect(after.cached).toBe(false);
    expect(after.directory).not.toBe(before.directory);
    expect(setup.converter.calls).toBe(2);
  });

  test('touched but equal weights, or a copy of the folder elsewhere: found again', async () => {
    const setup = setUp();
    await setup.ensure();
    utimesSync(join(setup.path, 'model.safetensors'), 1, 1);
    expect((await setup.ensure()).cached).toBe(true);
    writeFileSync(join(setup.artifactDirectory, 'content-hashes.json'), 'damaged');
    expect((await setup.ensure()).cached).toBe(true);
    const copy = join(temporaryFolder(), basename(setup.path));
    mkdirSync(copy);
    for (const name of readdirSync(setup.path)) writeFileSync(join(copy, name), readFileSync(join(setup.path, name)));
    expect((await setup.ensure({ path: copy })).cached).toBe(true);
  });
});

describe('never half written', () => {
  const damage: [string, (directory: string) => void][] = [
    ['a file is cut', (directory) => writeFileSync(join(directory, 'weights.bin'), 'short')],
    ['a file is gone', (directory) => rmSync(join(directory, 'model.onnx'))],
    ['the manifest is gone', (directory) => rmSync(join(directory, 'artifact.json'))],
    ['the manifest is damaged', (directory) => writeFileSync(join(directory, 'artifact.json'), '{"key":')],
    ['the manifest lacks its files', (directory) => writeFileSync(join(directory, 'artifact.json'), '{}')],
  ];
  test.each(damage)('%s: made again in its place', async (_, spoil) => {
    const { converter, ensure, artifactDirectory } = setUp();
    const { directory } = await ensure();
    spoil(directory);
    expect(await ensure()).toMatchObject({ cached: false, directory });
    expect((await ensure()).cached).toBe(true);
    expect(converter.calls).toBe(2);
    expect(readdirSync(artifactDirectory).sort()).toEqual(['content-hashes.json', basename(directory)]);
  });

  test('a conversion that fails leaves nothing behind', async () => {
    const { converter, ensure, artifactDirectory } = setUp();
    converter.during = () => {
      throw new Error('power cut');
    };
    await expect(ensure()).rejects.toThrow('power cut');
    expect(readdirSync(artifactDirectory)).toEqual(['content-hashes.json']);
    converter.during = () => {};
    expect((await ensure()).cached).toBe(false);
  });

  test('two converters at once: the second to finish takes the first one’s', async () => {
    const { converter, ensure, artifactDirectory } = setUp();
    const winner = setUp({ path: temporaryFolder(), artifactDirectory });
    let rival: Promise<unknown> = Promise.resolve();
    converter.during = () => {
      converter.during = () => {};
      expect(readdirSync(artifactDirectory).filter((name) => name.endsWith('.tmp'))).toHaveLength(1);
      rival = ensure();
    };
    const mine = await ensure();
    await rival;
    expect(converter.calls).toBe(2);
    expect((await ensure()).directory).toBe(mine.directory);
    expect(readdirSync(artifactDirectory).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(winner.converter.calls).toBe(0);
  });
});

describe('tidy', () => {
  const at = (home: string, name: string, ageMs: number) => {
    const path = join(home, name);
    mkdirSync(path);
    writeFileSync(join(path, 'weights.bin'), 'x');
    const then = (Date.now() - ageMs) / 1000;
    utimesSync(join(path, 'weights.bin'), then, then);
    utimesSync(path, then, then);
  };
  const host = hostname().replace(/[^\w-]/g, '_');
  const hour = 3_600_000;
  // Above the largest process id of Linux.
  const nobody = 4_194_999;

  test('what dead or long silent converters left goes, what a living one writes stays', () => {
    const home = temporaryFolder();
    at(home, `dead-q8.${host}.${nobody}.aa.tmp`, 0);
    at(home, `alive-q8.${host}.${process.ppid}.bb.tmp`, hour);
    at(home, `elsewhere-q8.other.${nobody}.cc.tmp`, hour);
    at(home, `silent-q8.other.${nobody}.dd.tmp`, 7 * hour);
    at(home, 'not-ours', 99 * hour);
    sweepArtifacts(home);
    expect(readdirSync(home).map((name) => name.split(/[-.]/)[0])).toEqual(['alive', 'elsewhere', 'not']);
  });

  test('an artifact that was replaced and not used for a day goes', async () => {
    const setup = setUp();
    const old = await setup.ensure();
    setup.converter.version = '2';
    const next = await setup.ensure();
    const manifest = join(old.directory, 'artifact.json');
    const yesterday = statSync(manifest).mtimeMs / 1000 - 25 * 3600;
    sweepArtifacts(setup.artifactDirectory);
    expect(existsSync(manifest)).toBe(true);
    utimesSync(manifest, yesterday, yesterday);
    sweepArtifacts(setup.artifactDirectory);
    expect([existsSync(manifest), existsSync(next.directory)]).toEqual([false, true]);
  });
});

describe('disks and checkpoints that do not work', () => {
  const diskError = (code: string) => Object.assign(new Error(`${code}: write`), { code });
  test.each([
    ['ENOSPC', 'The disk is full'],
    ['EROFS', 'read-only'],
    ['EACCES', 'Allow writing there'],
  ])('%s', async (code, remedy) => {
    const { converter, ensure, artifactDirectory } = setUp();
    converter.during = () => {
      throw diskError(code);
    };
    const error = await failure(ensure());
    expect(error.data.code).toBe('artifact_not_written');
    expect(error.message).toContain(artifactDirectory);
    expect(error.message).toContain(remedy);
  });

  test('a file where the folder should be', async () => {
    const artifactDirectory = join(temporaryFolder(), 'file');
    writeFileSync(artifactDirectory, '');
    expect((await failure(setUp({ artifactDirectory }).ensure())).data.code).toBe('artifact_not_written');
  });

  test.skipIf(process.getuid?.() === 0)('a folder without permission', async () => {
    const artifactDirectory = temporaryFolder();
    chmodSync(artifactDirectory, 0o500);
    expect((await failure(setUp({ artifactDirectory }).ensure())).data.code).toBe('artifact_not_written');
  });

  test.each([
    [2048, 8192, 64, 128],
    [576, 1536, 64, 128],
    [192, 576, 48, 64],
    [320, 960, 64, 64],
    [96, 256, 32, 32],
    [72, 200, 24, 32],
  ])('hidden size %d, feed-forward %d, head size %d: blocks of %d', (hidden, mlp, headDim, block) => {
    const path = checkpoint();
    const heads = hidden / headDim;
    const changed = { ...config, hidden_size: hidden, intermediate_size: mlp, num_attention_heads: heads };
    writeFileSync(join(path, 'config.json'), JSON.stringify(changed));
    const { spec } = readCheckpoint(path);
    expect(weightFormat('q4', spec)).toEqual({ kind: 'q4', blockSize: block });
  });

  test('block sizes that do not exist, or where there are no blocks', async () => {
    const { ensure } = setUp();
    expect((await failure(ensure({ blockSize: 24 }))).message).toContain('Use 16, 32, 64, 128 or 256');
    expect((await failure(ensure({ weights: 'f32', blockSize: 32 }))).message).toContain('f32 has no blocks');
  });
});

describe('the real converter', () => {
  test('writes what the decoder loads; a damaged checkpoint stops it with the tensor', async () => {
    const path = checkpoint();
    const artifactDirectory = join(temporaryFolder(), 'artifacts');
    const { directory, spec, cached } = await ensureArtifact({ path, weights: 'f32', artifactDirectory });
    expect(cached).toBe(false);
    const model = await DecoderModel.load(directory, { threads: 1 });
    expect(model.spec).toEqual(spec);
    await model.release();

    const bytes = readFileSync(join(path, 'model.safetensors'));
    bytes.writeUInt32LE(0x7fc00000, bytes.length - 4);
    writeModel(path, bytes);
    const error = await failure(ensureArtifact({ path, weights: 'f32', artifactDirectory }));
    expect(error.data.code).toBe('weights_not_finite');
    expect(readdirSync(artifactDirectory).filter((name) => name.endsWith('.tmp'))).toEqual([]);

    writeModel(path, safetensorsBytes({ 'model.embed_tokens.weight': matrix(5, 8) }));
    const incomplete = await failure(ensureArtifact({ path, weights: 'f32', artifactDirectory }));
    expect(incomplete.data.code).toBe('model_file_invalid');
    expect(incomplete.message).toContain('norm.weight');
  });
});
