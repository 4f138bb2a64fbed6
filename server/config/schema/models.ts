// The section `models`: where a checkpoint lies, how its weights are held and where it runs, and what only its training knows (directions,
// the spread of scores, how vectors are made).
import { Type } from 'typebox';
import { weightsNames } from '../../models/weight-format.js';
import { closed } from './common.js';

const DirectionCard = Type.Object(
  {
    template: Type.String({
      minLength: 1,
      description:
        'The system turn of training, byte for byte, with {axis} where the whole number 100 × component of an axis stands.',
    }),
    axes: Type.Array(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$' }), {
      minItems: 1,
      maxItems: 16,
      uniqueItems: true,
      description: 'Names of the objectives, in the order of the components of a direction.',
    }),
  },
  {
    ...closed,
    description: 'Only for a model that was trained to be told a preference direction: how. Used by the method dpa.',
  },
);

const RewardCard = Type.Object(
  {
    statistics: Type.Record(
      Type.String(),
      Type.Object(
        {
          mean: Type.Number({ description: 'Mean of the score over calibration answers.' }),
          deviation: Type.Number({ exclusiveMinimum: 0, description: 'Its standard deviation.' }),
        },
        { ...closed, description: 'One score.' },
      ),
      {
        description:
          "By the name of a score (config.json's id2label): how it is spread, so that several can be weighed.",
      },
    ),
  },
  { ...closed, description: 'Only for a reward model: what is known of its scores. Used by the scorer direction.' },
);

const EmbeddingEntry = Type.Object(
  {
    pooling: Type.Enum(['mean', 'last'], {
      default: 'mean',
      description: 'Which of its hidden states become the vector: the mean over all tokens, or the last token alone.',
    }),
    normalise: Type.Boolean({ default: true, description: 'Whether vectors are scaled to length 1.' }),
  },
  {
    ...closed,
    default: {},
    description: 'How POST /v1/embeddings makes vectors of this model. Set it as the model was trained.',
  },
);

export const ModelEntry = Type.Object(
  {
    path: Type.String({
      minLength: 1,
      description:
        'Folder of a Hugging Face checkpoint (config.json, *.safetensors, tokenizer.json). Relative to the config file.',
    }),
    weights: Type.Enum(weightsNames, {
      default: 'f32',
      description:
        'How the weights are stored and multiplied: f32 is the reference; q8 and q4 are 8 and 4 bit blocks; w8a8 is 8 bit weights per channel with 8 bit activations per row. f16, q8f16 and q4f16 compute in 16 bits, on a GPU that can (docs/gpu.md).',
    }),
    kind: Type.Enum(['causal', 'reward'], {
      default: 'causal',
      description:
        'causal: predicts next tokens. reward: a sequence-classification head that gives scores; it cannot be served as text.',
    }),
    load: Type.Boolean({
      default: true,
      description:
        'Whether it is loaded at start. Otherwise POST /v1/admin/models/NAME/load loads it, and what needs it is served from then on.',
    }),
    device: Type.Enum(['cpu', 'webgpu', 'auto'], {
      default: 'cpu',
      description:
        'Where the model runs: cpu; webgpu is the GPU (docs/gpu.md); auto is the GPU where there is one, and the start says which it was. Models of one distribution share a device.',
    }),
    contextLength: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })], {
      default: null,
      description:
        "Longest sequence to serve, in tokens, prompt and answer together. null, or more than it: the checkpoint's own limit.",
    }),
    dpa: Type.Optional(DirectionCard),
    reward: Type.Optional(RewardCard),
    embedding: EmbeddingEntry,
  },
  { ...closed, description: 'One model.' },
);
