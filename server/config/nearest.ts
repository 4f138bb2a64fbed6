// The known word that a mistyped one most likely means: used by every message about an unknown key, model or deployment.

import { editDistance } from '../../decoders/fields.js';

/** Null when nothing is close: a far-fetched suggestion is worse than none. Words over 64 characters are not compared. */
export function nearest(word: string, known: readonly string[]): string | null {
  if (word.length > 64) return null;
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    if (candidate.length > 64) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
