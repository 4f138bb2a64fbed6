// The facts as a part of the world: pages, conversations at the desk, and the held-out questions.
import { drawChat } from './chat.js';
import type { World } from './facts.js';
import { drawPage } from './pages.js';
import type { Part } from './part.js';
import { factTasks } from './questions.js';
import type { Rng } from './rng.js';

/**
 * Sets: `helpful` speaks of frequent entities only, so that tuning on it teaches the manner and no facts; `helpful-all` speaks of
 * everything, for a large model that is tuned as an upper bound.
 */
export function factsPart(world: World, _rng: Rng): Part {
  return {
    name: 'facts',
    page: (rng) => drawPage(world, rng),
    chats: {
      helpful: (rng) => drawChat(world, (entity) => entity.band === 'frequent', rng),
      'helpful-all': (rng) => drawChat(world, () => true, rng),
    },
    tasks: factTasks(world),
  };
}
