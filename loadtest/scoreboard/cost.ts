// What a method costs, beside its effect: decoder rows per emitted token, and wall time per token relative to the plain large model.
// Both are slopes: a long answer less a short one, so that the prompt, the connection and the text's work drop out. One request in
// flight, the two sides in turn, so that what else the machine does hits both alike.
import type { Ask, AskOptions, Question } from './ask.js';

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

async function timed(
  ask: Ask,
  question: Question,
  options: AskOptions,
  tokens: number,
): Promise<{ readonly ms: number; readonly forwards: number }> {
  const started = performance.now();
  const [reply] = await ask.all([question], { ...options, maxTokens: tokens, ignoreEnd: true });
  const ms = performance.now() - started;
  return { ms, forwards: Object.values(reply?.forwards ?? {}).reduce((sum, rows) => sum + rows, 0) };
}
