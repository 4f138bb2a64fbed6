// Bytes of a file → pixels as a tower takes them. The header is looked at before anything is decoded; decoding runs in the library's own
// threads, never on the main one. What is no honest picture is refused with the reason. Knows no request.
import { createHash } from 'node:crypto';
import sharp, { type Metadata } from 'sharp';
import type { ImageInput } from '../wire/decode.js';
import type { Preprocessor } from './preprocessor.js';

/** Why a picture is refused, and what to do. The caller adds where it stood. */
export class PictureError extends Error {
  override readonly name = 'PictureError';
  constructor(
    readonly problem: string,
    readonly remedy: string,
  ) {
    super(problem);
  }
}

export interface Picture {
  readonly bytes: Buffer;
  readonly width: number;
  readonly height: number;
}

const FORMATS: readonly string[] = ['png', 'jpeg', 'webp'];
const SMALLEST_SIDE = 2;
const SEND = 'Send a PNG, JPEG or WebP file.';

const isTooLarge = (error: unknown): boolean => error instanceof Error && /pixel limit/i.test(error.message);

/** `declared` is what the sender says it is ("image/png"); null where nothing was said. */
export async function inspect(bytes: Buffer, declared: string | null, maxPixels: number): Promise<Picture> {
  const large = (what: string): PictureError =>
    new PictureError(`${what}, the limit is ${maxPixels} pixels`, 'Send a smaller picture or raise images.maxPixels.');
  let header: Metadata;
  try {
    header = await sharp(bytes, { limitInputPixels: maxPixels }).metadata();
  } catch (error) {
    if (isTooLarge(error)) throw large('it is too large');
    throw new PictureError('it is no image, or its header is damaged', SEND);
  }
  const { format, width, height, pages = 1, space, autoOrient } = header;
  if (!FORMATS.includes(format)) throw new PictureError(`its format is ${format}`, SEND);
  if (declared !== null && declared !== `image/${format}`)
    throw new PictureError(`it is called ${declared}, but it is image/${format}`, 'Give the type that it has.');
  if (pages > 1) throw new PictureError(`it is animated and has ${pages} frames`, 'Send a single frame.');
  if (space === 'cmyk') throw new PictureError('its colours are CMYK', 'Convert it to RGB.');
  if (width * height > maxPixels) throw large(`it has ${width} × ${height} pixels`);
  if (width < SMALLEST_SIDE || height < SMALLEST_SIDE)
    throw new PictureError(
      `it has ${width} × ${height} pixels, there must be ${SMALLEST_SIDE} a side`,
      'Send a picture that shows something.',
    );
  return { bytes, width: autoOrient.width, height: autoOrient.height };
}

/** Turned upright, in RGB without transparency, to the size and the scale of the tower. */
export async function pixelsFor(picture: Picture, preprocessor: Preprocessor, maxPixels: number): Promise<ImageInput> {
  const { size, fit, kernel, mean, factor } = preprocessor;
  const { width, height } = picture;
  let pipeline = sharp(picture.bytes, { limitInputPixels: maxPixels, failOn: 'error' })
    .autoOrient()
    .toColourspace('srgb')
    .removeAlpha();
  if (width !== size || height !== size) {
    const background = { r: (mean[0] ?? 0) / factor, g: (mean[1] ?? 0) / factor, b: (mean[2] ?? 0) / factor };
    const how = fit === 'pad' ? 'contain' : fit;
    pipeline = pipeline.resize(size, size, { fit: how, kernel, background });
  }
  let bytes: Buffer;
  try {
    bytes = await pipeline.raw({ depth: 'uchar' }).toBuffer();
  } catch {
    throw new PictureError('it is cut off or damaged', SEND);
  }
  if (bytes.length !== 3 * size * size) throw new PictureError('it has no three channels', SEND);
  return {
    hash: createHash('sha256').update(`${size}:`).update(bytes).digest('hex'),
    pixels: normalised(bytes, preprocessor),
  };
}

/** [size, size, 3] bytes → [3, size, size]. */
export function normalised(bytes: Uint8Array, { size, factor, mean, deviation }: Preprocessor): Float32Array {
  const area = size * size;
  const pixels = new Float32Array(3 * area);
  for (let channel = 0; channel < 3; channel++) {
    const [offset, scale] = [mean[channel] ?? 0, deviation[channel] ?? 1];
    for (let i = 0; i < area; i++)
      pixels[channel * area + i] = ((bytes[3 * i + channel] ?? 0) * factor - offset) / scale;
  }
  return pixels;
}
