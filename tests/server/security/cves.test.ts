// One test per published cause of a vulnerability in an LLM server that could apply here.
// Each tries what the advisory describes, against the code that would have to fall for it.
import { timingSafeEqual } from 'node:crypto';
import { connect, createServer, type AddressInfo } from 'node:net';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PrefixStore } from '../../../server/engine/prefixes.js';
import { AppError } from '../../../server/errors.js';
import { readCheckpoint } from '../../../server/models/checkpoint.js';
import { SafetensorsSource } from '../../../server/models/safetensors.js';
import { ChatTemplate } from '../../../server/models/template.js';
import { Keyring } from '../../../server/plugins/auth.js';
import { chat, completion, harness, hello, response, type Harness } from '../http/support.js';
import { f32, safetensorsBytes, temporaryFolder, withHeader, writeModel } from '../models/write-safetensors.js';
import { apiKey, hash } from '../../support/api-key.js';

let server: Harness;
beforeAll(async () => {
  server = await harness(hello);
});
afterAll(async () => server.app.close());
beforeEach(() => {
  server.submitted.length = 0;
});
/** Whatever was sent, others are served as before. */
afterEach(async () => {
  const reply = await server.app.inject({ method: 'POST', url: '/v1/completions', payload: completion() });
  expect(reply.statusCode).toBe(200);
});

const chatPath = '/v1/chat/completions';
const textPath = '/v1/completions';

const post = (url: string, payload: object) => server.app.inject({ method: 'POST', url, payload });

/** A 400 that names the field, before anything was computed. */
async function expectRefused(url: string, payload: object, param: string | RegExp): Promise<void> {
  const reply = await post(url, payload);
  expect(reply.statusCode).toBe(400);
  const named = reply.json<{ error: { param: string } }>().error.param;
  if (typeof param === 'string') expect(named).toBe(param);
  else expect(named).toMatch(param);
  expect(server.submitted).toHaveLength(0);
}

function errorOf(action: () => unknown): AppError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    return error as AppError;
  }
  throw new Error('nothing was thrown');
}

const url = 'http://169.254.169.254/latest/meta-data/';
const picture = (address: string) => [{ role: 'user', content: [{ type: 'image_url', image_url: { url: address } }] }];

describe('too much of something', () => {
  test('CVE-2024-8768: an empty prompt', async () => {
    await expectRefused(textPath, completion({ prompt: '', add_special_tokens: false }), 'prompt');
    await expectRefused(textPath, completion({ prompt: [] }), 'prompt');
    await expectRefused(textPath, completion({ prompt: [[]] }), /^prompt/);
  });

  test('CVE-2024-8939: an unbounded best_of', async () => {
    for (const best of [9, 1e6, 2 ** 31, 1e300])
      await expectRefused(textPath, completion({ best_of: best }), 'best_of');
  });

  test('CVE-2026-34756: an unbounded n', async () => {
    for (const n of [9, 1e6, 2 ** 31, 1e300]) {
      await expectRefused(chatPath, chat({ n }), 'n');
      await expectRefused(textPath, completion({ n }), 'n');
    }
  });

  test('CVE-2026-21869: negative numbers where counts and ids are meant', async () => {
    for (const field of ['n', 'max_tokens', 'min_tokens', 'top_k', 'logprobs', 'best_of']) {
      await expectRefused(textPath, completion({ [field]: -5 }), field);
    }
    await expectRefused(textPath, completion({ prompt: [-1] }), /^prompt/);
    await expectRefused(textPath, completion({ stop_token_ids: [-1] }), /^stop_token_ids/);
    await expectRefused(textPath, completion({ logit_bias: { '-1': 1 } }), 'logit_bias');
  });

  test('CVE-2025-48956: headers without an end', async () => {
    const listening = await harness(hello);
    await listening.app.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect((listening.app.server.address() as AddressInfo).port, '127.0.0.1');
    let answer = '';
    socket.on('data', (data: Buffer) => (answer += data.toString()));
    socket.on('error', () => undefined);
    socket.write('GET /health HTTP/1.1\r\nhost: x\r\n');
    socket.write(`x-filler: ${'a'.repeat(1 << 20)}\r\n\r\n`);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('headers_too_large');
    await listening.app.close();
  });
});

