// What one choice has said: committed tokens in, text out that is never taken back, with the records that were asked for and, at the end, a
// finish. Knows no rows and no search; fed by the choice that owns it.
import type { Alternative, DecodeEvent, DecodeRequest, TokenRecord, TokenTrace } from '../wire/decode.js';
import type { Finish, Origin } from './sequence.js';
import { TextStream, type Released, type TokenTable } from './text-stream.js';

/** A token on its way out; its record only where log-probabilities were asked for. */
interface Emitted {
  readonly id: number;
  readonly record: TokenRecord | null;
  /** 'cut': the first token without one, since the limit is reached. */
  readonly trace: TokenTrace | 'cut' | null;
}

type Delta = Extract<DecodeEvent, { kind: 'delta' }>;

export class Answer {
  readonly choice: number;
  /** Tokens that count as the answer: end tokens do not. */
  emitted = 0;
  /** Tokens taken in. */
  length = 0;
  finish: Finish | null = null;
  readonly #request: DecodeRequest;
  readonly #table: TokenTable;
  readonly #text: TextStream<Emitted>;

  constructor(choice: number, request: DecodeRequest, table: TokenTable) {
    this.choice = choice;
    this.#request = request;
    this.#table = table;
    this.#text = new TextStream(table, {
      stops: request.stop,
      includeStop: request.includeStop,
      minTokens: request.minTokens,
      shown: request.shownTokenIds,
    });
  }

  /** The next committed token; `finish` where it is the last. Null when there is nothing to show yet. */
  push(id: number, origin: Origin | null, finish: Finish | null): Delta | null {
    this.length++;
    this.finish = finish;
    if (finish && typeof finish.stopReason === 'number') return this.#delta(this.#text.flush());
    this.emitted++;
    const released = this.#text.push(id, { id, record: this.#record(origin), trace: this.#trace(id, origin) });
    if (!finish || released.stopped !== null) return this.#delta(released);
    const rest = this.#text.flush();
    return this.#delta({
      ...rest,
      text: released.text + rest.text,
      records: [...released.records, ...rest.records],
    });
  }

  #delta({ text, records }: Released<Emitted>): Delta | null {
    if (text === '' && records.length === 0) return null;
    const traces = records.flatMap(({ trace }) => (trace === null || trace === 'cut' ? [] : trace));
    return {
      kind: 'delta',
      choice: this.choice,
      text,
      ids: records.map(({ id }) => id),
      tokens: records.flatMap(({ record }) => record ?? []),
      ...(traces.length > 0 ? { traces } : {}),
      ...(records.some(({ trace }) => trace === 'cut') ? { traceCut: true } : {}),
    };
  }

  #trace(id: number, origin: Origin | null): TokenTrace | 'cut' | null {
    const limit = this.#request.traceLimit ?? 0;
    if (limit > 0 && this.emitted === limit + 1 && !this.#request.search) return 'cut';
    if (!origin?.decision.trace || this.emitted > limit) return null;
    const { decision, drafted, accepted } = origin;
    const { trace, atBound } = decision;
    return trace && { id, bytes: new Uint8Array(this.#table.bytesOf(id)), ...trace, atBound, drafted, accepted };
  }

  #record(origin: Origin | null): TokenRecord | null {
    if (!this.#request.logprobs || !origin) return null;
    const { tokenId, logprob, top, full } = origin.decision;
    return {
      ...alternative(this.#table, tokenId, logprob),
      top: top.map(({ id, logprob: p }) => alternative(this.#table, id, p)),
      ...(full ? { full } : {}),
    };
  }
}

export function alternative(table: TokenTable, id: number, logprob: number): Alternative {
  // A copy: the table hands out views of one large buffer, and crossing a thread clones the whole buffer behind a view.
  return { id, logprob, bytes: new Uint8Array(table.bytesOf(id)) };
}
