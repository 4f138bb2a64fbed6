// The client as its users meet it: the packed package in a project of its own, the suite in the box, real threads and weights, over HTTP and websocket.
import { copyFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import {
  AbortedError,
  BadRequestError,
  bestOfN,
  eft,
  rain,
  scorer,
  transferQ,
  Trimtab,
  type Answer,
  type Connection,
  type DecodeRequest,
  type DecodeStream,
  type StreamEvent,
  type Tool,
} from '../../../clients/typescript/src/index.js';
import { packageDirectory, projectWithClient, ran, type Project } from './package.js';
import { serve, type Served } from '../../support/served.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });

let served: Served;
let url: string;
let client: Trimtab;
let connection: Connection;

beforeAll(async () => {
  served = await serve();
  ({ url } = served);
  client = new Trimtab({ baseUrl: url, webSocket: WebSocket, maxRetries: 0 });
  connection = await client.connect();
});

afterAll(async () => {
  await connection?.close();
  await served.stop();
});

const messages = [{ role: 'user' as const, content: 'Can you tell me what Tar Alley smells of?' }];
const steered = eft({ base: 'pocket', tuned: 'pocket-chat', reference: 'pocket-small', weight: 0.6 });
const judge = scorer.selfEvaluation({
  model: 'pocket',
  template: 'Request: {request}\nAnswer: {answer}\nIs the answer (A) {first} or (B) {second}? The verdict is: (',
  options: { good: 'harmless', bad: 'harmful' },
});
const helpful = scorer.reward({ model: 'pocket-reward-1a', head: 'helpful' });

const requests: readonly (readonly [string, DecodeRequest])[] = [
  ['a chat', { model: 'pocket', messages, seed: 3, max_tokens: 32, decoding: steered }],
  [
    'a deployment, its dials, two choices',
    { model: 'pocket-eft', messages, seed: 4, n: 2, max_tokens: 24, decoding: { weight: 0.2 } },
  ],
  ['a plain prompt', { model: 'pocket', prompt: 'Tar Alley smells of', seed: 5, max_tokens: 12 }],
  [
    'two prompts of ids',
    {
      model: 'pocket-eft',
      prompt: [
        [320, 301, 310],
        [399, 1319],
      ],
      seed: 6,
      max_tokens: 8,
      n: 2,
    },
  ],
  [
    'best of n',
    { model: 'pocket', messages, seed: 7, max_tokens: 24, decoding: bestOfN(steered, { scorer: helpful, n: 3 }) },
  ],
  [
    'rain over eft',
    {
      model: 'pocket',
      messages,
      seed: 8,
      max_tokens: 12,
      decoding: rain(steered, { judge, max_iterations: 6, lookahead: 12 }),
    },
  ],
  [
    'transfer q',
    {
      model: 'pocket',
      messages,
      seed: 9,
      max_tokens: 8,
      decoding: transferQ({ proposal: 'pocket', baseline: steered, reward: helpful, candidates: 3, lookahead: 6 }),
    },
  ],
];

const tools: readonly Tool[] = ['find', 'berth'].map((name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: { at: { enum: ['Oslo', 'Rome'] } }, required: ['at'] } },
}));
const calling = {
  // The context of the pocket models is short.
  messages: [{ role: 'user' as const, content: 'The Silver Heron?' }],
  tools,
  seed: 10,
  max_tokens: 120,
  temperature: 0.7,
};
const called = { type: 'function', function: { name: 'berth' } } as const;

/** Of these a call is demanded, and it is whole. */
const calls: readonly (readonly [string, DecodeRequest])[] = [
  ['a function', { ...calling, model: 'pocket-chat', n: 2, tool_choice: called }],
  [
    'a function with a formula',
    { ...calling, model: 'pocket-eft', tool_choice: 'required' as const, parallel_tool_calls: false },
  ],
];

