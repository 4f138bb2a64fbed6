// POST /v1/embeddings: body and answer. A vector goes out as numbers, or as base64 of little-endian float32, which the stock client asks for
// by itself.
import Type from 'typebox';
import { refuse, type Rules } from './keys.js';
import { sharedFields } from './sampling.js';

const TokenIds = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 });

export const EmbeddingsRequest = Type.Object(
  {
    model: sharedFields.model,
    input: Type.Union(
      [Type.String(), TokenIds, Type.Array(Type.String(), { minItems: 1 }), Type.Array(TokenIds, { minItems: 1 })],
      {
        description: 'a non-empty string, a list of them, a list of token ids, or a list of such lists',
      },
    ),
    encoding_format: Type.Optional(Type.Enum(['float', 'base64'], { description: '"float" or "base64"' })),
    add_special_tokens: Type.Optional(
      Type.Boolean({ description: 'true (default) or false; whether the tokenizer adds its BOS and the like' }),
    ),
    priority: sharedFields.priority,
  },
  { description: 'a JSON object with at least model and input' },
);
export type EmbeddingsRequest = Type.Static<typeof EmbeddingsRequest>;

export const embeddingsRules: Rules = {
  dimensions: refuse('A vector has as many numbers as the model has hidden units: leave it out.'),
  decoding: refuse('An embedding comes from one model: name it in model.'),
};

/** A vector of no length stays as it is. */
export function normalised(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((value) => value / length) : vector;
}

export function embeddingsBody(
  model: string,
  vectors: readonly Float32Array[],
  promptTokens: number,
  format: 'float' | 'base64',
): object {
  const shown = (vector: Float32Array): number[] | string => {
    if (format === 'float') return Array.from(vector);
    const bytes = Buffer.alloc(vector.length * Float32Array.BYTES_PER_ELEMENT);
    vector.forEach((value, index) => bytes.writeFloatLE(value, index * Float32Array.BYTES_PER_ELEMENT));
    return bytes.toString('base64');
  };
  return {
    object: 'list',
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: shown(vector) })),
    model,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  };
}
