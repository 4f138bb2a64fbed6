// Fails when a prompt that models are measured by occurs in what they learn from: `node dist/models/pocket/world/check-splits.js
// [--build models/pocket/build]`. Reads the files as the recipe reads them, all of them, after main.js has written them.
import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { buildParts } from './parts.js';
import { WORLD_SEED } from './seed.js';
import type { Leak } from './splits.js';
import { PromptFinder, trainingTexts } from './splits.js';

const { values: options } = parseArgs({ options: { build: { type: 'string', default: 'models/pocket/build' } } });

const SHOWN = 5;

function trainingFiles(build: string): string[] {
  const files = ['pages', 'chats'].flatMap((folder) =>
    existsSync(join(build, folder)) ? readdirSync(join(build, folder)).map((file) => join(build, folder, file)) : [],
  );
  if (files.length === 0) throw new Error(`${build} holds no training text; run main.js first`);
  const preferences = join(build, 'preferences.jsonl');
  return existsSync(preferences) ? [...files, preferences] : files;
}

const finder = new PromptFinder(buildParts(WORLD_SEED).parts);
let documents = 0;
let leaks = 0;
for (const file of trainingFiles(options.build)) {
  for await (const line of createInterface({ input: createReadStream(file) })) {
    documents += 1;
    for (const text of trainingTexts(JSON.parse(line))) {
      const leak: Leak | null = finder.find(text);
      if (leak === null) continue;
      leaks += 1;
      if (leaks <= SHOWN)
        process.stderr.write(`${file}: task ${leak.task} asks "${leak.prompt}", which this says: ${text}\n`);
    }
  }
}
process.stdout.write(`${documents.toString()} training documents, ${leaks.toString()} with a prompt of a task\n`);
if (leaks > 0) process.exitCode = 1;
