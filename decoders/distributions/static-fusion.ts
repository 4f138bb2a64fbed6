// static_fusion: several small experts steer a large base model with fixed weights, what dynamic fusion is measured against
// (arXiv:2406.15480, "multi-task tuning with constant weights"; one expert with weight 1 is proxy-tuning).
import { linear } from '../expr.js';
import { member, weightedMembers } from '../member-fields.js';
import { defineMethod } from '../method.js';

export const staticFusion = defineMethod({
  name: 'static_fusion',
  summary: 'Small experts steer a large base model with weights that stay the same.',
  equation: 'base + Σ weightₜ·(expertₜ − reference)',
  paper: 'arXiv:2406.15480, arXiv:2401.08565',
  fields: {
    base: member('The large model.'),
    reference: member('The small model before tuning.'),
    experts: weightedMembers('The small tuned models.', 10),
  },
  build: ({ base, reference, experts }) =>
    linear([
      [1, base.scores],
      ...experts.map(({ member, weight }) => {
        const difference = linear([
          [1, member.scores],
          [-1, reference.scores],
        ]);
        return [weight, difference] as const;
      }),
    ]),
});
