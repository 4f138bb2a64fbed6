// Bookkeeping of one lane: which rows read it and which of its slots they hold. Forked rows stay in their lane and hold what they have in
// common together, so a fork copies nothing, and a forward reads the common keys once for all of them: each row's mask shows it its own
// slots. Owned by cache.ts; knows no floats.
import type { CacheRow } from './row-store.js';

export class Lane {
  /** Its place in the arrays. */
  index: number;
  readonly rows = new Set<HostRow>();
  /** By slot, how many rows hold it. */
  readonly #holders: number[] = [];
  #live = 0;
  /** No free slot lies below. */
  #lowest = 0;

  constructor(index: number) {
    this.index = index;
  }

  /** Slots that somebody holds. */
  get live(): number {
    return this.#live;
  }

  /** From here on nothing is held. */
  get end(): number {
    return this.#holders.length;
  }

  /** The lowest free slots. */
  take(count: number): number[] {
    const taken: number[] = [];
    while (taken.length < count) {
      while ((this.#holders[this.#lowest] ?? 0) > 0) this.#lowest++;
      this.#holders[this.#lowest] = 1;
      taken.push(this.#lowest++);
    }
    this.#live += count;
    return taken;
  }

  hold(slots: readonly number[]): void {
    for (const slot of slots) this.#holders[slot] = (this.#holders[slot] ?? 0) + 1;
  }

  drop(slots: readonly number[]): void {
    for (const slot of slots) {
      const left = (this.#holders[slot] ?? 0) - 1;
      this.#holders[slot] = left;
      if (left > 0) continue;
      this.#live--;
      this.#lowest = Math.min(this.#lowest, slot);
    }
    while (this.#holders.at(-1) === 0) this.#holders.pop();
  }

  /** Throws where the rows hold something else than is noted. */
  check(): void {
    const holders = new Map<number, number>();
    for (const row of this.rows) {
      if (row.lane !== this) throw new Error(`cache: row ${row.id} believes that it is in another lane`);
      if (new Set(row.slots).size < row.length) throw new Error(`cache: row ${row.id} holds a slot twice`);
      for (const slot of row.slots) holders.set(slot, (holders.get(slot) ?? 0) + 1);
    }
    this.#holders.forEach((count, slot) => {
      if (count !== (holders.get(slot) ?? 0))
        throw new Error(
          `cache: slot ${slot} of lane ${this.index} counts ${count} rows instead of ${holders.get(slot) ?? 0}`,
        );
    });
    if (holders.size !== this.#live)
      throw new Error(`cache: lane ${this.index} counts ${this.#live} slots instead of ${holders.size}`);
  }
}

export class HostRow implements CacheRow {
  readonly id: number;
  lane: Lane;
  /** Of its tokens, in their order. */
  slots: number[] = [];
  /** So many of its first tokens lie in the slots 0, 1, 2, …: those of a row that never shared all do. */
  dense = 0;
  isReleased = false;

  constructor(id: number, lane: Lane) {
    this.id = id;
    this.lane = lane;
    lane.rows.add(this);
  }

  get length(): number {
    return this.slots.length;
  }

  /** Puts new tokens behind the others. */
  grow(slots: readonly number[]): void {
    for (const slot of slots) {
      if (this.dense === this.slots.length && slot === this.dense) this.dense++;
      this.slots.push(slot);
    }
  }

  truncate(length: number): void {
    this.lane.drop(this.slots.splice(length));
    this.dense = Math.min(this.dense, length);
  }

  /** From now on in the first slots of `lane`, which nobody else reads. */
  moveTo(lane: Lane): void {
    const { length } = this;
    this.truncate(0);
    this.lane.rows.delete(this);
    this.lane = lane;
    lane.rows.add(this);
    this.grow(lane.take(length));
  }
}
