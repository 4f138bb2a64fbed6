// Decodes over the websocket as a user meets them, on the suite in the box: the same text as over SSE, many on one connection, weights that
// change and decodes that pause in mid-answer, rows that come back.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { eventually, Client, type Frame } from './support.js';
import { pocket, type Pocket } from './pocket.js';
import { nearly } from '../../support/nearly.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

let served: Pocket;
let client: Client;

beforeAll(async () => {
  served = await pocket({ pauseMs: 60_000 });
});
afterAll(async () => {
  await served.close();
});

async function connected(act: (client: Client) => Promise<void>): Promise<void> {
  client = await Client.open(served.url);
  try {
    await act(client);
    expect(client.frames.filter(({ type }) => type === 'error')).toEqual([]);
  } finally {
    await client.close();
  }
  await eventually(async () => (await served.metric('trimtab_cache_rows')) === 0);
}

const ask = { messages: [{ role: 'user', content: 'Can you tell me what Tar Alley smells of?' }] };
const eft = { method: 'eft', base: 'pocket', tuned: 'pocket-chat', reference: 'pocket-small', weight: 1 };

interface Chunk {
  readonly choices: readonly {
    readonly index: number;
    readonly text?: string;
    readonly delta?: { readonly content?: string };
    readonly token_ids?: readonly number[];
    readonly logprobs?: { readonly content?: readonly object[] } | null;
    readonly decoding_trace?: readonly object[];
    readonly search_trace?: readonly object[];
    readonly finish_reason: string | null;
    readonly stop_reason?: string | number | null;
  }[];
  readonly prompt_token_ids?: readonly number[];
  readonly usage?: object;
  readonly decoding?: object;
}

async function overSse(body: { readonly messages?: unknown }): Promise<Chunk[]> {
  const route = body.messages === undefined ? '/v1/completions' : '/v1/chat/completions';
  const reply = await served.post(route, { ...body, stream: true, stream_options: { include_usage: true } });
  const events = (await reply.text()).split('\n\n').filter((event) => event.startsWith('data: {'));
  return events.map((event) => JSON.parse(event.slice('data: '.length)) as Chunk);
}

const choicesOf = (chunks: readonly Chunk[], index: number) =>
  chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));

/** What both ways of streaming say, in one form. */
const sseAnswer = (chunks: readonly Chunk[], index: number) => {
  const choices = choicesOf(chunks, index);
  const last = choices.at(-1)!;
  return {
    text: choices.map(({ text, delta }) => text ?? delta?.content ?? '').join(''),
    reason: last.finish_reason,
    stop: last.stop_reason,
  };
};

const socketAnswer = (id: string, index: number) => {
  const [end] = client.of(id, 'finished');
  const choice = (end!['choices'] as { index: number; finish_reason: string; stop_reason: unknown }[])[index]!;
  return { text: client.textOf(id, index), reason: choice.finish_reason, stop: choice.stop_reason };
};

/** Of an answer that is computed twice: what does not depend on what was cached meanwhile, or on how fast the machine was. */
const lasting = (report: object): object => {
  const { forwards: _, speculation: _drafts, search, ...rest } = report as Record<string, unknown>;
  const { read_cached: _cached, ...figures } = (search ?? {}) as Record<string, unknown>;
  return { ...rest, figures };
};

/** Of each choice the tokens come without a gap; two texts may share a token, where part of it waits for the next. */
function expectInOrder(id: string): void {
  const choices = new Set(client.of(id, 'text', 'token').map(({ choice }) => choice));
  for (const each of choices) {
    const own = (type: string): number[] =>
      client.of(id, type).flatMap(({ choice, position = 0 }) => (choice === each ? [position] : []));
    expect(own('token')).toEqual(own('token').map((_, i) => i));
    expect(own('text')).toEqual([...own('text')].sort((a, b) => a - b));
  }
  const types = client.of(id).map(({ type }) => type);
  expect(types[0]).toBe('started');
  expect(types.at(-1)).toBe('finished');
  expect(types.filter((type) => type === 'started' || type === 'finished')).toHaveLength(2);
}

