// Asks a base model to judge texts: which label follows the open bracket that a judging prompt ends in.
import type { JudgingTask } from '../../models/pocket/world/judging.js';
import type { Ask } from './ask.js';

/** 1 where the right label is the likelier one. A token counts for the label that it begins with; without either there is no verdict. */
export async function judgedRight(
  ask: Ask,
  model: string,
  tasks: readonly JudgingTask[],
  labels: readonly string[],
): Promise<number[]> {
  const texts = tasks.map(({ messages }) => messages.at(-1)?.content ?? '');
  const answers = await ask.next(texts, model);
  return tasks.map(({ label }, index) => {
    const likelihood = (of: string): number =>
      [...(answers[index] ?? [])]
        .filter(([token]) => token.startsWith(of))
        .reduce((sum, [, logprob]) => sum + Math.exp(logprob), 0);
    const own = likelihood(label);
    return Number(own > 0 && labels.every((other) => other === label || likelihood(other) < own));
  });
}
