// Rotary embeddings. First half: from the many spellings of a config to frequencies (float64, once). Second half: the tables of
// cosines and sines that the host feeds per forward. The graph only rotates; it knows no formula.
import type { ConfigReader } from './config.js';
import type { RopeSpec } from './spec.js';

export interface ReadRope {
  readonly rope: RopeSpec;
  readonly rotaryDim: number;
  /** longrope: the length beyond which the whole sequence uses the long factors. */
  readonly switchLength: number | null;
}

interface RopeDefaults {
  readonly headDim: number;
  readonly theta: number;
  readonly maxPositions: number;
  /** Only families that rotate a part of each head may say partial_rotary_factor. */
  readonly partial: boolean;
}

const inverseFrequencies = (dim: number, theta: number): number[] =>
  Array.from({ length: dim / 2 }, (_, i) => theta ** (-(2 * i) / dim));

/** Long wavelengths are slowed by `factor`, short ones left alone, those between blended. */
function llama3(p: ConfigReader, frequencies: readonly number[]): number[] {
  const factor = p.positive('factor');
  const low = p.positive('low_freq_factor');
  const high = p.positive('high_freq_factor');
  const original = p.positive('original_max_position_embeddings');
  if (high <= low) p.fail('high_freq_factor', high, `a number above low_freq_factor (${low})`);
  return frequencies.map((f) => {
    const turns = (original * f) / (2 * Math.PI);
    if (turns < low) return f / factor;
    if (turns > high) return f;
    const smooth = (turns - low) / (high - low);
    return ((1 - smooth) * f) / factor + smooth * f;
  });
}

/** YaRN (arXiv 2309.00071) as transformers computes it: a ramp over the dimensions between interpolation and extrapolation. */
function yarn(
  p: ConfigReader,
  dim: number,
  theta: number,
  maxPositions: number,
): { frequencies: number[]; scale: number } {
  const original = p.positive('original_max_position_embeddings', maxPositions);
  const factor = p.has('factor') ? p.positive('factor') : maxPositions / original;
  const scaleOf = (mscale: number): number => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1);
  const scale = p.has('attention_factor')
    ? p.positive('attention_factor')
    : p.has('mscale') && p.has('mscale_all_dim')
      ? scaleOf(p.positive('mscale')) / scaleOf(p.positive('mscale_all_dim'))
      : scaleOf(1);
  const dimensionOf = (rotations: number): number =>
    (dim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  let low = dimensionOf(p.positive('beta_fast', 32));
  let high = dimensionOf(p.positive('beta_slow', 1));
  if (p.boolean('truncate', true)) [low, high] = [Math.floor(low), Math.ceil(high)];
  low = Math.max(low, 0);
  high = Math.min(high, dim - 1);
  if (low === high) high += 0.001;
  const frequencies = inverseFrequencies(dim, theta).map((f, i) => {
    const interpolated = Math.min(1, Math.max(0, (i - low) / (high - low)));
    return (f / factor) * interpolated + f * (1 - interpolated);
  });
  return { frequencies, scale };
}

/** `p` holds rope_type (or type), theta and the type's own numbers; `top` is the whole config. */
function readParameters(p: ConfigReader, top: ConfigReader, defaults: RopeDefaults): ReadRope {
  const named = p.string('rope_type', p.string('type', 'default'));
  // Early configs of Phi 3 call longrope by the name of yarn, whose own numbers are no lists of factors.
  const type = named === 'yarn' && p.has('long_factor') ? 'longrope' : named;
  const theta = p.positive('rope_theta', top.positive('rope_theta', defaults.theta));
  const { headDim, maxPositions } = defaults;
  const partial = p.number('partial_rotary_factor', top.number('partial_rotary_factor', 1));
  if (partial <= 0 || partial > 1 || (!defaults.partial && partial !== 1))
    top.fail('partial_rotary_factor', partial, defaults.partial ? 'a number in (0, 1]' : 'absent or 1 in this family');
  const rotaryDim = Math.trunc(headDim * partial);
  if (rotaryDim < 2 || rotaryDim % 2 !== 0)
    top.fail('head_dim', headDim, `a head size whose rotated part (${rotaryDim}) is even and at least 2`);
  const plain = inverseFrequencies(rotaryDim, theta);
  const made = (frequencies: readonly number[], scale = 1): ReadRope => ({
    rope: { frequencies, longFrequencies: null, scale },
    rotaryDim,
    switchLength: null,
  });
  switch (type) {
    case 'default':
      return made(plain);
    case 'linear': {
      const factor = p.positive('factor');
      return made(plain.map((f) => f / factor));
    }
    case 'llama3':
      return made(llama3(p, plain));
    case 'yarn': {
      const { frequencies, scale } = yarn(p, rotaryDim, theta, maxPositions);
      return made(frequencies, scale);
    }
    // Dynamic NTK leaves the angles alone up to max_position_embeddings, and that is where our context ends.
    case 'dynamic':
      return made(plain);
    case 'su':
    case 'longrope': {
      const original = p.has('original_max_position_embeddings')
        ? p.positive('original_max_position_embeddings')
        : top.positive('original_max_position_embeddings', maxPositions);
      const short = p.numbers('short_factor', rotaryDim / 2);
      const long = p.numbers('long_factor', rotaryDim / 2);
      for (const [key, factors] of [['short_factor', short] as const, ['long_factor', long] as const])
        if (factors.some((factor) => factor <= 0)) p.fail(key, [...factors], 'factors above 0');
      // The older spelling with the original length on top takes the ratio, whatever its factor says; else a factor stands.
      const byRatio = top.has('original_max_position_embeddings') && !top.has('rope_parameters');
      const ratio = p.has('factor') && !byRatio ? p.positive('factor') : maxPositions / original;
      const scale = p.has('attention_factor')
        ? p.positive('attention_factor')
        : ratio > 1
          ? Math.sqrt(1 + Math.log(ratio) / Math.log(original))
          : 1;
      return {
        rope: {
          frequencies: plain.map((f, i) => f / (short[i] ?? 1)),
          longFrequencies: plain.map((f, i) => f / (long[i] ?? 1)),
          scale,
        },
        rotaryDim,
        switchLength: original,
      };
    }
    default:
      return p.fail(
        p.has('rope_type') ? 'rope_type' : 'type',
        type,
        'default, linear, llama3, longrope, yarn, dynamic',
      );
  }
}

