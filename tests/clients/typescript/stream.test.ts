// Streams against the server's own HTTP layer on a scripted engine: what a stream adds up to is what the whole reply says, field by field; it is read once;
// leaving it reaches the engine.
import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { Answer, DecodeRequest, StreamEvent, Trimtab } from '../../../clients/typescript/src/index.js';
import { AbortedError, ConsumedError } from '../../../clients/typescript/src/index.js';
import {
  harness,
  hello,
  says,
  silent,
  token,
  type Harness,
  type Piece,
  type Script,
} from '../../server/http/support.js';
import { clientOf } from './support.js';

let running: Harness | null = null;
afterEach(async () => {
  running?.app.server.closeAllConnections();
  await running?.app.close();
  running = null;
});

async function against(script: Script): Promise<Trimtab> {
  running = await harness(script, { maxN: 8 });
  return clientOf(running);
}

const chat = { model: 'bytes', messages: [{ role: 'user' as const, content: 'hi' }], seed: 7 };
const completion = { model: 'bytes', prompt: 'hi', seed: 7 };

/** What does not differ from request to request. */
const comparable = ({ id: _id, created: _created, requestId: _requestId, ...rest }: Answer): object => rest;

/** One trace for each id that the deltas have. */
const traced: Script = async function* (request, signal) {
  for await (const event of says({ pieces: [{ text: 'Hel' }, { text: 'lo' }] })(request, signal)) {
    if (event.kind !== 'delta') yield event;
    else
      yield {
        ...event,
        traces: event.ids.map((id) => ({
          ...token(id),
          members: [-0.5],
          kl: 0,
          weights: [],
          atBound: [],
          kept: 3,
          drafted: false,
          accepted: false,
        })),
        traceCut: event.text === 'lo',
      };
  }
};

const story: Script = async function* (request, signal) {
  yield { kind: 'search', choice: 0, entries: [{ event: 'candidates', chosen: 1 }], cut: false };
  yield { kind: 'search', choice: 0, entries: [{ event: 'try' }], cut: true };
  yield* hello(request, signal);
};

describe('what a stream adds up to is the whole answer', () => {
  test.each<[string, Script, DecodeRequest]>([
    ['chat', hello, chat],
    ['chat, log-probabilities', hello, { ...chat, logprobs: true, top_logprobs: 3 }],
    ['chat, ids', hello, { ...chat, return_token_ids: true, n: 3 }],
    ['chat, both', hello, { ...chat, return_token_ids: true, logprobs: true, top_logprobs: 1, n: 2 }],
    ['chat, a trace', traced, { ...chat, decoding_trace: true }],
    ['chat, a story', story, { ...chat, decoding_trace: true }],
    ['completion', hello, completion],
    ['completion, log-probabilities', hello, { ...completion, logprobs: 2 }],
    ['completion, the whole vocabulary', hello, { ...completion, logprobs: -1, max_tokens: 5 }],
    ['completion, an echo', hello, { ...completion, echo: true }],
    ['completion, an echo with log-probabilities', hello, { ...completion, echo: true, logprobs: 1 }],
    [
      'completion, an echo with everything',
      hello,
      { ...completion, echo: true, logprobs: 1, return_token_ids: true, n: 2 },
    ],
    ['completion, several prompts', hello, { ...completion, prompt: ['hi', 'you'], n: 2, return_token_ids: true }],
    ['completion, ids in and out', hello, { ...completion, prompt: [104, 105], return_token_ids: true }],
  ])('%s', async (_, script, request) => {
    const client = await against(script);
    const whole = await client.decode(request);
    const streamed = await client.stream(request).final();
    expect(comparable(streamed)).toEqual(comparable(whole));
    expect(whole.text).toContain('Hello');
    expect(whole.decoding.seed).toBe(7);
  });

  test('whatever the engine says, in whatever pieces', async () => {
    const piece = fc.record({
      choice: fc.integer({ min: 0, max: 2 }),
      text: fc.string({ unit: 'binary', maxLength: 12 }),
    });
    let pieces: readonly Piece[] = [];
    const client = await against((request, signal) => says({ pieces })(request, signal));
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.boolean(), async (drawn, isChat) => {
        pieces = drawn;
        const request: DecodeRequest = isChat
          ? { ...chat, n: 3, logprobs: true, return_token_ids: true }
          : { ...completion, n: 3, logprobs: 1, return_token_ids: true };
        const [streamed, whole] = [await client.stream(request).final(), await client.decode(request)];
        expect(comparable(streamed)).toEqual(comparable(whole));
      }),
      { numRuns: 40 },
    );
  });
});

