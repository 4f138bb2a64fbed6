// The section `runtime`: what computes. How one model is computed stands with the model.
import { Type } from 'typebox';
import { closed } from './common.js';

export const Runtime = Type.Object(
  {
    threads: Type.Union([Type.Null(), Type.Integer({ minimum: 1, maximum: 256 })], {
      default: null,
      description: 'Threads that compute. null: one per available core. --threads overrides it.',
    }),
  },
  { ...closed, default: {}, description: 'The runtime of the models.' },
);
