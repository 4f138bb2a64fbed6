// plain: one model's own next-token distribution.
import { member } from '../fields.js';
import { defineMethod } from '../method.js';

export const plain = defineMethod({
  name: 'plain',
  summary: 'One model, as it is.',
  equation: 'model',
  paper: '',
  fields: { model: member('The model.') },
  build: ({ model }) => model.scores,
});
