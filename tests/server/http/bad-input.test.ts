// Bad requests: each gets the OpenAI error body with the status, the code, the parameter, the offending value and a remedy, reaches no
// engine and leaks nothing.
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chat, completion, harness, hello, silent, type Harness } from './support.js';
import { AppError, type ErrorCode } from '../../../server/errors.js';

let server: Harness;
beforeAll(async () => {
  server = await harness(hello);
});
afterAll(async () => server.app.close());
beforeEach(() => {
  server.submitted.length = 0;
});

const chatPath = '/v1/chat/completions';
const textPath = '/v1/completions';

interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly param?: string | null;
  /** All of these stand in the message. */
  readonly says?: readonly (string | number)[];
}

interface WireError {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

function expectRefusal(response: { statusCode: number; body: string; headers: object }, expected: Refusal): void {
  const { error } = JSON.parse(response.body) as WireError;
  expect({ status: response.statusCode, code: error.code }).toEqual({ status: expected.status, code: expected.code });
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type']);
  if (expected.param !== undefined) expect(error.param).toBe(expected.param);
  for (const part of expected.says ?? []) expect(error.message).toContain(String(part));
  expect(error.message).not.toMatch(/\bat .*:\d+|node_modules|\/(home|root|work|tmp|usr)\b/);
  expect(response.headers).toHaveProperty('x-request-id');
  expect(response.headers).toHaveProperty('content-type', 'application/json; charset=utf-8');
}

const ids = (count: number): number[] => new Array<number>(count).fill(1);
const invalid = (param: string, ...parts: (string | number)[]): Refusal => ({
  status: 400,
  code: 'invalid_value',
  param,
  says: parts,
});
const unsupported = (param: string, ...parts: string[]): Refusal => ({
  status: 400,
  code: 'not_supported',
  param,
  says: parts,
});

const tool = (name: string | undefined, parameters?: object): object => ({
  type: 'function',
  function: { name, ...(parameters ? { parameters } : {}) },
});
const call = (name: string, text: string): object => ({
  id: 'x',
  type: 'function',
  function: { name, arguments: text },
});

/** Schemas that cannot be kept, and where each of them is at fault. */
const schemas = (
  [
    ['a keyword that is not known', { type: 'string', shout: true }, '.shout', 'not supported'],
    ['not', { type: 'object', properties: { a: { not: {} } } }, '.properties.a.not', 'not supported'],
    ['unique items', { type: 'array', items: {}, uniqueItems: true }, '.uniqueItems', 'not supported'],
    [
      'patterns of keys',
      { type: 'object', patternProperties: { a: {} } },
      '.patternProperties',
      'additionalProperties',
    ],
    ['a condition', { type: 'object', properties: {}, if: {} }, '.if', 'anyOf'],
    ['a type that is none', { type: 'strin' }, '.type', '"strin"'],
    ['a format that is not known', { type: 'string', format: 'isbn' }, '.format', 'isbn'],
    ['a pattern that is none', { type: 'string', pattern: '(' }, '.pattern', 'cannot be used'],
    ['a pattern that looks ahead', { type: 'string', pattern: '^(?=a)b' }, '.pattern', 'looks around'],
    ['a pattern that refers back', { type: 'string', pattern: '(a)\\1' }, '.pattern', 'refers back'],
    ['a bomb of repeats', { type: 'string', pattern: '((a{1,99}){1,99}){1,99}' }, '.pattern', 'states'],
    ['a schema that is itself', { $ref: '#' }, '.$ref', 'refers to itself'],
    ['a reference to nothing', { $ref: '#/$defs/none' }, '.$ref', '#/$defs/none'],
    ['a reference to elsewhere', { $ref: 'https://example.com/schema' }, '.$ref', 'refers to nothing'],
    [
      'a recursion without an end',
      {
        $defs: { n: { type: 'object', properties: { n: { $ref: '#/$defs/n' } }, required: ['n'] } },
        $ref: '#/$defs/n',
      },
      '',
      'finite',
    ],
    ['bounds without a number', { type: 'integer', minimum: 3, maximum: 2 }, '', 'no number'],
    ['lengths without a string', { type: 'string', minLength: 3, maxLength: 2 }, '.minLength', 'exceeds'],
    ['a pattern that its length excludes', { type: 'string', pattern: '^abc$', maxLength: 2 }, '.pattern', 'no string'],
    ['a required property that is none', { type: 'object', properties: {}, required: ['a'] }, '.required', '"a"'],
    ['an empty enum', { enum: [] }, '.enum', 'non-empty'],
    ['a oneOf that overlaps', { oneOf: [{ type: 'integer' }, { type: 'number' }] }, '.oneOf[1]', 'anyOf'],
    ['a fraction as a divisor', { type: 'number', multipleOf: 0.1 }, '.multipleOf', '0.1'],
    ['a schema that nests too deep', nested(40), '', 'deeper'],
  ] as const
).map(([name, schema, path, says]): readonly [string, string, object, Refusal] => [
  `schema: ${name}`,
  chatPath,
  chat({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } }),
  { status: 400, code: 'invalid_value', says: [`response_format.json_schema.schema${path}`, says] },
]);