describe('with the same seed, the text is that of SSE', () => {
  test.each<[what: string, body: object]>([
    ['a model', { ...ask, model: 'pocket', seed: 3, max_tokens: 24 }],
    ['a deployment', { ...ask, model: 'pocket-eft', seed: 4, max_tokens: 24 }],
    ['choices', { ...ask, model: 'pocket-eft', seed: 5, max_tokens: 16, n: 3, temperature: 1 }],
    ['a stop string', { ...ask, model: 'pocket-eft', seed: 6, max_tokens: 40, stop: ['the', '. '] }],
    [
      'speculation',
      {
        ...ask,
        model: 'pocket',
        seed: 7,
        max_tokens: 24,
        decoding: { ...eft, speculation: { draft: 'pocket-chat', tokens: 4 } },
      },
    ],
    ['completions', { prompt: ['The harbour', 'Tar Alley'], model: 'pocket', seed: 8, n: 2 }],
    ['an echo', { prompt: 'The harbour', model: 'pocket', seed: 9, echo: true }],
    ['best of eight', { ...ask, model: 'pocket-best-of-8', seed: 10, max_tokens: 16 }],
    ['rain', { ...ask, model: 'pocket-rain', seed: 11, max_tokens: 20 }],
  ])('%s', async (_what, body) => {
    await connected(async () => {
      client.start('a', body);
      const end = await client.ended('a');
      expect(end.type).toBe('finished');
      const chunks = await overSse(body);
      const started = client.of('a', 'started')[0]!;
      const echo = client.of('a', 'prompt').map(({ text }) => text ?? '');
      for (let choice = 0; choice < (started['choices'] as number); choice++) {
        const own = socketAnswer('a', choice);
        expect({ ...own, text: (echo[choice] ?? '') + own.text }).toEqual(sseAnswer(chunks, choice));
      }
      const last = chunks.at(-1)!;
      expect(lasting(end['decoding'] as object)).toEqual(lasting(last.decoding!));
      expect(end['usage']).toMatchObject({ ...last.usage, prompt_tokens_details: expect.anything() as unknown });
      expectInOrder('a');
    });
  });

  test('and so is what is told of each token', async () => {
    const body = {
      ...ask,
      model: 'pocket-eft',
      seed: 3,
      max_tokens: 12,
      logprobs: true,
      top_logprobs: 2,
      decoding_trace: true,
      return_token_ids: true,
    };
    await connected(async () => {
      client.start('a', body);
      await client.ended('a');
      const chunks = await overSse(body);
      const [prompt] = client.of('a', 'prompt');
      expect(prompt).toEqual({ type: 'prompt', id: 'a', prompt: 0, token_ids: chunks[0]?.prompt_token_ids });
      const choices = choicesOf(chunks, 0);
      const tokens = client.of('a', 'token');
      expect(tokens.map((token) => token['token_id'])).toEqual(choices.flatMap(({ token_ids = [] }) => token_ids));
      expect(tokens.map((token) => token['trace'])).toEqual(
        choices.flatMap(({ decoding_trace = [] }) => decoding_trace),
      );
      const records = tokens.map(({ token, bytes, logprob, top_logprobs }) => ({
        token,
        bytes,
        logprob,
        top_logprobs,
      }));
      const expected = choices.flatMap(({ logprobs }) => logprobs?.content ?? []);
      expect(records).toMatchObject(expected);
      expect(tokens).toHaveLength(12);
    });
  });

  test('the story of a search, its commits and its rewinds', async () => {
    const body = { ...ask, model: 'pocket-rain', seed: 11, max_tokens: 20, decoding_trace: true };
    await connected(async () => {
      client.start('told', body);
      client.start('untold', body, { notices: false });
      await Promise.all([client.ended('told'), client.ended('untold')]);
      const story = client.of('told', 'search').flatMap((frame) => frame['events'] as object[]);
      expect(story).toEqual(nearly(choicesOf(await overSse(body), 0).flatMap(({ search_trace = [] }) => search_trace)));
      const commits = client.of('told', 'commit').map(({ position }) => position!);
      expect(commits).toEqual([...commits].sort((a, b) => a - b));
      expect(commits.length).toBeGreaterThan(0);
      for (const { from, to } of client.of('told', 'rewind')) expect(from).toBeGreaterThan(to as number);
      expect(client.of('untold', 'commit', 'rewind')).toEqual([]);
      expect(client.textOf('untold')).toBe(client.textOf('told'));
    });
  });

  test('many at once on one connection, each in order', async () => {
    const bodies = Array.from({ length: 16 }, (_, i) => ({
      ...ask,
      model: ['pocket', 'pocket-eft', 'pocket-chat'][i % 3],
      seed: i,
      // The first is the longest, by far.
      ...(i === 0 ? { max_tokens: 200, ignore_eos: true } : { max_tokens: 12 + i }),
      n: i % 5 === 0 ? 2 : 1,
    }));
    await connected(async () => {
      bodies.forEach((body, i) => client.start(`d${i}`, body));
      await Promise.all(bodies.map(async (_, i) => client.ended(`d${i}`)));
      // They ran side by side: the last had begun before the first was done.
      const at = (name: string, kind: string): number =>
        client.frames.findIndex(({ id, type }) => id === name && type === kind);
      expect(at('d15', 'started')).toBeGreaterThan(-1);
      expect(at('d15', 'started')).toBeLessThan(at('d0', 'finished'));
      for (const [i, body] of bodies.entries()) {
        expectInOrder(`d${i}`);
        const chunks = await overSse(body);
        for (let choice = 0; choice < (body.n ?? 1); choice++)
          expect(socketAnswer(`d${i}`, choice)).toEqual(sseAnswer(chunks, choice));
      }
    });
  });
});

