// Structured answers as a user meets them: the suite in the box, real threads and weights, the stock OpenAI client. Random schemas, every way of
// decoding: what is finished parses and is what the schema says.
import fc from 'fast-check';
import OpenAI, { BadRequestError } from 'openai';
import type { ResponseFunctionToolCall, ResponseInput, ResponseOutputItem } from 'openai/resources/responses/responses';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { Check } from 'typebox/schema';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ConstraintProblem } from '../../decoders/constraint/problem.js';
import { schemaGrammar } from '../../decoders/constraint/schema.js';
import { arbitrarySchema, type JsonSchema } from '../support/arbitrary-schema.js';
import { serve, type Served } from '../support/served.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 300_000 });

let served: Served;
let url: string;
let client: OpenAI;

beforeAll(async () => {
  served = await serve();
  ({ url } = served);
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
});

afterAll(async () => {
  await served.stop();
});

const messages = [{ role: 'user' as const, content: 'The Silver Heron?' }];
const formatOf = (schema: JsonSchema) => ({
  type: 'json_schema' as const,
  json_schema: { name: 'thing', schema, strict: true },
});

/** Those that some text fulfils. */
const schemas = arbitrarySchema.filter((schema) => {
  try {
    return schemaGrammar(schema, 'x').nodes.length > 0;
  } catch (error) {
    if (error instanceof ConstraintProblem) return false;
    throw error;
  }
});

const eft = { method: 'eft', base: 'pocket', tuned: 'pocket-chat', reference: 'pocket-small', weight: 0.8 };
const ways: readonly (readonly [string, object])[] = [
  ['plain', { model: 'pocket-chat' }],
  ['eft', { model: 'pocket-eft' }],
  ['eft with drafts', { model: 'pocket', decoding: { ...eft, speculation: { draft: 'pocket-chat', tokens: 4 } } }],
  ['drafts by look-up', { model: 'pocket', decoding: { ...eft, speculation: { draft: 'lookup', tokens: 4 } } }],
  ['a mask of its own beside it', { model: 'pocket-contrast' }],
  [
    'best of n',
    { model: 'pocket', decoding: { method: 'best_of_n', inner: 'pocket-eft', scorer: 'pocket-helpfulness', n: 3 } },
  ],
  ['rain', { model: 'pocket-rain' }],
];

describe.each(ways)('%s', (way, fields) => {
  test('every finished answer is what its schema says', async () => {
    const isSlow = way === 'rain';
    let [finished, asked] = [0, 0];
    await fc.assert(
      fc.asyncProperty(schemas, fc.nat(1000), async (schema, seed) => {
        asked++;
        const reply = await client.chat.completions.create({
          ...(fields as { model: string }),
          messages,
          seed,
          // Weights that know no JSON wander: cold, they come to an end.
          temperature: 0.7,
          max_tokens: isSlow ? 60 : 220,
          response_format: formatOf(schema),
        });
        const [choice] = reply.choices;
        if (choice!.finish_reason === 'length') return;
        finished++;
        const value: unknown = JSON.parse(choice!.message.content!);
        if (!Check(schema, value)) throw new Error(`${choice!.message.content} for ${JSON.stringify(schema)}`);
      }),
      { numRuns: isSlow ? 10 : 25 },
    );
    expect(finished / asked).toBeGreaterThan(0.3);
  });
});

