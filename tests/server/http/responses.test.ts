// POST /v1/responses on a scripted engine: what of the dialect reaches the engine, what is refused and by which name, and the order of the
// events. The bytes of whole streams are in golden/.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { inputMessages } from '../../../server/routes/response-input.js';
import { harness, hello, response, says, type Harness, type Script } from './support.js';

const url = '/v1/responses';

let server: Harness;
beforeAll(async () => {
  server = await harness(hello);
});
afterAll(async () => server.app.close());
beforeEach(() => {
  server.submitted.length = 0;
});

const post = (fields: object) => server.app.inject({ method: 'POST', url, payload: response(fields) });

async function prompt(fields: object): Promise<string> {
  expect((await post(fields)).statusCode).toBe(200);
  return Buffer.from(Uint8Array.from(server.submitted[0]!.request.promptIds[0]!)).toString();
}

describe('what reaches the engine', () => {
  test.each([
    ['a string', { input: 'hi' }, 'bytes<user:hi>assistant:'],
    ['instructions go first', { instructions: 'be brief' }, 'bytes<system:be brief|user:hi>assistant:'],
    [
      'items in both forms, and what an earlier response said',
      {
        input: [
          { role: 'developer', content: 'd' },
          {
            type: 'message',
            role: 'user',
            content: [
              { type: 'input_text', text: 'a' },
              { type: 'input_text', text: 'b' },
            ],
          },
          {
            type: 'message',
            id: 'msg_1',
            status: 'completed',
            role: 'assistant',
            content: [{ type: 'output_text', text: 'c', annotations: [], logprobs: [] }],
          },
          { role: 'user', content: 'e' },
        ],
      },
      'bytes<system:d|user:a\nb|assistant:c|user:e>assistant:',
    ],
  ])('%s', async (_name, fields, expected) => {
    expect(await prompt(fields)).toBe(expected);
  });

  test('its names for the common controls', async () => {
    await post({ max_output_tokens: 7, temperature: 0.5, top_p: 0.9, top_logprobs: 3, stop: ['x'], seed: 11 });
    expect(server.submitted[0]!.request).toMatchObject({
      maxTokens: 7,
      sampling: { temperature: 0.5, topP: 0.9 },
      logprobs: { top: 3, full: false, prompt: false },
      stop: ['x'],
      seed: 11,
      n: 1,
    });
  });
});

describe('truncation', () => {
  const turn = (role: string, letter: string) => ({ role, content: letter.repeat(10) });
  const input = [
    turn('system', 's'),
    turn('user', 'a'),
    turn('assistant', 'b'),
    turn('user', 'c'),
    turn('assistant', 'd'),
    turn('user', 'e'),
  ];

  test('"auto" drops whole turns from the beginning until the rest fits, and keeps the system turn', async () => {
    // The context holds 100: the whole is 117 long, without the first two turns 83.
    const text = await prompt({ input, truncation: 'auto', max_output_tokens: 10 });
    expect(text).toBe('bytes<system:ssssssssss|user:cccccccccc|assistant:dddddddddd|user:eeeeeeeeee>assistant:');
  });

  test('"auto" drops nothing that fits', async () => {
    expect(await prompt({ truncation: 'auto' })).toBe('bytes<user:hi>assistant:');
  });

  test('"disabled", the default, refuses; so does "auto" when even the last turn is too long', async () => {
    for (const fields of [{ input }, { input: 'x'.repeat(200), truncation: 'auto' }]) {
      const reply = await post(fields);
      expect(reply.statusCode).toBe(400);
      expect(reply.json()).toMatchObject({ error: { code: 'context_length_exceeded', param: 'input' } });
    }
  });
});

const find = { type: 'function', name: 'find', parameters: { type: 'object' } };
const call = { type: 'function_call', call_id: 'c1', name: 'find', arguments: '{"at": "Oslo"}' };
const output = { type: 'function_call_output', call_id: 'c1', output: 'rain' };

