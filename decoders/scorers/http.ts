// http: an endpoint that scores answers. The operator names it in the configuration; a request can name it and nothing else about it. It gets
// the conversation and an answer, and gives a number or several.
import { integer, optional } from '../fields.js';
import type { Scorer } from '../plan.js';
import { endpoint } from '../scorer-fields.js';
import { defineScorer } from '../search-method.js';
import { rewardRange, within } from '../searches/reward-range.js';
import type { RewardRange } from '../searches/reward-range.js';
import { addHeads, asItIs } from './heads.js';
import type { HeadTerm } from './heads.js';

interface HttpScorer extends Scorer {
  readonly kind: 'http';
  readonly source: number;
  readonly terms: readonly HeadTerm[];
  readonly range: RewardRange | null;
}

export const http = defineScorer({
  kind: 'http',
  summary: 'Asks an endpoint of the configuration what an answer is worth.',
  equation: 'endpoint(conversation, answer)',
  paper: '',
  fields: {
    endpoint: endpoint('Who is asked.'),
    index: integer({ help: 'Which of the numbers it gives, from 0.', fallback: 0, min: 0, max: 63 }),
    range: optional(
      rewardRange('Bounds that the score is cut to. Searches that know bounds can skip what no score can change.'),
    ),
  },
  build: ({ endpoint, index, range }, context): HttpScorer => ({
    kind: 'http',
    source: context.source({ kind: 'http', endpoint }),
    terms: [asItIs(index, 1)],
    range,
  }),
  *score({ source, terms, range }, branches) {
    return (yield* addHeads(source, terms, branches)).map((score) => within(range, score));
  },
  range: ({ range }) => range,
});
