// Randomness as an input: a uniform number is a function of (seed, choice, position) and of nothing else, so an answer
// does not depend on who shared the batch, and a rewound request draws what it would have drawn. A counter hash: no
// state to keep, copy or fork.

const TWO_53 = 2 ** 53;

/** A uniform number in [0, 1) with 53 random bits. Arguments are taken modulo 2^32. */
export function uniform(seed: number, choice: number, position: number): number {
  // Two independently keyed words; within one (seed, choice) each is a bijection of the position: no value recurs
  // before 2^32 draws.
  const stream = mix(mix(seed ^ 0x3c6ef372) + Math.imul(choice, 0x9e3779b1));
  const high = mix(mix(position ^ stream) + 0x632be5ab);
  const low = mix(mix(position ^ ~stream) + 0x85157af5);
  return (high * 0x200000 + (low >>> 11)) / TWO_53;
}

/**
 * An invertible scramble of 32 bits in which every input bit flips each output bit with a probability near one half.
 */
function mix(word: number): number {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The stream of a search's fork: the `serial`-th fork (from 1) that the search of `choice` makes. Streams below 2^16 are choices. */
export function forkStream(choice: number, serial: number): number {
  return mix(mix(choice ^ 0x51ed270b) + Math.imul(serial, 0x9e3779b1)) | 0x10000;
}

/** The stream of the choices that a search makes itself on a branch whose tokens are drawn with `stream`. */
export function lotStream(stream: number, nth = 0): number {
  return mix(mix(stream ^ 0x68e31da4) + 0x1b56c4e9 + Math.imul(nth, 0x9e3779b1)) | 0x10000;
}
