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
