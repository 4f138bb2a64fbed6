// Stop strings and token records: the streaming implementation against a naive twin that sees the whole text.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TextStream, type TextStreamOptions, type TokenTable } from '../../server/engine/text-stream.js';

const special = 0;
/** Token 0 is special; token i holds the bytes of pieces[i − 1]. */
const tableOf = (pieces: readonly Uint8Array[], dropsLeadingSpace = false): TokenTable => ({
  size: pieces.length + 1,
  bytesOf: (id) => (id === special ? new TextEncoder().encode('<end>') : (pieces[id - 1] ?? new Uint8Array(0))),
  isSpecial: (id) => id === special,
  dropsLeadingSpace,
});
const bytes = (text: string) => new TextEncoder().encode(text);

interface Outcome {
  readonly deltas: readonly string[];
  readonly records: readonly number[];
  readonly stopped: string | null;
}

/** Pushes every piece as one token (record = its index) until a stop string ends it. */
function stream(pieces: readonly Uint8Array[], options: TextStreamOptions, ids = pieces.map((_, i) => i + 1)): Outcome {
  const text = new TextStream<number>(tableOf(pieces), options);
  const deltas: string[] = [];
  const records: number[] = [];
  for (const [index, id] of ids.entries()) {
    const out = text.push(id, index);
    deltas.push(out.text);
    records.push(...out.records);
    if (out.stopped !== null) return { deltas, records, stopped: out.stopped };
  }
  const out = text.flush();
  return { deltas: [...deltas, out.text], records: [...records, ...out.records], stopped: out.stopped };
}

/** The definition: cut at the match that ends first; of those, at the longest. */
function naive(text: string, stops: readonly string[], includeStop: boolean): { text: string; stopped: string | null } {
  for (let end = 1; end <= text.length; end += 1) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0];
    if (found !== undefined) return { text: text.slice(0, includeStop ? end : end - found.length), stopped: found };
  }
  return { text, stopped: null };
}

/** Few letters, so that stop strings overlap themselves, each other and the text. */
const letters = fc.constantFrom('a', 'b', 'ab', 'é', '👩', '日', '\n', ' ');
const textOf = (maxLength: number) => fc.array(letters, { maxLength }).map((parts) => parts.join(''));
const stopList = fc.array(
  textOf(4).filter((stop) => stop !== ''),
  { maxLength: 3 },
);
const cutBytes = fc.tuple(textOf(20), fc.array(fc.nat(), { maxLength: 12 })).map(([text, cuts]) => {
  const all = bytes(text);
  const borders = [...new Set([0, ...cuts.map((cut) => cut % (all.length + 1)), all.length])].sort((a, b) => a - b);
  return { text, pieces: borders.slice(1).map((end, i) => all.slice(borders[i], end)) };
});

describe('stop strings', () => {
  test('joined deltas are the text cut at the first match, however it is cut into tokens', () => {
    fc.assert(
      fc.property(cutBytes, stopList, fc.boolean(), ({ text, pieces }, stops, includeStop) => {
        const { deltas, stopped } = stream(pieces, { stops, includeStop });
        expect({ text: deltas.join(''), stopped }).toEqual(naive(text, stops, includeStop));
        for (const delta of deltas) expect(delta).not.toMatch(/\p{Surrogate}/u);
      }),
      { numRuns: 3000 },
    );
  });

  test('holds back only a real beginning of a stop string', () => {
    const { deltas, stopped } = stream(['Hi <', '|im_', 'x <', '|im_end', '|> never'].map(bytes), {
      stops: ['<|im_end|>'],
    });
    expect(deltas).toEqual(['Hi ', '', '<|im_x ', '', '']);
    expect(stopped).toBe('<|im_end|>');
  });

  test.each([
    [['b', 'abc'], 'xabc', 'xa', 'b'],
    [['bc', 'abc'], 'xabc', 'x', 'abc'],
    [['aab'], 'aaab', 'a', 'aab'],
    [['\n\n'], 'a\nb\n\nc', 'a\nb', '\n\n'],
    [['\ude00', '\ud83d'], 'a😀b', 'a😀b', null],
  ])('stops %j on %j', (stops, text, shown, stopped) => {
    for (const size of [1, 2, 100]) {
      const all = bytes(text);
      const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
        all.slice(i * size, (i + 1) * size),
      );
      const outcome = stream(pieces, { stops });
      expect([outcome.deltas.join(''), outcome.stopped]).toEqual([shown, stopped]);
    }
  });

  test('the first minTokens tokens cannot stop it, and a match may not reach into them', () => {
    const pieces = ['a', 'b', 'b', 'a', 'b'].map(bytes);
    expect(stream(pieces, { stops: ['ab', 'bb'] }).deltas.join('')).toBe('');
    expect(stream(pieces, { stops: ['ab', 'bb'], minTokens: 2 })).toMatchObject({
      stopped: 'ab',
      deltas: ['a', 'b', '', 'b', ''],
    });
    expect(stream(pieces, { stops: ['ab', 'bb'], minTokens: 5 })).toMatchObject({ stopped: null });
  });

  test('an empty stop string is refused', () => {
    expect(() => new TextStream(tableOf([]), { stops: ['x', ''] })).toThrow(RangeError);
  });
});

