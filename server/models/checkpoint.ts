// A Hugging Face checkpoint folder as this project sees it: config.json read into a DecoderSpec, generation_config.json, and the
// weights on demand. Knows no graph. Called by artifacts.ts (conversion) and text.ts (context length, end-of-sequence ids).
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UnsupportedConfigError, type JsonObject as KernelJson } from '../../kernels/decoder/config.js';
import { knownModelTypes, readDecoderSpec } from '../../kernels/decoder/families/index.js';
import type { DecoderSpec } from '../../kernels/decoder/spec.js';
import { AppError } from '../errors.js';
import { invalidFile, isJsonObject, readJsonObject, requireJsonObject, type JsonObject } from './json-file.js';

export interface Checkpoint {
  readonly directory: string;
  readonly config: JsonObject;
  readonly spec: DecoderSpec;
  /** Empty when the folder has none. */
  readonly generationConfig: JsonObject;
  /** Files of the folder projections/, by name: projectors beside the checkpoint's own. Empty where it reads no pictures. */
  readonly projections: ReadonlyMap<string, string>;
}

export function readCheckpoint(directory: string): Checkpoint {
  const path = join(directory, 'config.json');
  const remedy = 'Give the folder of a Hugging Face checkpoint: config.json, model.safetensors, tokenizer.json.';
  const config = requireJsonObject(path, remedy);
  const spec = readSpec(path, config);
  return {
    directory,
    config,
    spec,
    generationConfig: readJsonObject(join(directory, 'generation_config.json')) ?? {},
    projections: spec.vision ? readProjections(join(directory, 'projections')) : new Map(),
  };
}

const projectionFile = /^([A-Za-z0-9][\w.-]{0,63})\.safetensors$/;

function readProjections(folder: string): ReadonlyMap<string, string> {
  if (!existsSync(folder)) return new Map();
  const named = readdirSync(folder)
    .sort()
    .flatMap((file): [string, string][] => {
      const name = projectionFile.exec(file)?.[1];
      return name === undefined ? [] : [[name, join(folder, file)]];
    });
  return new Map(named);
}

function readSpec(path: string, config: JsonObject): DecoderSpec {
  const type = config['model_type'];
  if (typeof type !== 'string' || !knownModelTypes.includes(type)) {
    const known = knownModelTypes.join(', ');
    throw new AppError('model_family_unknown', { path, value: JSON.stringify(type) ?? 'nothing', known });
  }
  checkSizes(path, config);
  return refusingUnsupported(path, () => readDecoderSpec(config as KernelJson));
}

/** Far above every published model. Beyond them a config would cost memory before the weights, which would disprove it, are looked at. */
const largest: Readonly<Record<string, number>> = {
  num_hidden_layers: 1024,
  n_layer: 1024,
  num_attention_heads: 1 << 14,
  n_head: 1 << 14,
  head_dim: 1 << 14,
  hidden_size: 1 << 20,
  n_embd: 1 << 20,
  vocab_size: 1 << 24,
  num_labels: 1 << 20,
};

function checkSizes(path: string, config: JsonObject): void {
  for (const [key, limit] of Object.entries(largest)) {
    const value = config[key];
    if (typeof value !== 'number' || value <= limit) continue;
    throw invalidFile(path, `${key} is ${value}, the limit is ${limit}`, 'Download the file again.');
  }
  if (isJsonObject(config['text_config'])) checkSizes(path, config['text_config']);
}

/** The kernels' refusal of a configuration as an error that names the file. */
export function refusingUnsupported<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof UnsupportedConfigError)) throw error;
    throw invalidFile(path, error.message, 'Use a checkpoint whose options are supported.', error);
  }
}

/**
 * Ids that end a sequence: of generation_config.json (a list where a chat model ends turns with its own token), else of config.json,
 * else the tokenizer's.
 */
export function stopTokenIds(checkpoint: Checkpoint, tokenizerEos: number | null): readonly number[] {
  const { directory, config, generationConfig } = checkpoint;
  return (
    idList(join(directory, 'generation_config.json'), generationConfig['eos_token_id']) ??
    idList(join(directory, 'config.json'), config['eos_token_id']) ??
    (tokenizerEos === null ? [] : [tokenizerEos])
  );
}

function idList(path: string, value: unknown): readonly number[] | null {
  if (value === undefined || value === null) return null;
  const ids: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (!ids.every((id) => Number.isSafeInteger(id) && (id as number) >= 0)) {
    throw invalidFile(path, `eos_token_id is ${JSON.stringify(value)}`, 'It must be a token id or a list of them.');
  }
  return ids.length === 0 ? null : [...new Set(ids as number[])];
}
