// The tokenizer of a checkpoint folder (tokenizer.json, tokenizer_config.json): text → ids by the reference library for JavaScript,
// ids → text by our own byte table, which is exact where the library is lossy. Knows no model. Called by the text worker and the engine.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as library from '@huggingface/tokenizers';
import { Detokenizer, type TokenTable } from '../engine/detokenizer.js';
import { reasonOf } from '../reason.js';
import { invalidFile, isJsonObject, readJsonObject, requireJsonObject, type JsonObject } from './json-file.js';
import { addedTokens, readVocabulary, type Vocabulary } from './token-table.js';

export type { TokenTable } from '../engine/detokenizer.js';

/** Names under which tokenizer_config.json declares tokens and templates refer to them. */
export const specialNames = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;
export type SpecialTokens = Readonly<Partial<Record<(typeof specialNames)[number], string>>>;

/** The part of the library that is used here. Its own declarations do not resolve under Node's module rules. */
interface Encoder {
  encode(text: string, options: { add_special_tokens: boolean }): { readonly ids: readonly (number | undefined)[] };
}
const { Tokenizer: LibraryTokenizer } = library as unknown as {
  readonly Tokenizer: new (tokenizer: JsonObject, config: JsonObject) => Encoder;
};

export interface EncodeOptions {
  /** Add what the tokenizer adds by itself, such as a beginning-of-sequence token. */
  readonly addSpecialTokens: boolean;
}

interface TokenizerFiles {
  readonly path: string;
  readonly tokenizer: JsonObject;
  readonly config: JsonObject;
  readonly specialTokens: SpecialTokens;
  readonly vocabulary: Vocabulary;
}

export class Tokenizer {
  readonly vocabulary: Vocabulary;
  readonly specialTokens: SpecialTokens;
  readonly #path: string;
  readonly #encoder: Encoder;

  private constructor(files: TokenizerFiles) {
    this.vocabulary = files.vocabulary;
    this.specialTokens = files.specialTokens;
    this.#path = files.path;
    try {
      this.#encoder = new LibraryTokenizer(withUnicodeClasses(files.tokenizer), files.config);
    } catch (error) {
      throw invalidFile(files.path, `cannot be used: ${reasonOf(error)}`, 'Save it again with transformers.', error);
    }
  }

  /** `known` shares one tokenizer among folders whose files say the same, whatever their chat templates. */
  static load(directory: string, known = new Map<string, Tokenizer>()): Tokenizer {
    const files = readFiles(directory);
    const { chat_template: _template, name_or_path: _name, ...config } = files.config;
    const identity = createHash('sha256')
      .update(JSON.stringify([files.tokenizer, config, files.specialTokens]))
      .digest('hex');
    const tokenizer = known.get(identity) ?? new Tokenizer(files);
    known.set(identity, tokenizer);
    return tokenizer;
  }

