// What a method costs, beside its effect: decoder rows per emitted token, and wall time per token relative to the plain large model.
// Both are slopes: a long answer less a short one, so that the prompt, the connection and the text's work drop out. One request in
// flight, the two sides in turn, so that what else the machine does hits both alike.
import type { Ask, AskOptions, Question, Reply } from './ask.js';

export interface Cost {
  /** Over all models. */
  readonly forwardsPerToken: number;
  readonly timeRatio: number;
}

const PROMPTS = 12;
const SHORT = 1;
const LONG = 49;

export async function costOf(
  ask: Ask,
  questions: readonly Question[],
  options: Omit<AskOptions, 'seed'>,
  plain: string,
): Promise<Cost> {
  const [steered, base] = [
    { ms: 0, forwards: 0 },
    { ms: 0, forwards: 0 },
  ];
  const chosen = questions.slice(0, PROMPTS);
  for (const [seed, question] of chosen.entries())
    for (const [sum, asked] of [
      [steered, { ...options, seed }],
      [base, { model: plain, seed }],
    ] as const) {
      // Uncounted: takes in the prompt, and compiles kernels at the first.
      await timed(ask, question, asked, SHORT);
      const [short, long] = [await timed(ask, question, asked, SHORT), await timed(ask, question, asked, LONG)];
      sum.ms += long.ms - short.ms;
      sum.forwards += long.forwards - short.forwards;
    }
  return { forwardsPerToken: steered.forwards / (chosen.length * (LONG - SHORT)), timeRatio: steered.ms / base.ms };
}

/** What whole answers have taken, prompts included. */
interface Taken {
  ms: number;
  tokens: number;
  forwards: number;
}

/**
 * Of a search, which decides over whole answers or blocks: a long answer is not a short one and more of the same. So whole answers, to
 * their own end, from one request in flight; both sides at the search's temperature.
 */
export async function wholeCostOf(
  ask: Ask,
  questions: readonly Question[],
  asked: Omit<AskOptions, 'seed'>,
  plain: string,
): Promise<Cost> {
  const [searching, plainly] = sidesOf(asked, plain);
  const [search, base]: readonly [Taken, Taken] = [
    { ms: 0, tokens: 0, forwards: 0 },
    { ms: 0, tokens: 0, forwards: 0 },
  ];
  const sides = [
    [search, searching],
    [base, plainly],
  ] as const;
  const [warming, ...chosen] = questions.slice(0, PROMPTS + 1);
  // Uncounted: compiles kernels.
  if (warming) for (const [, asked] of sides) await ask.all([warming], { ...asked, seed: 0 });
  for (const [seed, question] of chosen.entries())
    for (const [taken, asked] of sides) {
      const started = performance.now();
      const [reply] = await ask.all([question], { ...asked, seed });
      taken.ms += performance.now() - started;
      taken.tokens += reply?.completionTokens ?? 0;
      taken.forwards += reply ? rowsOf(reply) : 0;
    }
  return {
    forwardsPerToken: search.forwards / search.tokens,
    timeRatio: search.ms / search.tokens / (base.ms / base.tokens),
  };
}

/** A search, and the plain model at the search's temperature. */
function sidesOf(
  { model, decoding, temperature }: Omit<AskOptions, 'seed'>,
  plain: string,
): [search: Omit<AskOptions, 'seed'>, plain: Omit<AskOptions, 'seed'>] {
  const warmth = temperature === undefined ? {} : { temperature };
  return [
    { model, ...warmth, ...(decoding === undefined ? {} : { decoding }) },
    { model: plain, ...warmth },
  ];
}

/** Answers in a timed set. */
export const SET = 32;

/**
 * Wall time of a set of whole answers ÷ that of the plain model's, in turn: what a search costs where its answers are shorter or longer than
 * plain ones. As many are in flight as `ask` keeps.
 */
export async function setTimeRatio(
  ask: Ask,
  questions: readonly Question[],
  { model, decoding, temperature }: Omit<AskOptions, 'seed'>,
  plain: string,
): Promise<number> {
  const warmth = temperature === undefined ? {} : { temperature };
  const sides = [
    { model, ...warmth, ...(decoding === undefined ? {} : { decoding }) },
    { model: plain, ...warmth },
  ];
  const chosen = questions.slice(0, SET);
  for (const side of sides) await ask.all(chosen.slice(0, 1), { ...side, seed: UNCOUNTED });
  const taken: number[] = [];
  for (const side of sides) {
    const started = performance.now();
    await ask.all(chosen, { ...side, seed: UNCOUNTED + 1 });
    taken.push(performance.now() - started);
  }
  const [search = NaN, base = NaN] = taken;
  return search / base;
}

/** Seeds that nothing else here has: what a judge has read once costs nothing again. */
const UNCOUNTED = 1_000_000;

/** Decoder rows per emitted token of answers that have come, prompts included: for comparing at equal forwards. */
export const forwardsPerToken = (replies: readonly Reply[]): number =>
  replies.reduce((sum, reply) => sum + rowsOf(reply), 0) /
  replies.reduce((sum, { completionTokens }) => sum + completionTokens, 0);

/** Over all models. */
const rowsOf = ({ forwards }: Reply): number => Object.values(forwards).reduce((sum, rows) => sum + rows, 0);

async function timed(
  ask: Ask,
  question: Question,
  options: AskOptions,
  tokens: number,
): Promise<{ readonly ms: number; readonly forwards: number }> {
  const started = performance.now();
  const [reply] = await ask.all([question], { ...options, maxTokens: tokens, ignoreEnd: true });
  const ms = performance.now() - started;
  return { ms, forwards: reply ? rowsOf(reply) : 0 };
}
