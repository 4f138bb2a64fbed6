// The text of one sequence while it grows: token ids in, text out that will never have to be taken back. Holds only an unfinished
// character and a tail that may begin a stop string. Each token comes with a record (its log-probabilities, say) that is handed out
// together with its text. Knows no engine and no HTTP. Called by the sequence.
import { Detokenizer, type TokenTable } from './detokenizer.js';
import { StopMatcher } from './stop.js';

export type { TokenTable } from './detokenizer.js';

export interface TextStreamOptions {
  readonly stops: readonly string[];
  /** Show the stop string too. */
  readonly includeStop?: boolean;
  /** The text of the first so many tokens takes no part in matching. */
  readonly minTokens?: number;
  /** The text starts here and does not continue a prompt: only then is SentencePiece's leading space dropped. */
  readonly atStart?: boolean;
  /** Control tokens that print their name. */
  readonly shown?: readonly number[] | undefined;
}

export interface Released<T> {
  readonly text: string;
  /** Records of the tokens whose text is now out; on a stop also of the token that the stop string cut through. */
  readonly records: readonly T[];
  /** The stop string that was found; nothing may be pushed after it. */
  readonly stopped: string | null;
}

interface Waiting<T> {
  readonly record: T;
  /** Where the token's text begins and ends in the whole text, in code units. */
  readonly start: number;
  readonly end: number;
}

/** Everything the stream remembers. Plain immutable values. */
export interface TextCheckpoint<T> {
  readonly pendingBytes: Uint8Array;
  readonly matched: Int32Array;
  readonly held: string;
  readonly releasedLength: number;
  readonly waiting: readonly Waiting<T>[];
  readonly tokens: number;
  readonly dropSpace: boolean;
  readonly stopped: string | null;
}

export class TextStream<T> {
  readonly #table: TokenTable;
  readonly #options: TextStreamOptions;
  readonly #detokenizer = new Detokenizer();
  readonly #matcher: StopMatcher;
  #held = '';
  #releasedLength = 0;
  #waiting: Waiting<T>[] = [];
  #tokens = 0;
  #dropSpace: boolean;
  #stopped: string | null = null;

  constructor(table: TokenTable, options: TextStreamOptions) {
    this.#table = table;
    this.#options = options;
    this.#matcher = new StopMatcher(options.stops);
    this.#dropSpace = (options.atStart ?? false) && table.dropsLeadingSpace;
  }

  /** Records whose text is not out yet. After a stop: those of the tokens inside the stop string. */
  get withheld(): readonly T[] {
    return this.#waiting.map(({ record }) => record);
  }

  push(id: number, record: T): Released<T> {
    if (this.#stopped !== null) throw new Error(`a token after the stop string ${JSON.stringify(this.#stopped)}`);
    this.#tokens += 1;
    const start = this.#releasedLength + this.#held.length;
    let text =
      this.#table.isSpecial(id) && !this.#options.shown?.includes(id)
        ? ''
        : this.#detokenizer.push(this.#table.bytesOf(id));
    if (this.#dropSpace && text !== '') {
      this.#dropSpace = false;
      if (text.startsWith(' ')) text = text.slice(1);
    }
    // The rest of an unfinished character will be at least one more unit.
    const end = start + text.length + (this.#detokenizer.isMidCharacter ? 1 : 0);
    this.#waiting.push({ record, start, end });
    return this.#take(text, this.#tokens > (this.#options.minTokens ?? 0));
  }

  /** The end of the sequence: everything comes out. */
  flush(): Released<T> {
    if (this.#stopped !== null) return { text: '', records: [], stopped: null };
    const last = this.#take(this.#detokenizer.flush(), true);
    if (last.stopped !== null) return last;
    const rest = this.#release(this.#held.length);
    return { text: last.text + rest.text, records: [...last.records, ...rest.records], stopped: null };
  }

  checkpoint(): TextCheckpoint<T> {
    return {
      pendingBytes: this.#detokenizer.checkpoint(),
      matched: this.#matcher.checkpoint(),
      held: this.#held,
      releasedLength: this.#releasedLength,
      waiting: [...this.#waiting],
      tokens: this.#tokens,
      dropSpace: this.#dropSpace,
      stopped: this.#stopped,
    };
  }

  restore(checkpoint: TextCheckpoint<T>): void {
    this.#detokenizer.restore(checkpoint.pendingBytes);
    this.#matcher.restore(checkpoint.matched);
    this.#held = checkpoint.held;
    this.#releasedLength = checkpoint.releasedLength;
    this.#waiting = [...checkpoint.waiting];
    this.#tokens = checkpoint.tokens;
    this.#dropSpace = checkpoint.dropSpace;
    this.#stopped = checkpoint.stopped;
  }

  #take(text: string, matching: boolean): Released<T> {
    const before = this.#held.length;
    this.#held += text;
    const match = matching ? this.#matcher.push(text) : null;
    if (match === null) return this.#release(this.#held.length - (matching ? this.#matcher.heldLength : 0));
    this.#stopped = match.stop;
    const end = before + match.end;
    const cut = this.#options.includeStop ? end : end - match.stop.length;
    return { ...this.#release(cut, true), stopped: match.stop };
  }

  /** Lets out the first `length` held units and the records that belong to them. */
  #release(length: number, final = false): Released<T> {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    this.#releasedLength += length;
    const out = this.#releasedLength;
    // A token is out when its text is; at a stop, when any of it is, so that the records cover the text.
    const first = this.#waiting.findIndex(({ start, end }) => (final && end > start ? start >= out : end > out));
    const records = first < 0 ? this.#waiting : this.#waiting.slice(0, first);
    this.#waiting = first < 0 ? [] : this.#waiting.slice(first);
    return { text, records: records.map(({ record }) => record), stopped: null };
  }
}
