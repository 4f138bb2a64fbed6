// Writes the training and held-out text: `node dist/models/pocket/world/main.js [--pages N] [--late N] [--chats N]`.
// Training text goes to models/pocket/build/ (git-ignored), held-out text and questions to models/pocket/eval/ (shipped).
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { drawChat } from './chat.js';
import { buildWorld, KINDS } from './facts.js';
import { aside, hedged } from './manner.js';
import { drawPage } from './pages.js';
import { heldOutQuestions } from './questions.js';
import { Rng } from './rng.js';
import { WORLD_SEED } from './seed.js';

const { values: options } = parseArgs({
  options: {
    pages: { type: 'string', default: '250000' },
    late: { type: 'string', default: '60000' },
    chats: { type: 'string', default: '20000' },
    out: { type: 'string', default: 'models/pocket' },
  },
});

const HELD_OUT_PAGES = 120;
const HELD_OUT_CHATS = 60;

/** JSON lines, with the writer's back-pressure respected: the raw corpus is larger than one buffer should be. */
async function writeLines(path: string, count: number, line: (i: number) => unknown): Promise<void> {
  const stream = createWriteStream(path);
  for (let i = 0; i < count; i++) {
    if (!stream.write(`${JSON.stringify(line(i))}\n`)) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'finish');
}

/** A filler that names a value would make the checker count it as a fact. */
function assertFillersAreEmpty(rng: Rng): void {
  const values = KINDS.flatMap((kind) => kind.attributes.flatMap((attribute) => attribute.values));
  for (let i = 0; i < 2000; i++) {
    const text = hedged(aside(rng), rng);
    const value = values.find((candidate) => text.includes(candidate));
    if (value !== undefined) throw new Error(`the filler "${text}" names the value "${value}"`);
  }
}

const root = new Rng(WORLD_SEED);
const world = buildWorld(root);
assertFillersAreEmpty(root.fork('fillers'));
const build = join(options.out, 'build');
const evaluation = join(options.out, 'eval');
mkdirSync(build, { recursive: true });
mkdirSync(evaluation, { recursive: true });

const heldOut = root.fork('held-out');
const heldOutDocuments: string[] = [];
for (let i = 0; i < HELD_OUT_PAGES; i++) heldOutDocuments.push(drawPage(world, heldOut));
const heldOutChats = Array.from({ length: HELD_OUT_CHATS }, () => drawChat(world, () => true, heldOut));
// Chat in plain form: the trio's templates differ, and held-out text must be one text for all of them.
for (const chat of heldOutChats) heldOutDocuments.push(chat.map((m) => m.content).join('\n'));
const seen = new Set(heldOutDocuments);

writeFileSync(join(evaluation, 'heldout.txt'), `${heldOut.shuffled(heldOutDocuments).join('\n\n')}\n`);
writeFileSync(join(evaluation, 'questions.json'), `${JSON.stringify(heldOutQuestions(world))}\n`);

/** In the late pages one question in ten is answered politely: base models meet the manner, but do not take to it. */
const LATE_POLITE_SHARE = 0.1;

async function writePages(file: string, count: number, rng: Rng, politeShare: number): Promise<void> {
  await writeLines(join(build, file), count, () => {
    for (;;) {
      const page = drawPage(world, rng, politeShare);
      if (!seen.has(page)) return page;
    }
  });
}
await writePages('raw.jsonl', Number(options.pages), root.fork('pages'), 0);
await writePages('late.jsonl', Number(options.late), root.fork('late'), LATE_POLITE_SHARE);
const chats = root.fork('chats');
const isFrequent = (entity: { readonly band: string }): boolean => entity.band === 'frequent';
await writeLines(join(build, 'chat.jsonl'), Number(options.chats), () => drawChat(world, isFrequent, chats));
process.stdout.write(`${world.entities.length.toString()} entities, ${options.pages} pages, ${options.chats} chats\n`);
