// The body of POST /v1/responses and of a response.create frame: what OpenAI's Responses API names its own way, and the shared sampling
// fields. Items and parts that this server does not know are refused in routes/response-input.ts, where the message can say why.
import Type from 'typebox';
import { only, refuse, type Rules } from './keys.js';
import { sharedFields } from './sampling.js';
import { FlatToolChoiceField, FlatToolList } from './tools.js';

const described = (description: string): { description: string } => ({ description });

const Part = Type.Object({ type: Type.String(), text: Type.Optional(Type.String()) });

export const InputItem = Type.Object({
  type: Type.Optional(Type.String()),
  role: Type.Optional(Type.String()),
  content: Type.Optional(Type.Union([Type.String(), Type.Array(Part)])),
  call_id: Type.Optional(Type.String({ maxLength: 256 })),
  name: Type.Optional(Type.String({ maxLength: 256 })),
  arguments: Type.Optional(Type.String()),
  output: Type.Optional(Type.Union([Type.String(), Type.Array(Part)])),
});
export type InputItem = Type.Static<typeof InputItem>;

/** What `include` may name. Only the first ever has something to include: the others tell of tools and pictures. */
export const includable = [
  'message.output_text.logprobs',
  'reasoning.encrypted_content',
  'message.input_image.image_url',
  'file_search_call.results',
  'web_search_call.results',
  'web_search_call.action.sources',
  'code_interpreter_call.outputs',
  'computer_call_output.output.image_url',
] as const;

const { n: _n, stream_options: _options, ...sampling } = sharedFields;

export const ResponsesRequest = Type.Object(
  {
    ...sampling,
    input: Type.Union([Type.String({ minLength: 1 }), Type.Array(InputItem, { minItems: 1, maxItems: 4096 })], {
      ...described('a non-empty string or list of items such as {"role": "user", "content": "text"}'),
    }),
    instructions: Type.Optional(Type.String(described('a string: the system turn'))),
    max_output_tokens: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, ...described('an integer of at least 1') }),
    ),
    stream_options: Type.Optional(
      Type.Object(
        { include_obfuscation: Type.Optional(Type.Boolean()) },
        described('an object with include_obfuscation, a boolean'),
      ),
    ),
    metadata: Type.Optional(
      Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 512 }), {
        maxProperties: 16,
        ...described('an object of up to 16 strings; it comes back with the response'),
      }),
    ),
    user: Type.Optional(Type.String(described('a string; it comes back with the response'))),
    safety_identifier: Type.Optional(Type.String(described('a string; it comes back with the response'))),
    prompt_cache_key: Type.Optional(Type.String(described('a string; it comes back with the response'))),
    truncation: Type.Optional(Type.Enum(['auto', 'disabled'], described('"auto" or "disabled"'))),
    text: Type.Optional(
      Type.Object(
        {
          format: Type.Optional(Type.Union([Type.Object({ type: Type.String() }), Type.Null()])),
          verbosity: Type.Optional(Type.Union([Type.String(), Type.Null()])),
        },
        described('an object with format, e.g. {"format": {"type": "text"}}'),
      ),
    ),
    include: Type.Optional(
      Type.Array(Type.Enum([...includable]), { maxItems: 16, ...described(`a list of ${includable.join(', ')}`) }),
    ),
    top_logprobs: Type.Optional(Type.Integer({ minimum: 0, maximum: 20, ...described('an integer from 0 to 20') })),
    tools: Type.Optional(FlatToolList),
    tool_choice: Type.Optional(FlatToolChoiceField),
    parallel_tool_calls: Type.Optional(Type.Boolean(described('true or false'))),
    reasoning: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), described('an object; only {"effort": "none"} is available')),
    ),
  },
  { description: 'a JSON object with at least model and input' },
);
export type ResponsesRequest = Type.Static<typeof ResponsesRequest>;

const nothingStored = 'Responses are not stored here: send the whole conversation as input.';

/** Keys of the dialect that ask for something this server cannot do. */
export const responsesRules: Rules = {
  previous_response_id: refuse(nothingStored),
  conversation: refuse(nothingStored),
  prompt: refuse('Prompts are not stored here: send instructions and input.'),
  context_management: refuse('Shorten the input, or send "truncation": "auto".'),
  moderation: refuse('Nothing is moderated here: leave it out.'),
  max_tool_calls: refuse('No tool is called here: leave it out.'),
  n: { accepts: only(1), remedy: 'A response has one answer: ask several times, or use /v1/chat/completions.' },
  messages: refuse('Name it input.'),
  max_tokens: refuse('Name it max_output_tokens.'),
  max_completion_tokens: refuse('Name it max_output_tokens.'),
  logprobs: refuse('Send "include": ["message.output_text.logprobs"].'),
  response_format: refuse('Name it text.format.'),
};
