// The section `deployments`: a decoding method over models, under a name of its own. What stands under `decoding` is checked by the catalog.
import { Type, type Static } from 'typebox';
import { closed } from './common.js';

const Defaults = Type.Object(
  {
    temperature: Type.Optional(
      Type.Number({ minimum: 0, maximum: 2, description: 'Softmax temperature; 0 is greedy.' }),
    ),
    top_p: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1, description: 'Probability mass that is kept; 1 is off.' }),
    ),
    top_k: Type.Optional(Type.Integer({ minimum: 0, description: 'Number of tokens that are kept; 0 is off.' })),
    min_p: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'Least probability relative to the likeliest token; 0 is off.',
      }),
    ),
    max_tokens: Type.Optional(Type.Integer({ minimum: 1, description: 'Tokens to generate.' })),
    repetition_penalty: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 10,
        description: 'Penalty on tokens seen in prompt or answer; 1 is off.',
      }),
    ),
  },
  {
    ...closed,
    default: {},
    description: "Sampling values for requests that leave them out, under the request's own names.",
  },
);

export const DeploymentEntry = Type.Object(
  {
    decoding: Type.Record(Type.String(), Type.Unknown(), {
      description:
        'The method and its parameters, exactly as in the request field decoding, e.g. {"method": "eft", "base": "large", "tuned": "chat", "reference": "small"}.',
    }),
    defaults: Defaults,
  },
  { ...closed, description: 'One steered model: clients select it by its name in the field model.' },
);

export type DeploymentDefaults = Static<typeof Defaults>;
