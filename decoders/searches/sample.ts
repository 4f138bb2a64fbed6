// Plain decoding: the next token, told at once, until the branch ends. Also how every search goes on whose budget or scorer has failed.
import { commit, sample, type Branch, type Search } from '../search.js';

export function* plainly(trunk: Branch): Search {
  while (!trunk.ended) {
    yield* sample(trunk, { tokens: 1 });
    yield* commit(trunk);
  }
}
