// The table of bytes: the alphabets, holes, special tokens from every place that declares them, the vocabulary's hash.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../server/errors.js';
import { firstDifference, readVocabulary } from '../../../server/models/token-table.js';
import { loadTokenTable, Tokenizer } from '../../../server/models/tokenizer.js';
import { temporaryFolder } from './write-safetensors.js';

const byteLevel = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true };
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function vocabulary(
  vocab: unknown,
  decoder: unknown = byteLevel,
  added: readonly unknown[] = [],
  special: readonly string[] = [],
) {
  return readVocabulary(
    'tokenizer.json',
    { model: { type: 'BPE', vocab }, decoder, added_tokens: added },
    new Set(special),
  );
}

function errorOf(action: () => unknown): AppError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  }
  throw new Error('nothing was thrown');
}

describe('the first difference', () => {
  const abc = vocabulary({ a: 0, b: 1, c: 2 });
  test.each([
    ['another piece', { a: 0, x: 1, c: 2 }, { id: 1, piece: 'b', otherPiece: 'x' }],
    ['a hole', { a: 0, c: 2 }, { id: 1, piece: 'b', otherPiece: null }],
    ['an end', { a: 0, b: 1 }, { id: 2, piece: 'c', otherPiece: null }],
    ['a longer one', { a: 0, b: 1, c: 2, d: 3 }, { id: 3, piece: null, otherPiece: 'd' }],
  ])('%s', (_, vocab, expected) => {
    expect(firstDifference(abc, vocabulary(vocab))).toEqual(expected);
  });
});

describe('bytes', () => {
  test('the byte-level alphabet has every byte once', () => {
    const path = new URL('golden/bytelevel/tokenizer.json', import.meta.url).pathname;
    const table = loadTokenTable(join(path, '..'));
    const single = Array.from({ length: table.size }, (_, id) => table.bytesOf(id)).filter(
      (bytes) => bytes.length === 1,
    );
    expect([...new Set(single.map(([byte]) => byte))].sort((a, b) => (a as number) - (b as number))).toEqual([
      ...Array(256).keys(),
    ]);
  });

  test('pieces outside the alphabet stand for themselves; holes and padding have no bytes', () => {
    const table = vocabulary({ Ġthe: 0, 'ĠcafÃ©': 1, 'two words': 4 });
    expect([0, 1, 4].map((id) => text(table.bytesOf(id)))).toEqual([' the', ' café', 'two words']);
    expect([2, 3, 5, 99, -1].map((id) => table.bytesOf(id).length)).toEqual([0, 0, 0, 0, 0]);
    expect([table.size, table.pieceOf(2), table.idOf('Ġthe')]).toEqual([5, undefined, 0]);
  });

  test.each([
    ['▁ to space', { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' }, ' a <0x41>', true],
    ['no space in front', { type: 'Metaspace', replacement: '▁', prepend_scheme: 'never' }, ' a <0x41>', false],
    ['the older key', { type: 'Metaspace', replacement: '▁', add_prefix_space: false }, ' a <0x41>', false],
    [
      'a sequence',
      {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
          { type: 'Strip', content: ' ', start: 1, stop: 0 },
        ],
      },
      ' a A',
      true,
    ],
  ])('%s', (_, decoder, expected, drops) => {
    const table = vocabulary({ '▁a▁': 0, '<0x41>': 1 }, decoder);
    expect(text(table.bytesOf(0)) + text(table.bytesOf(1))).toBe(expected);
    expect(table.dropsLeadingSpace).toBe(drops);
  });

  test.each([
    [null],
    [{ type: 'WordPiece', prefix: '##' }],
    [{ type: 'Strip', content: ' ', start: 1, stop: 0 }],
    [{ type: 'Sequence', decoders: [{ type: 'Fuse' }, { type: 'Strip', content: '_', start: 1, stop: 0 }] }],
    [{ type: 'Replace', pattern: { Regex: '▁+' }, content: ' ' }],
  ])('the decoder %j is refused by name', (decoder) => {
    expect(errorOf(() => vocabulary({ a: 0 }, decoder)).message).toContain('is not supported');
  });

  test.each([[undefined], ['abc'], [{ a: '0' }], [{ a: -1 }], [{ a: 2 ** 40 }], [[[3, -1]]]])(
    'the vocabulary %j is refused',
    (vocab) => {
      expect(errorOf(() => vocabulary(vocab)).data.code).toBe('model_file_invalid');
    },
  );

  test('a list of pieces with scores, as Unigram has', () => {
    const table = vocabulary(
      [
        ['<unk>', 0],
        ['▁a', -1.5],
      ],
      { type: 'Metaspace' },
    );
    expect([table.size, text(table.bytesOf(1))]).toEqual([2, ' a']);
  });
});

describe('special tokens and identity', () => {
  const added = [
    { id: 1, content: '<s>', special: true },
    { id: 2, content: '<think>', special: false },
    { id: 3, content: '<end>', special: false },
  ];

  test('by their flag, or because the config names them', () => {
    const table = vocabulary({ a: 0 }, byteLevel, added, ['<end>', '<absent>']);
    expect([0, 1, 2, 3].map((id) => table.isSpecial(id))).toEqual([false, true, false, true]);
    expect([table.size, table.pieceOf(2)]).toEqual([4, '<think>']);
  });

  test('the hash is equal exactly when every id has the same piece', () => {
    const hash = vocabulary({ a: 0, b: 1 }).hash;
    expect(vocabulary({ b: 1, a: 0 }).hash).toBe(hash);
    expect(vocabulary({ a: 0 }, byteLevel, [{ id: 1, content: 'b', special: true }]).hash).toBe(hash);
    for (const other of [
      { a: 1, b: 0 },
      { a: 0, b: 1, c: 2 },
      { a: 0, c: 1 },
      { a: 0 },
      { a: 0, b: 2 },
      { a: 0, 'b\n"c': 1 },
    ]) {
      expect(vocabulary(other).hash).not.toBe(hash);
    }
  });

  test('tokens that only tokenizer_config.json declares, and special_tokens_map.json', () => {
    const folder = temporaryFolder();
    const golden = new URL('golden/bytelevel/', import.meta.url);
    const tokenizer = JSON.parse(readFileSync(new URL('tokenizer.json', golden), 'utf8')) as {
      added_tokens: { id: number }[];
    };
    const last = tokenizer.added_tokens.pop() as { id: number; content: string };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
    const declared = { [String(last.id)]: { content: last.content, special: true } };
    writeFileSync(
      join(folder, 'tokenizer_config.json'),
      JSON.stringify({ added_tokens_decoder: declared, eos_token: '<|end|>' }),
    );
    writeFileSync(
      join(folder, 'special_tokens_map.json'),
      JSON.stringify({ eos_token: '</s>', bos_token: { content: '<s>' } }),
    );
    const loaded = Tokenizer.load(folder);
    expect([...loaded.encode(`a${last.content}b`, { addSpecialTokens: false })]).toContain(last.id);
    expect(loaded.decode(loaded.encode(`a${last.content}b`, { addSpecialTokens: false }))).toBe('ab');
    expect(loaded.specialTokens).toEqual({ bos_token: '<s>', eos_token: '<|end|>' });
  });
});
