// The body of POST /v1/decoding/explain: what a generating request would say about the model and its decoding.
import Type from 'typebox';
import { sharedFields } from './sampling.js';

export const ExplainRequest = Type.Object(
  { model: Type.Optional(sharedFields.model), decoding: sharedFields.decoding },
  { description: 'a JSON object with model, decoding or both' },
);
export type ExplainRequest = Type.Static<typeof ExplainRequest>;
