// Successive halving: many candidates are looked at a little way ahead, the better half of them twice as far, and so on, the last two or three
// all the way. Knows no branch and no reward; used by transfer-q.ts.

/** Tokens of look-ahead of each round, rising to all of it; so many candidates begin. */
export function horizonsOf(candidates: number, lookahead: number): number[] {
  let rounds = 1;
  for (let left = candidates; left > 3; left = halfOf(left)) rounds++;
  // A round that looks no further than the one before would learn nothing.
  return [...new Set(Array.from({ length: rounds }, (_, round) => Math.ceil(lookahead / 2 ** (rounds - 1 - round))))];
}

export function halfOf(candidates: number): number {
  return Math.ceil(candidates / 2);
}

/** The better half by score, in their old order; among equals the first. */
export function betterHalf<T extends { readonly score: number }>(candidates: readonly T[]): T[] {
  const ranked = [...candidates].sort((a, b) => b.score - a.score);
  const kept = new Set(ranked.slice(0, halfOf(candidates.length)));
  return candidates.filter((candidate) => kept.has(candidate));
}
