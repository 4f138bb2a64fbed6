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
  /** Rows of one lane go side by side into one row of a forward: they are not padded to each other. */
  readonly lane: object;
}

export interface Share<T> {
  readonly item: T;
  readonly count: number;
}

/** The shares of one lane. */
interface Bundle<T> {
  readonly shares: Share<T>[];
  width: number;
}

export interface Budget {
  /** New tokens per tick for this model. */
  readonly tokens: number;
  /** Rows of one forward, a lane counting as one. */
  readonly rows: number;
}

/** Forwards to run, each a list of rows with their number of new tokens. The lanes of one forward are padded to the widest. */
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
  const steps = decode.map((w) => ({ of: w, count: w.pending }));
  return [...group(bundles(steps), budget.rows), ...group(bundles(shares), budget.rows)];
}

/** Water-filling: equal shares, and what short prompts leave goes to the longer ones. First come first served below the smallest chunk. */
function shareOut<T>(prompts: readonly Work<T>[], tokens: number): { readonly of: Work<T>; readonly count: number }[] {
  const admitted = prompts.slice(0, Math.max(1, fitting(prompts, tokens)));
  const byLength = [...admitted].sort((a, b) => a.pending - b.pending);
  const counts = new Map<Work<T>, number>();
  let left = tokens;
  byLength.forEach((work, i) => {
    const count = Math.min(work.pending, Math.max(1, Math.floor(left / (byLength.length - i))));
    counts.set(work, count);
    left -= count;
  });
  return admitted.map((work) => ({ of: work, count: counts.get(work) ?? 1 }));
}

/** How many prompts, in order, can each have at least the smallest chunk. */
function fitting<T>(prompts: readonly Work<T>[], tokens: number): number {
  let left = tokens;
  const full = prompts.findIndex(({ pending }) => (left -= Math.min(pending, SMALLEST_CHUNK)) < 0);
  return full < 0 ? prompts.length : full;
}

function bundles<T>(shares: readonly { readonly of: Work<T>; readonly count: number }[]): Bundle<T>[] {
  const byLane = new Map<object, Bundle<T>>();
  for (const { of, count } of shares) {
    const bundle = byLane.get(of.lane) ?? { shares: [], width: 0 };
    byLane.set(of.lane, bundle);
    bundle.shares.push({ item: of.item, count });
    bundle.width += count;
  }
  return [...byLane.values()];
}

/** Splits lanes into forwards so that padding stays small. */
function group<T>(lanes: readonly Bundle<T>[], rows: number): Share<T>[][] {
  const groups: Bundle<T>[][] = [];
  for (const lane of [...lanes].sort((a, b) => b.width - a.width)) {
    const current = groups.at(-1);
    const width = current?.[0]?.width ?? 0;
    if (
      current &&
      current.length < rows &&
      padding(current, width) + width - lane.width <= Math.max(PADDING_TOKENS, width)
    )
      current.push(lane);
    else groups.push([lane]);
  }
  return groups.map((lanesOfOne) => lanesOfOne.flatMap(({ shares }) => shares));
}

function padding<T>(lanes: readonly Bundle<T>[], widest: number): number {
  return lanes.reduce((sum, { width }) => sum + widest - width, 0);
}