describe('records', () => {
  test('every record comes out once, in order, and never before its text', () => {
    fc.assert(
      fc.property(cutBytes, stopList, ({ pieces }, stops) => {
        const text = new TextStream<number>(tableOf(pieces), { stops });
        const records: number[] = [];
        let shown = '';
        let stopped: string | null = null;
        for (const [index] of pieces.entries()) {
          const out = text.push(index + 1, index);
          shown += out.text;
          records.push(...out.records);
          stopped = out.stopped;
          if (stopped !== null) break;
          const pushed = pieces.slice(0, records.length).reduce((sum, piece) => sum + piece.length, 0);
          expect(pushed).toBeLessThanOrEqual(bytes(shown).length);
        }
        if (stopped === null) records.push(...text.flush().records);
        expect([...records, ...text.withheld]).toEqual([...records.keys(), ...text.withheld]);
        if (stopped === null) expect(records.length).toBe(pieces.length);
      }),
    );
  });

  test('a token inside a character waits for the rest; a special token prints nothing and keeps its place', () => {
    const stream = new TextStream<string>(tableOf([Uint8Array.of(0xc3), Uint8Array.of(0xa9), bytes('<')]), {
      stops: ['<x'],
    });
    expect(stream.push(1, 'half')).toEqual({ text: '', records: [], stopped: null });
    expect(stream.push(special, 'end')).toEqual({ text: '', records: [], stopped: null });
    expect(stream.push(2, 'rest')).toEqual({ text: 'é', records: ['half', 'end', 'rest'], stopped: null });
    expect(stream.push(3, 'lt')).toEqual({ text: '', records: [], stopped: null });
    expect(stream.push(special, 'end')).toEqual({ text: '', records: [], stopped: null });
    expect(stream.flush()).toEqual({ text: '<', records: ['lt', 'end'], stopped: null });
  });

  test('at a stop the records cover the shown text; those of the stop string are withheld', () => {
    const text = new TextStream<string>(tableOf(['one', ' two\n', 'STOP', ' three'].map(bytes)), { stops: ['\nSTOP'] });
    expect(text.push(1, 'one').records).toEqual(['one']);
    expect(text.push(2, 'two')).toEqual({ text: ' two', records: [], stopped: null });
    expect(text.push(3, 'stop')).toEqual({ text: '', records: ['two'], stopped: '\nSTOP' });
    expect(text.withheld).toEqual(['stop']);
    expect(text.flush()).toEqual({ text: '', records: [], stopped: null });
    expect(() => text.push(4, 'three')).toThrow(/after the stop/);
  });
});

test('rewinding is indistinguishable from never having gone there', () => {
  fc.assert(
    fc.property(cutBytes, cutBytes, cutBytes, stopList, fc.nat(4), (before, detour, after, stops, minTokens) => {
      const all = [...before.pieces, ...detour.pieces, ...after.pieces];
      const table = tableOf(all);
      const ids = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i + 1);
      const run = (text: TextStream<number>, list: readonly number[]) => {
        const out = { text: '', records: [] as number[], stopped: null as string | null };
        for (const id of list) {
          if (out.stopped !== null) break;
          const step = text.push(id, id);
          out.text += step.text;
          out.records.push(...step.records);
          out.stopped = step.stopped;
        }
        return out;
      };
      const wandering = new TextStream<number>(table, { stops, minTokens });
      const straight = new TextStream<number>(table, { stops, minTokens });
      const head = ids(0, before.pieces.length);
      const tail = ids(before.pieces.length + detour.pieces.length, after.pieces.length);
      fc.pre(run(wandering, head).stopped === null);
      run(straight, head);
      const checkpoint = wandering.checkpoint();
      run(wandering, ids(before.pieces.length, detour.pieces.length));
      wandering.restore(checkpoint);
      expect(run(wandering, tail)).toEqual(run(straight, tail));
      expect(wandering.flush()).toEqual(straight.flush());
    }),
  );
});

test("SentencePiece's leading space goes only at the very beginning of a text", () => {
  const table = tableOf([bytes(' Hi'), bytes(' there')], true);
  const at = (atStart: boolean) => {
    const text = new TextStream<null>(table, { stops: [], atStart });
    return text.push(special, null).text + text.push(1, null).text + text.push(2, null).text;
  };
  expect([at(true), at(false)]).toEqual(['Hi there', ' Hi there']);
});
