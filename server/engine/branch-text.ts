// The text of a branch as sources of scores and searches see it: without its end token, cut at its stop string. Pure.
import type { DecodeRequest } from '../wire/decode.js';
import type { Sequence } from './sequence.js';
import { TextStream, type TokenTable } from './text-stream.js';

/** Of the tokens from `from` on. */
export function branchText(
  { tokens, finish }: Sequence,
  { request, table }: { readonly request: DecodeRequest; readonly table: TokenTable },
  from = 0,
): string {
  const counted = typeof finish?.stopReason === 'number' ? tokens.slice(0, -1) : tokens;
  const whole = textOf(counted, request, table);
  return from === 0 ? whole : whole.slice(textOf(counted.slice(0, from), request, table).length);
}

function textOf(
  tokens: readonly number[],
  { stop, minTokens, shownTokenIds }: DecodeRequest,
  table: TokenTable,
): string {
  const stream = new TextStream<null>(table, { stops: stop, minTokens, shown: shownTokenIds });
  let text = '';
  for (const id of tokens) {
    const released = stream.push(id, null);
    text += released.text;
    if (released.stopped !== null) return text;
  }
  return text + stream.flush().text;
}
