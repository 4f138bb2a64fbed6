// How often drafts stand, by kind of draft: what one request has shown is where the next of its kind begins. Knows no rows and no texts; a
// kind is whatever tells draft and distribution apart (draft.ts names it).

/** Before anything is known, a draft is taken to stand this often, as if so many had been tested. */
const FIRST_GUESS = 0.7;
const FIRST_WEIGHT = 2;
/** How many tests what all requests of a kind have shown counts for in each of them. */
const SHARED_WEIGHT = 6;
/** One in 64 of the shared record, and one in 16 of a request's own, is forgotten with each test: texts change. */
const SHARED_MEMORY = 1 - 1 / 64;
const OWN_MEMORY = 1 - 1 / 16;
/** Clients can ask for ever new structures. */
const MAX_KINDS = 256;

/** Tests of drafts whose predecessors all stood, the old ones fading. */
export class DraftRecord {
  readonly #memory: number;
  #tested = 0;
  #stood = 0;

  constructor(memory: number) {
    this.#memory = memory;
  }

  add(stood: boolean): void {
    this.#tested = this.#memory * this.#tested + 1;
    this.#stood = this.#memory * this.#stood + (stood ? 1 : 0);
  }

  /** The share that stood, where `weight` tests with the share `prior` come before the record's own. */
  share(prior: number, weight: number): number {
    return (weight * prior + this.#stood) / (weight + this.#tested);
  }
}

/** One request's record. */
export const ownRecord = (): DraftRecord => new DraftRecord(OWN_MEMORY);

export class AcceptanceMemory {
  /** In order of use, the least recent first. */
  readonly #kinds = new Map<string, DraftRecord>();

  /** How often the next draft of a request of this kind is expected to stand, with what the request itself has shown. */
  expect(kind: string, own: DraftRecord): number {
    const shared = this.#kinds.get(kind)?.share(FIRST_GUESS, FIRST_WEIGHT) ?? FIRST_GUESS;
    return own.share(shared, SHARED_WEIGHT);
  }

  add(kind: string, stood: boolean): void {
    const record = this.#kinds.get(kind) ?? new DraftRecord(SHARED_MEMORY);
    record.add(stood);
    this.#kinds.delete(kind);
    this.#kinds.set(kind, record);
    const [oldest] = this.#kinds.keys();
    if (this.#kinds.size > MAX_KINDS && oldest !== undefined) this.#kinds.delete(oldest);
  }
}
