// The tokenizer of a made-up checkpoint: special tokens, the 256 bytes, a few hundred real merges, then made-up words up to any wanted
// size, in the layout of tokenizer.json. Used by checkpoint.ts only.

export const specials = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const;
export const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
/** Ids from here on print as text of their own: prompts are drawn from them. */
export const firstTextId = 300;
/** From here on they are words: read again, each is the same token. */
export const firstWordId = 3 + 256 + 256;

/** Bytes, a few hundred real merges, then made-up words up to the wanted size. */
export function tokenizerOf(vocab: number): object {
  const tokens: string[] = [...specials, ...byteAlphabet()];
  const merges: string[] = [];
  const letters = 'etaoinshrdlucmfw';
  for (const a of letters) {
    for (const b of letters) {
      merges.push(`${a} ${b}`);
      tokens.push(a + b);
    }
  }
  const known = Math.min(tokens.length, vocab);
  for (let word = 0; tokens.length < vocab; word++) tokens.push(`Ġ${madeUpWord(word)}`);
  const kept = tokens.slice(0, vocab);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel],
    },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      // A made-up word is read as the one token that it was written as, as a trained tokenizer reads most of what its model writes.
      ignore_merges: true,
      vocab: Object.fromEntries(kept.map((token, id) => [token, id])),
      merges: merges.slice(0, Math.max(0, known - specials.length - 256)),
    },
  };
}

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

/** The printable stand-ins that byte-level BPE uses for the 256 bytes, in byte order. */
function byteAlphabet(): string[] {
  let invented = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCodePoint(printable ? byte : 256 + invented++);
  });
}

/** Five syllables: one spelling per number, never a merge of the letters above. */
function madeUpWord(index: number): string {
  const consonants = 'bdfgklmnprstvz';
  const vowels = 'aeiou';
  let word = '';
  for (let syllable = 0, rest = index; syllable < 5; syllable++) {
    const at = rest % 70;
    rest = Math.floor(rest / 70);
    word += (consonants[Math.floor(at / 5)] ?? '') + (vowels[at % 5] ?? '');
  }
  return word;
}
