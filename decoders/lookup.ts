// Drafts without a model: what followed the last tokens the last time they occurred. A function of the tokens and of nothing else, so
// that speculation stays a function of the prefix (speculation.ts). Called by the engine for drafts of kind "lookup".

/** Longest and shortest run of tokens that is looked for; a longer match is a better sign. */
const LONGEST = 4;
const SHORTEST = 1;
/** Only so many of the latest tokens are searched: this runs for every drafted token. */
const WINDOW = 8192;

/** The token that followed the latest earlier occurrence of the longest matching ending of `ids`; null where nothing matches. */
export function lookUp(ids: readonly number[]): number | null {
  const first = Math.max(0, ids.length - WINDOW);
  let found: number | null = null;
  let longest = SHORTEST - 1;
  for (let end = ids.length - 2; end >= first && longest < LONGEST; end--) {
    let length = 0;
    while (length < LONGEST && end - length >= first && ids[end - length] === ids[ids.length - 1 - length]) length++;
    if (length <= longest) continue;
    longest = length;
    found = ids[end + 1] ?? null;
  }
  return found;
}
