// Vision towers, projectors and the decoder behind them against a plain numpy forward (tests/reference/llava.py), and the engine over them:
// in one piece or token by token, in any order of pictures, with a cold cache or a warm one.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Look } from '../../decoders/prompt.js';
import { DecoderModel } from '../../kernels/decoder/model.js';
import { VisionModel } from '../../kernels/vision/model.js';
import { imageTokens } from '../../kernels/vision/spec.js';
import { ImageRows } from '../../server/engine/images.js';
import { noised, signalLeft } from '../../server/engine/noise.js';
import { ensureArtifact } from '../../server/models/artifacts.js';
import { HostCache, readJson } from '../support/decoder.js';
import { worst } from '../support/worst.js';

interface Case {
  readonly ids: readonly number[];
  readonly images: readonly number[];
  readonly projection: string;
  readonly logits: readonly (readonly number[])[];
}
interface Golden {
  readonly imageToken: number;
  readonly pixels: readonly (readonly number[])[];
  readonly cases: readonly Case[];
}

const reference = path.resolve(import.meta.dirname, '../reference');
const tolerance = 2e-4;

describe.each(['clip', 'siglip'])('%s', (kind) => {
  const directory = path.join(reference, kind);
  const golden = readJson(path.join(directory, 'golden.json')) as Golden;
  const inputs = golden.pixels.map((pixels, i) => ({ hash: `0${i}`.repeat(32), pixels: Float32Array.from(pixels) }));
  const home = mkdtempSync(path.join(tmpdir(), 'trimtab-llava-'));
  let decoder: DecoderModel;
  let vision: VisionModel;
  let images: ImageRows;

  beforeAll(async () => {
    const artifact = await ensureArtifact({ path: directory, weights: 'f32', artifactDirectory: home });
    decoder = await DecoderModel.load(artifact.directory, { threads: 1 });
    vision = await VisionModel.load(artifact.directory, decoder.spec.vision!, { threads: 1 });
    images = new ImageRows(vision, 1 << 20);
  });
  afterAll(async () => {
    await decoder.release();
    await images.release();
    rmSync(home, { recursive: true });
  });

  const lookOf = (projection: string): Look | null =>
    projection === '' ? null : { kind: 'projection', name: projection };

  /** Logits of every position, fed in pieces of `chunk` tokens. */
  async function logitsOf(
    { ids, images: chosen, projection }: Case,
    chunk: number,
    rows = images,
  ): Promise<number[][]> {
    const opened = rows.open(
      Int32Array.from(ids),
      chosen.map((i) => inputs[i]!),
      lookOf(projection),
    );
    // The cache of the tests knows no pictures: they are put into each of its batches here.
    const seeing = {
      spec: decoder.spec,
      forward: async (batch: Parameters<DecoderModel['forward']>[0]) =>
        decoder.forward({ ...batch, images: await rows.take(batch.ids) }),
    } as DecoderModel;
    const cache = new HostCache(seeing, 1);
    const logits: number[][] = [];
    for (let at = 0; at < ids.length; at += chunk)
      logits.push(...(await cache.feed([[...opened.ids.slice(at, at + chunk)]]))[0]!);
    opened.close();
    return logits;
  }

  it('finds the projection beside the checkpoint', () => expect(vision.projections).toEqual(['negative']));

  it.each(golden.cases.map((one, i) => [i, one.images.length, one.projection || 'own'] as const))(
    'case %i: %i pictures by the projection %s, in one piece, in threes and token by token',
    async (i) => {
      const one = golden.cases[i]!;
      for (const chunk of [one.ids.length, 3, 1])
        expect(worst(await logitsOf(one, chunk), one.logits)).toBeLessThanOrEqual(tolerance);
    },
  );

  it('gives the same numbers with a cold cache and with none', async () => {
    const one = golden.cases[2]!;
    const warm = await logitsOf(one, one.ids.length);
    const uncached = new ImageRows(vision, 1);
    expect(await logitsOf(one, one.ids.length, uncached)).toEqual(warm);
  });

  it('looks at each distinct picture once, whatever the number of prompts and projections', async () => {
    const fresh = new ImageRows(vision, 1 << 20);
    for (const one of golden.cases) await logitsOf(one, 5, fresh);
    const { encoded, projected } = fresh.counters;
    expect({ encoded, projected }).toEqual({ encoded: 2, projected: 4 });
    fresh.check();
  });

  it('tells pictures and looks apart by ids, and equal ones not', () => {
    const perImage = imageTokens(vision.spec);
    const ids = Int32Array.from([1, ...Array<number>(perImage).fill(golden.imageToken), 2]);
    const open = (image: number, look: Look | null): Int32Array => {
      const { ids: opened, close } = images.open(ids, [inputs[image]!], look);
      close();
      return opened;
    };
    expect(open(0, null)).toEqual(open(0, null));
    const seen = [open(0, null), open(1, null), open(0, lookOf('negative')), open(0, { kind: 'noise', step: 500 })];
    expect(new Set(seen.map(([, first]) => first)).size).toBe(seen.length);
    expect(new Set([...seen[0]!].slice(1, -1)).size).toBe(perImage);
    expect(() => images.open(ids, [], null)).toThrow('places');
  });
});

it('refuses a projection of another shape with the names of both', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'trimtab-llava-'));
  const checkpoint = path.join(home, 'checkpoint');
  cpSync(path.join(reference, 'clip'), checkpoint, { recursive: true });
  cpSync(
    path.join(reference, 'siglip/projections/negative.safetensors'),
    path.join(checkpoint, 'projections/wide.safetensors'),
  );
  const made = ensureArtifact({ path: checkpoint, weights: 'f32', artifactDirectory: path.join(home, 'artifacts') });
  await expect(made).rejects.toThrow(
    'multi_modal_projector.linear_1.weight is [16, 24], but the config implies [16, 12]',
  );
  rmSync(home, { recursive: true });
});

describe('noise', () => {
  it('leaves the power that the schedule says', () => {
    // The product of 1 − β over a sigmoid from 1e-5 to 5e-3: hardly anything is lost at first, nearly all at the end.
    expect(signalLeft(0)).toBeCloseTo(1 - (1e-5 + (0.5e-2 - 1e-5) / (1 + Math.exp(6))), 12);
    const left = Array.from({ length: 1000 }, (_, step) => signalLeft(step));
    for (let step = 1; step < left.length; step++) expect(left[step]!).toBeLessThan(left[step - 1]!);
    expect(left[500]!).toBeCloseTo(0.744799, 5);
    expect(left[999]!).toBeCloseTo(0.08125, 5);
  });

  it('is a function of picture and step alone, of mean 0 and deviation 1', () => {
    const flat = new Float32Array(20_000);
    const hash = 'a'.repeat(64);
    expect(noised(flat, 500, hash)).toEqual(noised(flat, 500, hash));
    expect(noised(flat, 500, 'b'.repeat(64))).not.toEqual(noised(flat, 500, hash));
    const values = noised(flat, 999, hash).map((value) => value / Math.sqrt(1 - signalLeft(999)));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(deviation - 1)).toBeLessThan(0.02);
  });
});
