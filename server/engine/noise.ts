// Diffusion noise on a picture, as visual contrastive decoding makes it: sqrt(ā)·v + sqrt(1 − ā)·ε after `step` of 1000 steps whose variances
// follow a sigmoid from 1e-5 to 5e-3. ε depends on the picture's hash and nothing else: the same picture is noised alike in every request.
import { NOISE_STEPS } from '../../decoders/prompt.js';
import { uniform } from '../../decoders/random.js';

const FIRST_VARIANCE = 1e-5;
const LAST_VARIANCE = 0.5e-2;
/** The sigmoid runs over [−6, 6]. */
const SPAN = 6;

/** The share of the picture's power that is left after step `step`. */
export function signalLeft(step: number): number {
  let left = 1;
  for (let t = 0; t <= step; t++) {
    const at = -SPAN + (2 * SPAN * t) / (NOISE_STEPS - 1);
    left *= 1 - ((LAST_VARIANCE - FIRST_VARIANCE) / (1 + Math.exp(-at)) + FIRST_VARIANCE);
  }
  return left;
}

/** `hash` is hexadecimal. */
export function noised(pixels: Float32Array, step: number, hash: string): Float32Array {
  const seed = Number.parseInt(hash.slice(0, 8), 16);
  const left = signalLeft(step);
  const [keep, add] = [Math.sqrt(left), Math.sqrt(1 - left)];
  return pixels.map((value, i) => keep * value + add * normal(seed, step, i));
}

/** Box and Muller. */
function normal(seed: number, stream: number, position: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, stream, 2 * position)));
  return radius * Math.cos(2 * Math.PI * uniform(seed, stream, 2 * position + 1));
}
