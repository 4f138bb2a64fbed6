// ensemble: several scorers, so that what only one of them likes does not win (Eisenstein et al., "Helping or Herding?", arXiv:2312.09244;
// Coste et al., "Reward Model Ensembles Help Mitigate Overoptimization", arXiv:2310.02743). Of the members' scores of one answer:
//
//   mean · median · min · mean_minus_std: mean − deviation · uncertainty_weighted: mean − penalty · deviation²
//
// Reward models are defined up to a constant per request, and each has a scale of its own, so a minimum or a deviation over raw scores means
// nothing. With `centre` each member's scores of the answers that are compared are brought to mean 0 and deviation 1 first. That is the rule for all
// but the plain mean, whose order no constant changes. A centred score tells better from worse among these answers and is 0 for a lone one:
// thresholds and bounds need `"centre": false`.
//
// Deviations divide by the number of members, not by one less: a lone member has deviation 0. A score that is no number stays one that never
// wins (searches/winner.ts), and is left out where its member is centred.
import { boolean, oneOf, optional, real } from '../fields.js';
import type { ReadScorer } from '../fields.js';
import { Conflict } from '../method.js';
import type { Scorer } from '../plan.js';
import { scorerList } from '../scorer-fields.js';
import { all } from '../search.js';
import { defineScorer } from '../search-method.js';

const AGGREGATES = ['mean', 'median', 'min', 'mean_minus_std', 'uncertainty_weighted'] as const;
const USUAL_PENALTY = 0.5;

interface EnsembleScorer extends Scorer {
  readonly kind: 'ensemble';
  readonly members: readonly Scorer[];
  readonly aggregate: (typeof AGGREGATES)[number];
  readonly penalty: number;
  readonly centre: boolean;
}

export const ensemble = defineScorer({
  kind: 'ensemble',
  summary: 'Several scorers, so that what only one of them likes does not win.',
  equation: 'mean, median, min, mean − deviation or mean − penalty · deviation² of the members’ scores',
  paper: 'arXiv:2312.09244, arXiv:2310.02743',
  fields: {
    members: scorerList('What is asked.'),
    aggregate: oneOf('What is made of the scores of one answer.', AGGREGATES, 'mean'),
    penalty: optional(
      real({ help: 'uncertainty_weighted: how much variance costs; 0.5 when left out.', min: 0, max: 1000 }),
    ),
    centre: optional(
      boolean(
        'Whether each member’s scores are first brought to mean 0 and deviation 1 over the answers compared; when left out, all but "mean" do.',
      ),
    ),
  },
  build: ({ members, aggregate, penalty, centre }, context): EnsembleScorer => {
    if (penalty !== null && aggregate !== 'uncertainty_weighted')
      throw new Conflict('penalty', penalty, 'It belongs to "aggregate": "uncertainty_weighted".');
    return {
      kind: 'ensemble',
      members: members.map((member) => member.build(context)),
      aggregate,
      penalty: penalty ?? USUAL_PENALTY,
      centre: centre ?? aggregate !== 'mean',
    };
  },
  *score({ members, aggregate, penalty, centre }, branches, scoreAll) {
    const byMember = yield* all(members.map((member) => scoreAll(member, branches)));
    const comparable = centre ? byMember.map(centred) : byMember;
    return branches.map((_, index) =>
      aggregated(
        comparable.map((scores) => scores[index] ?? NaN),
        aggregate,
        penalty,
      ),
    );
  },
  range: ({ members, aggregate, penalty, centre }, rangeOf) => {
    const ranges = members.flatMap((member) => [rangeOf(member) ?? []].filter((range) => range.length === 2));
    // A centred score has no bounds of its own, and neither has what deviations are taken from.
    if (centre || ranges.length < members.length || !['mean', 'median', 'min'].includes(aggregate)) return null;
    const [least, most] = [0, 1].map((end) =>
      aggregated(
        ranges.map((range) => range[end] ?? NaN),
        aggregate,
        penalty,
      ),
    );
    return [least ?? NaN, most ?? NaN];
  },
});

/**
 * Throws Conflict about `field` where scores are centred: then a number says how an answer compares with the others of one decision, and nothing of
 * an answer by itself.
 */
export function refuseCentred(field: string, scorer: Scorer, { effective }: ReadScorer): void {
  if (isCentred(scorer))
    throw new Conflict(
      field,
      effective,
      'The ensemble is centred: its scores compare answers, and here each is judged by itself. Give it "centre": false.',
    );
}

function isCentred(scorer: Scorer): boolean {
  if (scorer.kind !== 'ensemble') return false;
  const { centre, members } = scorer as EnsembleScorer;
  return centre || members.some(isCentred);
}

function aggregated(scores: readonly number[], aggregate: EnsembleScorer['aggregate'], penalty: number): number {
  if (scores.some(Number.isNaN)) return NaN;
  // What one member forbids has no mean and no deviation: −∞ − (−∞).
  if (aggregate !== 'median' && scores.includes(-Infinity)) return -Infinity;
  switch (aggregate) {
    case 'mean':
      return meanOf(scores);
    case 'median':
      return medianOf(scores);
    case 'min':
      return Math.min(...scores);
    case 'mean_minus_std':
      return meanOf(scores) - Math.sqrt(varianceOf(scores));
    case 'uncertainty_weighted':
      return meanOf(scores) - penalty * varianceOf(scores);
    default:
      return aggregate satisfies never;
  }
}

/** Finer differences than this between centred scores are rounding: of two answers one has 1 and the other −1, whatever the numbers were. */
const FINEST = 1e-12;

/** Mean 0 and deviation 1; all 0 where they do not differ. */
function centred(scores: readonly number[]): number[] {
  const known = scores.filter(Number.isFinite);
  const [mean, deviation] = [meanOf(known), Math.sqrt(varianceOf(known))];
  return scores.map((score) => {
    if (!Number.isFinite(score)) return score;
    return deviation === 0 ? 0 : Math.round((score - mean) / deviation / FINEST) * FINEST;
  });
}

/** From the first on: the mean of equal numbers is that number, to the last bit. */
function meanOf(numbers: readonly number[]): number {
  const first = numbers[0] ?? NaN;
  return first + numbers.reduce((sum, number) => sum + (number - first), 0) / numbers.length;
}

function varianceOf(numbers: readonly number[]): number {
  const mean = meanOf(numbers);
  return numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0) / numbers.length;
}

function medianOf(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const [below, above] = [
    sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN,
    sorted[Math.floor(sorted.length / 2)] ?? NaN,
  ];
  return below === -Infinity ? below : below + (above - below) / 2;
}
