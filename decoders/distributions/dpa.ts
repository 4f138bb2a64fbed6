// dpa: directional preference alignment (Wang et al., arXiv:2402.18571). A user's preference is a direction over objectives, a unit vector v:
//
//   prompt    the model was trained with the direction in its system turn, as whole numbers 100·vⱼ in a fixed sentence; the sentence
//             comes from the model's configuration, for it must equal that of training byte for byte
//   experts   one model per objective: Σ vⱼ·expertⱼ, divided by Σ vⱼ; with a reference, reference + Σ vⱼ·(expertⱼ − reference), which
//             needs no division and also serves directions whose sum is 0 or less
import { average, linear, viewsOf } from '../expr.js';
import type { Scores } from '../expr.js';
import { direction, unitVector } from '../direction.js';
import type { Direction } from '../direction.js';
import { oneOf, optional } from '../fields.js';
import type { Member } from '../fields.js';
import { member, namedMembers } from '../member-fields.js';
import { Conflict, defineMethod } from '../method.js';
import type { BuildContext, DirectionCard } from '../method.js';
import { withPrompt } from '../prompt.js';

interface Values {
  readonly inner: Member | null;
  readonly experts: ReadonlyMap<string, Member> | null;
  readonly reference: Member | null;
  readonly direction: Direction;
}

export const dpa = defineMethod({
  name: 'dpa',
  summary: 'Follows a preference direction over several objectives, such as helpful but brief.',
  equation:
    'prompt: inner told round(100·v); experts: Σ vⱼ·expertⱼ / Σ vⱼ, or reference + Σ vⱼ·(expertⱼ − reference); |v| = 1',
  paper: 'arXiv:2402.18571 (DPA)',
  fields: {
    mode: oneOf('Who follows the direction.', ['prompt', 'experts', 'reward'], 'prompt'),
    direction: direction('Where to go. It is scaled to length 1.'),
    inner: optional(member('prompt: a model whose configuration has "dpa".')),
    experts: namedMembers('experts: one model per objective, by its name.'),
    reference: optional(member('experts: the model before tuning.')),
  },
  build: ({ mode, ...values }, context) => {
    switch (mode) {
      case 'prompt':
        return prompted(values, context);
      case 'experts':
        return blended(values, context);
      case 'reward':
        throw new Conflict(
          'mode',
          mode,
          'Scoring by reward models is a search, not a formula. Use "prompt" or "experts".',
        );
      default:
        return mode satisfies never;
    }
  },
});

function prompted({ inner, experts, reference, direction }: Values, context: BuildContext): Scores {
  if (inner === null)
    throw new Conflict('inner', undefined, 'Mode "prompt" needs "inner", the model that is told the direction.');
  if (experts !== null) throw new Conflict('experts', undefined, 'They belong to "mode": "experts".');
  if (reference !== null) throw new Conflict('reference', undefined, 'It belongs to "mode": "experts".');
  const models = [...new Set(viewsOf(inner.scores).map(({ model }) => model))];
  const [model = ''] = models;
  const card = models.length === 1 ? context.directionCard(model) : undefined;
  if (card === undefined)
    throw new Conflict(
      'inner',
      inner.effective,
      'It must be one model that was trained with directions: its configuration says so under "dpa": {"template", "axes"}.',
    );
  return withPrompt(inner.scores, { kind: 'system', text: directionPrompt(card, unitVector(direction, card.axes)) });
}

/** The system turn of a direction: whole hundredths in the places of the axes. */
export function directionPrompt({ template, axes }: DirectionCard, vector: readonly number[]): string {
  // −0 would print as 0 anyway; adding 0 makes it so for every reader.
  return axes.reduce(
    (text, axis, index) => text.replaceAll(`{${axis}}`, String(Math.round(100 * (vector[index] ?? 0)) + 0)),
    template,
  );
}

function blended({ inner, experts, reference, direction }: Values, { allowNegativeWeights }: BuildContext): Scores {
  if (experts === null) throw new Conflict('experts', undefined, 'Mode "experts" needs a model for each objective.');
  if (inner !== null) throw new Conflict('inner', undefined, 'It belongs to "mode": "prompt".');
  const axes = [...experts.keys()];
  const vector = unitVector(direction, axes);
  const negative = axes.find((_, index) => (vector[index] ?? 0) < 0);
  if (negative !== undefined && !allowNegativeWeights)
    throw new Conflict(
      'direction',
      negative,
      `Steering away from "${negative}" is for the operator to allow (negative weights).`,
    );
  const terms = [...experts.values()].map(({ scores }, index) => [vector[index] ?? 0, scores] as const);
  if (reference === null) {
    if (vector.reduce((sum, component) => sum + component, 0) <= 0)
      throw new Conflict('direction', vector, 'Its components must add up to more than 0, or give a "reference".');
    return average(terms);
  }
  const rest = 1 - vector.reduce((sum, component) => sum + component, 0);
  return linear([...terms, [rest, reference.scores]]);
}