describe('answers in JSON', () => {
  const schema = {
    type: 'object',
    properties: {
      name: { type: 'string', maxLength: 12 },
      berth: { enum: ['Lock Gate', 'Tar Alley'] },
      masts: { type: 'integer', minimum: 1, maximum: 4 },
    },
    required: ['name', 'berth', 'masts'],
    additionalProperties: false,
  };

  test('the stock client parses them; streamed is what is answered whole', async () => {
    const body = { model: 'pocket-eft', messages, seed: 5, response_format: formatOf(schema) };
    const parsed = await client.chat.completions.parse(body);
    expect(Check(schema, parsed.choices[0]!.message.parsed)).toBe(true);
    const stream = client.chat.completions.stream(body);
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]!.message.content).toBe(parsed.choices[0]!.message.content);
    const response = await client.responses.create({
      model: 'pocket-eft',
      input: 'The Silver Heron?',
      text: { format: { type: 'json_schema', name: 'thing', schema } },
    });
    expect(Check(schema, JSON.parse(response.output_text))).toBe(true);
  });

  test('log-probabilities are those of what is allowed: they sum to one over it', async () => {
    const reply = await client.chat.completions.create({
      model: 'pocket-eft',
      messages,
      seed: 2,
      logprobs: true,
      top_logprobs: 20,
      response_format: formatOf({ enum: ['aye', 'no'] }),
    });
    expect(['"aye"', '"no"']).toContain(reply.choices[0]!.message.content!.trim());
    for (const { top_logprobs: top } of reply.choices[0]!.logprobs!.content!)
      expect(top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 3);
  });

  test('several choices, and any object', async () => {
    const reply = await client.chat.completions.create({
      model: 'pocket-chat',
      messages,
      n: 4,
      seed: 8,
      max_tokens: 200,
      temperature: 0.5,
      response_format: { type: 'json_object' },
    });
    for (const { message, finish_reason: reason } of reply.choices)
      if (reason === 'stop') expect(typeof JSON.parse(message.content!)).toBe('object');
  });

  test('a schema that cannot be kept is a 400 that names the place, and nobody else notices', async () => {
    const body = { model: 'pocket-eft', messages, seed: 5, response_format: formatOf(schema) };
    const before = (await client.chat.completions.create(body)).choices[0]!.message.content;
    const bombs = ['(a|b)*a(a|b){24}', '((a{1,99}){1,99}){1,99}'].map((pattern) =>
      client.chat.completions
        .create({
          ...body,
          response_format: formatOf({ type: 'object', properties: { p: { type: 'string', pattern } } }),
        })
        .then(
          () => expect.fail('a bomb was served'),
          (error: unknown) => error,
        ),
    );
    const beside = await Promise.all(Array.from({ length: 4 }, () => client.chat.completions.create(body)));
    for (const reply of beside) expect(reply.choices[0]!.message.content).toBe(before);
    for (const error of await Promise.all(bombs)) {
      expect(error).toBeInstanceOf(BadRequestError);
      expect((error as BadRequestError).param).toContain('response_format.json_schema.schema');
    }
  });
});

