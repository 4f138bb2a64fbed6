// How far whole ticks are from the sum of their parts, with drafts and without: what lies between forwards, memory touched for the first
// time, a machine that is slower this minute. block-policy.ts learns the parts one by one and at different times; here both kinds of tick
// are compared as they happened, so that drafts that promise a gain and take longer are found out. Knows no request.
import { middleOf } from './block-cost.js';

/** The middle of so many latest ticks is believed, */
const RECENT = 7;
/** once there are so many, */
const FEWEST = 3;
/**
 * and as long as they are no older than so many ticks: drafts that are not made any more may have become worth it. Ticks without drafts
 * are rare where drafts pay.
 */
const LASTING_TICKS = { drafted: 64, plain: 1024 } as const;

type Kind = keyof typeof LASTING_TICKS;

interface Seen {
  readonly ratio: number;
  readonly tick: number;
}

export class TickTimes {
  readonly #seen: Record<Kind, readonly Seen[]> = { drafted: [], plain: [] };
  #ticks = 0;

  /** A tick of this kind took `ms` where its parts promised `promisedMs`. */
  observe(kind: Kind, ms: number, promisedMs: number): void {
    this.#ticks++;
    if (promisedMs > 0)
      this.#seen[kind] = [...this.#seen[kind], { ratio: ms / promisedMs, tick: this.#ticks }].slice(-RECENT);
  }

  /** How much longer a tick with drafts takes than promised than one without does; 1 while either is not known. */
  get excess(): number {
    const drafted = this.#middle('drafted');
    const plain = this.#middle('plain');
    return drafted === null || plain === null ? 1 : drafted / plain;
  }

  #middle(kind: Kind): number | null {
    const fresh = this.#seen[kind].filter(({ tick }) => this.#ticks - tick < LASTING_TICKS[kind]);
    if (fresh.length < FEWEST) return null;
    return middleOf(fresh.map(({ ratio }) => ratio));
  }
}