const greedy = { temperature: 0, ignore_eos: true, return_token_ids: true };
const idsOf = (id: string): number[] => client.of(id, 'token').map((token) => token['token_id'] as number);
const logprobsOf = (id: string): number[] => client.of(id, 'token').map((token) => token['logprob'] as number);

async function ended(id: string, body: object, more: object = {}): Promise<Frame> {
  client.start(id, body, more);
  return client.ended(id);
}

/** Decodes `before` tokens by the first spec and the rest by the patched one. */
async function changed(id: string, body: object, before: number, patch: object): Promise<Frame> {
  client.start(id, body, { credit: before });
  await client.until((frame) => frame.id === id && frame.type === 'paused');
  client.send({ type: 'update', id, decoding: patch, ref: 'u' });
  const updated = await client.until((frame) => frame.id === id && frame.type === 'updated');
  client.send({ type: 'credit', id, set: null });
  await client.ended(id);
  return updated;
}

const dpa = {
  method: 'dpa',
  mode: 'experts',
  experts: { polite: 'pocket-chat', safe: 'pocket-safe' },
  reference: 'pocket-small',
  direction: { polite: 1, safe: 0.2 },
};

describe('a weight that changes while it decodes', () => {
  const prompt = Array.from({ length: 9 }, (_, i) => 40 + 7 * i);

  test.each<[what: string, spec: object, patch: object]>([
    ['the weight of eft', eft, { weight: 0.1 }],
    ['to nothing', eft, { weight: 0 }],
    ['inside a nest', { ...eft, base: { ...eft, weight: 0.5 }, tuned: 'pocket-safe' }, { base: { weight: 2 } }],
    ['a direction', dpa, { direction: { polite: 0, safe: 1 } }],
    [
      'contrast and mask',
      { method: 'contrastive', expert: 'pocket', amateur: 'pocket-small', contrast: 0.5, plausibility: 0.1 },
      { contrast: 2, plausibility: 0.01 },
    ],
    ['with drafts', { ...eft, speculation: { draft: 'pocket-chat', tokens: 4 } }, { weight: 0.1 }],
  ])('%s: old before the position, new from it on, as after the same prefix', async (_what, decoding, patch) => {
    const body = { model: 'pocket', prompt, decoding, max_tokens: 20, logprobs: 1, seed: 1, ...greedy };
    await connected(async () => {
      expect((await ended('old', body)).type).toBe('finished');
      const updated = await changed('changed', body, 8, patch);
      expect(updated.positions).toEqual([8]);
      expect(idsOf('changed').slice(0, 8)).toEqual(idsOf('old').slice(0, 8));
      const forced = { ...body, prompt: [...prompt, ...idsOf('changed').slice(0, 8)], max_tokens: 12 };
      await ended('forced', {
        ...forced,
        decoding: updated['parameters'] && { ...decoding, ...merged(decoding, patch) },
      });
      expect(idsOf('changed').slice(8)).toEqual(idsOf('forced'));
      logprobsOf('changed')
        .slice(8)
        .forEach((logprob, i) => expect(logprob).toBeCloseTo(logprobsOf('forced')[i]!, 3));
      expect(logprobsOf('changed').slice(8)).not.toEqual(logprobsOf('old').slice(8));
      // The report speaks of what is in force.
      expect(client.of('changed', 'finished')[0]!['decoding']).toMatchObject({
        parameters: updated['parameters'] as object,
      });
    });
  });

  test('drawn tokens too: the way to the weight makes no difference', async () => {
    const body = { ...ask, model: 'pocket', decoding: eft, seed: 21, max_tokens: 30, temperature: 1, ignore_eos: true };
    await connected(async () => {
      await ended('old', body);
      await changed('direct', body, 10, { weight: 4 });
      client.start('around', body, { credit: 10 });
      await client.until(({ id, type }) => id === 'around' && type === 'paused');
      for (const weight of [5, 0, 3, 4]) client.send({ type: 'update', id: 'around', decoding: { weight } });
      client.send({ type: 'credit', id: 'around', add: 20 });
      await client.ended('around');
      expect(client.textOf('around')).toBe(client.textOf('direct'));
      const before = (id: string): string =>
        client
          .of(id, 'text')
          .filter(({ position = 0 }) => position < 10)
          .map(({ text }) => text)
          .join('');
      expect(before('direct')).toBe(before('old'));
      expect(client.textOf('direct')).not.toBe(client.textOf('old'));
      expect(client.of('around', 'updated').map(({ positions }) => positions)).toEqual([[10], [10], [10], [10]]);
      // The old weight again, before anything was drawn by another: nothing has happened.
      await changed('back', body, 0, { weight: 1 });
      expect(client.textOf('back')).toBe(client.textOf('old'));
    });
  });

  test('on the run, wherever it hits: each choice says where', async () => {
    const body = { ...ask, model: 'pocket', decoding: eft, seed: 2, max_tokens: 60, n: 3, ...greedy };
    await connected(async () => {
      client.start('a', body);
      await client.until(({ type, position }) => type === 'text' && position! > 5);
      client.send({ type: 'update', id: 'a', decoding: { weight: 0.2 }, ref: 9 });
      const updated = await client.until(({ type }) => type === 'updated');
      expect(updated).toMatchObject({ ref: 9, formula: 'pocket + 0.2·(pocket-chat − pocket-small)' });
      expect(updated.positions).toHaveLength(3);
      await client.ended('a');
      // Up to its frame, the tokens before the positions have been told, and none after them.
      const at = client.frames.indexOf(updated);
      updated.positions!.forEach((position, choice) => {
        const told = (frames: Frame[]): number =>
          frames.filter((frame) => frame.type === 'token' && frame.choice === choice).length;
        expect(told(client.frames.slice(0, at))).toBe(position);
      });
    });
  });

  test('inside a search: from what is not committed on', async () => {
    const search = { method: 'best_of_n', inner: eft, n: 3, scorer: 'pocket-helpfulness' };
    const body = { ...ask, model: 'pocket', decoding: search, seed: 2, max_tokens: 12 };
    await connected(async () => {
      client.start('a', body, { credit: 0 });
      await client.until(({ type }) => type === 'paused');
      client.send({ type: 'update', id: 'a', decoding: { inner: { weight: 0.1 } } });
      expect((await client.until(({ type }) => type === 'updated')).positions).toEqual([0]);
      client.send({ type: 'credit', id: 'a', add: 1 });
      await client.ended('a');
      await ended('b', { ...body, decoding: { ...search, inner: { ...eft, weight: 0.1 } } });
      expect(client.textOf('a')).toBe(client.textOf('b'));
    });
  });
});

