// The body of POST /v1/completions: the shared fields and what only a plain completion has.
import Type from 'typebox';
import { ResponseFormat } from './response-format.js';
import { sharedFields } from './sampling.js';

const TokenIds = Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1 });

/** `logprobs` of this value asks for the whole vocabulary. */
export const wholeVocabulary = -1;

export const CompletionRequest = Type.Object(
  {
    ...sharedFields,
    prompt: Type.Union(
      [Type.String(), TokenIds, Type.Array(Type.String(), { minItems: 1 }), Type.Array(TokenIds, { minItems: 1 })],
      { description: 'a string, a list of strings, a list of token ids, or a list of such lists; no list empty' },
    ),
    max_tokens: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 2 ** 31 - 1,
        description: 'an integer of at least 1, or 0 together with "echo": true',
      }),
    ),
    logprobs: Type.Optional(
      Type.Integer({
        minimum: wholeVocabulary,
        maximum: 5,
        description: 'an integer from 0 to 5, or -1 for the whole vocabulary',
      }),
    ),
    best_of: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, description: 'an integer of at least n' })),
    add_special_tokens: Type.Optional(
      Type.Boolean({ description: 'true (default) or false; whether the tokenizer adds its BOS and the like' }),
    ),
    response_format: Type.Optional(ResponseFormat),
    echo: Type.Optional(Type.Boolean({ description: 'true or false' })),
  },
  { description: 'a JSON object with at least model and prompt' },
);
export type CompletionRequest = Type.Static<typeof CompletionRequest>;
