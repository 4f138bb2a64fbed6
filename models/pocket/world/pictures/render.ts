// A scene as pixels: sky, sea and quay, then the things in their places. The same scene and size give the same bytes. Nothing here is
// random but what the scene's `look` seeds.
import { Rng } from '../rng.js';
import { Canvas, type Rgb } from './canvas.js';
import { SPRITES } from './sprites.js';
import type { Colour, Scene } from './things.js';

/** Pixels a side, as the pocket's vision tower sees a picture. */
export const PICTURE_SIZE = 64;

const INKS: Readonly<Record<Colour, Rgb>> = {
  red: [208, 38, 38],
  green: [36, 140, 56],
  blue: [38, 62, 200],
  yellow: [244, 208, 44],
  white: [250, 250, 248],
  black: [28, 26, 32],
};
/** Of a shade that is no colour's. */
const DETAIL: Rgb = [92, 70, 60];
const SKY: Rgb = [176, 206, 226];
const SEA: Rgb = [112, 164, 178];
const QUAY: Rgb = [182, 166, 148];

const COLUMNS = 3;
const THING_SHARE = 0.25;
/** Levels of 255. */
const SHADE = 12;
const GRAIN = 8;

/** [size, size, 3] bytes, row by row. */
export function renderPicture(scene: Scene, size = PICTURE_SIZE): Uint8Array {
  const rng = new Rng(scene.look);
  const canvas = new Canvas(size);
  const whole = { x: 0, y: 0, size };
  const shaded = (colour: Rgb): Rgb => {
    const by = (rng.next() - 0.5) * 2 * SHADE;
    return [colour[0] + by, colour[1] + by, colour[2] + by];
  };
  const horizon = 0.3 + rng.next() * 0.1;
  const edge = 0.64 + rng.next() * 0.1;
  canvas.paint(whole, shaded(SKY), () => true);
  canvas.paint(whole, shaded(SEA), (_u, v) => v > horizon);
  canvas.paint(whole, shaded(QUAY), (_u, v) => v > edge);
  for (const { kind, colour, places } of scene.groups)
    for (const place of places) {
      const cell = size / COLUMNS;
      const side = size * (THING_SHARE + (rng.next() - 0.5) * 0.03);
      const slack = cell - side;
      const x = (place % COLUMNS) * cell + rng.next() * slack;
      const y = Math.floor(place / COLUMNS) * cell + rng.next() * slack;
      for (const { ink, shape } of SPRITES[kind])
        canvas.paint({ x, y, size: side }, ink === 'colour' ? shaded(INKS[colour]) : DETAIL, shape);
    }
  return Uint8Array.from(canvas.pixels, (value) =>
    Math.min(255, Math.max(0, Math.round(value + (rng.next() - 0.5) * GRAIN))),
  );
}