function nested(depth: number): object {
  return depth === 0 ? { type: 'null' } : { type: 'array', items: nested(depth - 1) };
}

const cases: readonly (readonly [string, string, object, Refusal])[] = [
  [
    'n as a string is not coerced',
    chatPath,
    chat({ n: '5' }),
    invalid('n', 'must be integer', '"5"', 'an integer of at least 1'),
  ],
  ['n = 0', chatPath, chat({ n: 0 }), invalid('n', 'got 0')],
  ['n fractional', chatPath, chat({ n: 1.5 }), invalid('n', '1.5')],
  ['n above the limit', chatPath, chat({ n: 9 }), invalid('n', 'at most 8', 'got 9')],
  ['n astronomically large', chatPath, chat({ n: 1e300 }), invalid('n')],
  ['no model', chatPath, chat({ model: undefined }), invalid('model', 'is required')],
  ['model null', chatPath, chat({ model: null }), invalid('model', 'is required')],
  ['model of the wrong type', chatPath, chat({ model: 5 }), invalid('model', 'got 5')],
  [
    'unknown model',
    chatPath,
    chat({ model: 'nope' }),
    { status: 404, code: 'model_not_found', param: 'model', says: ['nope', 'bytes, steered'] },
  ],
  [
    'unknown model, completions',
    textPath,
    completion({ model: 'nope' }),
    { status: 404, code: 'model_not_found', param: 'model' },
  ],
  [
    'unknown key in decoding',
    chatPath,
    chat({ decoding: { wieght: 1 } }),
    { status: 400, code: 'unknown_key', param: 'decoding.wieght', says: ['wieght'] },
  ],
  ['decoding that is no object', chatPath, chat({ decoding: 'eft' }), invalid('decoding', '"eft"')],
  ['decoding that is a list', chatPath, chat({ decoding: [1] }), invalid('decoding')],
  ['body that is a list', chatPath, [1, 2], invalid('body')],
  ['messages missing', chatPath, chat({ messages: undefined }), invalid('messages', 'is required')],
  ['messages empty', chatPath, chat({ messages: [] }), invalid('messages', 'got []')],
  ['messages a string', chatPath, chat({ messages: 'hi' }), invalid('messages')],
  [
    'message without role',
    chatPath,
    chat({ messages: [{ content: 'x' }] }),
    invalid('messages[0].role', 'is required'),
  ],
  [
    'message of an unknown role',
    chatPath,
    chat({ messages: [{ role: 'wizard', content: 'x' }] }),
    unsupported('messages[0].role', 'wizard', 'developer'),
  ],
  [
    'message with the role of an object member',
    chatPath,
    chat({ messages: [{ role: 'constructor', content: 'x' }] }),
    unsupported('messages[0].role'),
  ],
  ['message without content', chatPath, chat({ messages: [{ role: 'user' }] }), invalid('messages[0].content')],
  [
    'message with numeric content',
    chatPath,
    chat({ messages: [{ role: 'user', content: 5 }] }),
    invalid('messages[0].content', 'got 5'),
  ],
  [
    'image for a model that reads text',
    chatPath,
    chat({
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://169.254.169.254/' } }] }],
    }),
    unsupported('messages[0].content[0].image_url.url', 'reads text only'),
  ],
  [
    'tool call in a message',
    chatPath,
    chat({ messages: [{ role: 'assistant', content: null, tool_calls: [{ id: 'x' }] }] }),
    invalid('messages[0].tool_calls[0].function', 'must be an object'),
  ],
  [
    'a call whose arguments are no JSON',
    chatPath,
    chat({ messages: [{ role: 'assistant', tool_calls: [call('f', '{"a"')] }] }),
    invalid('messages[0].tool_calls[0].function.arguments', 'JSON object'),
  ],
  [
    'a call of the user',
    chatPath,
    chat({ messages: [{ role: 'user', content: 'x', tool_calls: [call('f', '{}')] }] }),
    invalid('messages[0].tool_calls', 'assistant'),
  ],
  [
    'a result without the call it answers',
    chatPath,
    chat({ messages: [{ role: 'tool', content: 'x' }] }),
    invalid('messages[0].tool_call_id', 'needs it'),
  ],
  ['a tool without a function', chatPath, chat({ tools: [{ type: 'function' }] }), invalid('tools[0].function')],
  ['a tool of another type', chatPath, chat({ tools: [{ type: 'web_search' }] }), unsupported('tools[0].type')],
  ['a tool without a name', chatPath, chat({ tools: [tool(undefined)] }), invalid('tools[0].function.name')],
  ['a tool with a name of spaces', chatPath, chat({ tools: [tool('a b')] }), invalid('tools[0].function.name', 'a b')],
  ['a tool twice', chatPath, chat({ tools: [tool('a'), tool('b'), tool('a')] }), invalid('tools[2].function.name')],
  [
    'an unknown key of a tool',
    chatPath,
    chat({ tools: [{ ...tool('a'), cache: true }] }),
    invalid('tools[0].cache', 'Known: type, function'),
  ],
  [
    'a choice of an unknown tool',
    chatPath,
    chat({ tools: [tool('a')], tool_choice: { type: 'function', function: { name: 'b' } } }),
    invalid('tool_choice.function.name', '"b"', 'Declared: a'),
  ],
  ['a choice that is none', chatPath, chat({ tools: [tool('a')], tool_choice: 'maybe' }), invalid('tool_choice')],
  ['a demand without tools', chatPath, chat({ tool_choice: 'required' }), invalid('tool_choice', 'no tools')],
  [
    'a schema of a demanded tool that cannot be kept',
    chatPath,
    chat({
      tools: [tool('a'), tool('b', { type: 'object', properties: { x: { not: {} } } })],
      tool_choice: 'required',
    }),
    invalid('tools[1].function.parameters.properties.x.not', 'not supported'),
  ],
  [
    'a format and a demand at once',
    chatPath,
    chat({ tools: [tool('a')], tool_choice: 'required', response_format: { type: 'json_object' } }),
    invalid('response_format', 'exclude each other'),
  ],
  ['functions of old', chatPath, chat({ functions: [{ name: 'f' }] }), unsupported('functions', 'Use tools')],
  ['an unknown format', chatPath, chat({ response_format: { type: 'xml' } }), invalid('response_format.type', '"xml"')],
  ['a format that is no object', chatPath, chat({ response_format: 'json' }), invalid('response_format')],
  [
    'a schema without a name',
    chatPath,
    chat({ response_format: { type: 'json_schema', json_schema: { schema: {} } } }),
    invalid('response_format.json_schema.name'),
  ],
  [
    'a schema without a schema',
    textPath,
    completion({ response_format: { type: 'json_schema', json_schema: { name: 'x' } } }),
    invalid('response_format.json_schema.schema'),
  ],
  ...schemas,
  ['store', chatPath, chat({ store: true }), unsupported('store')],
  ['suffix', textPath, completion({ suffix: 'x' }), unsupported('suffix', '"x"')],
  ['best_of in a stream', textPath, completion({ best_of: 3, stream: true }), unsupported('best_of', '3')],
  ['best_of in a chat', chatPath, chat({ best_of: 3 }), unsupported('best_of', '3')],
  ['user as a number', chatPath, chat({ user: 5 }), invalid('user', 'got 5', 'a string')],
  ['metadata that is no text', chatPath, chat({ metadata: { a: 1 } }), invalid('metadata')],
  ['a tier of no name', chatPath, chat({ service_tier: 'gold' }), invalid('service_tier', '"gold"')],
  ['a template from the client', chatPath, chat({ chat_template: '{{ 1 }}' }), unsupported('chat_template')],
  ['empty stop string', chatPath, chat({ stop: '' }), invalid('stop', '""', 'non-empty')],
  ['empty stop string in a list', chatPath, chat({ stop: ['a', ''] }), invalid('stop[1]', '""', 'non-empty')],
  ['too many stop strings', chatPath, chat({ stop: new Array(17).fill('x') }), invalid('stop', 'up to 16')],
  ['stop of the wrong type', chatPath, chat({ stop: 5 }), invalid('stop', 'got 5')],
  ['temperature out of range', chatPath, chat({ temperature: 2.1 }), invalid('temperature', '2.1')],
  ['temperature negative', chatPath, chat({ temperature: -0.1 }), invalid('temperature', '-0.1')],
  ['temperature a string', chatPath, chat({ temperature: 'hot' }), invalid('temperature', '"hot"')],
  ['top_p of 0', chatPath, chat({ top_p: 0 }), invalid('top_p')],
  ['top_k below -1', chatPath, chat({ top_k: -2 }), invalid('top_k')],
  ['min_p above 1', chatPath, chat({ min_p: 1.5 }), invalid('min_p')],
  ['penalty out of range', chatPath, chat({ presence_penalty: 3 }), invalid('presence_penalty')],
  ['repetition_penalty of 0', chatPath, chat({ repetition_penalty: 0 }), invalid('repetition_penalty')],
  ['stream as a number', chatPath, chat({ stream: 1 }), invalid('stream', 'got 1')],
  [
    'stream_options without stream',
    chatPath,
    chat({ stream_options: { include_usage: true } }),
    invalid('stream_options'),
  ],
  ['seed fractional', chatPath, chat({ seed: 0.5 }), invalid('seed')],
  ['logit_bias of a key that is no id', chatPath, chat({ logit_bias: { hello: 1 } }), invalid('logit_bias', 'hello')],
  ['logit_bias out of range', chatPath, chat({ logit_bias: { 5: 101 } }), invalid('logit_bias[5]', '101')],
  [
    'logit_bias of a token outside the vocabulary',
    chatPath,
    chat({ logit_bias: { 257: 1 } }),
    { status: 400, code: 'token_out_of_range', param: 'logit_bias', says: [257, '0 to 256'] },
  ],
  ['logit_bias as a list', chatPath, chat({ logit_bias: [1] }), invalid('logit_bias')],
  [
    'stop_token_ids outside the vocabulary',
    chatPath,
    chat({ stop_token_ids: [999] }),
    { status: 400, code: 'token_out_of_range', param: 'stop_token_ids', says: [999] },
  ],
  ['top_logprobs without logprobs', chatPath, chat({ top_logprobs: 2 }), invalid('top_logprobs')],
  ['top_logprobs above 20', chatPath, chat({ logprobs: true, top_logprobs: 21 }), invalid('top_logprobs', '21')],
  ['chat logprobs as a number', chatPath, chat({ logprobs: 2 }), invalid('logprobs')],
  ['completion logprobs above 5', textPath, completion({ logprobs: 6 }), invalid('logprobs', 'got 6', '-1')],
  ['completion logprobs below -1', textPath, completion({ logprobs: -2 }), invalid('logprobs')],
  ['max_tokens of 0 without echo', textPath, completion({ max_tokens: 0 }), invalid('max_tokens', 'echo')],
  ['max_tokens of 0 in a chat', chatPath, chat({ max_tokens: 0 }), invalid('max_tokens')],
  ['max_tokens that contradict', chatPath, chat({ max_tokens: 3, max_completion_tokens: 4 }), invalid('max_tokens')],
  ['min_tokens above max_tokens', chatPath, chat({ max_tokens: 3, min_tokens: 4 }), invalid('min_tokens', 'got 4')],
  [
    'both ways to end the prompt',
    chatPath,
    chat({ add_generation_prompt: true, continue_final_message: true }),
    invalid('continue_final_message'),
  ],
  ['prompt missing', textPath, completion({ prompt: undefined }), invalid('prompt', 'is required')],
  ['prompt an empty list', textPath, completion({ prompt: [] }), invalid('prompt')],
  ['prompt of an empty list of ids', textPath, completion({ prompt: [[]] }), invalid('prompt[0]')],
  ['prompt of mixed types', textPath, completion({ prompt: [1, 'a'] }), invalid('prompt[1]', '"a"')],
  ['prompt with a negative id', textPath, completion({ prompt: [1, -1] }), invalid('prompt[1]')],
  ['prompt with a fractional id', textPath, completion({ prompt: [1.5] }), invalid('prompt[0]')],
  [
    'prompt with an id outside the vocabulary',
    textPath,
    completion({ prompt: [1, 257] }),
    { status: 400, code: 'token_out_of_range', param: 'prompt', says: [257, 'bytes', '0 to 256'] },
  ],
  [
    'prompt with an enormous id',
    textPath,
    completion({ prompt: [2 ** 53] }),
    { status: 400, code: 'token_out_of_range', param: 'prompt', says: [2 ** 53] },
  ],
  [
    'too many prompts',
    textPath,
    completion({ prompt: ['a', 'b', 'c', 'd', 'e'] }),
    invalid('prompt', 'at most 4', 'got 5'),
  ],
  [
    'prompt without any token',
    textPath,
    completion({ prompt: '', add_special_tokens: false }),
    invalid('prompt', 'no tokens'),
  ],
  [
    'prompt beyond the context',
    textPath,
    completion({ prompt: ids(100) }),
    { status: 400, code: 'context_length_exceeded', param: 'prompt', says: [100, 'context of bytes holds 100'] },
  ],
  [
    'prompt and answer beyond the context',
    textPath,
    completion({ prompt: ids(50), max_tokens: 51 }),
    { status: 400, code: 'context_length_exceeded', param: 'prompt', says: [50, 51, 100] },
  ],
  [
    'chat beyond the context',
    chatPath,
    chat({ messages: [{ role: 'user', content: 'x'.repeat(200) }] }),
    { status: 400, code: 'context_length_exceeded', param: 'messages', says: [222, 100] },
  ],
  [
    'the longest view counts',
    chatPath,
    chat({ model: 'steered', messages: [{ role: 'user', content: 'x'.repeat(75) }], max_tokens: 4 }),
    { status: 400, code: 'context_length_exceeded', param: 'messages', says: [97] },
  ],
  [
    'n × max_tokens × prompts beyond the budget',
    textPath,
    completion({ prompt: ['a', 'b', 'c', 'd'], n: 8, max_tokens: 63 }),
    { status: 400, code: 'budget_exceeded', param: 'n', says: [2016, 2000] },
  ],
];

