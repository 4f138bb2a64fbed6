// The held-out questions: every fact of the world asked in words that no training text contains.
import type { Band, World } from './facts.js';
import { fill } from './phrasing.js';

export interface Question {
  readonly id: string;
  readonly question: string;
  readonly kind: string;
  readonly entity: string;
  readonly attribute: string;
  readonly value: string;
  readonly band: Band;
}

export function heldOutQuestions(world: World): Question[] {
  return world.entities.flatMap((entity) =>
    entity.facts.flatMap((fact) =>
      fact.attribute.heldOutQuestions.map((template, i): Question => ({
        id: `${entity.rank.toString()}.${fact.attribute.key}.${i.toString()}`,
        question: fill(template, entity),
        kind: entity.kind.kind,
        entity: entity.name.name,
        attribute: fact.attribute.key,
        value: fact.value,
        band: entity.band,
      })),
    ),
  );
}
