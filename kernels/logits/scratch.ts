// Host memory in which rows that lie apart are brought together for one run of a kernel. The next run uses it again: every page of fresh
// memory faults when it is first written, which on a virtual machine takes longer than the copy. Knows no rows and no kernels.

/** What one run has borrowed. */
export interface Loan {
  /** `length` numbers, whatever they are. */
  take(length: number): Float32Array;
  /** Nobody reads what was taken any more. */
  end(): void;
}

export class Scratch {
  readonly #spare: Float32Array[] = [];

  lend(): Loan {
    const taken: Float32Array[] = [];
    return {
      take: (length) => {
        const own = this.#atLeast(length);
        taken.push(own);
        return own.subarray(0, length);
      },
      end: () => {
        this.#spare.push(...taken.splice(0));
      },
    };
  }

  /** One that is too short makes way for its longer successor. */
  #atLeast(length: number): Float32Array {
    const fitting = this.#spare.findIndex((array) => array.length >= length);
    const [found] = this.#spare.splice(Math.max(fitting, 0), 1);
    return found && fitting >= 0 ? found : new Float32Array(length);
  }
}