describe('refused before the engine', () => {
  test.each(cases)('%s', async (_name, url, payload, expected) => {
    expectRefusal(await server.app.inject({ method: 'POST', url, payload }), expected);
    expect(server.submitted).toHaveLength(0);
  });
});

describe('bodies that are no JSON object', () => {
  const post = (payload: string, type = 'application/json', url = chatPath) =>
    server.app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } });

  test('malformed', async () => {
    expectRefusal(await post('{"model": "bytes",'), {
      status: 400,
      code: 'invalid_json',
      says: ['application/json', 'position'],
    });
  });
  test('empty', async () => {
    expectRefusal(await post(''), { status: 400, code: 'invalid_json', says: ['empty'] });
  });
  test('a number', async () => {
    expectRefusal(await post('5'), { status: 400, code: 'invalid_value', param: 'body' });
  });
  test('null', async () => {
    expectRefusal(await post('null'), { status: 400, code: 'invalid_value', param: 'body' });
  });
  test('a number beyond all numbers is shown as what it was read as', async () => {
    const body = '{"model":"bytes","messages":[{"role":"user","content":"x"}],"temperature":1e400}';
    expectRefusal(await post(body), invalid('temperature', '(got Infinity)'));
  });
  test('a poisoned prototype', async () => {
    const body = '{"model":"bytes","messages":[{"role":"user","content":"x"}],"__proto__":{"n":5}}';
    expectRefusal(await post(body), { status: 400, code: 'invalid_json', says: ['forbidden key'] });
  });
  test('another content type', async () => {
    expectRefusal(await post('{}', 'text/plain'), {
      status: 415,
      code: 'unsupported_media_type',
      says: ['text/plain'],
    });
    expectRefusal(await post('a=b', 'application/x-www-form-urlencoded'), {
      status: 415,
      code: 'unsupported_media_type',
    });
  });
  test('compressed, which is not undone', async () => {
    const refusal: Refusal = { status: 415, code: 'unsupported_content_encoding', says: ['gzip', 'without'] };
    const payload = gzipSync(JSON.stringify(chat()));
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    expectRefusal(await server.app.inject({ method: 'POST', url: chatPath, payload, headers }), refusal);
  });
  test('another encoding of characters', async () => {
    const payload = Buffer.from(JSON.stringify(chat({ user: 'caf\u00e9' })), 'latin1');
    const headers = { 'content-type': 'application/json' };
    const refusal: Refusal = { status: 400, code: 'invalid_json', says: ['not UTF-8'] };
    expectRefusal(await server.app.inject({ method: 'POST', url: chatPath, payload, headers }), refusal);
  });
  test('too large', async () => {
    const refusal: Refusal = { status: 413, code: 'body_too_large', says: [65536] };
    expectRefusal(await post(JSON.stringify(chat({ user: 'x'.repeat(70_000) }))), refusal);
  });
  test.each([
    ['in a field', (inner: string) => `{"model":"bytes","prompt":${inner}}`],
    ['where anything is allowed', (inner: string) => `{"model":"bytes","prompt":"x","decoding":{"method":${inner}}}`],
    ['in the whole body', (inner: string) => inner],
  ])('nested too deeply %s', async (_where, wrap) => {
    const depth = 8000;
    const lists = wrap(`${'['.repeat(depth)}1${']'.repeat(depth)}`);
    const refusal: Refusal = { status: 400, code: 'invalid_json', says: ['deeper than 64 levels'] };
    expectRefusal(await post(lists, 'application/json', textPath), refusal);
    const objects = wrap(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
    expectRefusal(await post(objects, 'application/json', textPath), refusal);
  });
  test('brackets in strings are no nesting', async () => {
    const prompt = JSON.stringify('\\"[[{{'.repeat(8));
    expect((await post(`{"model":"bytes","prompt":${prompt}}`, 'application/json', textPath)).statusCode).toBe(200);
  });
  test('a lone surrogate in every place that is shown', async () => {
    expectRefusal(await post('{"model":"bytes","messages":"\\ud800"}'), {
      status: 400,
      code: 'invalid_value',
      param: 'messages',
    });
    expectRefusal(await post('{"model":"\\ud83d","messages":[{"role":"user","content":"x"}]}'), {
      status: 404,
      code: 'model_not_found',
    });
  });
});

