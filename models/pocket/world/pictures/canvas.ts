// A square of RGB pixels that shapes are painted on, with smoothed edges. Shapes are tests on a unit square; it knows no thing.

export type Rgb = readonly [number, number, number];
/** Whether the point (u, v) of the unit square, v downwards, belongs to a shape. */
export type Shape = (u: number, v: number) => boolean;

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

/** Points per pixel and axis at which a shape is asked. */
const SAMPLES = 3;

export class Canvas {
  readonly pixels: Float32Array;

  constructor(readonly size: number) {
    this.pixels = new Float32Array(size * size * 3);
  }

  /** Mixes the colour into every pixel of the box by the share of it that the shape covers. */
  paint({ x, y, size }: Box, colour: Rgb, shape: Shape): void {
    const last = this.size - 1;
    for (let row = Math.max(0, Math.floor(y)); row <= Math.min(last, Math.ceil(y + size)); row++)
      for (let column = Math.max(0, Math.floor(x)); column <= Math.min(last, Math.ceil(x + size)); column++) {
        let inside = 0;
        for (let i = 0; i < SAMPLES; i++)
          for (let j = 0; j < SAMPLES; j++) {
            const u = (column + (j + 0.5) / SAMPLES - x) / size;
            const v = (row + (i + 0.5) / SAMPLES - y) / size;
            if (u >= 0 && u < 1 && v >= 0 && v < 1 && shape(u, v)) inside++;
          }
        if (inside > 0) this.#mix(row * this.size + column, colour, inside / SAMPLES ** 2);
      }
  }

  #mix(pixel: number, colour: Rgb, share: number): void {
    colour.forEach((value, channel) => {
      const at = pixel * 3 + channel;
      this.pixels[at] = (this.pixels[at] ?? 0) * (1 - share) + value * share;
    });
  }
}

export const disc =
  (cx: number, cy: number, rx: number, ry = rx): Shape =>
  (u, v) =>
    ((u - cx) / rx) ** 2 + ((v - cy) / ry) ** 2 < 1;

export const rectangle =
  (left: number, top: number, right: number, bottom: number): Shape =>
  (u, v) =>
    u >= left && u < right && v >= top && v < bottom;

/** A convex polygon by its corners, clockwise as seen with v downwards. */
export const polygon =
  (...corners: readonly (readonly [number, number])[]): Shape =>
  (u, v) =>
    corners.every(([x0, y0], i) => {
      const [x1, y1] = corners[(i + 1) % corners.length] ?? [x0, y0];
      return (x1 - x0) * (v - y0) - (y1 - y0) * (u - x0) >= 0;
    });

export const either =
  (...shapes: readonly Shape[]): Shape =>
  (u, v) =>
    shapes.some((shape) => shape(u, v));

export const without =
  (shape: Shape, hole: Shape): Shape =>
  (u, v) =>
    shape(u, v) && !hole(u, v);
