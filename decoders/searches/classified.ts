// formula with classifiers among its terms (model arithmetic: Dekoninck et al., arXiv:2311.14479, §3.2 and its code). With the distributions
// Qᵢ, the classifiers Cⱼ and the answer so far x:
//
//   score(z) = ( Σ wᵢ·log Qᵢ(z) + Σ λⱼ·(log Cⱼ(x z) − log Cⱼ(x)) ) / Σ wᵢ
//
// A classifier judges text, so it is asked about the `candidates` likeliest tokens of the formula without it. All other tokens are taken to
// leave its judgement as it is: log Cⱼ(x z) = log Cⱼ(x). Taking log Cⱼ(x) off everywhere changes no probability and leaves them alone. The
// coefficients of classifiers do not count into the sum: the uniform distribution that Bayes' rule divides by takes theirs away again.
//
// So a step is one look at the likeliest tokens, one reading of each of their texts and of x, and one draw with a bias, by the request's own
// sampler over the whole vocabulary. Nothing is drafted: a token's bias is known once the one before it is.
import { classifiedExpression, holdsClassifier, logProbability, type Scale } from '../classifier.js';
import { formula, normalise, rootOf } from '../distributions/formula.js';
import { integer } from '../fields.js';
import type { ReadScorer } from '../fields.js';
import type { Scorer } from '../plan.js';
import { refuseCentred } from '../scorers/ensemble.js';
import { scoreAll } from '../scorers/index.js';
import { all, commit, count, logprobs as nextTokens, release, sample, ScorerFailed, trace } from '../search.js';
import type { Branch, Search, Searching, TopTokens } from '../search.js';
import { defineSearch } from '../search-method.js';
import { candidatesOf } from './choose.js';

interface Classifier {
  readonly scorer: Scorer;
  readonly scale: Scale;
  /** For people. */
  readonly name: string;
  /** Divided like all others. Never 0: what has no weight is not asked. */
  readonly weight: number;
}

interface Classified {
  readonly classifiers: readonly Classifier[];
  readonly candidates: number;
}

export const classified = defineSearch({
  name: formula.name,
  when: (spec) => holdsClassifier(spec['expression']),
  summary: 'An expression of your own with classifiers among its terms: they judge the texts of the likeliest tokens.',
  equation: '(Σ wᵢ·log Qᵢ(token) + Σ λⱼ·log(Cⱼ(answer so far, token) / Cⱼ(answer so far))) / Σ wᵢ',
  paper: formula.paper,
  granularity: 'a token',
  fields: {
    expression: classifiedExpression(
      'A tree of operators: a sum that has a classifier among its terms, beside all that may stand in any expression.',
    ),
    normalise,
    candidates: integer({
      help: 'How many of the likeliest tokens the classifiers are asked about; all others keep the score of the answer so far.',
      fallback: 50,
      min: 1,
      max: 256,
    }),
  },
  plan: ({ expression: { member, classifiers }, normalise, candidates }, context) => {
    const { scores, by } = rootOf(member.scores, normalise);
    context.distribution(scores);
    const terms = classifiers
      .filter(({ weight }) => weight !== 0)
      .map(({ weight, scale, scorer }): Classifier => {
        const built = scorer.build(context);
        refuseCentred('expression', built, scorer);
        return { scorer: built, scale, name: nameOf(scorer), weight: weight / by };
      });
    return { values: { classifiers: terms, candidates }, branches: [1], scored: 1 + candidates, biased: true };
  },
  run: decodeClassified,
  formula: ({ classifiers }, inner) =>
    classifiers.reduce((sum, { weight, name }) => {
      const size = Number(Math.abs(weight).toPrecision(6));
      return `${sum} ${weight < 0 ? '−' : '+'} ${size === 1 ? '' : `${size}·`}log C(${name})`;
    }, inner),
  cost: ({ classifiers, candidates }) => ({
    tokens: [1],
    scored: classifiers.length === 0 ? 0 : candidates,
    note: 'The answer so far was judged with the token before, if that was a candidate. Nothing is drafted.',
  }),
});

