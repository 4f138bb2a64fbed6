// The suite itself, before any method: how far base, tuned and oracle models lie apart. Without these gaps no method could show anything.
import type { Band } from '../../../models/pocket/world/facts.js';
import { compare, plain } from '../arms.js';
import { rate, type Figure, type RowModule } from '../figure.js';

const bands: readonly Band[] = ['frequent', 'middle', 'rare'];

const arms = [
  plain('pocket', 'large'),
  plain('pocket-small', 'small'),
  plain('pocket-chat', 'small chat'),
  plain('pocket-large-chat', 'large chat'),
];

export const worldRow: RowModule = {
  method: 'world',
  claim: 'What the models of the suite know and do by themselves.',
  models: arms.map(({ model }) => model),
  decoders: [],
  async measure(bench) {
    const { town, prompts, seed } = bench;
    const figures: Figure[] = [];
    for (const band of bands) {
      const { right } = await compare(bench, town.facts(prompts, seed, band), arms, {
        right: (task, answer) => town.factRight(task, answer),
      });
      figures.push(rate('world', `facts right, ${band}`, right, 'large', seed));
    }
    return { figures, curves: [] };
  },
};
