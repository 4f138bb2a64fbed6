// The request fields that chat and plain completions share, as one declaration that gives type, check and (later) OpenAPI. A
// description says what is accepted: error messages quote it as the remedy. A top-level null means "left out" and is
// removed before the check. Bounds that depend on the configuration or on the model are checked in routes/prepare.ts.
import Type from 'typebox';

const described = (description: string): { description: string } => ({ description });

const stopString = Type.String({ minLength: 1, maxLength: 1024 });

export const maxStopStrings = 16;

export const sharedFields = {
  model: Type.String({
    minLength: 1,
    maxLength: 256,
    ...described('the name of a model or deployment of GET /v1/models'),
  }),
  stream: Type.Optional(Type.Boolean(described('true or false'))),
  stream_options: Type.Optional(
    Type.Object(
      { include_usage: Type.Optional(Type.Boolean()), include_obfuscation: Type.Optional(Type.Boolean()) },
      described('an object with include_usage and include_obfuscation, both booleans'),
    ),
  ),
  n: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, ...described('an integer of at least 1') })),
  min_tokens: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1, ...described('an integer from 0 to max_tokens') }),
  ),
  ignore_eos: Type.Optional(Type.Boolean(described('true or false'))),
  temperature: Type.Optional(
    Type.Number({ minimum: 0, maximum: 2, ...described('a number from 0 (greedy) to 2; below 0.0001 counts as 0') }),
  ),
  top_p: Type.Optional(
    Type.Number({ exclusiveMinimum: 0, maximum: 1, ...described('a number above 0, at most 1 (off)') }),
  ),
  top_k: Type.Optional(
    Type.Integer({ minimum: -1, maximum: 2 ** 31 - 1, ...described('an integer; 0 and -1 mean off') }),
  ),
  min_p: Type.Optional(Type.Number({ minimum: 0, maximum: 1, ...described('a number from 0 (off) to 1') })),
  stop: Type.Optional(
    Type.Union([stopString, Type.Array(stopString, { maxItems: maxStopStrings })], {
      ...described(`a non-empty string or a list of up to ${maxStopStrings} non-empty strings`),
    }),
  ),
  stop_token_ids: Type.Optional(
    Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 256, ...described('a list of up to 256 token ids') }),
  ),
  include_stop_str_in_output: Type.Optional(Type.Boolean(described('true or false'))),
  seed: Type.Optional(
    Type.Integer({
      minimum: Number.MIN_SAFE_INTEGER,
      maximum: Number.MAX_SAFE_INTEGER,
      ...described('an integer of at most 53 bits'),
    }),
  ),
  presence_penalty: Type.Optional(Type.Number({ minimum: -2, maximum: 2, ...described('a number from -2 to 2') })),
  frequency_penalty: Type.Optional(Type.Number({ minimum: -2, maximum: 2, ...described('a number from -2 to 2') })),
  repetition_penalty: Type.Optional(
    Type.Number({ minimum: 0.01, maximum: 100, ...described('a number from 0.01 to 100; 1 is off') }),
  ),
  logit_bias: Type.Optional(
    Type.Record(Type.String(), Type.Number({ minimum: -100, maximum: 100 }), {
      maxProperties: 1024,
      ...described('an object of up to 1024 token ids with biases from -100 to 100, e.g. {"42": -100}'),
    }),
  ),
  decoding: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), described('an object such as {"method": "eft", ...}; see the README')),
  ),
  decoding_trace: Type.Optional(Type.Boolean(described('true or false; how each token came about'))),
  return_token_ids: Type.Optional(Type.Boolean(described('true or false'))),
  service_tier: Type.Optional(
    Type.Enum(['auto', 'default', 'flex', 'scale', 'priority'], {
      ...described('"auto", "default", "flex", "scale" or "priority"; there is one tier, and the reply names it'),
    }),
  ),
  priority: Type.Optional(
    Type.Integer({ minimum: -1000, maximum: 1000, ...described('an integer from -1000 (first) to 1000 (last)') }),
  ),
} as const;

export type SharedRequest = Type.Static<Type.TObject<typeof sharedFields>>;