function* decodeClassified(trunk: Branch, { classifiers, candidates }: Classified): Search {
  while (!trunk.ended) {
    const top = classifiers.length === 0 ? NOTHING : yield* nextTokens(trunk, candidates);
    const biases = yield* biasesOf(trunk, top.ids, classifiers);
    const { ids } = yield* sample(trunk, { tokens: 1, bias: top.ids.map((id, at) => [id, biases[at] ?? NaN]) });
    if (top.ids.length > 0) yield* told(trunk, top, biases, ids[0] ?? -1);
    yield* commit(trunk);
  }
}

/** What judges, in a word or two. */
function nameOf({ effective }: ReadScorer): string {
  const { kind, model, endpoint, head } = effective as Readonly<Record<string, string | undefined>>;
  return [model ?? endpoint ?? kind, head].filter((word) => word !== undefined).join(' ');
}

const NOTHING: TopTokens = { ids: [], logprobs: [] };

/** Σ λⱼ·(log Cⱼ(x z) − log Cⱼ(x)) of each token z after x. */
function* biasesOf(x: Branch, ids: readonly number[], classifiers: readonly Classifier[]): Searching<number[]> {
  if (ids.length === 0) return [];
  const texts = yield* candidatesOf(x, ids, 1, { textOnly: true });
  const judged = yield* all(classifiers.map(({ scorer }) => scoreAll(scorer, [x, ...texts])));
  yield* count('scored', texts.length);
  yield* all(texts.map((text) => release(text)));
  const shares = classifiers.map(({ weight, scale }, j) =>
    gains(judged[j] ?? [], scale).map((gain) => weighed(weight, gain)),
  );
  return ids.map((_, at) => shares.reduce((sum, share) => sum + (share[at] ?? NaN), 0));
}

/**
 * log C(x z) − log C(x), from the scores of x and of each x z. −∞ forbids a token; where all are forbidden the classifier says nothing. An x of −∞ says
 * no more of the tokens that were not looked at than that none of them is better than the worst that was.
 */
function gains(scores: readonly number[], scale: Scale): number[] {
  const [before = NaN, ...after] = scores.map((score) => checked(score, scale));
  const known = after.filter(Number.isFinite);
  if (known.length === 0) return after.map(() => 0);
  const base = Number.isFinite(before) ? before : Math.min(...known);
  return after.map((logprob) => (logprob === -Infinity ? logprob : bounded(logprob - base)));
}

function checked(score: number, scale: Scale): number {
  const logprob = logProbability(score, scale);
  if (Number.isNaN(logprob) || logprob === Infinity)
    throw new ScorerFailed(`a classifier's score is no ${scale}: ${score}; its "scale" says what its scores are`);
  return logprob;
}

/** A token that is forbidden stays so, whatever the sign of the weight: as in a sum of distributions. */
function weighed(weight: number, gain: number): number {
  return gain === -Infinity ? gain : bounded(weight * gain);
}

/** Far beyond what any sampler tells apart; the sum of all terms stays a number of float32, in which it is drawn. */
const LARGEST_BIAS = 1e20;

/** What is too large for a number is neither forbidden nor sure of coming. */
function bounded(bias: number): number {
  return Math.min(Math.max(bias, -LARGEST_BIAS), LARGEST_BIAS);
}

/** A step of the story. `chosen` is −1 where a token came that was not looked at. */
function* told(x: Branch, { ids, logprobs }: TopTokens, biases: readonly number[], drawn: number): Searching<void> {
  yield* trace({
    event: 'candidates',
    at: x.tokens.length - 1,
    candidates: ids.map((id, at) => {
      const [logprob, value] = [logprobs[at] ?? NaN, biases[at] ?? NaN];
      return { tokens: [id], logprob, value, score: logprob + value };
    }),
    chosen: ids.indexOf(drawn),
  });
}
