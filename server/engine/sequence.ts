// One choice of one request: the generated ids, a view per (model, prompt), and everything that decoding remembers about them. It turns
// a decided token into released text, records and, at the end, a finish. Knows no HTTP and no batch; owned by a Run.
import type { Branch } from '../../decoders/search.js';
import { editsOf, type Edits } from '../../decoders/warp.js';
import type { Alternative, DecodeRequest, FinishReason, TokenRecord, TokenTrace } from '../wire/decode.js';
import { TextStream, type Released, type TokenTable } from './text-stream.js';
import type { View } from './view.js';

/** What the kernels decided for one position. */
export interface Decision {
  readonly tokenId: number;
  readonly logprob: number;
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
  readonly full: Float32Array | null;
  /** Why it is the first view's best token instead of what was asked for. */
  readonly fallback: 'nan' | 'dead' | null;
  /** Experts of dynamic fusion that stood at their bound, by their place among `weights`. */
  readonly atBound: readonly number[];
  readonly trace: Pick<TokenTrace, 'members' | 'kl' | 'weights' | 'kept'> | null;
}

export interface Finish {
  readonly reason: FinishReason;
  readonly stopReason: string | number | null;
}

/** What may be shown after a token: never to be taken back. */
export interface Growth {
  readonly text: string;
  readonly ids: readonly number[];
  readonly tokens: readonly TokenRecord[];
  readonly traces: readonly TokenTrace[];
  readonly traceCut: boolean;
  readonly finish: Finish | null;
}

/** A token on its way out; its record only where log-probabilities were asked for. */
interface Emitted {
  readonly id: number;
  readonly record: TokenRecord | null;
  /** 'cut': the first token without one, since the limit is reached. */
  readonly trace: TokenTrace | 'cut' | null;
}

export class Sequence implements Branch {
  readonly choice: number;
  readonly tokens: number[];
  /** Those of the distribution, and last one for the draft where it is no member. */
  readonly views: readonly View[];
  finish: Finish | null = null;
  /** Tokens that count as the answer: end tokens do not. */
  emitted = 0;
  readonly #request: DecodeRequest;
  readonly #table: TokenTable;
  readonly #text: TextStream<Emitted>;
  readonly #counts = new Map<number, number>();
  /** Tokens after `tokens` that a draft proposes; never there between ticks. */
  readonly #drafts: number[] = [];
  readonly #promptIds: ReadonlySet<number>;

  /** `views` read `tokens`: the caller has made them over the same array. */
  constructor(choice: number, request: DecodeRequest, table: TokenTable, tokens: number[], views: readonly View[]) {
    this.choice = choice;
    this.tokens = tokens;
    this.views = views;
    this.#request = request;
    this.#table = table;
    this.#text = new TextStream(table, {
      stops: request.stop,
      includeStop: request.includeStop,
      minTokens: request.minTokens,
    });
    this.#promptIds = new Set(request.sampling.repetitionPenalty === 1 ? [] : request.promptIds[0]);
  }

  /** The next position to decide. */
  get position(): number {
    return this.tokens.length;
  }

  get drafts(): readonly number[] {
    return this.#drafts;
  }

  draft(tokenId: number): void {
    this.#drafts.push(tokenId);
  }

  /** Takes back what is drafted, and what the views have taken in of it. */
  dropDrafts(): void {
    this.#drafts.length = 0;
    this.views.forEach((view) => view.keep(this.tokens.length));
  }

  /** Changes of the combined scores for the token after the first `ahead` drafts. */
  edits(ahead = 0): Edits {
    const banned = this.tokens.length + ahead < this.#request.minTokens ? this.#request.stopTokenIds : [];
    const counts = ahead === 0 ? this.#counts : new Map(this.#counts);
    for (const id of this.#drafts.slice(0, ahead)) counts.set(id, (counts.get(id) ?? 0) + 1);
    return editsOf(this.#request.sampling, this.#promptIds, counts, banned);
  }

  /** Takes in a decided token. It may be the next draft; any other one ends the block. */
  accept(decision: Decision): Growth {
    const growth = this.#take(decision);
    if (growth.finish && this.#drafts.length > 0) this.dropDrafts();
    return growth;
  }

  #take(decision: Decision): Growth {
    const { tokenId } = decision;
    this.views.forEach((view) => view.settle(this.position));
    const drafted = this.#drafts.length > 0;
    const accepted = this.#drafts[0] === tokenId;
    if (accepted) this.#drafts.shift();
    else if (drafted) this.dropDrafts();
    this.tokens.push(tokenId);
    this.#counts.set(tokenId, (this.#counts.get(tokenId) ?? 0) + 1);
    if (this.#request.stopTokenIds.includes(tokenId)) {
      this.finish = { reason: 'stop', stopReason: tokenId };
      return this.#growth(this.#text.flush());
    }
    this.emitted++;
    const released = this.#text.push(tokenId, {
      id: tokenId,
      record: this.#request.logprobs ? this.#record(decision) : null,
      trace: this.#trace(decision, drafted, accepted),
    });
    if (released.stopped !== null) this.finish = { reason: 'stop', stopReason: released.stopped };
    else if (this.emitted >= this.#request.maxTokens) {
      const rest = this.#text.flush();
      this.finish =
        rest.stopped === null ? { reason: 'length', stopReason: null } : { reason: 'stop', stopReason: rest.stopped };
      return this.#growth({
        ...rest,
        text: released.text + rest.text,
        records: [...released.records, ...rest.records],
      });
    }
    return this.#growth(released);
  }

  release(): void {
    this.#drafts.length = 0;
    this.views.forEach((view) => view.release());
  }

  #growth({ text, records }: Released<Emitted>): Growth {
    return {
      text,
      ids: records.map(({ id }) => id),
      tokens: records.flatMap(({ record }) => record ?? []),
      traces: records.flatMap(({ trace }) => (trace === null || trace === 'cut' ? [] : trace)),
      traceCut: records.some(({ trace }) => trace === 'cut'),
      finish: this.finish,
    };
  }

  #trace({ tokenId, trace, atBound }: Decision, drafted: boolean, accepted: boolean): TokenTrace | 'cut' | null {
    const limit = this.#request.traceLimit ?? 0;
    if (limit > 0 && this.emitted === limit + 1) return 'cut';
    return trace && this.emitted <= limit
      ? { id: tokenId, bytes: new Uint8Array(this.#table.bytesOf(tokenId)), ...trace, atBound, drafted, accepted }
      : null;
  }

  #record({ tokenId, logprob, top, full }: Decision): TokenRecord {
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
