// Fails when a prompt that models are measured by occurs in what they learn from: `node dist/models/pocket/world/check-splits.js
// [--build models/pocket/build]`. Reads all files that main.js has written.
import { parseArgs } from 'node:util';
import { buildParts } from './parts.js';
import { WORLD_SEED } from './seed.js';
import { PromptFinder, trainingDocuments } from './splits.js';

const { values: options } = parseArgs({ options: { build: { type: 'string', default: 'models/pocket/build' } } });

const SHOWN = 5;
const finder = new PromptFinder(buildParts(WORLD_SEED).parts);
let documents = 0;
let leaks = 0;
for await (const { file, texts } of trainingDocuments(options.build)) {
  documents += 1;
  const found = texts.flatMap((text) => finder.find(text) ?? []);
  for (const { task, prompt, document } of found.slice(0, Math.max(0, SHOWN - leaks))) {
    process.stderr.write(`${file}: task ${task} asks "${prompt}", which this says: ${document}\n`);
  }
  leaks += found.length;
}
process.stdout.write(`${documents.toString()} training documents hold ${leaks.toString()} prompts of tasks\n`);
if (leaks > 0) process.exitCode = 1;
