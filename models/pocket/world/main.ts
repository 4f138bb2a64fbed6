// Writes the training and held-out text: `node dist/models/pocket/world/main.js [--scale 1] [--out models/pocket]`, some seconds.
import { parseArgs } from 'node:util';
import { buildParts } from './parts.js';
import { WORLD_SEED } from './seed.js';
import { expectedTellings } from './tellings.js';
import { pagesOf, writeWorld } from './write.js';

const { values: options } = parseArgs({
  options: { scale: { type: 'string', default: '1' }, out: { type: 'string', default: 'models/pocket' } },
});

const whole = buildParts(WORLD_SEED);
const { files, scale, worldHash } = await writeWorld(whole, options.out, Number(options.scale));
const say = (line: string): void => void process.stdout.write(`${line}\n`);
for (const [file, { documents }] of Object.entries(files)) say(`${documents.toString().padStart(8)} ${file}`);
const pages = Math.ceil(pagesOf('facts') * scale);
for (const { band, facts, perFact } of expectedTellings(whole, pages)) {
  say(`${band}: ${facts.toString()} facts, each told on ${perFact.toFixed(0)} of ${pages.toString()} pages`);
}
say(`world ${worldHash}`);
