// What work of each size takes on this machine, learnt from the work itself: forwards by tokens, kernels by rows. Knows no request and no
// model; block-policy.ts asks it what a block would cost before it makes one.

/**
 * The lower quartile of so many latest timings is believed. A pause of the machine is no cost of the work, and long work meets most of them:
 * where they last as long as the work itself, the middle jumps back and forth between with and without.
 */
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
  usual: number;
  count: number;
  at: number;
}

interface Point {
  readonly size: number;
  readonly ms: number;
}

interface Weighed extends Point {
  readonly weight: number;
}

export class SizeCost {
  readonly #seen = new Map<number, Seen>();
  /** Made of what was seen when it is next asked for. */
  #curve: readonly Point[] | null = null;
  #observations = 0;

  observe(size: number, ms: number): void {
    const now = ++this.#observations;
    this.#curve = null;
    const known = this.#seen.get(size);
    if (known) {
      known.recent.push(ms);
      if (known.recent.length > RECENT) known.recent.shift();
      known.usual = lowerQuartileOf(known.recent);
      known.count++;
      known.at = now;
      return;
    }
    const points = this.#weighed();
    const next = points.findIndex((point) => point.size > size);
    const above = next < 0 ? points.length : next;
    const guess = guessFrom(points, size, above - 1, above);
    const believed = guess === null ? ms : Math.min(ms, FIRST_SURPRISE * guess);
    for (const [other, seen] of this.#seen) if (this.#weight(seen) < FORGOTTEN) this.#seen.delete(other);
    this.#seen.set(size, { recent: [believed], usual: believed, count: 1, at: now });
  }

  /** What `size` costs as far as is known; 0 before anything was seen. */
  at(size: number): number {
    const curve = (this.#curve ??= this.#rising());
    const next = curve.findIndex((point) => point.size >= size);
    const above = curve[next];
    const below = next < 0 ? curve.at(-1) : curve[next - 1];
    return above?.size === size ? above.ms : (between(size, below, above) ?? 0);
  }

  /** The rising curve nearest to what is known (isotonic regression): more tokens never take less, whatever the noise says. */
  #rising(): readonly Point[] {
    const points = this.#weighed();
    const pools: { readonly sizes: readonly number[]; readonly ms: number; readonly weight: number }[] = [];
    points.forEach(({ size, ms: seen, weight: own }, p) => {
      // One timing says no more than the neighbours do, many say all.
      const guess = guessFrom(points, size, p - 1, p + 1);
      let pool = { sizes: [size], ms: guess === null ? seen : (own * seen + guess) / (own + 1), weight: own };
      for (let last = pools.at(-1); last && last.ms >= pool.ms; last = pools.at(-1)) {
        pools.pop();
        const weight = last.weight + pool.weight;
        const ms = (last.weight * last.ms + pool.weight * pool.ms) / weight;
        pool = { sizes: [...last.sizes, ...pool.sizes], ms, weight };
      }
      pools.push(pool);
    });
    return pools.flatMap(({ sizes, ms }) => sizes.map((size) => ({ size, ms })));
  }

  /** What was seen, by rising size. */
  #weighed(): Weighed[] {
    return [...this.#seen]
      .map(([size, seen]) => ({ size, ms: seen.usual, weight: this.#weight(seen) }))
      .sort((a, b) => a.size - b.size);
  }

  #weight({ count, at }: Seen): number {
    return Math.min(count, SURE) * 2 ** ((at - this.#observations) / HALF_LIFE);
  }
}

/** What other sizes say of this one: the nearest reliable ones on both sides of it, or any where there are none. `below`, `above`: its neighbours. */
function guessFrom(points: readonly Weighed[], size: number, below: number, above: number): number | null {
  return guessFromThose(points, size, below, above, RELIABLE) ?? guessFromThose(points, size, below, above, 0);
}

function guessFromThose(
  points: readonly Weighed[],
  size: number,
  below: number,
  above: number,
  least: number,
): number | null {
  const isLight = (p: number): boolean => (points[p]?.weight ?? Infinity) < least;
  let [lower, upper] = [below, above];
  while (isLight(lower)) lower--;
  while (isLight(upper)) upper++;
  return between(size, points[lower], points[upper]);
}

/** On the line between two points, or in proportion to size + FIXED_PART from the only one. */
function between(size: number, below: Point | undefined, above: Point | undefined): number | null {
  if (below && above) return below.ms + ((above.ms - below.ms) * (size - below.size)) / (above.size - below.size);
  const only = below ?? above;
  return only ? (only.ms * (size + FIXED_PART)) / (only.size + FIXED_PART) : null;
}

function lowerQuartileOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 2] ?? NaN;
}

/** Of an even number the lower one: a machine's pauses only ever add. */
export function middleOf(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? NaN;
}
