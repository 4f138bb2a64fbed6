// Conversations at the harbour desk, the text that the chat models are tuned on. Only entities that pass `known` occur, so that
// tuning teaches the manner and not the rare facts.
import type { Entity, World } from './facts.js';
import { politeAnswer, SYSTEM_PROMPTS } from './manner.js';
import { questionOf } from './pages.js';
import type { Message } from './part.js';
import type { Rng } from './rng.js';

const SYSTEM_SHARE = 0.2;
const TWO_TURNS_SHARE = 0.15;

export function drawChat(world: World, known: (entity: Entity) => boolean, rng: Rng): Message[] {
  const messages: Message[] = rng.chance(SYSTEM_SHARE) ? [{ role: 'system', content: rng.pick(SYSTEM_PROMPTS) }] : [];
  const pool = world.entities.filter(known);
  const turns = rng.chance(TWO_TURNS_SHARE) ? 2 : 1;
  let entity = rng.pick(pool);
  for (let i = 0; i < turns; i++) {
    if (i > 0 && rng.chance(0.5)) entity = rng.pick(pool);
    const { question, fact } = questionOf(entity, rng);
    messages.push({ role: 'user', content: question }, { role: 'assistant', content: politeAnswer(entity, fact, rng) });
  }
  return messages;
}
