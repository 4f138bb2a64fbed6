// The arrays of completion log-probabilities: where in the text each token begins, whatever the tokens' borders, and the same whether
// the text comes whole or in pieces.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TokenRecord } from '../../../server/wire/decode.js';
import { chatLogprobs, CompletionLogprobsWriter } from '../../../server/wire/logprobs.js';

const record = (bytes: Uint8Array): TokenRecord => ({ id: 0, logprob: -1, bytes, top: [] });
const spelt = (text: string): TokenRecord => record(Buffer.from(text));

test('offsets count code points; a character in several tokens begins once', () => {
  const euro = Buffer.from('€');
  const tokens = [spelt('😀'), record(euro.subarray(0, 1)), record(euro.subarray(1)), spelt('x')];
  const { text_offset: offsets, tokens: names } = new CompletionLogprobsWriter({ full: false }).write('😀€x', tokens);
  expect(offsets).toEqual([0, 1, 1, 2]);
  expect(names).toEqual(['😀', 'bytes:\\xe2', 'bytes:\\x82\\xac', 'x']);
});

test('special tokens take no room, and a leading space that the text has not is forgiven', () => {
  const tokens = [spelt('<s>'), spelt(' Hello'), spelt(' world'), spelt('</s>')];
  const { text_offset: offsets } = new CompletionLogprobsWriter({ full: false }).write('Hello world', tokens);
  expect(offsets).toEqual([0, 0, 5, 11]);
});

test('pieces give the arrays of the whole, and offsets point at the tokens', () => {
  const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(fc.array(word, { maxLength: 4 }), { maxLength: 6 }), (pieces) => {
      const whole = new CompletionLogprobsWriter({ full: false });
      const all = whole.write(pieces.flat().join(''), pieces.flat().map(spelt));
      const stream = new CompletionLogprobsWriter({ full: false });
      const parts = pieces.map((words) => stream.write(words.join(''), words.map(spelt)));
      expect(parts.flatMap((part) => part.text_offset)).toEqual(all.text_offset);
      expect(parts.flatMap((part) => part.tokens)).toEqual(all.tokens);
      const characters = Array.from(pieces.flat().join(''));
      pieces.flat().forEach((text, index) => {
        const start = all.text_offset[index]!;
        expect(characters.slice(start, start + Array.from(text).length).join('')).toBe(text);
      });
    }),
  );
});

test('the sampled token stands among the alternatives, impossible ones at -9999', () => {
  const never = { id: 1, logprob: Number.NEGATIVE_INFINITY, bytes: Buffer.from('b') };
  const token = { ...spelt('a'), top: [never] };
  const { top_logprobs: top } = new CompletionLogprobsWriter({ full: false }).write('a', [token]);
  expect(top).toEqual([{ b: -9999, a: -1 }]);
  expect(chatLogprobs([token]).content[0]!.top_logprobs).toEqual([{ token: 'b', logprob: -9999, bytes: [98] }]);
});
