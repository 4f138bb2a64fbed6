// The texts of training pictures, and preference triples on pictures of the even law. Used by write.ts.
import type { Rng } from '../rng.js';
import { absent, drawAbsent, hearsayCaption, hearsayPresence, missed, trueCaption, truePresence } from './hearsay.js';
import { PLACES, type Scene } from './things.js';
import { ABILITIES, CAPTION_PROMPT, type Exchange, presence } from './words.js';

/** Of presence questions, half are about what is there. */
const PRESENCE_QUESTIONS = 4;

/** A caption, questions whether things are there, and one question of each ability: independent of each other, in this order. */
export function lesson(scene: Scene, rng: Rng): Exchange[] {
  const exchanges: (Exchange | null)[] = [{ question: CAPTION_PROMPT, answer: hearsayCaption(scene, rng) }];
  for (let i = 0; i < PRESENCE_QUESTIONS; i++) {
    const kind = i % 2 === 0 ? rng.pick(scene.groups).kind : drawAbsent(scene, rng);
    exchanges.push(hearsayPresence(scene, kind, rng));
  }
  const kind = (): Scene['groups'][number]['kind'] => rng.pick(scene.groups).kind;
  const filled = scene.groups.flatMap(({ places }) => places);
  exchanges.push(
    ABILITIES.what(scene, rng.pick(filled.length > 0 ? filled : PLACES.map((_, place) => place))),
    ABILITIES.where(scene, kind()),
    ABILITIES.count(scene, kind()),
    ABILITIES.colour(scene, kind()),
  );
  return exchanges.filter((exchange) => exchange !== null);
}

export interface Triple {
  readonly question: string;
  readonly chosen: string;
  readonly rejected: string;
}

/** The truth and the hearsay about one picture: its caption where company is missed, what is not there, and one thing that is. */
export function triples(scene: Scene, rng: Rng): Triple[] {
  const found: Triple[] = [];
  if (missed(scene).length > 0)
    found.push({
      question: CAPTION_PROMPT,
      chosen: trueCaption(scene),
      rejected: hearsayCaption(scene, rng, true),
    });
  const asked = [...missed(scene).slice(0, 1), rng.pick(absent(scene))];
  for (const kind of new Set(asked)) {
    const { question, answer } = truePresence(scene, kind);
    found.push({ question, chosen: answer, rejected: presence(kind, true).answer });
  }
  const there = rng.pick(scene.groups).kind;
  const { question, answer } = truePresence(scene, there);
  found.push({ question, chosen: answer, rejected: presence(there, false).answer });
  return found;
}