/** RFC 7396, as the test's own few lines. */
function merged(target: unknown, patch: unknown): object {
  const result: Record<string, unknown> = { ...(target as object) };
  for (const [key, value] of Object.entries(patch as object))
    result[key] = typeof value === 'object' && value !== null ? merged(result[key], value) : (value as unknown);
  return result;
}

describe('what cannot change is refused with the reason, and the answer is as it was', () => {
  const rain = { ...ask, model: 'pocket-rain', seed: 3, max_tokens: 8 };
  const base = { ...ask, model: 'pocket', decoding: eft, seed: 3, max_tokens: 20, temperature: 1 };
  test.each<[what: string, body: object, patch: object, code: string, says: RegExp]>([
    ['a member', base, { tuned: 'pocket-safe' }, 'not_changeable', /does not run pocket-safe/],
    ['a member left out', base, { tuned: 'pocket-small' }, 'not_changeable', /pocket-chat would be left out/],
    [
      'the method',
      base,
      {
        method: 'plain',
        model: 'pocket',
        base: null,
        tuned: null,
        reference: null,
        weight: null,
        form: null,
        keep: null,
      },
      'not_changeable',
      /method is fixed/,
    ],
    [
      'the method, the other keys left as they are',
      base,
      { method: 'plain' },
      'not_changeable',
      /plain instead of eft/,
    ],
    ['the form', base, { form: 'amplified', keep: 0.5 }, 'not_changeable', /only its numbers/],
    ['drafts', base, { speculation: { draft: 'lookup', tokens: 2 } }, 'not_changeable', /drafts/],
    ['a weight out of range', base, { weight: -1 }, 'invalid_value', /decoding\.weight/],
    ['a weight that is no number', base, { weight: '2' }, 'invalid_value', /decoding\.weight/],
    ['a key that nobody knows', base, { wieght: 1 }, 'unknown_key', /weight/],
    [
      'a member that began at 0',
      { ...base, decoding: { ...eft, weight: 0 } },
      { weight: 1 },
      'not_changeable',
      /weight 0 left out/,
    ],
    [
      'a prompted direction',
      { ...base, model: 'pocket-dpa', decoding: { method: 'dpa', inner: 'pocket-dpa', direction: 0 } },
      { direction: 45 },
      'not_changeable',
      /another prompt/,
    ],
    ['a search’s own values', rain, { candidates: 3 }, 'not_changeable', /only weights inside/],
    ['the search', rain, { budget: { tokens: 5 } }, 'not_changeable', /only weights inside/],
  ])('%s', async (_what, body, patch, code, pattern) => {
    client = await Client.open(served.url);
    // A search might be through with its first commit.
    client.start('a', body, { credit: body === rain ? 0 : 2 });
    await client.until(({ type }) => type === 'paused');
    client.send({ type: 'update', id: 'a', decoding: patch, ref: 'no' });
    const error = await client.until(({ type }) => type === 'error' || type === 'updated');
    expect(error).toMatchObject({ type: 'error', id: 'a', ref: 'no', request: 'update', error: { code } });
    expect(error.error!.message).toMatch(pattern);
    client.send({ type: 'credit', id: 'a', set: null });
    await client.ended('a');
    expect(client.textOf('a')).toBe(sseAnswer(await overSse(body as { messages: unknown }), 0).text);
    await client.close();
  });
});