/** With these the prompt is part of the answer's text. */
const echoes: readonly (readonly [string, DecodeRequest])[] = [
  ['an echo', { model: 'pocket', prompt: ['Tar Alley', 'It'], seed: 5, max_tokens: 6, n: 2, echo: true }],
  [
    'an echo with log-probabilities',
    { model: 'pocket', prompt: 'Tar Alley', seed: 5, max_tokens: 6, echo: true, logprobs: 1 },
  ],
];

/** What the same request with the same seed has again, whatever carries it and whoever shares the batch. */
const comparable = ({ text, model, choices, usage, decoding }: Answer): object => ({
  text,
  model,
  choices: choices.map(({ index, text: said, tool_calls, finish_reason, stop_reason, tokens, prompt_token_ids }) => ({
    index,
    said,
    // Ids of calls are drawn for each answer.
    calls: tool_calls.map(({ function: each }) => each),
    finish_reason,
    stop_reason,
    ids: tokens.map(({ token_id: id }) => id),
    prompt_token_ids,
  })),
  tokens: usage.completion_tokens,
  method: decoding.method,
  formula: decoding.formula,
  parameters: decoding.parameters,
  models: decoding.models,
  seed: decoding.seed,
});

describe.each([...requests, ...echoes, ...calls])('%s', (_, plainRequest) => {
  const request = { ...plainRequest, return_token_ids: true } as DecodeRequest;

  test('is the same whole, streamed, and over the websocket', async () => {
    const whole = comparable(await client.decode(request));
    expect(comparable(await client.stream(request).final())).toEqual(whole);
    expect(comparable(await connection.decode(request))).toEqual(whole);
  });
});

test.each(calls)('calls of %s come as their own events, alike on both ways', async (_, request) => {
  const told = async (stream: DecodeStream): Promise<object[]> => {
    const events: StreamEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events.filter(({ type }) => type === 'text')).toEqual([]);
    for (const { choice } of events.filter((event) => event.type === 'finished')) {
      const own = events.filter((event) => 'choice' in event && event.choice === choice);
      expect(own[0]).toMatchObject({ type: 'tool_call', call: 0 });
      expect(own.at(-1)).toMatchObject({ type: 'finished', finish_reason: 'tool_calls' });
      const pieces = own.map((event) => (event.type === 'tool_arguments' ? event.text : ''));
      expect(['Oslo', 'Rome']).toContain((JSON.parse(pieces.join('')) as { at: string }).at);
    }
    return events.flatMap((event) =>
      event.type === 'tool_call' || event.type === 'tool_arguments' ? [{ ...event, id: null }] : [],
    );
  };
  const byChoice = (events: object[]): object[] =>
    events.sort((a, b) => (a as { choice: number }).choice - (b as { choice: number }).choice);
  const whole = await told(client.stream(request));
  expect(whole.length).toBeGreaterThan(2);
  expect(byChoice(await told(connection.stream(request)))).toEqual(byChoice(whole));
});

test('traces alone bring no tokens, on neither way', async () => {
  const request = { model: 'pocket-eft', messages, seed: 1, max_tokens: 4, decoding_trace: true } as const;
  for (const answer of [await client.decode(request), await connection.decode(request)]) {
    const [choice] = answer.choices;
    expect(choice?.tokens).toEqual([]);
    expect(choice?.decoding_trace).toHaveLength(4);
  }
});

test('log-probabilities and traces come with each token, alike on both ways', async () => {
  const request = {
    model: 'pocket-eft',
    messages,
    seed: 1,
    max_tokens: 6,
    logprobs: true,
    top_logprobs: 2,
    decoding_trace: true,
  } as const;
  const seen = async (stream: DecodeStream): Promise<{ tokens: StreamEvent[]; traces: StreamEvent[] }> => {
    const events: StreamEvent[] = [];
    for await (const event of stream) events.push(event);
    return {
      tokens: events.filter(({ type }) => type === 'token'),
      traces: events.filter(({ type }) => type === 'trace'),
    };
  };
  const [http, live] = [await seen(client.stream(request)), await seen(connection.stream(request))];
  for (const { tokens, traces } of [http, live]) {
    expect(tokens).toHaveLength(6);
    expect(traces).toHaveLength(6);
  }
  const names = (events: readonly StreamEvent[]): unknown[] =>
    events.map((event) =>
      event.type === 'token' ? [event.token.token, event.token.bytes, event.token.top.length] : null,
    );
  expect(names(live.tokens)).toEqual(names(http.tokens));
});

