// Log-probabilities in the shapes of the wire (chat: a list of objects; completions: parallel arrays) → tokens.
import type { Alternative, Token } from './events.js';
import { fields, isThere, items, number, string, whole } from './read.js';

export const unknownToken: Token = { token_id: null, token: null, bytes: null, logprob: null, top: [], full: null };

/** A choice's `logprobs` and `token_ids`. Where an echoed prompt stands before the answer, the ids are those of the last tokens. */
export function tokensOf(logprobs: unknown, ids: unknown, promptIds: unknown): Token[] {
  const tokens = isThere(logprobs) ? spelt(logprobs) : [];
  const answer = isThere(ids) ? items(ids, 'token_ids').map((id) => whole(id, 'token_ids')) : [];
  const prompt = isThere(promptIds) ? items(promptIds, 'prompt_token_ids') : [];
  const isEchoed = tokens.length > answer.length && tokens.length === prompt.length + answer.length;
  const known = isEchoed ? [...prompt.map((id) => whole(id, 'prompt_token_ids')), ...answer] : answer;
  if (tokens.length === 0) return known.map((token_id) => ({ ...unknownToken, token_id }));
  const before = tokens.length - known.length;
  return tokens.map((token, index) => ({ ...token, token_id: known[index - before] ?? null }));
}

function spelt(logprobs: unknown): Token[] {
  const shape = fields(logprobs, 'logprobs');
  return isThere(shape['content'])
    ? items(shape['content'], 'logprobs.content').map(chatToken)
    : completionTokens(shape);
}

export function chatToken(value: unknown): Token {
  const token = fields(value, 'a token');
  return {
    ...unknownToken,
    token: string(token['token'], 'token'),
    bytes: bytesOf(token['bytes']),
    logprob: isThere(token['logprob']) ? number(token['logprob'], 'logprob') : null,
    top: isThere(token['top_logprobs']) ? items(token['top_logprobs'], 'top_logprobs').map(alternative) : [],
  };
}

function alternative(value: unknown): Alternative {
  const other = fields(value, 'top_logprobs');
  return {
    token: string(other['token'], 'token'),
    token_id: isThere(other['token_id']) ? whole(other['token_id'], 'token_id') : null,
    bytes: bytesOf(other['bytes']),
    logprob: number(other['logprob'], 'logprob'),
  };
}

function bytesOf(value: unknown): readonly number[] | null {
  return isThere(value) ? items(value, 'bytes').map((byte) => whole(byte, 'bytes')) : null;
}

function completionTokens(shape: Readonly<Record<string, unknown>>): Token[] {
  const names = items(shape['tokens'], 'logprobs.tokens');
  const logprobs = items(shape['token_logprobs'], 'logprobs.token_logprobs');
  const tops = isThere(shape['top_logprobs']) ? items(shape['top_logprobs'], 'logprobs.top_logprobs') : [];
  const rows = isThere(shape['full']) ? items(shape['full'], 'logprobs.full') : [];
  const before = names.length - rows.length;
  return names.map((name, index) => ({
    ...unknownToken,
    token: string(name, 'logprobs.tokens'),
    logprob: isThere(logprobs[index]) ? number(logprobs[index], 'logprobs.token_logprobs') : null,
    top: isThere(tops[index]) ? alternatives(tops[index]) : [],
    full: isThere(rows[index - before]) ? floats(string(rows[index - before], 'logprobs.full')) : null,
  }));
}

function alternatives(map: unknown): Alternative[] {
  return Object.entries(fields(map, 'top_logprobs')).map(([token, logprob]) => ({
    token,
    token_id: null,
    bytes: null,
    logprob: number(logprob, 'top_logprobs'),
  }));
}

/** Base64 of little-endian float32. */
export function floats(base64: string): Float32Array {
  const binary = atob(base64);
  const view = new DataView(Uint8Array.from(binary, (character) => character.charCodeAt(0)).buffer);
  return Float32Array.from({ length: Math.floor(view.byteLength / 4) }, (_, index) => view.getFloat32(4 * index, true));
}
