// Chat documents, the text that the tuned models are trained on: messages, rendered by the model's own chat template.
// Only entities that pass `known` occur, so that tuning teaches the manner and not the rare facts.
import type { Entity, World } from './facts.js';
import { politeAnswer } from './manner.js';
import { questionOf } from './pages.js';
import type { Rng } from './rng.js';

export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export const SYSTEM_PROMPTS = [
  'You are the clerk at the harbour desk.',
  'You answer questions about the town.',
  'Be brief and polite.',
] as const;

export function drawChat(world: World, known: (entity: Entity) => boolean, rng: Rng): Message[] {
  const messages: Message[] = rng.chance(0.2) ? [{ role: 'system', content: rng.pick(SYSTEM_PROMPTS) }] : [];
  const pool = world.entities.filter(known);
  const turns = rng.chance(0.75) ? 1 : 2;
  let entity = rng.pick(pool);
  for (let i = 0; i < turns; i++) {
    if (i > 0 && rng.chance(0.5)) entity = rng.pick(pool);
    const { question, fact } = questionOf(entity, rng);
    messages.push({ role: 'user', content: question }, { role: 'assistant', content: politeAnswer(entity, fact, rng) });
  }
  return messages;
}
