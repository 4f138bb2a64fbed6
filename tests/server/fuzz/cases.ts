// What a hostile or broken client may send over HTTP, as data: a method, an address, headers and the text of a body. Bodies begin as good
// ones and are damaged: values of other types and sizes anywhere in the tree, unknown keys, cut and garbled JSON.
import fc from 'fast-check';

export interface HttpCase {
  readonly method: string;
  readonly url: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const model = 'small';
const messages = [
  { role: 'system', content: 's' },
  { role: 'user', content: [{ type: 'text', text: 'hi' }] },
];
const decoding = { method: 'plain', model };
const schema = {
  type: 'object',
  properties: {
    a: { type: 'integer', minimum: 0 },
    b: { enum: ['x', 'y'] },
    c: { type: 'string', pattern: '^[a-z]+$' },
  },
  required: ['a'],
  additionalProperties: false,
};
const tool = { name: 'look_up', description: 'd', parameters: schema };

/** Good bodies, at least one of every route that takes one. */
export const bodies: readonly (readonly [url: string, body: object])[] = [
  [
    '/v1/chat/completions',
    {
      model,
      messages,
      decoding,
      max_completion_tokens: 3,
      stream: true,
      stream_options: { include_usage: true },
      n: 2,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 5,
      min_p: 0.1,
      stop: ['x'],
      stop_token_ids: [5],
      seed: 1,
      logprobs: true,
      top_logprobs: 2,
      logit_bias: { 42: 1 },
      presence_penalty: 0.1,
      frequency_penalty: 0.1,
      repetition_penalty: 1.1,
      min_tokens: 1,
      decoding_trace: true,
      return_token_ids: true,
      priority: 1,
      user: 'u',
    },
  ],
  [
    '/v1/chat/completions',
    {
      model,
      messages,
      max_tokens: 4,
      temperature: 0,
      response_format: { type: 'json_schema', json_schema: { name: 'n', strict: true, schema } },
    },
  ],
  [
    '/v1/chat/completions',
    {
      model,
      messages,
      max_tokens: 4,
      tools: [{ type: 'function', function: tool }],
      tool_choice: 'auto',
      parallel_tool_calls: true,
    },
  ],
  [
    '/v1/responses',
    { model, input: 'hi', max_output_tokens: 4, text: { format: { type: 'json_schema', name: 'n', schema } } },
  ],
  ['/v1/completions', { model, prompt: ['a', 'b'], max_tokens: 3, echo: true, logprobs: 2, best_of: 2, n: 1, seed: 1 }],
  [
    '/v1/responses',
    {
      model,
      input: [{ role: 'user', content: [{ type: 'input_text', text: 'hi' }] }],
      instructions: 'i',
      max_output_tokens: 3,
      stream: true,
      metadata: { a: 'b' },
      truncation: 'auto',
      text: { format: { type: 'text' } },
      include: ['message.output_text.logprobs'],
      top_logprobs: 1,
      reasoning: { effort: 'none' },
    },
  ],
  [
    '/v1/responses',
    {
      model,
      input: [
        { role: 'user', content: 'hi' },
        { type: 'function_call', call_id: 'c', name: 'look_up', arguments: '{"a": 1}' },
        { type: 'function_call_output', call_id: 'c', output: [{ type: 'input_text', text: 'x' }] },
      ],
      max_output_tokens: 4,
      tools: [{ type: 'function', ...tool, strict: true }],
      tool_choice: { type: 'function', name: 'look_up' },
      parallel_tool_calls: false,
    },
  ],
  ['/v1/responses/input_tokens', { model, input: 'hi', instructions: 'i', truncation: 'auto' }],
  ['/v1/embeddings', { model, input: ['a', 'b'], encoding_format: 'float' }],
  ['/tokenize', { model, prompt: 'hi', add_special_tokens: false, return_token_strs: true }],
  ['/detokenize', { model, tokens: [1, 2, 3] }],
  ['/v1/chat/completions/render', { model, messages }],
  ['/v1/decoding/explain', { model, decoding }],
];

const extremes = fc.constantFrom<unknown>(
  ...[null, true, false, 0, -0, 1, -1, 0.5, 7, 511, 512, 1e300, -1e300, 5e-324, 2 ** 31, 2 ** 53, -(2 ** 31)],
  ...['', ' ', '\0', '5', 'null', '\ud800', '\u202e', '../../etc/passwd', '{{ 7 * 7 }}', 'x'.repeat(3000)],
  ...[[], {}, [[]], [''], [null], [1, 'a'], { '': 1 }, { length: 3 }, { toString: 1 }, { constructor: 1 }],
  ...[{ $ref: '#' }, { type: 'array', items: { $ref: '#' } }, { pattern: '(a+)+$' }, { anyOf: [] }, { enum: [] }],
  ...['object', 'array', 'string', 'json_object', 'json_schema', 'required', '^(', '[a-z]{1,99999}', '(?=a)'],
  ...['plain', 'eft', 'rain', 'best_of_n', 'text', 'auto', 'user', 'tool', 'function', 'assistant'],
);
const value = fc.oneof(
  { weight: 3, arbitrary: extremes },
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.array(fc.nat(600), { maxLength: 30 }),
);
const key = fc.oneof(
  fc.constantFrom(
    ...['tools', 'tool_choice', 'response_format', 'functions', 'suffix', 'best_of', 'guided_regex', 'guided_json'],
    ...['chat_template', 'prompt_embeds', 'logits_processors', 'store', 'previous_response_id', 'prediction'],
    ...['dimensions', 'audio', 'modalities', 'constructor', 'toString', 'then', 'model', 'method', 'decoding'],
    ...['prompt', 'messages', 'input', 'n', 'stream', 'max_tokens', 'service_tier', 'metadata', 'speculation'],
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
);

type Damage =
  | { readonly kind: 'replace'; readonly at: number; readonly value: unknown }
  | { readonly kind: 'remove'; readonly at: number }
  | { readonly kind: 'add'; readonly at: number; readonly key: string; readonly value: unknown };

const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('replace' as const), at: fc.nat(200), value }) },
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(200) }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('add' as const), at: fc.nat(200), key, value }) },
);

