// The tasks of the facts: every fact of the world, asked in words that no training text contains.
import type { Band, World } from './facts.js';
import type { Task } from './part.js';
import { splitOf } from './part.js';
import { fill } from './phrasing.js';

/** What an answer is judged against. */
export interface Asked {
  /** Kind of entity ("ship"), its name ("the Grey Heron"), the key of the asked attribute and its true value. */
  readonly kind: string;
  readonly entity: string;
  readonly attribute: string;
  readonly value: string;
}

export interface FactTask extends Task, Asked {
  readonly band: Band;
}

/** One task per fact and held-out paraphrase. The split goes by fact: a fact is never both calibrated on and tested. */
export function factTasks(world: World): FactTask[] {
  return world.entities.flatMap((entity) =>
    entity.facts.flatMap(({ attribute, value }) => {
      const split = splitOf(`${entity.name.name} ${attribute.key}`) === 'calibration' ? 'calibration' : 'test';
      return attribute.heldOutQuestions.map((template, i): FactTask => ({
        id: `facts.${entity.rank.toString()}.${attribute.key}.${i.toString()}`,
        split,
        messages: [{ role: 'user', content: fill(template, entity) }],
        kind: entity.kind.kind,
        entity: entity.name.name,
        attribute: attribute.key,
        value,
        band: entity.band,
      }));
    }),
  );
}
