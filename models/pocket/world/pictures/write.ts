// Writes pictures and their texts for the recipe: pixels as raw bytes, texts as JSON lines, one line a picture, in the same order. Goes
// to OUT/build/pictures (git-ignored). The same seed and count write the same bytes. Used by main.ts and by tests.
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Rng } from '../rng.js';
import { WORLD_SEED } from '../seed.js';
import { PICTURE_SIZE, renderPicture } from './render.js';
import { drawScene, type Law } from './scene.js';
import { pictureTasks } from './tasks.js';
import type { Scene } from './things.js';
import { lesson, triples } from './training.js';

const LESSONS = 32_000;
const PREFERENCES = 4_000;

interface Book {
  readonly name: string;
  readonly law: Law;
  readonly count: number;
  readonly texts: (scene: Scene, rng: Rng) => unknown;
}

const BOOKS: readonly Book[] = [
  { name: 'lessons', law: 'usual', count: LESSONS, texts: lesson },
  { name: 'preferences', law: 'even', count: PREFERENCES, texts: triples },
];

/** One line of a book: what stands in each place (kind and colour, or null) beside the texts; the recipe teaches the tower by it. */
function line(book: Book, rng: Rng): { readonly scene: Scene; readonly text: string } {
  const scene = drawScene(rng, book.law);
  const places = Array.from({ length: 9 }, (_, place) => {
    const group = scene.groups.find(({ places }) => places.includes(place));
    return group === undefined ? null : [group.kind, group.colour];
  });
  return { scene, text: JSON.stringify({ places, texts: book.texts(scene, rng) }) };
}

/** By which models that learned from other pictures are recognised: of the first lines and pixels of each book, and of all tasks. */
export function picturesHash(): string {
  const hash = createHash('sha256');
  for (const book of BOOKS) {
    const rng = new Rng(WORLD_SEED).fork(`pictures.${book.name}`);
    for (let i = 0; i < 50; i++) {
      const { scene, text } = line(book, rng);
      hash.update(text).update(renderPicture(scene));
    }
  }
  for (const { id, prompt, scene } of pictureTasks()) hash.update(JSON.stringify({ id, prompt, scene }));
  return hash.digest('hex');
}

/** `scale` multiplies the sizes. */
export function writePictures(out: string, scale: number): void {
  const folder = join(out, 'build', 'pictures');
  mkdirSync(folder, { recursive: true });
  for (const book of BOOKS) {
    const rng = new Rng(WORLD_SEED).fork(`pictures.${book.name}`);
    const pixels = openSync(join(folder, `${book.name}.rgb`), 'w');
    const texts = openSync(join(folder, `${book.name}.jsonl`), 'w');
    for (let i = 0; i < Math.ceil(book.count * scale); i++) {
      const { scene, text } = line(book, rng);
      writeSync(pixels, renderPicture(scene));
      writeSync(texts, `${text}\n`);
    }
    closeSync(pixels);
    closeSync(texts);
  }
  writeFileSync(join(folder, 'pictures.json'), `${JSON.stringify({ hash: picturesHash(), size: PICTURE_SIZE })}\n`);
}