/** Rows that the engine holds, once it holds none. */
async function rowsAreFree(): Promise<void> {
  await vi.waitFor(
    async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      const rows = [...metrics.matchAll(/^trimtab_cache_rows\{[^}]*\} (\S+)$/gm)].map(([, value]) => Number(value));
      expect(rows.length).toBeGreaterThan(3);
      expect(Math.max(...rows)).toBe(0);
    },
    { timeout: 20_000, interval: 200 },
  );
}

describe.each([
  ['over HTTP', (request: DecodeRequest) => client.stream(request)],
  ['over the websocket', (request: DecodeRequest) => connection.stream(request)],
])('leaving %s', (_, open) => {
  const long = { model: 'pocket-eft', messages, n: 2, max_tokens: 400, ignore_eos: true };

  test('gives every row back', async () => {
    const left = Array.from({ length: 4 }, async (__, index) => {
      let count = 0;
      for await (const { type } of open({ ...long, seed: index })) if (type === 'text' && ++count > index) break;
    });
    await Promise.all(left);
    const aborted = Array.from({ length: 3 }, async () => {
      const stream = open(long);
      const reading = stream.final();
      setTimeout(() => stream.abort(), 50);
      await expect(reading).rejects.toBeInstanceOf(AbortedError);
    });
    await Promise.all(aborted);
    await rowsAreFree();
  });
});

describe('a weight that is turned while the answer is decoded', () => {
  const base = {
    model: 'pocket-eft',
    messages,
    temperature: 0,
    max_tokens: 48,
    ignore_eos: true,
    return_token_ids: true,
  } as const;
  const ids = ({ choices }: Answer): (number | null)[] => choices[0]!.tokens.map(({ token_id: id }) => id);

  test('acts from the token that it says; before it stands what the old weight said, after it what the new one goes on with', async () => {
    const stream = connection.stream(base, { credit: 6 });
    let position = -1;
    for await (const event of stream) {
      if (event.type !== 'paused') continue;
      const updated = await stream.update({ weight: 0 });
      expect(updated.formula).toContain('0·(');
      position = updated.positions[0]!;
      stream.resume();
    }
    const turned = ids(await stream.final());
    expect(position).toBe(6);
    const before = ids(await client.decode(base));
    expect(turned.slice(0, position)).toEqual(before.slice(0, position));
    const { choices } = await client.decode({ ...base, max_tokens: 1 });
    const prompt = [...choices[0]!.prompt_token_ids!, ...turned.slice(0, position)] as number[];
    const after = await client.decode({
      model: 'pocket-eft',
      decoding: { weight: 0 },
      prompt,
      temperature: 0,
      max_tokens: base.max_tokens - position,
      ignore_eos: true,
      return_token_ids: true,
    });
    expect(turned.slice(position)).toEqual(ids(after));
    expect(turned).not.toEqual(before);
    expect((await stream.final()).decoding.parameters['weight']).toBe(0);
  });

  test('pausing changes nothing', async () => {
    const stream = connection.stream(base, { credit: 1 });
    let pauses = 0;
    for await (const event of stream) {
      if (event.type !== 'paused') continue;
      pauses++;
      stream.grant(5);
    }
    expect(pauses).toBeGreaterThan(3);
    expect(ids(await stream.final())).toEqual(ids(await client.decode(base)));
  });

  test('what cannot be changed is refused, and the decode goes on', async () => {
    const stream = connection.stream(base, { credit: 4 });
    for await (const event of stream) {
      if (event.type !== 'paused') continue;
      const refused = stream.update({ tuned: 'pocket-safe' });
      await expect(refused).rejects.toBeInstanceOf(BadRequestError);
      await expect(refused).rejects.toMatchObject({ code: 'not_changeable' });
      stream.resume();
    }
    expect(ids(await stream.final())).toEqual(ids(await client.decode(base)));
  });
});

