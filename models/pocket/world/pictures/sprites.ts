// How each kind of thing looks: layers of shapes on a unit square, in the thing's colour or in the dark of details. Used by render.ts.
import { disc, either, polygon, rectangle, type Shape, without } from './canvas.js';
import type { Kind } from './things.js';

export interface Layer {
  readonly ink: 'colour' | 'detail';
  readonly shape: Shape;
}

const colour = (...shapes: readonly Shape[]): Layer => ({ ink: 'colour', shape: either(...shapes) });
const detail = (...shapes: readonly Shape[]): Layer => ({ ink: 'detail', shape: either(...shapes) });

const near = (value: number, width: number): boolean => Math.abs(value) < width;

export const SPRITES: Readonly<Record<Kind, readonly Layer[]>> = {
  boat: [
    detail(rectangle(0.46, 0.05, 0.54, 0.7)),
    colour(
      polygon([0.0, 0.66], [1.0, 0.66], [0.8, 0.95], [0.2, 0.95]),
      polygon([0.56, 0.08], [0.95, 0.56], [0.56, 0.56]),
    ),
  ],
  net: [
    colour(
      without(rectangle(0.05, 0.1, 0.95, 0.9), rectangle(0.13, 0.18, 0.87, 0.82)),
      (u, v) =>
        rectangle(0.05, 0.1, 0.95, 0.9)(u, v) &&
        (near(((u + v) % 0.3) - 0.15, 0.05) || near(((u - v + 3) % 0.3) - 0.15, 0.05)),
    ),
  ],
  barrel: [
    colour(without(disc(0.5, 0.5, 0.42, 0.62), (_u, v) => v < 0.04 || v > 0.96)),
    detail((u, v) => disc(0.5, 0.5, 0.42, 0.62)(u, v) && (near(v - 0.26, 0.05) || near(v - 0.74, 0.05))),
  ],
  crate: [
    colour(rectangle(0.06, 0.06, 0.94, 0.94)),
    detail(
      without(rectangle(0.06, 0.06, 0.94, 0.94), rectangle(0.15, 0.15, 0.85, 0.85)),
      (u, v) => rectangle(0.06, 0.06, 0.94, 0.94)(u, v) && (near(u - v, 0.08) || near(u + v - 1, 0.08)),
    ),
  ],
  lamp: [detail(rectangle(0.44, 0.4, 0.56, 0.92), rectangle(0.25, 0.88, 0.75, 1)), colour(disc(0.5, 0.27, 0.27))],
  bell: [
    detail(disc(0.5, 0.9, 0.1), rectangle(0.45, 0, 0.55, 0.12)),
    colour(disc(0.5, 0.4, 0.28, 0.34), polygon([0.24, 0.4], [0.76, 0.4], [0.97, 0.82], [0.03, 0.82])),
  ],
  crab: [
    detail((u, v) => v > 0.7 && v < 0.98 && near(((u + 0.05) % 0.2) - 0.1, 0.03) && u > 0.12 && u < 0.88),
    colour(disc(0.5, 0.6, 0.4, 0.24), disc(0.12, 0.28, 0.13), disc(0.88, 0.28, 0.13)),
    detail(disc(0.4, 0.5, 0.05), disc(0.6, 0.5, 0.05)),
  ],
  fish: [
    colour(disc(0.4, 0.5, 0.38, 0.24), polygon([0.7, 0.5], [1.0, 0.24], [1.0, 0.76])),
    detail(disc(0.2, 0.45, 0.06)),
  ],
  flag: [detail(rectangle(0.1, 0.02, 0.2, 1)), colour(polygon([0.2, 0.06], [0.98, 0.3], [0.2, 0.56]))],
  house: [
    colour(rectangle(0.14, 0.45, 0.86, 0.98), polygon([0.5, 0.04], [0.98, 0.46], [0.02, 0.46])),
    detail(rectangle(0.4, 0.65, 0.6, 0.98)),
  ],
  moon: [colour(without(disc(0.45, 0.5, 0.44), disc(0.68, 0.42, 0.36)))],
  cart: [
    colour(rectangle(0.02, 0.3, 0.8, 0.68)),
    detail(disc(0.22, 0.78, 0.17), disc(0.62, 0.78, 0.17), rectangle(0.8, 0.34, 1, 0.42)),
  ],
};