describe('calls', () => {
  async function saying(script: Script, fields: object): Promise<unknown> {
    const { app } = await harness(script);
    const reply = await app.inject({ method: 'POST', url, payload: response(fields) });
    await app.close();
    return reply.json();
  }

  test('of a conversation are those of a chat: one message of the assistant, then the results', () => {
    const input = [
      { role: 'user', content: 'go' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Well.' }] },
      { ...call, id: 'fc_1', status: 'completed' },
      { ...call, call_id: 'c2', arguments: '{}' },
      output,
      { ...output, call_id: 'c2', output: [{ type: 'input_text', text: 'sun' }] },
      { ...call, call_id: 'c3' },
    ];
    const made = (id: string, given: object): object => ({
      id,
      type: 'function',
      function: { name: 'find', arguments: given },
    });
    expect(inputMessages({ model: 'bytes', input })).toEqual([
      { role: 'user', content: 'go' },
      { role: 'assistant', content: 'Well.', tool_calls: [made('c1', { at: 'Oslo' }), made('c2', {})] },
      { role: 'tool', content: 'rain', tool_call_id: 'c1' },
      { role: 'tool', content: 'sun', tool_call_id: 'c2' },
      { role: 'assistant', content: '', tool_calls: [made('c3', { at: 'Oslo' })] },
    ]);
  });

  test('of an answer that was cut are incomplete', async () => {
    const text = '<tool_call>{"name": "find", "arguments": {"at"';
    const reply = await saying(says({ pieces: [{ text }], reason: 'length' }), { tools: [find] });
    expect(reply).toMatchObject({
      status: 'incomplete',
      output: [{ type: 'function_call', status: 'incomplete', name: 'find', arguments: '{"at"' }],
    });
  });

  test('are not looked for where none may be made', async () => {
    const text = '<tool_call>{"name": "find", "arguments": {}}</tool_call>';
    const reply = await saying(says({ pieces: [{ text }] }), { tools: [find], tool_choice: 'none' });
    expect(reply).toMatchObject({ output: [{ type: 'message', content: [{ text }] }] });
  });
});

describe('refused', () => {
  test.each([
    ['no input', { input: undefined }, 'invalid_value', 'input'],
    ['an empty input', { input: '' }, 'invalid_value', 'input'],
    ['an empty list', { input: [] }, 'invalid_value', 'input'],
    ['a stored answer', { previous_response_id: 'resp_1' }, 'not_supported', 'previous_response_id'],
    ['storing', { store: true }, 'not_supported', 'store'],
    ['a conversation', { conversation: 'conv_1' }, 'not_supported', 'conversation'],
    ['a stored prompt', { prompt: { id: 'pmpt_1' } }, 'not_supported', 'prompt'],
    ['background work', { background: true }, 'not_supported', 'background'],
    ['a tool of another type', { tools: [{ type: 'web_search' }] }, 'not_supported', 'tools[0].type'],
    [
      'a function in the shape of a chat',
      { tools: [{ type: 'function', function: find }] },
      'invalid_value',
      'tools[0].function',
    ],
    ['a function without a name', { tools: [{ type: 'function' }] }, 'invalid_value', 'tools[0].name'],
    ['a function twice', { tools: [find, find] }, 'invalid_value', 'tools[1].name'],
    [
      'parameters that cannot be kept',
      { tools: [{ ...find, parameters: { type: 'object', properties: { x: { not: {} } } }, strict: true }] },
      'invalid_value',
      'tools[0].parameters.properties.x.not',
    ],
    [
      'a function that is not there',
      { tools: [find], tool_choice: { type: 'function', name: 'x' } },
      'invalid_value',
      'tool_choice.name',
    ],
    [
      'a choice of another tool',
      { tools: [find], tool_choice: { type: 'web_search' } },
      'invalid_value',
      'tool_choice',
    ],
    ['a demand without tools', { tool_choice: 'required' }, 'invalid_value', 'tool_choice'],
    [
      'a demand beside a format',
      { tools: [find], tool_choice: 'required', text: { format: { type: 'json_object' } } },
      'invalid_value',
      'text.format',
    ],
    ['log-probabilities beside tools', { tools: [find], top_logprobs: 1 }, 'not_supported', 'top_logprobs'],
    ['token ids beside tools', { tools: [find], return_token_ids: true }, 'not_supported', 'return_token_ids'],
    ['a call without an id', { input: [{ ...call, call_id: undefined }] }, 'invalid_value', 'input[0].call_id'],
    ['a call without a name', { input: [{ ...call, name: undefined }] }, 'invalid_value', 'input[0].name'],
    [
      'a call whose arguments are none',
      { input: [{ ...call, arguments: '[1]' }] },
      'invalid_value',
      'input[0].arguments',
    ],
    ['a result of no call', { input: [{ ...output, call_id: 'c2' }] }, 'invalid_value', 'input[0].call_id'],
    [
      'a result without output',
      { input: [call, { ...output, output: undefined }] },
      'invalid_value',
      'input[1].output',
    ],
    [
      'a picture as a result',
      { input: [call, { ...output, output: [{ type: 'input_image' }] }] },
      'not_supported',
      'input[1].output[0].type',
    ],
    ['reasoning', { reasoning: { effort: 'high' } }, 'not_supported', 'reasoning.effort'],
    ['verbosity', { text: { verbosity: 'low' } }, 'not_supported', 'text.verbosity'],
    [
      'padding',
      { stream: true, stream_options: { include_obfuscation: true } },
      'not_supported',
      'stream_options.include_obfuscation',
    ],
    ['several answers', { n: 2 }, 'not_supported', 'n'],
    ['the name of another dialect', { max_tokens: 5 }, 'not_supported', 'max_tokens'],
    ['messages', { messages: [] }, 'not_supported', 'messages'],
    ['an unknown includable', { include: ['everything'] }, 'invalid_value', 'include[0]'],
    ['an unknown truncation', { truncation: 'left' }, 'invalid_value', 'truncation'],
    ['metadata that is no text', { metadata: { a: 1 } }, 'invalid_value', 'metadata.a'],
    [
      'too much metadata',
      { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ''])) },
      'invalid_value',
      'metadata',
    ],
    ['a reference to an item', { input: [{ type: 'item_reference', id: 'msg_1' }] }, 'not_supported', 'input[0].type'],
    ['an item of another kind', { input: [{ type: 'computer_call' }] }, 'not_supported', 'input[0].type'],
    ['an item without a role', { input: [{ content: 'x' }] }, 'invalid_value', 'input[0].role'],
    ['an item of an unknown role', { input: [{ role: 'wizard', content: 'x' }] }, 'not_supported', 'input[0].role'],
    ['an item without content', { input: [{ role: 'user' }] }, 'invalid_value', 'input[0].content'],
    [
      'a picture',
      { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'http://169.254.169.254/' }] }] },
      'not_supported',
      'input[0].content[0].type',
    ],
    [
      'a text part without text',
      { input: [{ role: 'user', content: [{ type: 'input_text' }] }] },
      'invalid_value',
      'input[0].content[0].text',
    ],
    ['top_logprobs above 20', { top_logprobs: 21 }, 'invalid_value', 'top_logprobs'],
    ['max_output_tokens of 0', { max_output_tokens: 0 }, 'invalid_value', 'max_output_tokens'],
  ])('%s', async (_name, fields, code, param) => {
    const reply = await post(fields);
    expect(reply.json()).toMatchObject({ error: { code, param } });
    expect(reply.statusCode).toBe(400);
    expect(server.submitted).toHaveLength(0);
  });
});