  encode(text: string, { addSpecialTokens }: EncodeOptions): Int32Array {
    const ids = this.#encoder.encode(text, { add_special_tokens: addSpecialTokens }).ids;
    const unknown = ids.indexOf(undefined);
    if (unknown >= 0) {
      throw invalidFile(this.#path, `has no token for part ${unknown} of the text and no unk_token`, 'Save it again.');
    }
    return Int32Array.from(ids as number[]);
  }

  /** A whole text from its beginning. Ids without bytes (padding of the vocabulary) print nothing. */
  decode(ids: Iterable<number>, { skipSpecialTokens = true } = {}): string {
    const detokenizer = new Detokenizer();
    let text = '';
    for (const id of ids) {
      if (!skipSpecialTokens || !this.vocabulary.isSpecial(id)) text += detokenizer.push(this.vocabulary.bytesOf(id));
    }
    text += detokenizer.flush();
    return this.vocabulary.dropsLeadingSpace && text.startsWith(' ') ? text.slice(1) : text;
  }

  /** The id of a declared special token. */
  idOf(name: keyof SpecialTokens): number | undefined {
    const piece = this.specialTokens[name];
    return piece === undefined ? undefined : this.vocabulary.idOf(piece);
  }
}

/** Only what turns ids into text: cheaper than a whole tokenizer. */
export function loadTokenTable(directory: string): TokenTable {
  return readFiles(directory).vocabulary;
}

function readFiles(directory: string): TokenizerFiles {
  const path = join(directory, 'tokenizer.json');
  const raw = requireJsonObject(
    path,
    'Save the tokenizer in the fast format (transformers: AutoTokenizer, save_pretrained).',
  );
  const config = readJsonObject(join(directory, 'tokenizer_config.json')) ?? {};
  const specialTokens = readSpecialTokens(config, readJsonObject(join(directory, 'special_tokens_map.json')) ?? {});
  const tokenizer = withDeclaredTokens(path, raw, config);
  const additional = config['additional_special_tokens'] ?? config['extra_special_tokens'];
  const specialPieces = new Set([
    ...Object.values(specialTokens),
    ...(Array.isArray(additional) ? additional.map(contentOf).filter((piece) => piece !== undefined) : []),
  ]);
  return { path, tokenizer, config, specialTokens, vocabulary: readVocabulary(path, tokenizer, specialPieces) };
}

/** A token is written as its text or as an object with its `content`. */
function contentOf(value: unknown): string | undefined {
  const content = isJsonObject(value) ? value['content'] : value;
  return typeof content === 'string' ? content : undefined;
}

function readSpecialTokens(config: JsonObject, map: JsonObject): SpecialTokens {
  const tokens: Partial<Record<keyof SpecialTokens, string>> = {};
  for (const name of specialNames) {
    // An explicit null in tokenizer_config.json means "none" and is not overruled.
    const content = contentOf(name in config ? config[name] : map[name]);
    if (content !== undefined) tokens[name] = content;
  }
  return tokens;
}

/** transformers also adds the tokens of tokenizer_config.json's added_tokens_decoder; some checkpoints declare them only there. */
function withDeclaredTokens(path: string, tokenizer: JsonObject, config: JsonObject): JsonObject {
  const declared = config['added_tokens_decoder'];
  if (!isJsonObject(declared)) return tokenizer;
  const present = new Set(addedTokens(path, tokenizer).map(({ id }) => id));
  const missing = Object.entries(declared).flatMap(([id, token]) =>
    /^\d+$/.test(id) && !present.has(Number(id)) && isJsonObject(token) && contentOf(token) !== undefined
      ? [
          {
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: false,
            ...token,
            id: Number(id),
          },
        ]
      : [],
  );
  if (missing.length === 0) return tokenizer;
  return { ...tokenizer, added_tokens: [...((tokenizer['added_tokens'] as unknown[] | undefined) ?? []), ...missing] };
}

/** GPT-2's pattern, which "ByteLevel" with `use_regex` stands for. */
const gpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * Two steps that the library reads too narrowly are written as its Split step, which reads the same patterns as the reference does. It splits
 * ByteLevel with JavaScript's \s, which counts U+FEFF as a space and U+0085 not; the reference has it the other way round. And its Digits
 * are decimal digits, where the reference's are all numbers, ½ and Ⅷ among them.
 */
function withUnicodeClasses(tokenizer: JsonObject): JsonObject {
  const rewrite = (step: unknown): unknown => {
    if (!isJsonObject(step)) return step;
    if (step['type'] === 'Sequence' && Array.isArray(step['pretokenizers'])) {
      return { ...step, pretokenizers: step['pretokenizers'].map(rewrite) };
    }
    if (step['type'] === 'Digits') {
      const Regex = step['individual_digits'] === true ? '\\p{N}' : '\\p{N}+';
      return { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false };
    }
    if (step['type'] !== 'ByteLevel' || step['use_regex'] === false || step['add_prefix_space'] === true) return step;
    const split = { type: 'Split', pattern: { Regex: gpt2Pattern }, behavior: 'Isolated', invert: false };
    return { type: 'Sequence', pretokenizers: [split, { ...step, use_regex: false }] };
  };
  return { ...tokenizer, pre_tokenizer: rewrite(tokenizer['pre_tokenizer']) };
}
