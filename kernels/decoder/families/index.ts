// The list of families. A new one is a file here and a line below.
import { llavaModelType, readLlava } from '../../vision/llava.js';
import { ConfigReader, type JsonObject, UnsupportedConfigError } from '../config.js';
import type { Family } from '../family.js';
import type { DecoderSpec } from '../spec.js';
import { gemma2 } from './gemma2.js';
import { gemma3 } from './gemma3.js';
import { gpt2 } from './gpt2.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';
import { olmo2 } from './olmo2.js';
import { phi3 } from './phi3.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';
import { smollm3 } from './smollm3.js';

const families: readonly Family[] = [llama, mistral, qwen2, qwen3, gemma2, gemma3, phi3, gpt2, olmo2, smollm3];

/** The values of config.model_type that can be read. */
export const knownModelTypes: readonly string[] = [...families.flatMap((family) => family.modelTypes), llavaModelType];

export function familyOf(name: string): Family {
  const family = families.find((candidate) => candidate.name === name);
  if (!family)
    throw new UnsupportedConfigError(
      `family is ${JSON.stringify(name)}; supported: ${families.map((f) => f.name).join(', ')}`,
    );
  return family;
}

/** The decoder that a config.json describes. Throws UnsupportedConfigError. */
export function readDecoderSpec(config: JsonObject): DecoderSpec {
  const reader = new ConfigReader(config);
  const modelType = reader.string('model_type');
  if (modelType === llavaModelType) return readLlava(reader, readDecoderSpec);
  const family = families.find(({ modelTypes }) => modelTypes.includes(modelType));
  return family ? family.read(reader) : reader.fail('model_type', modelType, knownModelTypes.join(', '));
}
