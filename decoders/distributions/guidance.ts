// guidance: classifier-free guidance for language models (Sanchez et al., arXiv:2306.17806). The same distribution reads two prompts, and the
// difference that the prompt makes is scaled. Weight 1 is the distribution itself, 0 the unconditional branch.
import { linear } from '../expr.js';
import { weight } from '../fields.js';
import { member } from '../member-fields.js';
import { Conflict, defineMethod } from '../method.js';
import { prompt, promptKey, withPrompt } from '../prompt.js';

export const guidance = defineMethod({
  name: 'guidance',
  summary: 'Follows the prompt more closely, or away from a negative prompt.',
  equation: 'weight·model + (1 − weight)·negative, negative = model with negative_prompt',
  paper: 'arXiv:2306.17806 (CFG)',
  fields: {
    model: member('What is guided.'),
    negative_prompt: prompt('What the other branch reads: nothing but the last token, or what to steer away from.', {
      kind: 'lastToken',
    }),
    weight: weight({ help: 'How strongly the prompt is followed; 1 is off.', fallback: 1.5, max: 20 }),
  },
  build: ({ model, negative_prompt: negativePrompt, weight }) => {
    const negative = withPrompt(model.scores, negativePrompt);
    if (negative === model.scores || JSON.stringify(negative) === JSON.stringify(model.scores))
      throw new Conflict(
        'negative_prompt',
        promptKey(negativePrompt),
        'Every member of the model has a prompt of its own already, so both branches would be the same.',
      );
    // The guided branch comes first: it is the one whose prompt the reply counts.
    return linear([
      [weight, model.scores],
      [1 - weight, negative],
    ]);
  },
});
