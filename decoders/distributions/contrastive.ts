// contrastive: contrastive decoding (Li et al., arXiv:2210.15097; weighted form: O'Brien and Lewis, arXiv:2309.09117). What a good model knows and
// a poor one does not. Both forms look only at tokens that the expert finds plausible: its probability is at least
// `plausibility` times its largest.
//
//   original   expert − contrast·amateur/amateur_temperature             the weights do not add up to 1, hence the mask is part of it
//   weighted   (1 + contrast)·expert − contrast·amateur/amateur_temperature
import { linear, logSoftmax, masked, plausible } from '../expr.js';
import { oneOf, real } from '../fields.js';
import { member } from '../member-fields.js';
import { Conflict, defineMethod } from '../method.js';

export const contrastive = defineMethod({
  name: 'contrastive',
  summary:
    'Prefers what a good model says and a poor one does not, among the tokens that the good one finds plausible.',
  equation:
    'original: expert − contrast·amateur; weighted: (1 + contrast)·expert − contrast·amateur; on plausible tokens',
  paper: 'arXiv:2210.15097 (contrastive decoding), arXiv:2309.09117',
  fields: {
    expert: member('The good model.'),
    amateur: member('The poor model.'),
    form: oneOf(
      'Whether the expert keeps its own weight of 1 besides the contrast.',
      ['original', 'weighted'],
      'weighted',
    ),
    contrast: real({ help: 'Weight of the amateur.', fallback: 0.5, min: 0, max: 10 }),
    amateur_temperature: real({
      help: 'Divides the log-probabilities of the amateur.',
      fallback: 1,
      min: 0.1,
      max: 10,
    }),
    plausibility: real({ help: 'Least probability, as a share of the largest.', fallback: 0.1, min: 0, max: 1 }),
  },
  build: ({ expert, amateur, form, contrast, amateur_temperature: temperature, plausibility }) => {
    if (form === 'original' && plausibility === 0)
      throw new Conflict(
        'plausibility',
        plausibility,
        'Use a value above 0 (0.1 is usual): without the mask the original form prefers tokens that both models find absurd.',
      );
    const scores = linear([
      [form === 'weighted' ? 1 + contrast : 1, expert.scores],
      [-contrast / temperature, amateur.scores],
    ]);
    return masked(scores, plausible(logSoftmax(expert.scores), plausibility));
  },
});
