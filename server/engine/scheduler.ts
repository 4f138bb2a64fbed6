// Who computes how many tokens in this tick: a pure function of pending work and budget. Decode first (nobody waits for a neighbour's
// prompt), then prefill in chunks, shared fairly: every waiting prompt gets an equal share, so a short one never queues behind a long one.

/** Tokens that one row of one model still has to take in before it has the logits it needs. */
export interface Work<T> {
  readonly item: T;
  readonly pending: number;
  /** A decode step with the drafts that belong to it: all of it now. */
  readonly whole?: boolean;
  /** Lower goes first. */
  readonly priority: number;
  readonly arrival: number;
}

export interface Share<T> {
  readonly item: T;
  readonly count: number;
}

export interface Budget {
  /** New tokens per tick for this model. */
  readonly tokens: number;
  /** Rows of one forward. */
  readonly rows: number;
}

/** Forwards to run, each a list of rows with their number of new tokens. The rows of one forward are padded to the longest share. */
export type Plan<T> = readonly (readonly Share<T>[])[];

/** Decoding rows may never take all of the budget: prompts always get this part of it, or new requests would starve. */
const PREFILL_PART = 0.25;
const SMALLEST_CHUNK = 16;
/** Padding that one forward may carry before it pays to run two: about what reading the weights once more costs. */
const PADDING_TOKENS = 32;

export function schedule<T>(work: readonly Work<T>[], budget: Budget): Plan<T> {
  const ordered = [...work]
    .filter((w) => w.pending > 0)
    .sort((a, b) => a.priority - b.priority || a.arrival - b.arrival);
  const isDecode = (w: Work<T>): boolean => w.pending === 1 || (w.whole ?? false);
  const decode = ordered.filter(isDecode).slice(0, budget.rows);
  const prompts = ordered.filter((w) => !isDecode(w));
  const floor = Math.max(SMALLEST_CHUNK, Math.floor(budget.tokens * PREFILL_PART));
  const taken = decode.reduce((sum, { pending }) => sum + pending, 0);
  const shares = shareOut(prompts, Math.max(budget.tokens - taken, floor));
  const steps = decode.map(({ item, pending }) => ({ item, count: pending }));
  return [...group(steps, budget.rows), ...group(shares, budget.rows)];
}

/** Water-filling: equal shares, and what short prompts leave goes to the longer ones. First come first served below the smallest chunk. */
function shareOut<T>(prompts: readonly Work<T>[], tokens: number): Share<T>[] {
  const admitted = prompts.slice(0, Math.max(1, fitting(prompts, tokens)));
  const byLength = [...admitted].sort((a, b) => a.pending - b.pending);
  const counts = new Map<Work<T>, number>();
  let left = tokens;
  byLength.forEach((work, i) => {
    const count = Math.min(work.pending, Math.max(1, Math.floor(left / (byLength.length - i))));
    counts.set(work, count);
    left -= count;
  });
  return admitted.map((work) => ({ item: work.item, count: counts.get(work) ?? 1 }));
}

/** How many prompts, in order, can each have at least the smallest chunk. */
function fitting<T>(prompts: readonly Work<T>[], tokens: number): number {
  let left = tokens;
  const full = prompts.findIndex(({ pending }) => (left -= Math.min(pending, SMALLEST_CHUNK)) < 0);
  return full < 0 ? prompts.length : full;
}

/** Splits shares into forwards so that padding stays small. */
function group<T>(shares: readonly Share<T>[], rows: number): Share<T>[][] {
  const groups: Share<T>[][] = [];
  for (const share of [...shares].sort((a, b) => b.count - a.count)) {
    const current = groups.at(-1);
    const width = current?.[0]?.count ?? 0;
    if (
      current &&
      current.length < rows &&
      padding(current, width) + width - share.count <= Math.max(PADDING_TOKENS, width)
    )
      current.push(share);
    else groups.push([share]);
  }
  return groups;
}

function padding<T>(shares: readonly Share<T>[], width: number): number {
  return shares.reduce((sum, { count }) => sum + width - count, 0);
}