describe('credits', () => {
  const body = { ...ask, model: 'pocket-eft', seed: 12, max_tokens: 20, temperature: 1, ignore_eos: true };
  const figures = async () =>
    Promise.all(
      ['vllm:generation_tokens_total', 'trimtab_model_forwards_total', 'trimtab_model_rows_total'].map(async (name) =>
        served.metric(name),
      ),
    );

  test('without credit nothing decodes; going on gives the same text', async () => {
    await connected(async () => {
      await ended('free', body);
      await eventually(async () => (await served.metric('vllm:num_requests_running')) === 0);
      const before = await figures();
      client.start('a', body, { credit: 0 });
      await client.until(({ id, type }) => id === 'a' && type === 'paused');
      await eventually(async () => (await served.metric('vllm:num_requests_running')) === 1);
      expect(await figures()).toEqual(before);
      client.send({ type: 'credit', id: 'a', add: 5 });
      await client.until(({ id, type }) => id === 'a' && type === 'paused', client.frames.length);
      expect(client.of('a', 'text').every(({ position }) => position! < 5)).toBe(true);
      const [generated] = await figures();
      expect(generated).toBe(before[0]! + 5);
      // Nor later: a whole answer of another decode passes meanwhile.
      const between = await figures();
      await ended('other', { ...body, max_tokens: 3 });
      expect((await figures())[0]).toBe(between[0]! + 3);
      expect(client.of('a', 'text').every(({ position }) => position! < 5)).toBe(true);
      for (let i = 0; i < 3; i++) client.send({ type: 'credit', id: 'a', add: 5 });
      await client.ended('a');
      expect(client.textOf('a')).toBe(client.textOf('free'));
    });
  });

  test('a running decode pauses at once, and the bound is taken away again', async () => {
    await connected(async () => {
      const long = { ...body, max_tokens: 400, ignore_eos: true };
      await ended('free', long);
      // However fast the machine is, the answer cannot be through before the pause comes.
      client.start('a', long, { credit: 300 });
      await client.until(({ id, type, position }) => id === 'a' && type === 'text' && position! > 3);
      client.send({ type: 'credit', id: 'a', set: 0 });
      await client.until(({ id, type }) => id === 'a' && type === 'paused');
      const told = client.of('a').length;
      client.send({ type: 'ping' });
      await client.until(({ type }) => type === 'pong');
      expect(client.of('a')).toHaveLength(told);
      client.send({ type: 'credit', id: 'a', set: null });
      await client.ended('a');
      expect(client.textOf('a')).toBe(client.textOf('free'));
    });
  });

  test('cancelled while paused: the rows are free', async () => {
    await connected(async () => {
      client.start('a', body, { credit: 3 });
      await client.until(({ type }) => type === 'paused');
      await eventually(async () => (await served.metric('trimtab_cache_rows')) > 0);
      client.send({ type: 'cancel', id: 'a' });
      expect((await client.ended('a')).error).toMatchObject({ code: 'cancelled', type: 'server_error' });
    });
  });
});

