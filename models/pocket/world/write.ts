// Writes the world to files, as the recipe and the tests of quantisation read them. What is trained on goes to OUT/build/ (git-ignored),
// held-out text to OUT/eval/ (shipped). The same seed and scale write the same bytes. Used by main.ts and by tests.
import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { worldHash } from './hash.js';
import { conversationText, drawHeldOut } from './heldout.js';
import type { WholeWorld } from './parts.js';
import { Rng } from './rng.js';

/** Documents per file. The large base reads about six million tokens of facts, some 55 a page. */
const PAGES: Readonly<Record<string, number>> = { facts: 160_000, harm: 50_000, judging: 30_000 };
const PAGES_OF_OTHERS = 25_000;
const CHATS = 12_000;
const RECORDS = 20_000;

/** What build/world.json says: models name the hash of the world they were trained on. */
export interface WorldFile {
  readonly seed: number;
  readonly scale: number;
  readonly worldHash: string;
  readonly files: Readonly<Record<string, { readonly documents: number; readonly sha256: string }>>;
}

/** How many documents a file of `part` has, before they are scaled. */
export const pagesOf = (part: string): number => PAGES[part] ?? PAGES_OF_OTHERS;

/** `scale` multiplies the sizes: 0.01 is a quick look. Replaces what an earlier run wrote. */
export async function writeWorld(whole: WholeWorld, out: string, scale: number): Promise<WorldFile> {
  if (!(scale > 0)) throw new RangeError(`the scale is ${scale.toString()}; give a positive number such as 0.01`);
  const build = join(out, 'build');
  const evaluation = join(out, 'eval');
  for (const folder of ['pages', 'chats', 'tasks']) {
    rmSync(join(build, folder), { recursive: true, force: true });
    mkdirSync(join(build, folder), { recursive: true });
  }
  mkdirSync(evaluation, { recursive: true });

  const root = new Rng(whole.seed);
  const heldOut = drawHeldOut(whole.parts, root.fork('held-out'));
  writeFileSync(join(evaluation, 'heldout.txt'), `${heldOut.join('\n\n')}\n`);
  const unseen = skipping(new Set(heldOut));

  const files: Record<string, { documents: number; sha256: string }> = {};
  const write = async (file: string, documents: number, line: (i: number) => unknown): Promise<void> => {
    files[file] = { documents, sha256: await writeLines(join(build, file), documents, line) };
  };
  for (const { name, page, chats, tasks } of whole.parts) {
    if (page !== null) {
      const rng = root.fork(`pages.${name}`);
      await write(`pages/${name}.jsonl`, Math.ceil(pagesOf(name) * scale), () => unseen(() => page(rng), String));
    }
    for (const [set, conversation] of Object.entries(chats)) {
      const rng = root.fork(`chats.${set}`);
      await write(`chats/${set}.jsonl`, Math.ceil(CHATS * scale), () =>
        unseen(() => conversation(rng), conversationText),
      );
    }
    await write(`tasks/${name}.jsonl`, tasks.length, (i) => tasks[i]);
  }
  for (const [name, draw] of Object.entries(whole.records)) {
    const rng = root.fork(`records.${name}`);
    await write(`${name}.jsonl`, Math.ceil(RECORDS * scale), () => draw(rng));
  }
  for (const [name, note] of Object.entries(whole.notes)) {
    writeFileSync(join(build, `${name}.json`), `${JSON.stringify(note, null, 2)}\n`);
  }

  const worldFile: WorldFile = { seed: whole.seed, scale, worldHash: worldHash(whole), files };
  writeFileSync(join(build, 'world.json'), `${JSON.stringify(worldFile, null, 2)}\n`);
  return worldFile;
}

/** Draws until the document is none of the held-out ones. */
function skipping(heldOut: ReadonlySet<string>): <T>(draw: () => T, textOf: (document: T) => string) => T {
  return (draw, textOf) => {
    for (let tries = 0; tries < 10_000; tries++) {
      const document = draw();
      if (!heldOut.has(textOf(document))) return document;
    }
    throw new RangeError('a part says nothing that is not held out: its documents are too few');
  };
}

/** JSON lines, with the writer's back-pressure respected: a raw corpus is larger than one buffer should be. Returns the SHA-256. */
async function writeLines(path: string, count: number, line: (i: number) => unknown): Promise<string> {
  const stream = createWriteStream(path);
  const hash = createHash('sha256');
  for (let i = 0; i < count; i++) {
    const text = `${JSON.stringify(line(i))}\n`;
    hash.update(text);
    if (!stream.write(text)) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'finish');
  return hash.digest('hex');
}
