// vcd: visual contrastive decoding (arXiv:2311.16922): dcd whose negative view is the same model before the same pictures under diffusion noise.
// Nothing is trained for it; what a model says of a picture that it cannot see is what it would have said anyhow.
import { integer, real } from '../fields.js';
import { member } from '../member-fields.js';
import { defineMethod } from '../method.js';
import { NOISE_STEPS, withPrompt } from '../prompt.js';
import { contrasted } from './dcd.js';

export const vcd = defineMethod({
  name: 'vcd',
  summary: 'Steers away from what the model says of the same pictures when they are noise.',
  equation: '(1 + contrast)·model − contrast·model[noise], on plausible tokens of model',
  paper: 'arXiv:2311.16922',
  fields: {
    model: member('The model, which reads pictures.'),
    noise: integer({ help: 'Steps of the diffusion.', fallback: 500, min: 0, max: NOISE_STEPS - 1 }),
    contrast: real({ help: 'How far away from the noised view.', fallback: 0.5, min: 0, max: 10 }),
    plausibility: real({
      help: 'Least probability, as a share of the largest; 0 is off.',
      fallback: 0.1,
      min: 0,
      max: 1,
    }),
  },
  build: ({ model, noise, contrast, plausibility }) => {
    const negative = withPrompt(model.scores, { kind: 'images', look: { kind: 'noise', step: noise } });
    return contrasted(model.scores, negative, { contrast, plausibility });
  },
});