test('input_tokens counts what a response would read, and starts nothing', async () => {
  const payload = response({ instructions: 'be brief' });
  const counted = await server.app.inject({ method: 'POST', url: `${url}/input_tokens`, payload });
  expect(server.submitted).toHaveLength(0);
  expect(counted.json()).toEqual({ object: 'response.input_tokens', input_tokens: 40 });
  const read = (await post({ instructions: 'be brief' })).json<{ usage: { input_tokens: number } }>();
  expect(read.usage.input_tokens).toBe(40);
});

test('an earlier response is not here', async () => {
  for (const [method, path] of [
    ['GET', `${url}/resp_1`],
    ['GET', `${url}/resp_1/input_items`],
    ['DELETE', `${url}/resp_1`],
  ] as const) {
    const reply = await server.app.inject({ method, url: path });
    expect(reply.statusCode).toBe(404);
    expect(reply.json()).toMatchObject({ error: { code: 'response_not_found', param: 'response_id' } });
  }
});

test('the same text and the same object, whole or streamed', async () => {
  const whole = (await post({})).json<{ output: { content: { text: string }[] }[]; usage: object }>();
  const { body } = await post({ stream: true });
  const events = body
    .trimEnd()
    .split('\n\n')
    .map((event) => {
      const [name, data] = event.split('\n');
      return {
        name: name!.slice('event: '.length),
        data: JSON.parse(data!.slice('data: '.length)) as Record<string, unknown>,
      };
    });
  expect(events.map(({ data }) => data['sequence_number'])).toEqual(events.map((_, index) => index));
  expect(events.map(({ data }) => data['type'])).toEqual(events.map(({ name }) => name));
  expect(events.map(({ name }) => name)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ]);
  const deltas = events.map(({ data }) => (data['delta'] ?? '') as string).join('');
  expect(deltas).toBe(whole.output[0]!.content[0]!.text);
  const last = events.at(-1)!.data['response'] as typeof whole;
  expect(last.output[0]!.content[0]!.text).toBe(deltas);
  expect(last.usage).toEqual(whole.usage);
});
