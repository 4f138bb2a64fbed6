// Folders: what is missing, unknown or malformed is said with the file, the value and the remedy; where the stop ids come from.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../server/errors.js';
import { readCheckpoint, stopTokenIds } from '../../../server/models/checkpoint.js';
import { temporaryFolder } from './write-safetensors.js';

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

function folderWith(files: Readonly<Record<string, unknown>>): string {
  const folder = temporaryFolder();
  for (const [name, value] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof value === 'string' ? value : JSON.stringify(value));
  }
  return folder;
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

test('a config becomes a spec', () => {
  const { spec } = readCheckpoint(folderWith({ 'config.json': config }));
  expect(spec).toMatchObject({ family: 'llama', vocabSize: 32, contextLength: 64, hiddenSize: 8 });
});

test.each([
  ['no config.json', {}, 'model_file_missing', 'config.json is missing'],
  ['config.json that is no JSON', { 'config.json': '{"a":' }, 'model_file_invalid', 'not valid JSON'],
  ['config.json that is a list', { 'config.json': [] }, 'model_file_invalid', 'does not hold a JSON object'],
  [
    'an unknown family',
    { 'config.json': { ...config, model_type: 'mamba' } },
    'model_family_unknown',
    '"mamba" is not supported. Supported: llama, mistral',
  ],
  ['no family', { 'config.json': { hidden_size: 3 } }, 'model_family_unknown', 'nothing is not supported'],
  ['a family that is a number', { 'config.json': { model_type: 3 } }, 'model_family_unknown', '3 is not supported'],
  [
    'an option that is not supported',
    { 'config.json': { ...config, hidden_act: 'swishy' } },
    'model_file_invalid',
    'swishy',
  ],
  [
    'a quantised checkpoint',
    { 'config.json': { ...config, quantization_config: { bits: 4 } } },
    'model_file_invalid',
    'quantization_config',
  ],
  ['a size that is no number', { 'config.json': { ...config, hidden_size: '8' } }, 'model_file_invalid', 'hidden_size'],
])('%s', (_, files, code, text) => {
  const error = errorOf(() => readCheckpoint(folderWith(files)));
  expect(error.data.code).toBe(code);
  expect(error.message).toContain(text);
});

test('a folder that does not exist', () => {
  expect(errorOf(() => readCheckpoint(join(temporaryFolder(), 'nothing'))).data.code).toBe('model_file_missing');
});

describe('stop ids', () => {
  const ids = (own: unknown, generation: unknown, tokenizerEos: number | null) =>
    stopTokenIds(
      readCheckpoint(
        folderWith({
          'config.json': { ...config, eos_token_id: own },
          ...(generation === undefined ? {} : { 'generation_config.json': { eos_token_id: generation } }),
        }),
      ),
      tokenizerEos,
    );

  test.each([
    [2, [5, 3, 5], 7, [5, 3]],
    [2, 4, 7, [4]],
    [2, null, 7, [2]],
    [[2, 1], undefined, 7, [2, 1]],
    [null, undefined, 7, [7]],
    [null, [], 7, [7]],
    [null, undefined, null, []],
    [0, undefined, 7, [0]],
  ])('config %j, generation_config %j, tokenizer %j → %j', (own, generation, tokenizerEos, expected) => {
    expect(ids(own, generation, tokenizerEos)).toEqual(expected);
  });

  test.each([['2'], [-1], [1.5], [[1, '2']], [{}]])('%j is refused', (value) => {
    expect(errorOf(() => ids(2, value, null)).message).toContain(`eos_token_id is ${JSON.stringify(value)}`);
  });
});
