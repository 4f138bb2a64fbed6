// http: an endpoint that scores answers. The operator names it in the configuration; a request can name it and nothing else about it. It gets
// the conversation and an answer, and gives a number or several.
import { integer, optional } from '../fields.js';
import type { Scorer } from '../plan.js';
import { all, read, ScorerFailed } from '../search.js';
import { endpoint } from '../scorer-fields.js';
import { defineScorer } from '../search-method.js';
import { rewardRange, within } from '../searches/reward-range.js';
import type { RewardRange } from '../searches/reward-range.js';

interface HttpScorer extends Scorer {
  readonly kind: 'http';
  readonly endpoint: string;
  readonly source: number;
  readonly index: number;
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
    endpoint,
    source: context.source({ kind: 'http', endpoint }),
    index,
    range,
  }),
  *score({ endpoint, source, index, range }, branches) {
    const answers = yield* all(branches.map((branch) => read(source, branch)));
    return answers.map((numbers) => {
      const score = numbers[index];
      if (score === undefined)
        throw new ScorerFailed(`${endpoint} gave ${numbers.length} numbers, and none at index ${index}`);
      return within(range, score);
    });
  },
  range: ({ range }) => range,
});