type Node = Record<string, unknown>;

/** Every place in the tree, as its holder and its key. */
function places(holder: Node): (readonly [Node, string])[] {
  return Object.keys(holder).flatMap((name) => {
    const inner = holder[name];
    const below = typeof inner === 'object' && inner !== null ? places(inner as Node) : [];
    return [[holder, name] as const, ...below];
  });
}

function damaged(body: object, damages: readonly Damage[]): object {
  const root: Node = { body: structuredClone(body) };
  for (const given of damages) {
    // Values of fast-check's constants are shared: what is put in is a copy.
    const one = structuredClone(given);
    const all = places(root);
    const [holder, name] = all[one.at % all.length]!;
    if (one.kind === 'remove') delete holder[name];
    else if (one.kind === 'replace') holder[name] = one.value;
    else {
      const target = typeof holder[name] === 'object' && holder[name] !== null ? (holder[name] as Node) : holder;
      // The one property of a list that cannot be defined anew, and that JSON does not show.
      if (Array.isArray(target) && one.key === 'length') continue;
      Object.defineProperty(target, one.key, {
        value: one.value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    if (Object.keys(root).length === 0) return {};
  }
  return root['body'] as object;
}

const json = { 'content-type': 'application/json' };
const good = fc.constantFrom(...bodies);

const structured = fc
  .tuple(good, fc.array(damage, { minLength: 0, maxLength: 3 }))
  .map(([[url, body], damages]): HttpCase => ({
    method: 'POST',
    url,
    body: JSON.stringify(damaged(body, damages)) ?? '',
    headers: json,
  }));

/** Text that is no longer the JSON that it was. */
const garbled = fc
  .tuple(good, fc.nat(400), fc.nat(400), fc.string({ unit: 'binary', maxLength: 8 }))
  .map(([[url, body], from, length, insert]): HttpCase => {
    const text = JSON.stringify(body);
    const at = from % text.length;
    return { method: 'POST', url, body: text.slice(0, at) + insert + text.slice(at + length), headers: json };
  });

const address = fc.oneof(
  fc.constantFrom(
    ...[
      '/',
      '/v1',
      '/v1/',
      '/v1/models',
      '/v1/models/',
      '/v1/models/small',
      '/v1/models/..%2f..%2fetc%2fpasswd',
      '/health',
    ],
    ...[
      '/ready',
      '/metrics',
      '/v1/decoding/methods',
      '/v1/responses',
      '/v1/decode/ws',
      '/v1/responses/resp_1',
      '/%',
      '/%00',
    ],
    ...[
      '/v1/chat/completions?stream=true',
      '/v1/chat//completions',
      '/V1/MODELS',
      '/v1/files',
      '/docs',
      '/..;/metrics',
    ],
  ),
  fc.webPath().map((path) => `/${path.replace(/^\/+/, '')}`),
  fc.string({ unit: 'grapheme', maxLength: 12 }).map((path) => `/${encodeURIComponent(path)}`),
);
const strange = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'),
    fc.oneof(
      address,
      good.map(([url]) => url),
    ),
    fc.constantFrom('application/json', 'text/plain', 'application/json; charset=utf-16', 'multipart/form-data', '*'),
    fc.string({ unit: 'binary', maxLength: 30 }),
  )
  .map(([method, url, type, body]): HttpCase => {
    const hasBody = method !== 'GET' && method !== 'HEAD';
    return { method, url, ...(hasBody ? { body, headers: { 'content-type': type } } : {}) };
  });

export const httpCase: fc.Arbitrary<HttpCase> = fc.oneof(
  { weight: 7, arbitrary: structured },
  { weight: 2, arbitrary: garbled },
  { weight: 1, arbitrary: strange },
);
