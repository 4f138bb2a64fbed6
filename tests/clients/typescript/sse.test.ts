// Streams of events as bytes: cut anywhere they say the same; cut short, garbled or hostile they end in an error of ours.
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { streamEvents } from '../../../clients/typescript/src/http-events.js';
import { Trimtab } from '../../../clients/typescript/src/index.js';
import * as client from '../../../clients/typescript/src/index.js';
import type { StreamEvent } from '../../../clients/typescript/src/index.js';
import { sseData, type ByteReader } from '../../../clients/typescript/src/sse.js';
import { account, ask, closing, delta, end, json, scripted, sse, whole, type Scripted } from './support.js';

let server: Scripted | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});

const facts = { requestId: null, ignored: [] };

function readerOf(chunks: readonly Uint8Array[]): ByteReader {
  const left = [...chunks];
  return {
    read: async () => {
      const value = left.shift();
      return { done: value === undefined, value };
    },
  };
}

async function events(chunks: readonly Uint8Array[]): Promise<StreamEvent[]> {
  const all: StreamEvent[] = [];
  for await (const event of streamEvents(sseData(readerOf(chunks)), facts)) all.push(event);
  return all;
}

/** The same bytes, cut at these places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((place, index) => bytes.subarray(sorted[index], place));
}

describe('any chunking of the bytes gives the same events', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom('data: ', '\n\n', '\r\n', '[DONE]', '\u2028', '🦆', 'é', ': ping', '\ufeff'),
  );
  const lines = fc.constantFrom('\n', '\r\n', '\r');
  const noise = fc.constantFrom('', ': ping\n\n', ':\n\n', 'retry: 5\n\n', 'id: 3\n');

  test('and the texts that were sent', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(text, noise), { maxLength: 8 }),
        lines,
        fc.array(fc.nat(), { maxLength: 30 }),
        fc.boolean(),
        async (pieces, line, places, hasMark) => {
          const source = pieces.map(([piece, before]) => before + delta(piece)).join('') + closing + account + end;
          const bytes = Buffer.from((hasMark ? '\ufeff' : '') + source.replaceAll('\n', line));
          const whole = await events([bytes]);
          expect(await events(cut(bytes, places))).toEqual(whole);
          const said = whole.flatMap((event) => (event.type === 'text' ? [event.text] : []));
          // JSON has no lone surrogates on the wire: what was sent is what UTF-8 can say.
          const sent = pieces.map(([piece]) => Buffer.from(piece).toString()).filter((piece) => piece !== '');
          expect(said.join('')).toBe(sent.join(''));
          expect(whole.at(-1)).toMatchObject({ type: 'done' });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('byte by byte', async () => {
    const bytes = Buffer.from(delta('Grüße 🦆') + closing + account + end);
    expect(await events(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(await events([bytes]));
  });

  test('over a socket', async () => {
    const bytes = Buffer.from(delta('Grüße ') + delta('🦆') + closing + account + end);
    server = await scripted(sse(Array.from(bytes, (byte) => Uint8Array.of(byte))));
    expect(await new Trimtab({ baseUrl: server.url }).stream(ask).text()).toBe('Grüße 🦆');
  });
});

describe('calls of tools', () => {
  const chunk = (deltas: unknown): string =>
    delta('x').replace('{"content":"x"}', JSON.stringify({ tool_calls: deltas }));
  const begin = (index: number, name: string): string =>
    chunk([{ index, id: `call_${index}`, type: 'function', function: { name, arguments: '' } }]);
  const more = (index: number, text: string): string => chunk([{ index, function: { arguments: text } }]);
  const last = closing.replace('"stop"', '"tool_calls"') + account + end;
  const bytes =
    delta('Let me look. ') +
    begin(0, 'look') +
    more(0, '{"at":') +
    more(0, '1}') +
    begin(1, 'go') +
    more(1, '{}') +
    last;

  test('come as events, and as the whole reply has them', async () => {
    const seen = (await events([Buffer.from(bytes)])).filter(({ type }) => type.startsWith('tool'));
    expect(seen).toEqual([
      { type: 'tool_call', choice: 0, call: 0, id: 'call_0', name: 'look' },
      { type: 'tool_arguments', choice: 0, call: 0, text: '{"at":' },
      { type: 'tool_arguments', choice: 0, call: 0, text: '1}' },
      { type: 'tool_call', choice: 0, call: 1, id: 'call_1', name: 'go' },
      { type: 'tool_arguments', choice: 0, call: 1, text: '{}' },
    ]);
    const calls = [
      { id: 'call_0', type: 'function', function: { name: 'look', arguments: '{"at":1}' } },
      { id: 'call_1', type: 'function', function: { name: 'go', arguments: '{}' } },
    ];
    const message = { role: 'assistant', content: 'Let me look. ', tool_calls: calls };
    const choices = [{ index: 0, message, finish_reason: 'tool_calls', stop_reason: null }];
    server = await scripted(sse([bytes]), json(200, { ...whole, choices }));
    const client_ = new Trimtab({ baseUrl: server.url });
    const [streamed, complete] = [await client_.stream(ask).final(), await client_.decode(ask)];
    expect(streamed.choices).toEqual(complete.choices);
    expect(complete.choices[0]).toMatchObject({
      text: 'Let me look. ',
      tool_calls: calls,
      finish_reason: 'tool_calls',
    });
  });

  test.each<[string, string]>([
    ['arguments without a call', more(0, '{}')],
    ['a call out of turn', begin(3, 'look')],
    ['a call that begins twice', begin(0, 'look') + begin(0, 'look')],
    ['a call without an id', chunk([{ index: 0, function: { name: 'look' } }])],
    ['a call that is none', chunk([7])],
  ])('that make no sense: %s', async (_, source) => {
    server = await scripted(sse([source + last]));
    await expect(new Trimtab({ baseUrl: server.url }).stream(ask).final()).rejects.toBeInstanceOf(client.ProtocolError);
  });
});

describe('a stream that is cut short', () => {
  const all = delta('Hel') + delta('lo') + closing + account + end;

  test('is an error at every place but the end', async () => {
    const bytes = Buffer.from(all);
    // The last line feed ends nothing that the blank line before it has not ended.
    for (let length = 0; length < bytes.length - 1; length += 1 + (length % 7)) {
      await expect(events([bytes.subarray(0, length)]), String(length)).rejects.toBeInstanceOf(client.ConnectionError);
    }
    await expect(events([bytes])).resolves.toHaveLength(5);
  });

  test.each(['ends', 'breaks'] as const)('when the connection %s', async (how) => {
    server = await scripted(sse([delta('Hel'), closing], how));
    const stream = new Trimtab({ baseUrl: server.url }).stream(ask);
    await expect(stream.final()).rejects.toBeInstanceOf(client.ConnectionError);
    expect(server.requests).toHaveLength(1);
  });
});

describe('a stream that says what it should not', () => {
  const first = delta('Hel');

  test.each<[string, string]>([
    ['no JSON', 'data: {"id":\n\n'],
    ['no object', 'data: 7\n\n'],
    ['null', 'data: null\n\n'],
    ['no choices', 'data: {"id":"a","choices":7}\n\n'],
    ['a choice that is none', `data: {"choices":[7]}\n\n`],
    ['a negative index', `data: {"choices":[{"index":-1}]}\n\n`],
    ['a text that is none', `data: {"choices":[{"index":0,"delta":{"content":{}}}]}\n\n`],
    ['token ids that are none', `data: {"choices":[{"index":0,"token_ids":["a"]}]}\n\n`],
    ['logprobs that are none', `data: {"choices":[{"index":0,"logprobs":{"content":[{}]}}]}\n\n`],
    ['an end without an account', closing + end],
  ])('%s', async (_, event) => {
    await expect(events([Buffer.from(first + event + end)])).rejects.toBeInstanceOf(client.ProtocolError);
  });

  test('a choice that never ends', async () => {
    server = await scripted(sse([first, account, end]));
    await expect(new Trimtab({ baseUrl: server.url }).stream(ask).final()).rejects.toThrow(/never finished/);
  });

  test('an error in the middle has the class of its type, and is not retried', async () => {
    const error = { message: 'The engine failed.', type: 'server_error', param: null, code: 'engine_failed' };
    server = await scripted(sse([first, `data: ${JSON.stringify({ error })}\n\n`, end]));
    const thrown = await new Trimtab({ baseUrl: server.url })
      .stream(ask)
      .final()
      .catch((reason: unknown) => reason);
    expect(thrown).toBeInstanceOf(client.ServerError);
    expect(thrown).toMatchObject({ status: null, code: 'engine_failed', requestId: 'r1', message: error.message });
    expect(server.requests).toHaveLength(1);
  });

  test('what follows the end is not read', async () => {
    expect(await events([Buffer.from(first + closing + account + end + 'data: nonsense\n\n')])).toHaveLength(4);
  });

  test('events of other kinds, unknown fields and comments mean nothing', async () => {
    const strange = ': ping\n\nevent: ping\nid: 1\nfoo: bar\n\n';
    expect(await events([Buffer.from(strange + first + strange + closing + account + end)])).toHaveLength(4);
  });
});

test('an event without an end does not fill the memory', async () => {
  const block = Buffer.alloc(8 * 1024 * 1024, 'x');
  let taken = 0;
  const endless: ByteReader = {
    read: async () => (taken++, { done: false, value: taken === 1 ? Buffer.from('data: ') : block }),
  };
  const read = async (): Promise<void> => {
    for await (const _ of sseData(endless));
  };
  await expect(read()).rejects.toThrow(/more than 67108864 characters/);
  expect(taken).toBeLessThan(12);
});
