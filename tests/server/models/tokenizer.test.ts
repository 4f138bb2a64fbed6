// Encodings, decodings and byte tables against the reference tokenizers library: the golden checkpoints where they are at hand, and
// always the small fixture in this folder.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Tokenizer } from '../../../server/models/tokenizer.js';
import { ChatTemplate } from '../../../server/models/template.js';
import type { ChatMessage } from '../../../server/models/template.js';
import { temporaryFolder } from './write-safetensors.js';

interface Golden {
  readonly encode: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly ids_with_special: readonly number[];
    readonly tokens: readonly string[];
    readonly decoded: string;
    readonly decoded_skip_special: string;
  }[];
  readonly chat: readonly {
    readonly messages: readonly ChatMessage[];
    readonly add_generation_prompt: boolean;
    readonly text: string;
    readonly ids: readonly number[];
  }[];
}

const shared = new URL('../../../../shared/goldens', import.meta.url).pathname;
const own = new URL('golden', import.meta.url).pathname;
const foldersOf = (root: string) =>
  existsSync(root)
    ? readdirSync(root)
        .map((name) => join(root, name))
        .filter((path) => existsSync(join(path, 'tokenizer_golden.json')))
    : [];
if (!existsSync(shared))
  console.warn(`SKIPPED: no golden checkpoints at ${shared}; only the own fixtures are compared.`);

describe.each([...foldersOf(own), ...foldersOf(shared)])('%s', (directory) => {
  const golden = JSON.parse(readFileSync(join(directory, 'tokenizer_golden.json'), 'utf8')) as Golden;
  const tokenizer = Tokenizer.load(directory);

  test('encodings and decodings', () => {
    expect(golden.encode.length).toBeGreaterThanOrEqual(14);
    for (const {
      text,
      ids,
      ids_with_special: withSpecial,
      tokens,
      decoded,
      decoded_skip_special: skipped,
    } of golden.encode) {
      expect([...tokenizer.encode(text, { addSpecialTokens: false })], JSON.stringify(text)).toEqual(ids);
      expect([...tokenizer.encode(text, { addSpecialTokens: true })], JSON.stringify(text)).toEqual(withSpecial);
      expect(ids.map((id) => tokenizer.vocabulary.pieceOf(id))).toEqual(tokens);
      expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(decoded);
      expect(tokenizer.decode(ids)).toBe(skipped);
    }
  });

  test('chat renderings', () => {
    const template = ChatTemplate.load(directory, tokenizer.specialTokens);
    expect(golden.chat.length).toBeGreaterThanOrEqual(4);
    for (const { messages, add_generation_prompt: addGenerationPrompt, text, ids } of golden.chat) {
      const rendered = template?.render(messages, { addGenerationPrompt, continueFinal: false });
      expect(rendered).toBe(text);
      expect([...tokenizer.encode(text, { addSpecialTokens: false })]).toEqual(ids);
    }
  });
});

/** The ids are the reference library's. */
describe.each([
  [
    true,
    [
      [1, 6],
      [0, 6],
      [5, 5, 6, 0, 5, 5],
    ],
  ],
  [
    false,
    [
      [1, 6],
      [0, 6],
      [7, 6, 0, 7],
    ],
  ],
])('digits that are split off, each by itself: %s', (individual, expected) => {
  test('are all numbers, fractions too', () => {
    const folder = temporaryFolder();
    const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
    const digits = { type: 'Digits', individual_digits: individual };
    const vocab = { Ġ: 0, ĠĠ: 1, Â: 2, '½': 3, ĠÂ: 4, '1': 5, 'Â½': 6, '11': 7 };
    const tokenizer = {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Sequence', pretokenizers: [digits, byteLevel] },
      post_processor: null,
      decoder: byteLevel,
      model: { type: 'BPE', vocab, merges: ['Ġ Ġ', 'Ġ Â', 'Â ½', '1 1'] },
    };
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
    const read = Tokenizer.load(folder);
    const encoded = ['  ½', ' ½', '11½ 11'].map((text) => [...read.encode(text, { addSpecialTokens: false })]);
    expect(encoded).toEqual(expected);
  });
});