describe('code and templates from a client', () => {
  test('CVE-2026-7304: a logits processor in the request', async () => {
    const processor = '{"callable": "8004952f00..."}';
    await expectRefused(chatPath, chat({ custom_logit_processor: processor }), 'custom_logit_processor');
    await expectRefused(chatPath, chat({ logits_processors: ['os.system'] }), 'logits_processors');
  });

  test('CVE-2025-62164: prompt embeddings that are deserialised', async () => {
    await expectRefused(textPath, completion({ prompt_embeds: 'gASVLw==' }), 'prompt_embeds');
  });

  test('CVE-2025-61620: a chat template of the client', async () => {
    const template = '{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}';
    await expectRefused(chatPath, chat({ chat_template: template }), 'chat_template');
    // In a message it is text.
    await post(chatPath, chat({ messages: [{ role: 'user', content: '{{ 7 * 7 }}' }] }));
    expect(Buffer.from(Uint8Array.from(server.submitted[0]!.request.promptIds[0]!)).toString()).toContain(
      '{{ 7 * 7 }}',
    );
  });

  test('CVE-2025-62426: template arguments that force other work', async () => {
    const payload = chat({ chat_template_kwargs: { tokenize: true, chat_template: 'x' } });
    await expectRefused(chatPath, payload, 'chat_template_kwargs');
  });

  test('CVE-2026-5760: a template of the model folder that reaches for the process', () => {
    for (const source of [
      "{{ ''.constructor.constructor('return process')() }}",
      "{{ messages.constructor.constructor('return process.env')() }}",
      '{{ cycler.__init__.__globals__.os.popen("id").read() }}',
      '{{ self.__dict__ }}{{ namespace.__class__.__mro__ }}',
    ]) {
      let text = '';
      try {
        const template = new ChatTemplate('x.jinja', source, {});
        text = template.render([{ role: 'user', content: 'a' }], { addGenerationPrompt: false, continueFinal: false });
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
      expect(text).not.toMatch(/uid=|PATH|object|class|function/i);
    }
  });

  test('CVE-2025-48942, CVE-2025-48943, CVE-2025-48944: schemas, patterns and tools that are none', async () => {
    const schema = { type: 'json_schema', json_schema: { name: 'x', schema: { properties: 5 } } };
    await expectRefused(chatPath, chat({ response_format: schema }), /^response_format/);
    await expectRefused(chatPath, chat({ guided_regex: '(' }), 'guided_regex');
    await expectRefused(chatPath, chat({ tools: [{ type: 'nothing' }] }), /^tools/);
  });
});

describe('addresses in requests', () => {
  const strange = [
    url,
    'http:\\\\169.254.169.254\\',
    'http://allowed.example\\@127.0.0.1/',
    'file:///etc/passwd',
    'data:image/png;base64,iVBORw0KGgo=',
  ];

  test('CVE-2025-6242, CVE-2026-24779, CVE-2026-25960: the server is made to fetch an address', async () => {
    for (const address of strange) {
      await expectRefused(chatPath, chat({ messages: picture(address) }), /^messages\[0\]\.content/);
      const input = [{ role: 'user', content: [{ type: 'input_image', image_url: address }] }];
      await expectRefused('/v1/responses', response({ input }), /^input\[0\]\.content/);
      const files = [{ role: 'user', content: [{ type: 'input_file', file_url: address }] }];
      await expectRefused('/v1/responses', response({ input: files }), /^input\[0\]\.content/);
    }
  });

  test('CVE-2026-22773, CVE-2025-46722: a picture, whatever its size', async () => {
    const tiny =
      'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    await expectRefused(chatPath, chat({ messages: picture(tiny) }), /^messages\[0\]\.content/);
  });

  test('CVE-2026-0599: a link in the text of a prompt is text', async () => {
    let asked = 0;
    const trap = createServer((socket) => {
      asked++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/x.png`;
    const reply = await post(chatPath, chat({ messages: [{ role: 'user', content: `![](${address})` }] }));
    expect(reply.statusCode).toBe(200);
    expect((await post('/v1/responses', response({ input: `![](${address})` }))).statusCode).toBe(200);
    expect(asked).toBe(0);
    await new Promise((resolve) => trap.close(resolve));
  });

  test('CVE-2024-37032: a path in a name', async () => {
    for (const name of ['../../../../etc/passwd', '..%2f..%2fetc%2fpasswd', '/etc/passwd', 'sha256-../../x']) {
      const found = await server.app.inject(`/v1/models/${name}`);
      expect(found.statusCode).toBe(404);
      expect(found.body).not.toContain('root:');
      expect((await post(textPath, completion({ model: name }))).statusCode).toBe(404);
    }
  });
});

test('CVE-2026-22778: an error shows no address, no path and no stack', async () => {
  const failing = await harness(async function* () {
    throw new Error('PIL: cannot identify <_io.BytesIO object at 0x7f95e0d7c4a0> in /srv/models/secret');
  });
  const whole = await failing.app.inject({ method: 'POST', url: textPath, payload: completion() });
  expect(whole.statusCode).toBe(500);
  for (const body of [
    whole.body,
    (await failing.app.inject({ method: 'POST', url: textPath, payload: completion({ stream: true }) })).body,
  ]) {
    expect(body).toContain('internal_error');
    expect(body).not.toMatch(/0x[0-9a-f]+|srv|secret|PIL|\bat\b.*:\d+/);
  }
  await failing.app.close();
});

describe('keys', () => {
  // The times themselves would be a test of the machine: what is tested is that nothing stops early.
  test('CVE-2025-59425: every candidate is compared, by digest, with every key', () => {
    const names = ['first', 'middle', 'last'];
    const entries = names.map((name) => apiKey(name, `key-of-${name}`));
    const compared: [number, number][] = [];
    const keyring = new Keyring(entries, (a, b) => {
      compared.push([a.byteLength, b.byteLength]);
      return timingSafeEqual(a, b);
    });
    for (const [candidate, found] of [
      ['key-of-first', 'first'],
      ['key-of-last', 'last'],
      ['key-of-firsu', undefined],
      ['', undefined],
      ['k'.repeat(10_000), undefined],
      [hash('key-of-first'), undefined],
    ] as const) {
      compared.length = 0;
      expect(keyring.find(candidate)?.name).toBe(found);
      expect(compared).toEqual([
        [32, 32],
        [32, 32],
        [32, 32],
      ]);
    }
  });
});

describe('prefixes of others', () => {
  test('CVE-2025-25183: a prefix is found by its tokens, not by a hash of them', () => {
    const store = new PrefixStore(1 << 20);
    const ids = Int32Array.from({ length: 40 }, (_, index) => index);
    store.store(ids, 0, { length: 40, bytes: 1000, release: () => undefined });
    // Pairs that collide in weak hashes: swapped, negated, moved by a power of two.
    for (const change of [
      (copy: Int32Array) => copy.reverse(),
      (copy: Int32Array) => copy.map((id) => id + 2 ** 16),
      (copy: Int32Array) => copy.map((id) => -1 - id),
    ]) {
      const other = change(ids.slice());
      expect(store.find(Int32Array.from([...other, 1]), 0)).toBeNull();
    }
    expect(store.find(Int32Array.from([...ids, 1]), 0)?.length).toBe(40);
  });

  test('CVE-2025-46570: a salt that would not be honoured is refused', async () => {
    await expectRefused(chatPath, chat({ cache_salt: 'tenant' }), 'cache_salt');
  });
});

describe('model folders', () => {
  const config = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    hidden_size: 8,
    intermediate_size: 16,
    num_attention_heads: 2,
    num_hidden_layers: 1,
    vocab_size: 32,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
    hidden_act: 'silu',
  };

  test('CVE-2026-22807: code that a folder brings along is not run', () => {
    const folder = temporaryFolder();
    const mark = join(folder, 'ran');
    const auto_map = { AutoConfig: 'evil.js--Config', AutoModelForCausalLM: 'evil.Model' };
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, auto_map }));
    for (const name of ['evil.js', 'evil.py', 'index.js']) {
      writeFileSync(join(folder, name), `require('fs').writeFileSync(${JSON.stringify(mark)}, '')`);
    }
    expect(readCheckpoint(folder).spec.vocabSize).toBe(32);
    expect(existsSync(mark)).toBe(false);
  });

  test('CVE-2022-25882, CVE-2024-27318, CVE-2026-27489: weights outside the folder', () => {
    for (const shard of ['../secret.safetensors', '/etc/hostname', 'sub/../../secret.safetensors']) {
      const root = temporaryFolder();
      const folder = join(root, 'model');
      mkdirSync(folder);
      writeFileSync(join(root, 'secret.safetensors'), safetensorsBytes({ a: f32([1], [0]) }));
      writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { a: shard } }));
      expect(errorOf(() => SafetensorsSource.open(folder)).data.code).toBe('model_file_invalid');
    }
  });

  test('CVE-2026-34447: a link that leads out of the folder', () => {
    const root = temporaryFolder();
    const folder = join(root, 'model');
    mkdirSync(folder);
    writeFileSync(join(root, 'secret'), safetensorsBytes({ a: f32([1], [0]) }));
    symlinkSync(join(root, 'secret'), join(folder, 'model.safetensors'));
    expect(errorOf(() => SafetensorsSource.open(folder)).data.code).toBe('model_file_invalid');
  });

  test('CVE-2026-7482, CVE-2025-53630: tensors that claim more bytes than the file has', () => {
    const lies = [
      { a: { dtype: 'F32', shape: [1 << 20], data_offsets: [0, 4 << 20] } },
      { a: { dtype: 'F32', shape: [2 ** 31, 2 ** 31], data_offsets: [0, 4] } },
      { a: { dtype: 'F32', shape: [1], data_offsets: [2 ** 53, 2 ** 53 + 4] } },
      { a: { dtype: 'F32', shape: [-1], data_offsets: [4, 0] } },
    ];
    for (const header of lies) {
      const folder = temporaryFolder();
      writeModel(folder, withHeader(JSON.stringify(header), Buffer.alloc(4)));
      expect(errorOf(() => SafetensorsSource.open(folder)).data.code).toBe('model_file_invalid');
    }
  });
});