test('many decodes share a connection, each in its own order', async () => {
  const seeds = Array.from({ length: 12 }, (_, index) => index);
  const request = { model: 'pocket-eft', messages, max_tokens: 24 };
  const live = await Promise.all(seeds.map((seed) => connection.stream({ ...request, seed }).text()));
  const http = await Promise.all(seeds.map((seed) => client.stream({ ...request, seed }).text()));
  expect(live).toEqual(http);
});

test('a search tells what it commits', async () => {
  const committed: number[] = [];
  let text = '';
  const stream = connection.stream({
    model: 'pocket',
    messages,
    max_tokens: 12,
    seed: 2,
    decoding: rain(steered, { judge, max_iterations: 6 }),
  });
  for await (const event of stream) {
    if (event.type === 'commit') committed.push(event.position);
    if (event.type === 'text') text += event.text;
  }
  expect(committed.length).toBeGreaterThan(0);
  expect(committed).toEqual([...committed].sort((a, b) => a - b));
  expect((await stream.final()).text).toBe(text);
});

describe('tools and formats', () => {
  const parameters = {
    type: 'object',
    properties: { street: { type: 'string', maxLength: 12 } },
    required: ['street'],
    additionalProperties: false,
  } as const;
  const tools = [{ type: 'function', function: { name: 'look_up', parameters, strict: true } }] as const;
  const request = { model: 'pocket-eft', messages, seed: 3, max_tokens: 120 };
  const said = ({ choices }: Answer): unknown =>
    choices.map(({ text, finish_reason, tool_calls: calls }) => [
      text,
      finish_reason,
      calls.map((call) => call.function),
    ]);

  test('a call streams as it is whole, and can be given back with its result', async () => {
    const asked = { ...request, tools, tool_choice: 'required', parallel_tool_calls: false } as const;
    const [whole, streamed] = [await client.decode(asked), await client.stream(asked).final()];
    expect(said(streamed)).toEqual(said(whole));
    const { tool_calls: calls, finish_reason: reason } = whole.choices[0]!;
    expect(reason).toBe('tool_calls');
    expect(calls[0]!.function.name).toBe('look_up');
    expect(JSON.parse(calls[0]!.function.arguments)).toEqual({ street: expect.any(String) as string });
    const result = { role: 'tool', tool_call_id: calls[0]!.id, content: 'vinegar' } as const;
    const history = [...messages, { role: 'assistant', content: null, tool_calls: calls } as const, result];
    expect((await client.decode({ ...request, tools, messages: history })).usage.completion_tokens).toBeGreaterThan(0);
  });

  test('an answer is what its schema says', async () => {
    const schema = {
      type: 'object',
      properties: { smell: { enum: ['tar', 'vinegar'] } },
      required: ['smell'],
      additionalProperties: false,
    };
    const asked = {
      ...request,
      response_format: { type: 'json_schema', json_schema: { name: 'smell', schema } },
    } as const;
    const [whole, streamed] = [await client.decode(asked), await client.stream(asked).final()];
    expect(said(streamed)).toEqual(said(whole));
    expect(['tar', 'vinegar']).toContain((JSON.parse(whole.text) as { smell: string }).smell);
  });
});

