// What work of a size takes as a line, fixed part + size × slope, through what was seen lately. Unlike SizeCost (block-cost.ts) it remembers
// no single size: a slow moment at a size that is then avoided would otherwise be believed for good. Knows no request. Used by pace.ts.

/** What one more observation leaves of those before: about the last fifty count. */
const KEPT = 0.98;
/** Where one size says nothing about others, the fixed part is taken to be so many times the slope, */
const FIXED_PART = 6;
/** as firmly as so many observations would say it. */
const FIRMNESS = 2;
/** A pause of the machine is no cost of the work: no observation counts for more than this many times what was expected. */
const SURPRISE = 3;

export class LineCost {
  #count = 0;
  #sizes = 0;
  #squares = 0;
  #times = 0;
  #products = 0;
  #fixed = 0;
  #slope = 0;

  observe(size: number, ms: number): void {
    const believed = this.#count === 0 ? ms : Math.min(ms, SURPRISE * this.at(size));
    this.#count = KEPT * this.#count + 1;
    this.#sizes = KEPT * this.#sizes + size;
    this.#squares = KEPT * this.#squares + size * size;
    this.#times = KEPT * this.#times + believed;
    this.#products = KEPT * this.#products + size * believed;
    this.#fit();
  }

  /** 0 before anything was seen. */
  at(size: number): number {
    return this.#fixed + this.#slope * size;
  }

  /** Least squares with the penalty FIRMNESS · (fixed − FIXED_PART · slope)²; neither part is negative. */
  #fit(): void {
    const a11 = this.#count + FIRMNESS;
    const a12 = this.#sizes - FIRMNESS * FIXED_PART;
    const a22 = this.#squares + FIRMNESS * FIXED_PART ** 2;
    const determinant = a11 * a22 - a12 * a12;
    this.#fixed = (this.#times * a22 - this.#products * a12) / determinant;
    this.#slope = (this.#products * a11 - this.#times * a12) / determinant;
    if (this.#slope < 0) [this.#fixed, this.#slope] = [this.#times / this.#count, 0];
    if (this.#fixed < 0) [this.#fixed, this.#slope] = [0, this.#products / this.#squares];
  }
}
