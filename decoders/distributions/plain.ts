// plain: one model's own next-token distribution, with the request's prompt or another.
import { member } from '../member-fields.js';
import { optional } from '../fields.js';
import { defineMethod } from '../method.js';
import { prompt, withPrompt } from '../prompt.js';

export const plain = defineMethod({
  name: 'plain',
  summary: 'One model, as it is.',
  equation: 'model',
  paper: '',
  fields: {
    model: member('The model, or a distribution whose prompt is to be another.'),
    prompt: optional(prompt('What it reads instead of the prompt of the request.', { kind: 'own' })),
  },
  build: ({ model, prompt }) => (prompt === null ? model.scores : withPrompt(model.scores, prompt)),
});
