// fusion: dynamic logit fusion (Fan et al., "On Giant's Shoulders: Effortless Weak to Strong by Dynamic Logits Fusion", arXiv:2406.15480).
// The weights of eft's proxy form are solved anew for every token, so that the large model is moved as far, in both KL divergences, as tuning
// moved the small one. decoders/fusion.ts has the objective.
import { fused, logSoftmax, MAX_JOINT_EXPERTS } from '../expr.js';
import { numbers, oneOf } from '../fields.js';
import { member, members } from '../member-fields.js';
import { Conflict, defineMethod } from '../method.js';

export const fusion = defineMethod({
  name: 'fusion',
  summary: 'Small experts steer a large base model, each token as strongly as tuning moved the small model there.',
  equation: 'base + Σ aₜ·(expertₜ − reference), aₜ in [0, bound] solved per token',
  paper: 'arXiv:2406.15480 (dynamic logit fusion)',
  fields: {
    base: member('The large model.'),
    reference: member('The small model before tuning.'),
    experts: members('The small tuned models.'),
    search: oneOf(
      'single: one expert acts on a token, as published. joint: several may.',
      ['single', 'joint'],
      'single',
    ),
    bounds: numbers({
      help: 'Largest weight: one number for all experts, or one for each.',
      fallback: [2],
      min: 0,
      max: 10,
    }),
  },
  build: ({ base, reference, experts, search, bounds }) => {
    const [only = 0] = bounds;
    if (search === 'joint' && experts.length > MAX_JOINT_EXPERTS)
      throw new Conflict(
        'experts',
        experts.length,
        `The joint search takes at most ${MAX_JOINT_EXPERTS} experts; "search": "single" takes more.`,
      );
    if (bounds.length !== 1 && bounds.length !== experts.length)
      throw new Conflict('bounds', bounds, `Give one number, or one for each of the ${experts.length} experts.`);
    return fused({
      base: logSoftmax(base.scores),
      reference: logSoftmax(reference.scores),
      experts: experts.map(({ scores }) => logSoftmax(scores)),
      search,
      bounds: bounds.length === experts.length ? bounds : experts.map(() => only),
    });
  },
});
