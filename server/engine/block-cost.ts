// What work of each size takes on this machine, learnt from the work itself: forwards by tokens, kernels by rows. Knows no request and no
// model; block-policy.ts asks it what a block would cost before it makes one.

/** The middle of so many latest timings is believed: a pause of the machine is no cost of the work. */
const RECENT = 5;
/** So many timings count in full, */
const SURE = 8;
/** and half of it after so many observations of other sizes: those were timed under another load, or in a pause. */
const HALF_LIFE = 100;
/** Timings that count for less than this are neighbours to guess from only where there are no others. */
const RELIABLE = 1.5;
const FORGOTTEN = 1 / 16;
/**
 * How the cost grows where only one size is known: as size + this. A forward of one token costs most of what one of five does, since both
 * read the weights; with many tokens it is the arithmetic that counts.
 */
const FIXED_PART = 6;
/** A first timing is not believed beyond this many times of what its neighbours say. */
const FIRST_SURPRISE = 1.5;

interface Seen {
  readonly recent: number[];
  middle: number;
  count: number;
  at: number;
}

export class SizeCost {
  readonly #seen = new Map<number, Seen>();
  #observations = 0;

  observe(size: number, ms: number): void {
    const now = ++this.#observations;
    const known = this.#seen.get(size);
    if (known) {
      known.recent.push(ms);
      if (known.recent.length > RECENT) known.recent.shift();
      known.middle = middleOf(known.recent);
      known.count++;
      known.at = now;
      return;
    }
    const guess = this.#guess(size);
    const believed = guess === null ? ms : Math.min(ms, FIRST_SURPRISE * guess);
    for (const [other, seen] of this.#seen) if (this.#weight(seen) < FORGOTTEN) this.#seen.delete(other);
    this.#seen.set(size, { recent: [believed], middle: believed, count: 1, at: now });
  }

  /** What `size` costs as far as is known; 0 before anything was seen. */
  at(size: number): number {
    const known = this.#seen.get(size);
    const guess = this.#guess(size);
    if (!known) return guess ?? 0;
    // One timing says no more than the neighbours do, many say all.
    const weight = this.#weight(known);
    return guess === null ? known.middle : (weight * known.middle + guess) / (weight + 1);
  }

  #weight({ count, at }: Seen): number {
    return Math.min(count, SURE) * 2 ** ((at - this.#observations) / HALF_LIFE);
  }

  /** From the nearest other sizes: on the line between them, or in proportion to size + FIXED_PART beyond the last one. */
  #guess(size: number): number | null {
    return this.#guessFrom(size, RELIABLE) ?? this.#guessFrom(size, 0);
  }

  #guessFrom(size: number, least: number): number | null {
    let below: readonly [size: number, ms: number] | null = null;
    let above: readonly [size: number, ms: number] | null = null;
    for (const [other, seen] of this.#seen) {
      if (other === size || this.#weight(seen) < least) continue;
      const { middle } = seen;
      if (other < size && (!below || other > below[0])) below = [other, middle];
      if (other > size && (!above || other < above[0])) above = [other, middle];
    }
    if (below && above) return below[1] + ((above[1] - below[1]) * (size - below[0])) / (above[0] - below[0]);
    const [from, ms] = below ?? above ?? [size, null];
    return ms === null ? null : (ms * (size + FIXED_PART)) / (from + FIXED_PART);
  }
}

function middleOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[half] ?? NaN) : ((sorted[half - 1] ?? NaN) + (sorted[half] ?? NaN)) / 2;
}