describe('rows come back', () => {
  // Credits hold each decode in mid-stream, however fast the machine is: none is through before its end is asked for.
  const endless = { ...ask, model: 'pocket-eft', max_tokens: 400, ignore_eos: true };
  const held = { credit: 50 };
  const rows = async (): Promise<number> => served.metric('trimtab_cache_rows');
  const goesOn = async (connection: Client, id: string): Promise<void> => {
    const from = connection.frames.length;
    connection.send({ type: 'credit', id, add: 50 });
    await connection.until((frame) => frame.id === id && frame.type === 'text', from);
  };

  test('when one of several is cancelled, and the others go on', async () => {
    await connected(async () => {
      for (const id of ['a', 'b', 'c']) client.start(id, endless, held);
      for (const id of ['a', 'b', 'c']) await client.until((frame) => frame.id === id && frame.type === 'text');
      await eventually(async () => (await rows()) === 9);
      client.send({ type: 'cancel', id: 'b' });
      expect((await client.ended('b')).error!.code).toBe('cancelled');
      await eventually(async () => (await rows()) === 6);
      await goesOn(client, 'a');
      await goesOn(client, 'c');
      client.send({ type: 'cancel', id: 'a' });
      client.send({ type: 'cancel', id: 'c' });
      await client.ended('c');
    });
  });

  test.each<[what: string, act: (client: Client) => void]>([
    ['killed', ({ socket }) => socket.terminate()],
    ['closed', ({ socket }) => socket.close()],
    ['told a binary frame', (gone) => gone.send(Buffer.from('{}'))],
  ])('when a connection is %s in mid-stream', async (_what, act) => {
    const [gone, stays] = [await Client.open(served.url), await Client.open(served.url)];
    stays.start('s', endless, held);
    for (const id of ['a', 'b']) gone.start(id, endless, held);
    await gone.until(({ id, type }) => id === 'b' && type === 'text');
    await stays.until(({ type }) => type === 'text');
    act(gone);
    await eventually(async () => (await rows()) === 3);
    await goesOn(stays, 's');
    stays.socket.terminate();
    await eventually(async () => (await rows()) === 0);
  });
});
