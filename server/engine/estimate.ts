// How long a request would wait: arithmetic on rows, steps and milliseconds. Pure. Knows no request and no clock; admission.ts puts the
// figures in and refuses by what comes out.

/** Rows that are held or wanted, and the steps after which each are given back; in order, numbers side by side. */
export class Holders {
  readonly rows: number[] = [];
  readonly steps: number[] = [];
  allRows = 0;

  add(rows: number, steps: number): void {
    if (rows === 0) return;
    this.rows.push(rows);
    this.steps.push(steps);
    this.allRows += rows;
  }
}

/**
 * Who gets rows when: those that run give theirs back when they end, those that wait take theirs in order as soon as they are there. Nobody
 * overtakes. Once worked out it answers at once for whoever comes next.
 */
export class Forecast {
  readonly capacity: number;
  readonly #held = new Ends();
  #free: number;
  /** When the last of the line has its rows. */
  #now = 0;

  constructor(capacity: number, running: Holders, waiting: Holders) {
    this.capacity = capacity;
    this.#free = capacity - running.allRows;
    running.rows.forEach((rows, i) => this.#held.push(running.steps[i] as number, rows));
    waiting.rows.forEach((rows, i) => this.join(rows, waiting.steps[i] as number));
  }

  /** One more waits, behind all the others. */
  join(rows: number, steps: number): void {
    if (rows === 0) return;
    const wanted = Math.min(rows, this.capacity);
    while (this.#free < wanted && this.#held.size > 0) {
      this.#now = Math.max(this.#now, this.#held.firstSteps);
      this.#free += this.#held.pop();
    }
    this.#free -= wanted;
    this.#held.push(this.#now + steps, wanted);
  }

  /** Until so many rows are free for one that comes last. */
  stepsUntil(rows: number): number {
    const wanted = Math.min(rows, this.capacity);
    const back = new Holders();
    let now = this.#now;
    for (let free = this.#free; free < wanted && this.#held.size > 0;) {
      now = Math.max(now, this.#held.firstSteps);
      const steps = this.#held.firstSteps;
      const own = this.#held.pop();
      back.add(own, steps);
      free += own;
    }
    back.rows.forEach((own, i) => this.#held.push(back.steps[i] as number, own));
    return now;
  }
}

/** Rows by the step at which they are given back, the earliest first: a binary heap, for it is asked while others wait. */
class Ends {
  readonly #steps: number[] = [];
  readonly #rows: number[] = [];
  size = 0;

  get firstSteps(): number {
    return this.#steps[0] as number;
  }

  push(steps: number, rows: number): void {
    let at = this.size++;
    for (let above = (at - 1) >> 1; at > 0 && (this.#steps[above] as number) > steps; above = (at - 1) >> 1) {
      this.#set(at, above);
      at = above;
    }
    this.#steps[at] = steps;
    this.#rows[at] = rows;
  }

  /** The rows of the earliest. */
  pop(): number {
    const first = this.#rows[0] as number;
    const steps = this.#steps[--this.size] as number;
    const rows = this.#rows[this.size] as number;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= this.size) break;
      if (below + 1 < this.size && (this.#steps[below + 1] as number) < (this.#steps[below] as number)) below++;
      if ((this.#steps[below] as number) >= steps) break;
      this.#set(at, below);
      at = below;
    }
    this.#steps[at] = steps;
    this.#rows[at] = rows;
    return first;
  }

  #set(to: number, from: number): void {
    this.#steps[to] = this.#steps[from] as number;
    this.#rows[to] = this.#rows[from] as number;
  }
}

/**
 * Of `prompts` prompts with `pending` tokens together, those that are computed before one of `own` tokens is through: all of them get equal
 * shares of each step (scheduler.ts), so each is ahead by its own length at most, and by ours. Exact for one; more are taken as alike.
 */
export function tokensAhead(pending: number, prompts: number, own: number): number {
  return Math.min(pending, prompts * own);
}

/** What a request would meet, in milliseconds. */
export interface Expected {
  /** Until there is room for it. */
  readonly roomMs: number;
  /** Until the others' prompts that share its steps are through. */
  readonly promptsMs: number;
  /** From there to its first token. */
  readonly ownMs: number;
}

/** Longest waits; null: any. */
export interface Patience {
  readonly waitMs: number | null;
  readonly firstTokenMs: number | null;
}

export interface Refusal {
  readonly limit: keyof Patience;
  readonly limitMs: number;
  readonly waitMs: number;
  /** After which the same request would be taken if nothing else came. */
  readonly retryAfterSeconds: number;
}

/**
 * Null where the request may wait. What takes long by itself may wait as long as that: a wait below its own time does not spoil it, and a
 * slow model would refuse whoever is not alone.
 */
export function refusalOf({ roomMs, promptsMs, ownMs }: Expected, patience: Patience): Refusal | null {
  const waits = { waitMs: roomMs, firstTokenMs: Math.max(roomMs, promptsMs) };
  for (const limit of ['waitMs', 'firstTokenMs'] as const) {
    const configured = patience[limit];
    if (configured === null) continue;
    const limitMs = Math.max(configured, ownMs);
    const waitMs = waits[limit];
    if (waitMs > limitMs)
      return { limit, limitMs, waitMs, retryAfterSeconds: Math.max(1, Math.ceil((waitMs - limitMs) / 1000)) };
  }
  return null;
}
