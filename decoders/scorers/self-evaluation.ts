// self_evaluation: a model judges an answer in words (Li et al., "RAIN", arXiv:2309.07124). It reads a template with two options and is
// asked for the label of one of them; with the options in either order, so that a judge that likes a label better has no say:
//
//   votes = orders in which the good option is the more probable one        score = 2·votes/orders − 1
//
// Where a judge has no opinion the paper's code still compares two tiny numbers, and lets a tie count as bad. Here an order has no opinion
// where the labels are equally probable or have less than `least_mass` together, and the score is then 0: a verdict has to come in every
// order. `soft` replaces votes by the good label's share of the two.
import { nearestName, boolean, list, real, SpecError, string, strings } from '../fields.js';
import type { Field } from '../fields.js';
import { Conflict } from '../method.js';
import { modelName } from '../model-field.js';
import type { Scorer } from '../plan.js';
import { all, count, read, trace } from '../search.js';
import type { Branch, Searching } from '../search.js';
import { defineScorer } from '../search-method.js';

interface SelfEvaluation extends Scorer {
  readonly kind: 'self_evaluation';
  readonly source: number;
  /** For each order of the options: whether the good one has the first label. */
  readonly goodFirst: readonly boolean[];
  readonly leastMass: number;
  readonly soft: boolean;
}

interface Options {
  readonly good: string;
  readonly bad: string;
}

const SLOTS = ['request', 'conversation', 'answer', 'first', 'second'] as const;
const OPTION_SLOTS = ['first', 'second'] as const;

export const selfEvaluation = defineScorer({
  kind: 'self_evaluation',
  summary: 'A model says in words whether an answer is good: its own judge, or another’s.',
  equation: '2·votes/orders − 1, a vote for each order of the options in which P(good label) > P(bad label)',
  paper: 'arXiv:2309.07124 (RAIN)',
  fields: {
    model: modelName('Who judges.'),
    template: string(
      'What it reads: {answer} and, as you like, {request} or {conversation}; {first} and {second} are the options. The label is its next token, so end it with an open bracket or the like.',
    ),
    options: options('What {first} and {second} stand for. Without, the labels are the verdicts: the good one first.'),
    labels: strings('How the options are called in the template.', { least: 2, most: 2, fallback: ['A', 'B'] }),
    swap: boolean('Ask once more with the options exchanged. Without options there is one order.', true),
    least_mass: real({
      help: 'Probability of both labels together below which the judge has no opinion.',
      fallback: 0.05,
      min: 0,
      max: 1,
    }),
    soft: boolean(
      'Probabilities in place of votes: 2·P(good)/(P(good) + P(bad)) − 1, the mean over the orders.',
      false,
    ),
  },
  build: ({ model, template, options, labels, swap, least_mass, soft }, context): SelfEvaluation => {
    checkTemplate(template, options);
    if (labels[0] === labels[1]) throw new Conflict('labels', labels, 'Use two different labels.');
    const goodFirst = options !== null && swap ? [true, false] : [true];
    const variants = goodFirst.map((first) => (options === null ? template : filled(template, options, first)));
    const source = context.source({ kind: 'judge', model, variants, options: labels });
    return { kind: 'self_evaluation', source, goodFirst, leastMass: least_mass, soft };
  },
  *score(scorer, branches) {
    const opinions = yield* all(branches.map((branch) => opinionOf(scorer, branch)));
    const silent = opinions.filter(({ noOpinion }) => noOpinion);
    yield* count('judged', branches.length);
    if (silent.length > 0) {
      yield* count('no_opinion', silent.length);
      yield* trace({ event: 'no opinion', label_mass: silent.map(({ mass }) => mass) });
    }
    return opinions.map(({ score }) => score);
  },
  range: () => [-1, 1],
});

interface Opinion {
  readonly score: number;
  readonly noOpinion: boolean;
  /** The least probability of both labels together over the orders. */
  readonly mass: number;
}

