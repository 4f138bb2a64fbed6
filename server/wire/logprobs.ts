// Log-probabilities in OpenAI's two shapes: a list of token objects (chat) and four parallel arrays (completions). JSON has no
// −Infinity: −9999 stands for it.
import type { Alternative, PromptTokenRecord, TokenRecord } from './decode.js';

const impossible = -9999;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

export const finite = (logprob: number): number => (logprob > impossible ? logprob : impossible);

export interface ChatTokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

export interface ChatLogprobs {
  readonly content: readonly (ChatTokenLogprob & { readonly top_logprobs: readonly ChatTokenLogprob[] })[];
  readonly refusal: null;
}

/** `token` is lossy where a character spans tokens; `bytes` is exact. */
export function chatToken({ logprob, bytes }: Alternative): ChatTokenLogprob {
  return { token: lossy.decode(bytes), logprob: finite(logprob), bytes: Array.from(bytes) };
}

export function chatLogprobs(tokens: readonly TokenRecord[]): ChatLogprobs {
  return {
    content: tokens.map((token) => ({ ...chatToken(token), top_logprobs: token.top.map(chatToken) })),
    refusal: null,
  };
}

export interface CompletionLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
  /** Per generated token the log-probabilities of the whole vocabulary: base64 of little-endian float32. */
  full?: string[];
}

/** Tokens that are no valid UTF-8 by themselves keep their bytes in the name, so that two of them never collide in a map. */
export function tokenName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  }
}

const codePoints = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

/**
 * Follows one choice of a completion and says where in its text (in Unicode code points) each token begins. Tokens that print
 * nothing (special tokens, first bytes of a character) begin where the next character begins.
 */
export class CompletionLogprobsWriter {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #full: boolean;
  #text = '';
  #position = 0;
  #offset = 0;

  constructor(options: { readonly full: boolean }) {
    this.#full = options.full;
  }

  /** `text` is what was released together with these tokens. */
  write(text: string, tokens: readonly (TokenRecord | PromptTokenRecord)[]): CompletionLogprobs {
    this.#text += text;
    const full: string[] = [];
    const arrays: CompletionLogprobs = {
      tokens: [],
      token_logprobs: [],
      top_logprobs: [],
      text_offset: [],
      ...(this.#full ? { full } : {}),
    };
    for (const token of tokens) {
      arrays.tokens.push(tokenName(token.bytes));
      arrays.token_logprobs.push(token.logprob === null ? null : finite(token.logprob));
      arrays.top_logprobs.push(topMap(token));
      arrays.text_offset.push(this.#advance(token.bytes));
      if ('full' in token && token.full !== undefined) full.push(base64(token.full));
    }
    return arrays;
  }

  #advance(bytes: Uint8Array): number {
    const start = this.#offset;
    const piece = this.#decoder.decode(bytes, { stream: true });
    // SentencePiece vocabularies spell the first word with a leading space that the text does not have.
    const spelt = [piece, piece.replace(/^ /, '')].find((form) => this.#text.startsWith(form, this.#position));
    if (spelt !== undefined) {
      this.#position += spelt.length;
      this.#offset += codePoints(spelt);
    }
    return start;
  }
}

/** The sampled token is always present, so there can be one entry more than asked for. */
function topMap(token: TokenRecord | PromptTokenRecord): Record<string, number> | null {
  if (token.logprob === null) return null;
  const map = new Map<string, number>();
  for (const other of token.top) map.set(tokenName(other.bytes), finite(other.logprob));
  map.set(tokenName(token.bytes), finite(token.logprob));
  return Object.fromEntries(map);
}

const base64 = (row: Float32Array): string =>
  Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('base64');
