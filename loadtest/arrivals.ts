// When requests are due and what they ask, from a seed: the same seed gives the same load. Pure. Used by load.ts and the benchmarks.

/** Uniform numbers in [0, 1): a 32-bit mixing generator, good enough for arrivals and prompts. */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Due times in milliseconds of a Poisson process with `rate` arrivals per second: exponential gaps, nobody waits for an answer. */
export function poissonArrivalsMs(rate: number, count: number, seed: number): number[] {
  const next = uniforms(seed);
  let at = 0;
  return Array.from({ length: count }, () => (at += (-Math.log(1 - next()) / rate) * 1000));
}

/**
 * The same with gaps of a gamma distribution of the same mean: burstiness is its shape, as in vLLM's benchmark. Below 1 arrivals come in
 * bursts, 1 is Poisson, above 1 they are more even, and Infinity is one every 1/rate seconds.
 */
export function gammaArrivalsMs(rate: number, burstiness: number, count: number, seed: number): number[] {
  if (burstiness === 1) return poissonArrivalsMs(rate, count, seed);
  const next = uniforms(seed);
  const gap = (): number => (burstiness === Infinity ? 1 : gamma(burstiness, next) / burstiness);
  let at = 0;
  return Array.from({ length: count }, () => (at += (gap() / rate) * 1000));
}

/** Marsaglia and Tsang's method; a shape below 1 is raised by 1 and brought back by a power of a uniform number. */
function gamma(shape: number, next: () => number): number {
  if (shape < 1) return gamma(shape + 1, next) * (1 - next()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - next()) < 0.5 * x * x + d * (1 - v + Math.log(v))) return d * v;
  }
}

export interface PromptShape {
  readonly tokens: number;
  /** Ids are drawn from [firstId, endId). */
  readonly firstId: number;
  readonly endId: number;
}

/** A prompt of its own for every (seed, request): no prefix cache can help. */
export function promptIds({ tokens, firstId, endId }: PromptShape, seed: number, request: number): number[] {
  const next = uniforms(Math.imul(seed + 1, 0x85ebca6b) ^ Math.imul(request + 1, 0xc2b2ae35));
  return Array.from({ length: tokens }, () => firstId + Math.floor(next() * (endId - firstId)));
}