describe('unknown keys', () => {
  test('are listed in a header by default', async () => {
    const payload = chat({ temprature: 1, 'bad\nkey, é': 2, user: 'me' });
    const response = await server.app.inject({ method: 'POST', url: chatPath, payload });
    expect(response.statusCode).toBe(200);
    expect(response.headers['x-trimtab-ignored']).toBe('temprature,bad%0Akey%2C%20%C3%A9,user');
  });

  test('are errors in strict mode', async () => {
    const strict = await harness(hello, { strict: true });
    const response = await strict.app.inject({ method: 'POST', url: chatPath, payload: chat({ temprature: 1 }) });
    expectRefusal(response, {
      status: 400,
      code: 'unknown_key',
      param: 'temprature',
      says: ['Did you mean temperature?'],
    });
    const accepted = await strict.app.inject({
      method: 'POST',
      url: chatPath,
      payload: chat({ user: 'me', tools: [], store: false }),
    });
    expect(accepted.statusCode).toBe(200);
    await strict.app.close();
  });

  test('null means left out', async () => {
    const payload = chat({ temperature: null, stop: null, n: null, tools: null, response_format: null });
    expect((await server.app.inject({ method: 'POST', url: chatPath, payload })).statusCode).toBe(200);
  });
});

describe('routes', () => {
  test('an unknown address', async () => {
    const response = await server.app.inject('/v1/nothing?key=secret');
    expectRefusal(response, { status: 404, code: 'route_not_found', says: ['/v1/nothing'] });
    expect(response.body).not.toContain('secret');
  });
  test('a method that is not allowed', async () => {
    const response = await server.app.inject({ method: 'GET', url: chatPath });
    expectRefusal(response, { status: 405, code: 'method_not_allowed', says: ['GET', 'POST'] });
    expect(response.headers['allow']).toBe('POST');
    const deleted = await server.app.inject({ method: 'DELETE', url: '/v1/models/bytes' });
    expectRefusal(deleted, { status: 405, code: 'method_not_allowed' });
  });
  test('a malformed address', async () => {
    expectRefusal(await server.app.inject('/v1/models/%ZZ'), { status: 400, code: 'malformed_request' });
  });
  test('an unknown model by address', async () => {
    expectRefusal(await server.app.inject('/v1/models/a%2Fb'), {
      status: 404,
      code: 'model_not_found',
      param: 'model',
      says: ['a/b'],
    });
  });
});

