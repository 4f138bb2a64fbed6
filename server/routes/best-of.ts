// best_of of a completions request: of the choices that were generated for each prompt, those that the distribution finds likeliest per
// token, as OpenAI defines it. Called where a whole answer is made; a stream cannot know its best choice.
import type { Choice } from '../wire/reply.js';

/** Mean log-probability; of a choice without tokens the least. */
function score({ tokens }: Choice): number {
  if (tokens.length === 0) return -Infinity;
  return tokens.reduce((sum, { logprob }) => sum + logprob, 0) / tokens.length;
}

/** `kept` of every `generated` choices, the best first; of equals the earlier. Numbered anew. */
export function bestChoices(choices: readonly Choice[], generated: number, kept: number): Choice[] {
  const best: Choice[] = [];
  for (let first = 0; first < choices.length; first += generated) {
    const ranked = choices
      .slice(first, first + generated)
      .map((choice) => ({ choice, score: score(choice) }))
      .sort((a, b) => (a.score === b.score ? 0 : b.score - a.score));
    for (const { choice } of ranked.slice(0, kept)) best.push({ ...choice, index: best.length });
  }
  return best;
}
