// Forks with an owner: whatever happens inside, interruptions included, they are gone at the end. For searches with many forks alive at once.
import { all, become, fork, release } from '../search.js';
import type { Branch, ForkOptions, Searching } from '../search.js';

export interface Loans {
  fork(branch: Branch, options?: ForkOptions): Searching<Branch>;
  /** The branch goes on as the borrowed one, which is gone. */
  become(branch: Branch, borrowed: Branch): Searching<void>;
}

/** Runs `use`, and releases every fork that it has borrowed by then. */
export function* borrowing<T>(use: (loans: Loans) => Searching<T>): Searching<T> {
  const forks = new Set<Branch>();
  const loans: Loans = {
    *fork(branch, options) {
      const own = yield* fork(branch, options);
      forks.add(own);
      return own;
    },
    *become(branch, borrowed) {
      yield* become(branch, borrowed);
      forks.delete(borrowed);
    },
  };
  try {
    return yield* use(loans);
  } finally {
    if (forks.size > 0) yield* all([...forks].map(release));
  }
}
