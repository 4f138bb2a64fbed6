// The known name closest to a mistyped one (Levenshtein distance), for "did you mean" in error messages.

function distance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const substitution = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[right.length]!;
}

/** Null when nothing is within a third of the name's length (at least two edits), or the name is too long to be a slip. */
export function nearest(name: string, known: readonly string[]): string | null {
  if (name.length > 64) return null;
  const limit = Math.max(2, Math.floor(name.length / 3));
  let best: { readonly candidate: string; readonly edits: number } | null = null;
  for (const candidate of known) {
    const edits = distance(name.toLowerCase(), candidate.toLowerCase());
    if (edits <= limit && (best === null || edits < best.edits)) best = { candidate, edits };
  }
  return best?.candidate ?? null;
}
