// Bodies of POST /tokenize and /detokenize, in the names that vLLM has for them.
import Type from 'typebox';
import { ChatRequest } from './chat.js';
import { sharedFields } from './sampling.js';

export const TokenizeRequest = Type.Object(
  {
    model: sharedFields.model,
    prompt: Type.Optional(Type.String({ description: 'a string' })),
    messages: Type.Optional(ChatRequest.properties.messages),
    add_special_tokens: Type.Optional(
      Type.Boolean({ description: 'true (default) or false; of a prompt. A chat template writes its own' }),
    ),
    add_generation_prompt: ChatRequest.properties.add_generation_prompt,
    continue_final_message: ChatRequest.properties.continue_final_message,
    return_token_strs: Type.Optional(Type.Boolean({ description: 'true or false' })),
  },
  { description: 'a JSON object with model and either prompt or messages' },
);
export type TokenizeRequest = Type.Static<typeof TokenizeRequest>;

export const DetokenizeRequest = Type.Object(
  {
    model: sharedFields.model,
    tokens: Type.Array(Type.Integer({ minimum: 0 }), { description: 'a list of token ids' }),
  },
  { description: 'a JSON object with model and tokens' },
);
export type DetokenizeRequest = Type.Static<typeof DetokenizeRequest>;
