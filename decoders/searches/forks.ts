// Forks with an owner: whatever happens inside, interruptions included, they are gone at the end. For searches that may be interrupted with
// many forks alive, since what runs inside `all` cannot release its own when it is cut off.
import { all, fork, release } from '../search.js';
import type { Branch, ForkOptions, Searching } from '../search.js';

export type Borrow = (branch: Branch, options?: ForkOptions) => Searching<Branch>;

/** Runs `use`, and releases every fork that it borrowed. */
export function* borrowing<T>(use: (borrow: Borrow) => Searching<T>): Searching<T> {
  const forks: Branch[] = [];
  try {
    return yield* use(function* (branch, options) {
      const own = yield* fork(branch, options);
      forks.push(own);
      return own;
    });
  } finally {
    yield* all(forks.map(release));
  }
}
