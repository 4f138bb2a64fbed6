// plain: one model's own next-token distribution, with the request's prompt or another, its pictures seen by the
// checkpoint's own projection or another.
import { member } from '../member-fields.js';
import { optional, string } from '../fields.js';
import { Conflict, defineMethod } from '../method.js';
import { prompt, withPrompt } from '../prompt.js';

export const plain = defineMethod({
  name: 'plain',
  summary: 'One model, as it is.',
  equation: 'model',
  paper: '',
  fields: {
    model: member('The model, or a distribution whose prompt is to be another.'),
    prompt: optional(prompt('What it reads instead of the prompt of the request.', { kind: 'own' })),
    projection: optional(
      string('Of a model that reads pictures: the projection by which it sees them.', { maxLength: 128 }),
    ),
  },
  build: ({ model, prompt, projection }) => {
    if (projection !== null && prompt !== null)
      throw new Conflict('projection', projection, 'Give prompt or projection, not both.');
    if (projection !== null)
      return withPrompt(model.scores, { kind: 'images', look: { kind: 'projection', name: projection } });
    return prompt === null ? model.scores : withPrompt(model.scores, prompt);
  },
});
