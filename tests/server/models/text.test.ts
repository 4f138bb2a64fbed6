// The text service with its real thread: answers, errors as AppErrors, a template that never ends, and the files it shares.
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { AppError } from '../../../server/errors.js';
import { TextService, type TextServiceOptions } from '../../../server/models/text.js';
import { temporaryFolder } from './write-safetensors.js';

const golden = new URL('golden/bytelevel', import.meta.url).pathname;
const worker = new URL('../../../dist/server/models/text-worker.js', import.meta.url);

beforeAll(() => {
  if (!existsSync(worker)) throw new Error('The worker is not compiled: run npm run build (npm test does).');
});

const config = {
  model_type: 'llama',
  architectures: ['LlamaForCausalLM'],
  hidden_size: 8,
  intermediate_size: 16,
  num_attention_heads: 2,
  num_hidden_layers: 1,
  vocab_size: 336,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
};

/** A model folder without weights. `template` replaces the fixture's; null removes it. */
function model(template?: string | null): string {
  const folder = temporaryFolder();
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) cpSync(join(golden, name), join(folder, name));
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const source = template === undefined ? readFileSync(join(golden, 'chat_template.jinja'), 'utf8') : template;
  if (source !== null) writeFileSync(join(folder, 'chat_template.jinja'), source);
  return folder;
}

function service(folders: Readonly<Record<string, string>>, options?: TextServiceOptions): TextService {
  const text = new TextService(
    Object.entries(folders).map(([name, path]) => ({ name, path })),
    options,
  );
  onTestFinished(() => text.close());
  return text;
}

const failure = async (promise: Promise<unknown>): Promise<AppError> => {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
};

const goldens = JSON.parse(readFileSync(join(golden, 'tokenizer_golden.json'), 'utf8')) as {
  encode: { text: string; ids: number[]; decoded_skip_special: string }[];
  chat: { messages: { role: string; content: string }[]; add_generation_prompt: boolean; ids: number[] }[];
};
const plain = { addGenerationPrompt: false, continueFinal: false };

test('loads, encodes, renders and decodes as the reference does', async () => {
  const text = service({ chat: model(), base: model(null) });
  const info = await text.load();
  expect(info.get('chat')).toEqual({
    vocabSize: 336,
    vocabularyHash: info.get('base')?.vocabularyHash,
    eosTokenIds: [333],
    bosTokenId: 330,
    hasChatTemplate: true,
    predictsTokens: true,
    contextLength: 64,
    heads: [],
    vision: null,
    differences: new Map(),
  });
  expect(info.get('base')?.hasChatTemplate).toBe(false);
  await Promise.all(
    goldens.encode.map(async ({ text: source, ids, decoded_skip_special: decoded }) => {
      expect([...(await text.encode('base', source, { addSpecialTokens: false }))]).toEqual(ids);
      expect(await text.decode('base', ids)).toBe(decoded);
    }),
  );
  for (const { messages, add_generation_prompt: addGenerationPrompt, ids } of goldens.chat) {
    expect([...(await text.encodeChat('chat', messages, { addGenerationPrompt, continueFinal: false }))]).toEqual(ids);
  }
});

test('models with other tokens know the first one that differs', async () => {
  const other = model();
  const path = join(other, 'tokenizer.json');
  const changed = JSON.parse(readFileSync(path, 'utf8')) as { model: { vocab: Record<string, number> } };
  const entries = Object.entries(changed.model.vocab);
  const [piece] = entries.find(([, id]) => id === 300) ?? [];
  changed.model.vocab = Object.fromEntries(entries.map(([key, id]) => [key === piece ? 'zzyzx' : key, id]));
  writeFileSync(path, JSON.stringify({ ...changed, model: { ...changed.model, merges: [] } }));
  const info = await service({ one: model(), same: model(), other }).load();
  expect(info.get('one')?.differences).toEqual(new Map([['other', { id: 300, piece, otherPiece: 'zzyzx' }]]));
  expect([...(info.get('other')?.differences.keys() ?? [])]).toEqual(['one', 'same']);
});

test('errors keep their code and their words across the thread', async () => {
  const text = service({ chat: model(), base: model(null) });
  const twice = [
    { role: 'user', content: 'a' },
    { role: 'user', content: 'b' },
  ];
  const refusal = await failure(text.encodeChat('chat', twice, plain));
  expect(refusal.data).toMatchObject({ code: 'invalid_value', status: 400, param: 'messages' });
  expect(refusal.message).toContain('Roles must alternate user and assistant.');
  expect((await failure(text.encodeChat('base', twice, plain))).data).toMatchObject({
    code: 'not_supported',
    status: 400,
  });
  expect((await failure(text.encode('nobody', 'x', { addSpecialTokens: true }))).data.code).toBe('model_not_found');
});

test('a model whose tokenizer is missing or damaged stops the start with that error', async () => {
  const missing = temporaryFolder();
  writeFileSync(join(missing, 'config.json'), JSON.stringify(config));
  expect((await failure(service({ missing }).load())).message).toContain('tokenizer.json is missing');
  const damaged = model();
  writeFileSync(join(damaged, 'tokenizer.json'), '{"model":{"type":"BPE","vocab":{"a":-1}}}');
  expect((await failure(service({ damaged }).load())).data.code).toBe('model_file_invalid');
});

test('a tokenizer that is larger than the model stops the start with both sizes', async () => {
  const folder = model();
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, vocab_size: 335 }));
  const error = await failure(service({ folder }).load());
  expect(error.message).toContain('tokenizer.json has 336 tokens, but config.json has a vocab_size of 335');
});

test('a job that does not end loses its thread, and the next one is served', async () => {
  const endless =
    '{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}';
  const text = service({ endless: model(endless), good: model() }, { timeoutMs: 200 });
  await text.load();
  const hello = [{ role: 'user', content: 'Hello' }];
  const stuck = failure(text.encodeChat('endless', hello, plain));
  const next = text.encode('good', 'Hello', { addSpecialTokens: false });
  const error = await stuck;
  expect(error.data).toMatchObject({ code: 'invalid_value', status: 400, param: 'messages' });
  expect(error.message).toContain('takes longer than 200');
  expect(await text.decode('good', await next)).toBe('Hello');
});

test('a short text does not wait for a long one', async () => {
  const text = service({ base: model() });
  await text.load();
  const told: string[] = [];
  const encoded = async (name: string, source: string): Promise<Int32Array> => {
    const ids = await text.encode('base', source, { addSpecialTokens: false });
    told.push(name);
    return ids;
  };
  const [long, short] = await Promise.all([encoded('long', 'Hello '.repeat(40_000)), encoded('short', 'Hello ')]);
  expect(told).toEqual(['short', 'long']);
  expect(long.length).toBe(40_000 * short.length);
});

test('more jobs than may wait are refused with 503', async () => {
  const text = service({ good: model() }, { maxWaiting: 2 });
  const jobs = Array.from({ length: 3 }, () => text.encode('good', 'x', { addSpecialTokens: false }));
  expect((await failure(jobs[2] as Promise<unknown>)).data).toMatchObject({ code: 'queue_full', status: 503 });
  await Promise.all(jobs.slice(0, 2));
  await text.encode('good', 'x', { addSpecialTokens: false });
});