describe('tools', () => {
  // The context of the pocket models is short.
  const parameters = { type: 'object', properties: { at: { enum: ['Oslo', 'Rome'] } }, required: ['at'] };
  const tools = [
    { type: 'function' as const, function: { name: 'find', parameters } },
    { type: 'function' as const, function: { name: 'stop', parameters: { type: 'object', properties: {} } } },
  ];
  const body = { model: 'pocket-chat', messages, tools, temperature: 0, max_tokens: 120 };

  test('a named one is called as its schema says; the stream accumulates in the stock helper to the same call', async () => {
    const named = { ...body, seed: 4, tool_choice: { type: 'function' as const, function: { name: 'find' } } };
    const whole = await client.chat.completions.create(named);
    const [choice] = whole.choices;
    expect(choice!.finish_reason).toBe('tool_calls');
    expect(choice!.message.content).toBeNull();
    const [call] = choice!.message.tool_calls!;
    expect(call).toMatchObject({ type: 'function', function: { name: 'find' } });
    if (call?.type !== 'function') throw new Error('no function');
    expect(Check(parameters, JSON.parse(call.function.arguments))).toBe(true);
    const final = await client.chat.completions.stream(named).finalChatCompletion();
    const [again] = final.choices[0]!.message.tool_calls!;
    if (again?.type !== 'function') throw new Error('no function');
    expect(again.function).toMatchObject({ name: 'find', arguments: call.function.arguments });
    expect(final.choices[0]!.finish_reason).toBe('tool_calls');
  });

  describe('of a response', () => {
    const flat = tools.map(({ type, function: { name, parameters: given } }) => ({
      type,
      name,
      parameters: given,
      strict: false,
    }));
    const { content } = messages[0]!;
    const asked = { model: 'pocket-chat', input: content, tools: flat, temperature: 0, max_output_tokens: 120 };
    const named = { ...asked, tool_choice: { type: 'function' as const, name: 'find' } };
    const callsOf = ({
      output: items,
    }: {
      readonly output: readonly ResponseOutputItem[];
    }): ResponseFunctionToolCall[] => items.filter((item) => item.type === 'function_call');

    test('is the call that a chat makes; the stock helper and the websocket accumulate it', async () => {
      const chat = await client.chat.completions.create({
        ...body,
        tool_choice: { type: 'function', function: { name: 'find' } },
      });
      const [made] = chat.choices[0]!.message.tool_calls!;
      if (made?.type !== 'function') throw new Error('no function');
      const whole = await client.responses.create(named);
      expect(whole.status).toBe('completed');
      expect(whole.output).toHaveLength(1);
      const [call] = callsOf(whole);
      expect(call).toMatchObject({ status: 'completed', ...made.function });
      expect(whole.usage!.input_tokens).toBe(chat.usage!.prompt_tokens);

      const stream = client.responses.stream(named);
      let pieces = '';
      stream.on('response.function_call_arguments.delta', ({ delta }) => (pieces += delta));
      const [streamed] = callsOf(await stream.finalResponse());
      expect(streamed).toMatchObject({ status: 'completed', ...made.function });
      expect(pieces).toBe(made.function.arguments);

      const socket = new ResponsesWS(client);
      const spoken = await new Promise<ResponseFunctionToolCall[]>((resolve, reject) => {
        socket.on('error', reject);
        socket.on('response.completed', ({ response }) => resolve(callsOf(response)));
        socket.send({ type: 'response.create', ...named });
      });
      socket.close();
      expect(spoken).toMatchObject([{ status: 'completed', ...made.function }]);
    });

    test('its output is given back with a result, and the conversation goes on as that of a chat', async () => {
      const whole = await client.responses.create(named);
      const [call] = callsOf(whole);
      const input: ResponseInput = [
        { role: 'user', content },
        ...callsOf(whole),
        { type: 'function_call_output', call_id: call!.call_id, output: 'rain' },
      ];
      const next = await client.responses.create({ ...asked, input, max_output_tokens: 20 });
      const { name, arguments: given } = call!;
      const chat = await client.chat.completions.create({
        ...body,
        max_tokens: 20,
        messages: [
          ...messages,
          {
            role: 'assistant',
            tool_calls: [{ id: call!.call_id, type: 'function', function: { name, arguments: given } }],
          },
          { role: 'tool', tool_call_id: call!.call_id, content: 'rain' },
        ],
      });
      expect(next.output_text).not.toBe('');
      expect(next.output_text).toBe(chat.choices[0]!.message.content);
      const counted = await client.responses.inputTokens.count({ model: 'pocket-chat', input, tools: flat });
      expect(counted.input_tokens).toBe(chat.usage!.prompt_tokens);
      expect(next.usage!.input_tokens).toBe(chat.usage!.prompt_tokens);
    });
  });

  test('a demand is met, and the conversation goes on with its result', async () => {
    for (const model of ['pocket-chat', 'pocket-eft']) {
      const required = { ...body, model, seed: 1, tool_choice: 'required' as const, parallel_tool_calls: false };
      const reply = await client.chat.completions.create(required);
      const { message, finish_reason: reason } = reply.choices[0]!;
      expect(reason).toBe('tool_calls');
      const [call] = message.tool_calls!;
      const next = await client.chat.completions.create({
        ...body,
        model,
        max_tokens: 20,
        messages: [...messages, message, { role: 'tool', tool_call_id: call!.id, content: 'rain' }],
      });
      expect(next.choices[0]!.message.content).not.toBe('');
    }
  });

  test('what the model is told of them can be seen', async () => {
    const reply = await fetch(`${url}/v1/chat/completions/render`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'pocket-chat', messages, tools }),
    });
    const { views } = (await reply.json()) as { views: { text: string }[] };
    expect(views[0]!.text).toContain('"name":"find"');
    expect(views[0]!.text).toContain('<tool_call>');
  });

  test('none and auto leave the model its say', async () => {
    for (const choice of ['none', 'auto'] as const) {
      const reply = await client.chat.completions.create({ ...body, seed: 3, max_tokens: 30, tool_choice: choice });
      expect(reply.choices[0]!.message.tool_calls).toBeUndefined();
      expect(reply.choices[0]!.message.content!.length).toBeGreaterThan(0);
    }
  });

  test('a strict function among free text leaves free text as it was', async () => {
    const plainly = { ...body, seed: 3, max_tokens: 30 };
    const strict = {
      ...plainly,
      tools: tools.map((tool) => ({ ...tool, function: { ...tool.function, strict: true } })),
    };
    const [one, other] = await Promise.all([plainly, strict].map((each) => client.chat.completions.create(each)));
    expect(other!.choices[0]!.message.content).toBe(one!.choices[0]!.message.content);
  });
});
