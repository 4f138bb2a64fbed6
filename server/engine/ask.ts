// What a search waits for, one by one: growth of a branch, its next-token distribution, a reading. Each ask takes in what the tick brings
// until it is answered. Knows no rows; made by the driver, fed by the run.
import type { Growth, SampleOptions, TopTokens } from '../../decoders/search.js';
import type { Reading } from './reads.js';
import type { Decision, Sequence } from './sequence.js';
import type { TokenTable } from './text-stream.js';

/** Tokens to be drawn (`forced` is null), or given ones to be scored one after the other. */
export interface GrowthAsk {
  readonly kind: 'grow';
  readonly sequence: Sequence;
  readonly forced: readonly number[] | null;
  readonly options: SampleOptions;
  readonly ids: number[];
  readonly logprobs: number[];
  answer: Growth | null;
}

export interface TopAsk {
  readonly kind: 'top';
  readonly sequence: Sequence;
  readonly top: number;
  answer: TopTokens | null;
}

export interface ReadAsk {
  readonly kind: 'read';
  readonly reading: Reading;
}

export type Ask = GrowthAsk | TopAsk | ReadAsk;

/** The token that has to come next; null where it is drawn. */
export function forcedNext({ forced, ids }: GrowthAsk): number | null {
  return forced?.[ids.length] ?? null;
}

/** How many more tokens the ask takes at most. */
export function tokensLeft({ forced, options, ids }: GrowthAsk): number {
  return (forced?.length ?? options.tokens) - ids.length;
}

/** A token has come to the ask's branch: notes it, and answers when it was the last. */
export function grown(ask: GrowthAsk, { tokenId, logprob }: Decision, table: TokenTable): void {
  ask.ids.push(tokenId);
  if (ask.options.logprobs) ask.logprobs.push(logprob);
  const { ended } = ask.sequence;
  const isWhole = ended || tokensLeft(ask) === 0 || endsWithOne(tokenId, ask.options.until, table);
  if (isWhole) ask.answer = { ids: ask.ids, logprobs: ask.logprobs, ended };
}

function endsWithOne(tokenId: number, ends: readonly string[] | undefined, table: TokenTable): boolean {
  if (!ends || table.isSpecial(tokenId)) return false;
  const text = new TextDecoder().decode(table.bytesOf(tokenId));
  return ends.some((end) => text.endsWith(end));
}