test('texts as ids, and back; chats as members read them; texts as vectors', async () => {
  const {
    tokens,
    count,
    token_strs: pieces,
  } = await client.tokenize({
    model: 'pocket',
    prompt: 'Tar Alley',
    return_token_strs: true,
  });
  expect(count).toBe(tokens.length);
  expect(pieces).toHaveLength(count);
  expect(await client.detokenize({ model: 'pocket', tokens })).toContain('Tar Alley');
  const { views } = await client.render({ model: 'pocket-eft', messages });
  expect(views.map(({ model }) => model)).toEqual(['pocket', 'pocket-chat', 'pocket-small']);
  const chat = await client.tokenize({ model: 'pocket', messages });
  expect(views[0]!.token_ids).toEqual(chat.tokens);
  const { vectors, usage } = await client.embed({ model: 'pocket', input: ['Tar Alley', 'vinegar', 'Tar Alley'] });
  expect(vectors).toHaveLength(3);
  expect(Math.hypot(...vectors[0]!)).toBeCloseTo(1, 5);
  expect([...vectors[0]!].every((value, index) => Math.abs(value - vectors[2]![index]!) < 1e-5)).toBe(true);
  expect(vectors[1]).not.toEqual(vectors[0]);
  expect(usage.total_tokens).toBeGreaterThan(2);
});

test('what may be in `decoding`, what it costs, and who may be asked', async () => {
  const { methods, scorers } = await client.methods();
  expect(methods.map(({ name }) => name)).toContain('rain');
  expect(scorers.map(({ name }) => name)).toContain('reward');
  const explained = await client.explain(bestOfN(steered, { scorer: helpful, n: 3 }));
  expect(explained.search?.sources).toEqual(['reward model pocket-reward-1a']);
  expect((await client.explain('pocket-eft')).formula).toBe('pocket + 0.6·(pocket-chat − pocket-small)');
  expect((await client.explain({ weight: 0.1 }, { model: 'pocket-eft' })).formula).toContain('0.1·(');
  const models = await client.models();
  expect(models.find(({ id }) => id === 'pocket-eft')?.kind).toBe('deployment');
  expect(await client.model('pocket')).toEqual(models.find(({ id }) => id === 'pocket'));
});

describe('the examples, in a project that has the packed package', () => {
  let project: Project;
  const directory = path.join(packageDirectory, 'examples');

  beforeAll(async () => {
    project = await projectWithClient(['@types/node', 'undici-types', 'ws', '@types/ws']);
    const names = (await readdir(directory)).filter((name) => name.endsWith('.ts'));
    await Promise.all(names.map((name) => copyFile(path.join(directory, name), path.join(project.directory, name))));
    const { output: said } = await project.compile({ types: ['node'], skipLibCheck: true }, names);
    expect(said).toBe('');
  });
  afterAll(() => project.remove());

  test.each<[string, RegExp]>([
    ['stream', /Tar Alley[^]*\d+ tokens of pocket \+ 0\.6·\(pocket-chat − pocket-small\)/],
    ['steer', /pocket: 2[^]*pocket \+ 1·\(pocket-chat − pocket-small\): /],
    ['search', /candidates \[[^]*scored: 4[^]*draft: 'pocket-chat'/],
    [
      'errors',
      /invalid_value at temperature: [^]*unknown_key at decoding\.wieght: [^]*not here: [^]*aborted\nit worked/,
    ],
    ['websocket', /\[from token 8: pocket \+ 0·\(pocket-chat − pocket-small\)\][^]*\n- [^]*\n- [^]*\n- /],
  ])('%s', async (name, pattern) => {
    const { code, output: said } = await ran(process.execPath, [`${name}.js`, url], project.directory);
    expect(said).toMatch(pattern);
    expect(code).toBe(0);
  });

  test('each of them is tried here', async () => {
    const names = (await readdir(directory)).filter((name) => name.endsWith('.ts')).sort();
    expect(names).toEqual(['errors.ts', 'search.ts', 'steer.ts', 'stream.ts', 'websocket.ts']);
  });
});
