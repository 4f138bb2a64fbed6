// Files that clients send as pictures, good and bad, made here.
import sharp, { type Sharp } from 'sharp';
import { deflateSync } from 'node:zlib';

/** A gradient: every pixel tells where it stood. */
export function gradient(width: number, height: number): Buffer {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      pixels[(y * width + x) * 3] = Math.round((255 * x) / Math.max(1, width - 1));
      pixels[(y * width + x) * 3 + 1] = Math.round((255 * y) / Math.max(1, height - 1));
      pixels[(y * width + x) * 3 + 2] = 128;
    }
  return pixels;
}

export const drawing = (width: number, height: number): Sharp =>
  sharp(gradient(width, height), { raw: { width, height, channels: 3 } });

export const dataUri = (bytes: Buffer, type = 'image/png'): string => `data:${type};base64,${bytes.toString('base64')}`;

/** Two frames, one above the other in the raw pixels. */
export const animated = (): Promise<Buffer> =>
  sharp(gradient(16, 32), { raw: { width: 16, height: 32, channels: 3, pageHeight: 16 } })
    .webp({ loop: 0, delay: [100, 100], lossless: true })
    .toBuffer();

export const cmyk = (): Promise<Buffer> => drawing(16, 16).toColourspace('cmyk').jpeg().toBuffer();

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc(body));
  return Buffer.concat([length, body, sum]);
}

function crc(data: Buffer): number {
  let sum = ~0;
  for (const byte of data) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

/** A PNG whose header promises these sizes and whose data are a few bytes. */
export function promised(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(64))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
