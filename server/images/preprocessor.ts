// preprocessor_config.json of a checkpoint → how a picture becomes what its tower takes: resized, cut or padded to a square, normalised.
// Knows the image processors of CLIP, SigLIP and LLaVA. Called once per model, at start.
import { join } from 'node:path';
import { invalidFile, isJsonObject, readJsonObject, type JsonObject } from '../models/json-file.js';

export interface Preprocessor {
  /** Pixels a side. */
  readonly size: number;
  /** cover: the shorter side fills, the middle is cut out. fill: both sides fill, whatever the shape. pad: a square of mean colour around it. */
  readonly fit: 'cover' | 'fill' | 'pad';
  readonly kernel: 'nearest' | 'linear' | 'cubic' | 'lanczos3';
  /** Per channel: (byte · factor − mean) / deviation. */
  readonly factor: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Pillow's numbers for its filters. */
const kernels: Readonly<Record<number, Preprocessor['kernel']>> = {
  0: 'nearest',
  1: 'lanczos3',
  2: 'linear',
  3: 'cubic',
};
const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073];
const CLIP_DEVIATION = [0.26862954, 0.26130258, 0.27577711];

/** `size` is the tower's. */
export function readPreprocessor(directory: string, size: number): Preprocessor {
  const path = join(directory, 'preprocessor_config.json');
  const config = readJsonObject(path) ?? {};
  const fail = (key: string, remedy: string): never => {
    throw invalidFile(path, `${key} is ${JSON.stringify(config[key]) ?? 'missing'}`, remedy);
  };
  const isOff = (key: string): boolean => config[key] === false;
  for (const key of ['do_resize', 'do_rescale', 'do_normalize'])
    if (isOff(key)) fail(key, 'Pictures are always resized, rescaled and normalised here: use another checkpoint.');
  const kernel = kernels[Number(config['resample'] ?? 3)] ?? fail('resample', 'Supported: 0, 1, 2 and 3.');
  const sides = sizesOf(config['crop_size']) ?? sizesOf(config['size']);
  if (sides && (sides[0] !== size || sides[1] !== size))
    fail(config['crop_size'] === undefined ? 'size' : 'crop_size', `The tower takes ${size} × ${size} pixels.`);
  const processor = config['image_processor_type'];
  const isSiglip = typeof processor === 'string' && processor.startsWith('Siglip');
  const shortest = isJsonObject(config['size']) ? config['size']['shortest_edge'] : config['size'];
  if (typeof shortest === 'number' && shortest !== size)
    fail('size', `Supported is a shortest_edge of ${size}, as the tower takes.`);
  const half = [0.5, 0.5, 0.5];
  return {
    size,
    fit: config['do_pad'] === true ? 'pad' : isSiglip || isOff('do_center_crop') ? 'fill' : 'cover',
    kernel,
    factor: typeof config['rescale_factor'] === 'number' ? config['rescale_factor'] : 1 / 255,
    mean: channels(config, 'image_mean', isSiglip ? half : CLIP_MEAN, fail),
    deviation: channels(config, 'image_std', isSiglip ? half : CLIP_DEVIATION, fail),
  };
}

/** Height and width, where both are said. */
function sizesOf(value: unknown): readonly [unknown, unknown] | null {
  if (typeof value === 'number') return [value, value];
  if (!isJsonObject(value) || value['height'] === undefined) return null;
  return [value['height'], value['width']];
}

function channels(
  config: JsonObject,
  key: string,
  fallback: readonly number[],
  fail: (key: string, remedy: string) => never,
): readonly number[] {
  const value = config[key] ?? fallback;
  if (
    Array.isArray(value) &&
    value.length === 3 &&
    value.every((one) => typeof one === 'number' && Number.isFinite(one))
  )
    return value as number[];
  return fail(key, 'Supported: three numbers.');
}
