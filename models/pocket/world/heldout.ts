// Held-out text: documents of every part, raw and conversation, that no training file contains (main.ts skips them). It is what
// quantisation and perplexity are measured on, so it is plain text: no template of any one model is in it.
import type { Part } from './part.js';
import type { Rng } from './rng.js';

const PAGES_PER_PART = 40;
const CHATS_PER_SET = 12;

export const conversationText = (messages: readonly { readonly content: string }[]): string =>
  messages.map(({ content }) => content).join('\n');

export function drawHeldOut(parts: readonly Part[], rng: Rng): string[] {
  const documents = parts.flatMap(({ page, chats }) => [
    ...(page === null ? [] : Array.from({ length: PAGES_PER_PART }, () => page(rng))),
    ...Object.values(chats).flatMap((draw) => Array.from({ length: CHATS_PER_SET }, () => conversationText(draw(rng)))),
  ]);
  return rng.shuffled([...new Set(documents)]);
}
