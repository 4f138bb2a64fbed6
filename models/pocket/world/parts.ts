// Everything the world consists of, in one list: a new part is one line here. Used by main.ts (which writes it), hash.ts (which
// recognises it) and the scoreboard (which asks its tasks).
import { factsPart } from './facts-part.js';
import type { World } from './facts.js';
import { buildWorld } from './facts.js';
import { harmPart } from './harm.js';
import { JUDGING, judgingPart } from './judging.js';
import type { Part } from './part.js';
import { preferencesNote, preferencesPart } from './preferences.js';
import { Rng } from './rng.js';
import { skillParts } from './skills/index.js';

export interface WholeWorld {
  readonly seed: number;
  readonly world: World;
  readonly parts: readonly Part[];
  /** Records to train on that are neither pages nor conversations, by the name of their file under build/ ("preferences"). */
  readonly records: Readonly<Record<string, (rng: Rng) => unknown>>;
  /** Small documents for the recipe and the model cards, by the name of their file under build/ ("judging"). */
  readonly notes: Readonly<Record<string, unknown>>;
}

export function buildParts(seed: number): WholeWorld {
  const root = new Rng(seed);
  const world = buildWorld(root);
  const preferences = preferencesPart(world, root.fork('preferences'));
  return {
    seed,
    world,
    parts: [
      factsPart(world, root.fork('facts')),
      ...skillParts(world, root.fork('skills')),
      harmPart(world, root.fork('harm')),
      judgingPart(world, root.fork('judging')),
      preferences,
    ],
    records: { preferences: preferences.drawPreference },
    notes: { judging: JUDGING, preferences: preferencesNote(world) },
  };
}
