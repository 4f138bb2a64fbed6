// The body of POST /v1/chat/completions: the shared fields and what only a chat has. Roles and content parts that this server
// does not know are refused in routes/prepare.ts, where the message can say why.
import Type from 'typebox';
import { ResponseFormat } from './response-format.js';
import { sharedFields } from './sampling.js';
import { ToolChoiceField, ToolList } from './tools.js';

const ContentPart = Type.Object({
  type: Type.String(),
  text: Type.Optional(Type.String()),
  image_url: Type.Optional(
    Type.Object(
      {
        url: Type.String(),
        detail: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      },
      { description: '{"url": "data:image/png;base64,…", "detail": "auto"}' },
    ),
  ),
});

export const WireMessage = Type.Object({
  role: Type.String(),
  content: Type.Optional(Type.Union([Type.String(), Type.Array(ContentPart), Type.Null()])),
  name: Type.Optional(Type.Union([Type.String({ maxLength: 256 }), Type.Null()])),
  tool_calls: Type.Optional(Type.Union([Type.Array(Type.Unknown(), { maxItems: 128 }), Type.Null()])),
  tool_call_id: Type.Optional(Type.Union([Type.String({ maxLength: 256 }), Type.Null()])),
});
export type WireMessage = Type.Static<typeof WireMessage>;

export const ChatRequest = Type.Object(
  {
    ...sharedFields,
    messages: Type.Array(WireMessage, {
      minItems: 1,
      maxItems: 4096,
      description:
        'a non-empty list of {"role": "system" | "user" | "assistant" | "developer" | "tool", "content": "text"}',
    }),
    max_tokens: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, description: 'an integer of at least 1' }),
    ),
    max_completion_tokens: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, description: 'an integer of at least 1' }),
    ),
    logprobs: Type.Optional(Type.Boolean({ description: 'true or false; how many goes into top_logprobs' })),
    top_logprobs: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 20, description: 'an integer from 0 to 20, together with "logprobs": true' }),
    ),
    response_format: Type.Optional(ResponseFormat),
    tools: Type.Optional(ToolList),
    tool_choice: Type.Optional(ToolChoiceField),
    parallel_tool_calls: Type.Optional(Type.Boolean({ description: 'true or false' })),
    add_generation_prompt: Type.Optional(Type.Boolean({ description: 'true or false' })),
    continue_final_message: Type.Optional(Type.Boolean({ description: 'true or false' })),
  },
  { description: 'a JSON object with at least model and messages' },
);
export type ChatRequest = Type.Static<typeof ChatRequest>;
