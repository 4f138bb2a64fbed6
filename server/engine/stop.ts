// Finds the first stop string in text that arrives in pieces of any size. One Knuth-Morris-Pratt automaton per string, so the state
// is one number per string: cheap to save, and the answer cannot depend on how the text was cut. Knows no tokens. Called by text-stream.ts.
//
// "First" means the string that is completed first; of several completed at the same place the longest wins.

export interface StopMatch {
  readonly stop: string;
  /** Code units of the piece up to and including the end of the match. */
  readonly end: number;
}

interface Automaton {
  readonly stop: string;
  /** failure[k] = length of the longest proper prefix that is also a suffix of the first k + 1 units. */
  readonly failure: Int32Array;
}

export class StopMatcher {
  readonly #automata: readonly Automaton[];
  /** Per string: how many of its units the text ends with. */
  #matched: Int32Array;

  constructor(stops: readonly string[]) {
    if (stops.includes('')) throw new RangeError('a stop string must not be empty');
    // Decoded text is well-formed, so a string with a lone surrogate can only match inside a character: it never does.
    const possible = [...new Set(stops)].filter((stop) => !/\p{Surrogate}/u.test(stop));
    this.#automata = possible.map((stop) => ({ stop, failure: failureTable(stop) }));
    this.#matched = new Int32Array(possible.length);
  }

  /** Takes in the next piece, up to the end of the first match. */
  push(text: string): StopMatch | null {
    if (this.#automata.length === 0) return null;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      let found: string | null = null;
      for (const [index, { stop, failure }] of this.#automata.entries()) {
        let matched = this.#matched[index] as number;
        while (matched > 0 && stop.charCodeAt(matched) !== unit) matched = failure[matched - 1] as number;
        if (stop.charCodeAt(matched) === unit) matched += 1;
        this.#matched[index] = matched;
        if (matched === stop.length && (found === null || stop.length > found.length)) found = stop;
      }
      if (found !== null) return { stop: found, end: at + 1 };
    }
    return null;
  }

  /** Units at the end of the text that may yet turn out to begin a stop string: they must not be shown. */
  get heldLength(): number {
    let held = 0;
    for (const matched of this.#matched) if (matched > held) held = matched;
    return held;
  }

  checkpoint(): Int32Array {
    return this.#matched.slice();
  }

  restore(checkpoint: Int32Array): void {
    this.#matched = checkpoint.slice();
  }
}

function failureTable(stop: string): Int32Array {
  const failure = new Int32Array(stop.length);
  for (let at = 1, matched = 0; at < stop.length; at += 1) {
    while (matched > 0 && stop.charCodeAt(matched) !== stop.charCodeAt(at)) matched = failure[matched - 1] as number;
    if (stop.charCodeAt(matched) === stop.charCodeAt(at)) matched += 1;
    failure[at] = matched;
  }
  return failure;
}
