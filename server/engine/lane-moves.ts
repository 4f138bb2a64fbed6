// How tokens get from one layout of a cache's array into another: [lanes, kvHeads, capacity, headDim] with other lanes or another capacity.
// Every lane's head is a block of floats; tokens go to the beginning of their block, what lies behind them is zero (masked reading multiplies
// it by zero, which turns a NaN into one). Pure moves of floats; lane-arrays.ts owns the arrays.

/** Neighbouring slots are copied in one piece. `at`: index of the run's first slot in the list. */
export interface Run {
  readonly at: number;
  readonly slot: number;
  readonly count: number;
}

/** These slots of `lane` go to the first slots of lane `to`. */
export interface Move {
  readonly lane: number;
  readonly to: number;
  readonly runs: readonly Run[];
  /** How many. */
  readonly tokens: number;
}

/** Slots of each lane before and after. */
export interface Blocks {
  readonly kvHeads: number;
  readonly headDim: number;
  readonly before: number;
  readonly after: number;
}

export function runsOf(slots: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (let at = 0; at < slots.length;) {
    const slot = slots[at] as number;
    let count = 1;
    while (at + count < slots.length && slots[at + count] === slot + count) count++;
    runs.push({ at, slot, count });
    at += count;
  }
  return runs;
}

/** Into another array, of zeros. */
export function moveInto(target: Float32Array, source: Float32Array, blocks: Blocks, moves: readonly Move[]): void {
  const { kvHeads, headDim, before, after } = blocks;
  for (const { lane, to, runs } of moves)
    for (let head = 0; head < kvHeads; head++) {
      const from = (lane * kvHeads + head) * before;
      const begin = (to * kvHeads + head) * after;
      for (const { at, slot, count } of runs)
        target.set(source.subarray((from + slot) * headDim, (from + slot + count) * headDim), (begin + at) * headDim);
    }
}

/**
 * Within one array of at least both sizes; every lane keeps its place. Blocks that move towards the end go last first, others first first: so
 * none is written over before it was moved.
 */
export function moveWithin(array: Float32Array, blocks: Blocks, lanes: number, moves: readonly Move[]): void {
  const { kvHeads, headDim, before, after } = blocks;
  const byLane = new Map(moves.map((move) => [move.to, move]));
  const count = lanes * kvHeads;
  for (let i = 0; i < count; i++) {
    const block = after >= before ? count - 1 - i : i;
    const move = byLane.get(Math.floor(block / kvHeads));
    const from = block * before;
    const begin = block * after;
    if (move) together(array, from, begin, headDim, move);
    array.fill(0, (begin + (move?.tokens ?? 0)) * headDim, (begin + after) * headDim);
  }
}

/** One run is moved as it is; several are held meanwhile, because some of them may go up and others down. */
function together(array: Float32Array, from: number, begin: number, headDim: number, { runs, tokens }: Move): void {
  const [first] = runs;
  if (!first) return;
  if (runs.length === 1) {
    array.copyWithin(begin * headDim, (from + first.slot) * headDim, (from + first.slot + first.count) * headDim);
    return;
  }
  const held = new Float32Array(tokens * headDim);
  for (const { at, slot, count } of runs)
    held.set(array.subarray((from + slot) * headDim, (from + slot + count) * headDim), at * headDim);
  array.set(held, begin * headDim);
}