describe('what an answer has', () => {
  test('tokens with what was asked for', async () => {
    const client = await against(hello);
    const { choices } = await client.decode({ ...chat, logprobs: true, top_logprobs: 1, return_token_ids: true });
    expect(choices[0]!.tokens[0]).toEqual({
      token_id: 72,
      token: 'H',
      bytes: [72],
      logprob: -0.5,
      top: [{ token: 'A', token_id: null, bytes: [65], logprob: -0.25 }],
      full: null,
    });
    expect(choices[0]!.prompt_token_ids).toHaveLength('bytes<user:hi>assistant:'.length);
  });

  test('rows of the whole vocabulary as numbers, for the answer’s tokens alone', async () => {
    const client = await against(hello);
    const { choices } = await client.decode({ ...completion, echo: true, logprobs: -1, max_tokens: 5 });
    const { tokens } = choices[0]!;
    expect(tokens.map(({ full }) => full?.length ?? null)).toEqual([null, null, 257, 257, 257, 257, 257]);
    expect(tokens[2]!.full![72]).toBe(-0.5);
    expect(tokens[0]).toMatchObject({ token: 'h', logprob: null });
  });

  test('fields that the server passed over', async () => {
    const client = await against(hello);
    const odd = { ...chat, colour: 'red', 'größe, 1': 2 } as DecodeRequest;
    expect((await client.decode(odd)).ignored).toEqual(['colour', 'größe, 1']);
    expect((await client.stream(odd).final()).ignored).toEqual(['colour', 'größe, 1']);
  });

  test('the request id of the reply', async () => {
    const client = await against(hello);
    const mine = { headers: { 'x-request-id': 'mine' } };
    expect((await client.decode(chat, mine)).requestId).toBe('mine');
    expect((await client.stream(chat, mine).final()).requestId).toBe('mine');
  });

  test('what JavaScript adds about streaming is not sent', async () => {
    const client = await against(hello);
    const odd = { ...chat, stream: true, stream_options: { include_usage: false } } as DecodeRequest;
    expect((await client.decode(odd)).text).toBe('Hello');
    expect((await client.stream(odd).final()).usage.total_tokens).toBeGreaterThan(0);
  });
});

test('events come in the order of what happened', async () => {
  const client = await against(traced);
  const types: StreamEvent['type'][] = [];
  for await (const { type } of client.stream({ ...chat, decoding_trace: true, logprobs: true })) types.push(type);
  expect(types).toEqual([
    'started',
    ...['token', 'token', 'token', 'trace', 'trace', 'trace', 'text'],
    ...['token', 'token', 'trace', 'trace', 'trace_cut', 'text'],
    'finished',
    'done',
  ]);
});

describe('a stream is read once', () => {
  test('a second loop, and a loop after final(), say so; nothing was asked twice', async () => {
    const client = await against(hello);
    const stream = client.stream(chat);
    for await (const _ of stream);
    expect(() => stream[Symbol.asyncIterator]()).toThrow(ConsumedError);
    await expect(stream.texts().next()).rejects.toThrow(/read already/);
    expect((await stream.final()).text).toBe('Hello');
    const other = client.stream(chat);
    expect(await other.text()).toBe('Hello');
    expect(await other.text()).toBe('Hello');
    expect(() => other[Symbol.asyncIterator]()).toThrow(ConsumedError);
    expect(running!.submitted).toHaveLength(2);
  });

  test('final() beside a loop waits for the loop', async () => {
    const client = await against(hello);
    const stream = client.stream(chat);
    const loop = stream[Symbol.asyncIterator]();
    await loop.next();
    const whole = stream.final();
    while (!(await loop.next()).done);
    expect((await whole).text).toBe('Hello');
  });

  test('nothing is sent before it is read', async () => {
    const client = await against(hello);
    const stream = client.stream(chat);
    await new Promise((resolve) => setImmediate(resolve));
    expect(running!.submitted).toHaveLength(0);
    stream.abort();
    await expect(stream.final()).rejects.toBeInstanceOf(AbortedError);
    expect(running!.submitted).toHaveLength(0);
  });
});

describe('leaving reaches the engine', () => {
  const endless: Script = async function* (request, signal) {
    yield { kind: 'delta', choice: 0, text: 'first', ids: [], tokens: [] };
    yield* silent(request, signal);
  };

  test('by break', async () => {
    const client = await against(endless);
    for await (const text of client.stream(chat).texts()) {
      expect(text).toBe('first');
      break;
    }
    const { signal } = running!.submitted[0]!;
    if (!signal.aborted) await once(signal, 'abort');
  });

  test('by an error in the loop', async () => {
    const client = await against(endless);
    const reading = async (): Promise<void> => {
      for await (const { type } of client.stream(chat)) if (type === 'text') throw new Error('mine');
    };
    await expect(reading()).rejects.toThrow('mine');
    const { signal } = running!.submitted[0]!;
    if (!signal.aborted) await once(signal, 'abort');
  });

  test('while the next event is waited for, by abort() from elsewhere', async () => {
    const client = await against(endless);
    const stream = client.stream(chat);
    const loop = stream[Symbol.asyncIterator]();
    while ((await loop.next()).value?.type !== 'text');
    const waiting = loop.next();
    stream.abort('elsewhere');
    await expect(waiting).rejects.toMatchObject({ name: 'AbortedError', cause: 'elsewhere' });
    const { signal } = running!.submitted[0]!;
    if (!signal.aborted) await once(signal, 'abort');
  });
});
