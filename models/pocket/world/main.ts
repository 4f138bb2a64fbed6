// Writes the training text: `node dist/models/pocket/world/main.js [--scale 1] [--out models/pocket]`. What is trained on goes to
// OUT/build/ (git-ignored; recipe/ reads it), held-out text to OUT/eval/ (shipped). The same seed and scale write the same bytes.
import { createHash } from 'node:crypto';
import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { worldHash } from './hash.js';
import { conversationText, drawHeldOut } from './heldout.js';
import { buildParts } from './parts.js';
import { Rng } from './rng.js';
import { WORLD_SEED } from './seed.js';
import { printTellings } from './tellings.js';

const { values: options } = parseArgs({
  options: {
    /** Sizes are multiplied by it: 0.01 is a quick look. */
    scale: { type: 'string', default: '1' },
    out: { type: 'string', default: 'models/pocket' },
  },
});

/** Documents per file. The large base reads about six million tokens of facts, some fifty tokens a page. */
const PAGES: Readonly<Record<string, number>> = { facts: 160_000, harm: 50_000, judging: 30_000 };
const PAGES_OF_OTHERS = 25_000;
const CHATS = 12_000;

const scale = Number(options.scale);
if (!(scale > 0)) throw new RangeError(`--scale is ${options.scale}; give a positive number such as 0.01`);
const scaled = (count: number): number => Math.ceil(count * scale);

const build = join(options.out, 'build');
const evaluation = join(options.out, 'eval');
for (const folder of ['pages', 'chats', 'tasks']) {
  rmSync(join(build, folder), { recursive: true, force: true });
  mkdirSync(join(build, folder), { recursive: true });
}
mkdirSync(evaluation, { recursive: true });

const files: Record<string, { readonly documents: number; readonly sha256: string }> = {};

/** JSON lines, with the writer's back-pressure respected: a raw corpus is larger than one buffer should be. */
async function writeLines(file: string, count: number, line: (i: number) => unknown): Promise<void> {
  const stream = createWriteStream(join(build, file));
  const hash = createHash('sha256');
  for (let i = 0; i < count; i++) {
    const text = `${JSON.stringify(line(i))}\n`;
    hash.update(text);
    if (!stream.write(text)) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'finish');
  files[file] = { documents: count, sha256: hash.digest('hex') };
}

const whole = buildParts(WORLD_SEED);
const root = new Rng(WORLD_SEED);
const heldOut = drawHeldOut(whole.parts, root.fork('held-out'));
writeFileSync(join(evaluation, 'heldout.txt'), `${heldOut.join('\n\n')}\n`);
const seen = new Set(heldOut);

/** Draws until the document is none of the held-out ones. */
function unseen<T>(draw: () => T, textOf: (document: T) => string): T {
  for (let tries = 0; tries < 10_000; tries++) {
    const document = draw();
    if (!seen.has(textOf(document))) return document;
  }
  throw new RangeError('a part says nothing that is not held out: its documents are too few');
}

for (const { name, page, chats, tasks } of whole.parts) {
  if (page !== null) {
    const rng = root.fork(`pages.${name}`);
    const draw = (): string => unseen(() => page(rng), String);
    await writeLines(`pages/${name}.jsonl`, scaled(PAGES[name] ?? PAGES_OF_OTHERS), draw);
  }
  for (const [set, conversation] of Object.entries(chats)) {
    const rng = root.fork(`chats.${set}`);
    await writeLines(`chats/${set}.jsonl`, scaled(CHATS), () => unseen(() => conversation(rng), conversationText));
  }
  await writeLines(`tasks/${name}.jsonl`, tasks.length, (i) => tasks[i]);
}

const worldFile = { seed: WORLD_SEED, scale, worldHash: worldHash(whole), files };
writeFileSync(join(build, 'world.json'), `${JSON.stringify(worldFile, null, 2)}\n`);
for (const [file, { documents }] of Object.entries(files))
  process.stdout.write(`${documents.toString().padStart(8)} ${file}\n`);
printTellings(whole, scaled(PAGES['facts'] ?? 0));
process.stdout.write(`world ${worldFile.worldHash}\n`);