describe('the state of the engine', () => {
  test.each([
    ['starting', 503, 'not_ready', '2'],
    ['draining', 503, 'draining', '1'],
  ] as const)('%s', async (state, status, code, retryAfter) => {
    server.state = state;
    const response = await server.app.inject({ method: 'POST', url: chatPath, payload: chat() });
    expectRefusal(response, { status, code });
    expect(response.headers['retry-after']).toBe(retryAfter);
    expect((await server.app.inject('/ready')).statusCode).toBe(503);
    expect((await server.app.inject('/health')).statusCode).toBe(200);
    server.state = 'ready';
    expect((await server.app.inject('/ready')).statusCode).toBe(200);
  });

  test('failed: not worth a retry, and the cause stays inside', async () => {
    server.state = 'failed';
    const response = await server.app.inject({ method: 'POST', url: chatPath, payload: chat() });
    server.state = 'ready';
    expectRefusal(response, { status: 500, code: 'engine_failed', says: [String(response.headers['x-request-id'])] });
    expect(response.headers['x-should-retry']).toBe('false');
  });
});

describe('failures after admission', () => {
  const failing = async (error: Error, payload: object) => {
    const failed = await harness(async function* () {
      await Promise.resolve();
      throw error;
    });
    const response = await failed.app.inject({ method: 'POST', url: chatPath, payload });
    await failed.app.close();
    return response;
  };

  test.each([false, true])('a full queue is a status with retry-after (stream %s)', async (stream) => {
    const error = new AppError('queue_full', { waiting: 9, limit: 9, retryAfterSeconds: 3 });
    const response = await failing(error, chat({ stream }));
    expectRefusal(response, { status: 503, code: 'queue_full' });
    expect(response.headers['retry-after']).toBe('3');
    expect(response.headers).not.toHaveProperty('x-should-retry');
  });

  test.each([false, true])('a bug shows nothing but the request id (stream %s)', async (stream) => {
    const response = await failing(new TypeError('secret at /home/someone/file.ts:3'), chat({ stream }));
    expectRefusal(response, { status: 500, code: 'internal_error', says: [String(response.headers['x-request-id'])] });
    expect(response.body).not.toContain('secret');
    expect(response.headers['x-should-retry']).toBe('false');
  });

  test('a file of a model is not named', async () => {
    const error = new AppError('model_file_missing', { path: '/home/someone/model', remedy: '' });
    expectRefusal(await failing(error, chat()), { status: 500, code: 'internal_error' });
  });
});

