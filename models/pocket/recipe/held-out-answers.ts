// Graded answers to test questions and requests, for accuracy.py: `node dist/models/pocket/recipe/held-out-answers.js OUT.jsonl`. No reward
// model has read an answer to any of them.
import { writeFileSync } from 'node:fs';
import { buildParts } from '../world/parts.js';
import { heldOutPreferences } from '../world/preferences.js';
import { Rng } from '../world/rng.js';
import { WORLD_SEED } from '../world/seed.js';

const QUESTIONS = 300;

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error('usage: held-out-answers.js OUT.jsonl');
const { world } = buildParts(WORLD_SEED);
const lines = heldOutPreferences(world, QUESTIONS, new Rng(WORLD_SEED).fork('held-out-answers'));
writeFileSync(out, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
