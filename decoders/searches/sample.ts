// Plain decoding: ask for the next token until the branch ends.
import { next, type Branch, type Search } from '../search.js';

export function* sample(branch: Branch): Search {
  while (!(yield* next(branch)).ended);
}