function* opinionOf({ source, goodFirst, leastMass, soft }: SelfEvaluation, branch: Branch): Searching<Opinion> {
  const orders = yield* all(goodFirst.map((_, variant) => read(source, branch, variant)));
  const verdicts = orders.map((logprobs, order) => {
    const [first = NaN, second = NaN] = logprobs.map(Math.exp);
    return goodFirst[order] ? { good: first, bad: second } : { good: second, bad: first };
  });
  const mass = Math.min(...verdicts.map(({ good, bad }) => good + bad));
  const isTied = !soft && verdicts.some(({ good, bad }) => good === bad);
  const noOpinion = mass === 0 || !(mass >= leastMass) || isTied;
  if (noOpinion) return { score: 0, noOpinion, mass };
  const favour = verdicts.map(({ good, bad }) => (soft ? good / (good + bad) : good > bad ? 1 : 0));
  return { score: (2 * favour.reduce((sum, each) => sum + each, 0)) / favour.length - 1, noOpinion, mass };
}

/** The template with the options in their places; its other slots are filled where the answer is known. */
function filled(template: string, { good, bad }: Options, goodFirst: boolean): string {
  const [first, second] = goodFirst ? [good, bad] : [bad, good];
  // In one pass, and by function: what is filled in is no template.
  return template.replace(/\{(first|second)\}/g, (_, slot) => (slot === 'first' ? first : second));
}

function checkTemplate(template: string, options: Options | null): void {
  const slots = [...template.matchAll(/\{(\w+)\}/g)].map(([, slot = '']) => slot);
  if (slots.filter((slot) => slot === 'answer').length !== 1)
    throw new Conflict(
      'template',
      template,
      'Put the slot {answer} into it, once: where the text to be judged stands.',
    );
  for (const slot of OPTION_SLOTS) {
    if (options !== null && !slots.includes(slot))
      throw new Conflict('template', template, `Put the slot {${slot}} into it, or leave "options" out.`);
    if (options === null && slots.includes(slot))
      throw new Conflict('options', undefined, `Give {"good": …, "bad": …}: the template has the slot {${slot}}.`);
  }
  for (const slot of slots) {
    const nearest = isSlot(slot) ? null : nearestName(slot, SLOTS);
    if (nearest !== null)
      throw new Conflict('template', `{${slot}}`, `Did you mean {${nearest}}? The slots are ${list(SLOTS)}.`);
  }
}

const isSlot = (name: string): boolean => SLOTS.some((slot) => slot === name);

function options(help: string): Field<Options | null> {
  return {
    type: 'object with "good" and "bad"',
    help,
    range: 'two different texts',
    fallback: null,
    read: (value, path) => {
      const example = 'Use {"good": "harmless", "bad": "harmful"}.';
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        throw new SpecError(path, 'wrong type', value, example);
      const { good, bad, ...others }: { good?: unknown; bad?: unknown } = value;
      const [extra] = Object.keys(others);
      if (extra !== undefined)
        throw new SpecError(`${path}.${extra}`, 'unknown key', extra, example, { known: ['good', 'bad'] });
      const read = { good: readOption(good, `${path}.good`), bad: readOption(bad, `${path}.bad`) };
      if (read.good === read.bad) throw new SpecError(path, 'out of range', value, `They must differ. ${example}`);
      return read;
    },
    show: (value) => (value === null ? null : { good: value.good, bad: value.bad }),
  };
}

function readOption(value: unknown, path: string): string {
  if (value === undefined) throw new SpecError(path, 'missing', undefined, 'Give the text of the option.');
  if (typeof value !== 'string') throw new SpecError(path, 'wrong type', value, 'Use a text.');
  if (value.length === 0 || value.length > 1000)
    throw new SpecError(path, 'out of range', value, 'Use 1 to 1000 characters.');
  if (SLOTS.some((slot) => value.includes(`{${slot}}`)))
    throw new SpecError(path, 'not allowed', value, 'An option is plain text: no slot may stand in it.');
  return value;
}
