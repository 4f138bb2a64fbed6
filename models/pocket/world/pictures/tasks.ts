// What models are asked about pictures that no training text has: whether things are there (POPE's three ways of choosing absent ones),
// what the picture shows (judged by CHAIR's two rates) and the four abilities. Every task has its scene, by which the checker judges.
import { Rng } from '../rng.js';
import { WORLD_SEED } from '../seed.js';
import { absent, missed, truePresence } from './hearsay.js';
import { drawScene } from './scene.js';
import { groupOf, type Kind, POPULAR, type Scene } from './things.js';
import { ABILITIES, CAPTION_PROMPT } from './words.js';

export type PictureTaskKind = 'random' | 'popular' | 'adversarial' | 'caption' | keyof typeof ABILITIES;

export interface PictureTask {
  /** "pictures.adversarial.17.no" */
  readonly id: string;
  readonly kind: PictureTaskKind;
  readonly scene: Scene;
  readonly prompt: string;
  /** The truthful answer; of captions, null: the checker compares what they name with the scene. */
  readonly answer: string | null;
}

export const PICTURES_PER_KIND = 150;

/** Tasks in a fixed order; the first n of a kind are a sample as good as any. */
export function pictureTasks(count = PICTURES_PER_KIND): PictureTask[] {
  const root = new Rng(WORLD_SEED).fork('pictures.tasks');
  return [
    ...presenceTasks('random', count, root, (scene, rng) => rng.pick(absent(scene))),
    ...presenceTasks('popular', count, root, (scene) => POPULAR.find((kind) => groupOf(scene, kind) === null) ?? null),
    ...presenceTasks('adversarial', count, root, (scene, rng) => {
      const kinds = missed(scene);
      return kinds.length > 0 ? rng.pick(kinds) : null;
    }),
    ...drawn('caption', count, root, (scene) => [{ prompt: CAPTION_PROMPT, answer: null, mark: 'all', scene }]),
    ...(Object.keys(ABILITIES) as (keyof typeof ABILITIES)[]).flatMap((ability) =>
      drawn(ability, count, root, (scene, rng) => {
        const group = rng.pick(scene.groups);
        const asked =
          ability === 'what' ? ABILITIES.what(scene, rng.pick(group.places)) : ABILITIES[ability](scene, group.kind);
        return asked === null ? [] : [{ prompt: asked.question, answer: asked.answer, mark: group.kind, scene }];
      }),
    ),
  ];
}

interface Draft {
  readonly prompt: string;
  readonly answer: string | null;
  readonly mark: string;
  readonly scene: Scene;
}

/** Pictures until `count` of them gave tasks. */
function drawn(
  kind: PictureTaskKind,
  count: number,
  root: Rng,
  ask: (scene: Scene, rng: Rng) => readonly Draft[],
): PictureTask[] {
  const rng = root.fork(kind);
  const tasks: PictureTask[] = [];
  for (let pictures = 0; pictures < count;) {
    const drafts = ask(drawScene(rng, 'even'), rng);
    for (const { mark, ...draft } of drafts)
      tasks.push({ id: `pictures.${kind}.${pictures.toString()}.${mark}`, kind, ...draft });
    if (drafts.length > 0) pictures++;
  }
  return tasks;
}

/** Of each picture, one thing that is there and one that is not: half the right answers are yes. */
function presenceTasks(
  kind: PictureTaskKind,
  count: number,
  root: Rng,
  choose: (scene: Scene, rng: Rng) => Kind | null,
): PictureTask[] {
  return drawn(kind, count, root, (scene, rng) => {
    const missing = choose(scene, rng);
    if (missing === null) return [];
    const there = rng.pick(scene.groups).kind;
    return [there, missing].map((asked) => {
      const { question, answer } = truePresence(scene, asked);
      return { prompt: question, answer, mark: asked === there ? 'yes' : 'no', scene };
    });
  });
}