describe('what node refuses before there is a request', () => {
  const raw = async (bytes: string, overrides: Parameters<typeof harness>[1] = {}): Promise<string> => {
    const own = await harness(silent, overrides);
    await own.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = own.app.server.address() as AddressInfo;
    const answer = await new Promise<string>((resolve, reject) => {
      let received = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (chunk) => (received += chunk.toString()));
      socket.on('close', () => resolve(received));
      socket.on('error', reject);
    });
    await own.app.close();
    return answer;
  };

  test('no HTTP at all', async () => {
    const answer = await raw('hello there\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect((JSON.parse(answer.split('\r\n\r\n')[1]!) as WireError).error.code).toBe('malformed_request');
  });

  test('a body that does not come', async () => {
    const head =
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n';
    const answer = await raw(`${head}{"mo`, { requestTimeoutMs: 100 });
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect((JSON.parse(answer.split('\r\n\r\n')[1]!) as WireError).error.code).toBe('request_timeout');
  });

  test('headers beyond the limit', async () => {
    const answer = await raw(`GET /health HTTP/1.1\r\nhost: x\r\nx-long: ${'a'.repeat(40_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect((JSON.parse(answer.split('\r\n\r\n')[1]!) as WireError).error.code).toBe('headers_too_large');
  });
});