/** Both spellings: rope_theta with rope_scaling (transformers 4) and rope_parameters (5). */
export function readRope(top: ConfigReader, defaults: RopeDefaults): ReadRope {
  const p = top.object('rope_parameters') ?? top.object('rope_scaling');
  return readParameters(p ?? top, top, defaults);
}

/** As readRope, where rope_parameters has one object per layer type. */
export function readRopeOfKind(
  top: ConfigReader,
  kind: 'full_attention' | 'sliding_attention',
  defaults: RopeDefaults,
): ReadRope {
  const all = top.object('rope_parameters');
  const p = all?.object(kind);
  if (p) return readParameters(p, top, defaults);
  return readRope(top, defaults);
}

export const unscaledRope = (headDim: number, theta: number): ReadRope => ({
  rope: { frequencies: inverseFrequencies(headDim, theta), longFrequencies: null, scale: 1 },
  rotaryDim: headDim,
  switchLength: null,
});

/** Cosines and sines of all positions so far, [position][frequency]; grows by doubling. */
class AngleTable {
  #cos = new Float32Array(0);
  #sin = new Float32Array(0);
  #positions = 0;
  readonly #frequencies: readonly number[];
  readonly #scale: number;

  constructor(frequencies: readonly number[], scale: number) {
    this.#frequencies = frequencies;
    this.#scale = scale;
  }

  copy(position: number, cos: Float32Array, sin: Float32Array, at: number): void {
    if (position >= this.#positions) this.#grow(position + 1);
    const width = this.#frequencies.length;
    const from = position * width;
    for (let i = 0; i < width; i++) {
      cos[at + i] = this.#cos[from + i] ?? 0;
      sin[at + i] = this.#sin[from + i] ?? 0;
    }
  }

  #grow(needed: number): void {
    const positions = Math.max(needed, 2 * this.#positions, 64);
    const width = this.#frequencies.length;
    const cos = new Float32Array(positions * width);
    const sin = new Float32Array(positions * width);
    cos.set(this.#cos);
    sin.set(this.#sin);
    for (let position = this.#positions; position < positions; position++) {
      this.#frequencies.forEach((frequency, i) => {
        const angle = position * frequency;
        cos[position * width + i] = Math.cos(angle) * this.#scale;
        sin[position * width + i] = Math.sin(angle) * this.#scale;
      });
    }
    this.#cos = cos;
    this.#sin = sin;
    this.#positions = positions;
  }
}

/** The host's side of one RopeSpec. */
export class RopeTables {
  readonly #short: AngleTable;
  readonly #long: AngleTable;
  readonly width: number;

  constructor({ frequencies, longFrequencies, scale }: RopeSpec) {
    this.#short = new AngleTable(frequencies, scale);
    this.#long = longFrequencies ? new AngleTable(longFrequencies, scale) : this.#short;
    this.width = frequencies.length;
  }

  /** Rows for these positions, [positions.length, width]; `isLong(i)` chooses the factors of entry i. */
  rows(positions: Int32Array, isLong: (index: number) => boolean): { cos: Float32Array; sin: Float32Array } {
    const cos = new Float32Array(positions.length * this.width);
    const sin = new Float32Array(positions.length * this.width);
    positions.forEach((position, i) => (isLong(i) ? this.#long : this.#short).copy(position, cos, sin, i * this.width));
    return { cos, sin };
  }
}
