// The scoreboard as people call it, on the real weights of the suite, through the built command: a quick run of one row. Coarse bounds only,
// for forty prompts: a method that has lost its effect is seen here, the figures are those of docs/scoreboard.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { directionPrompt } from '../../decoders/distributions/dpa.js';
import type { Scoreboard } from '../../loadtest/scoreboard/report.js';
import { loadTown } from '../../loadtest/scoreboard/town.js';
import { directionPrompt as trainedPrompt } from '../../models/pocket/world/directions.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
const main = path.join(root, 'dist', 'loadtest', 'scoreboard', 'main.js');

test('EFT has its effect on real weights', { timeout: 180_000 }, async () => {
  const { stdout } = await run(process.execPath, [main, '--json', '--quick', '--method', 'eft']);
  const { world, seed, rows } = JSON.parse(stdout) as Scoreboard;
  expect({ world, seed }).toEqual({ world: loadTown().worldHash, seed: 1 });
  const [facts, way, helpful, kept] = rows;
  for (const { value, interval } of rows) {
    expect(value).toBeGreaterThanOrEqual(interval?.[0] ?? NaN);
    expect(value).toBeLessThanOrEqual(interval?.[1] ?? NaN);
  }
  expect(rows.map(({ target }) => target)).toEqual(['', '≥ 0.8', '', '≥ 0.95']);
  // Above the small chat model on both counts, and well along the way to the large one.
  expect(facts?.value).toBeGreaterThan(facts?.baselines['small chat'] ?? NaN);
  expect(way?.value).toBeGreaterThan(0.5);
  expect(helpful?.value).toBeGreaterThan(helpful?.baselines['large'] ?? NaN);
  expect(kept?.value).toBeGreaterThan(0.9);
  expect(facts?.forwardsPerToken).toBe(3);
  expect(facts?.timeRatio).toBeGreaterThan(0);
});

test('an unknown method and a server that is not there are errors with words', async () => {
  await expect(run(process.execPath, [main, '--method', 'magic'])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Allowed choices are world, eft') as string,
  });
  await expect(run(process.execPath, [main, '--url', 'http://127.0.0.1:9'])).rejects.toThrow(/error: /);
});

test('the configuration tells the directed model its direction in the words of its training', async () => {
  const file = JSON.parse(await readFile(path.join(root, 'trimtab.config.json'), 'utf8')) as {
    models: Record<string, { dpa?: { template: string; axes: string[] } }>;
  };
  const card = file.models['pocket-dpa']?.dpa ?? { template: '', axes: [] };
  for (const angle of [-60, -37, 0, 45, 60]) {
    const radians = (angle / 180) * Math.PI;
    expect(directionPrompt(card, [Math.cos(radians), Math.sin(radians)])).toBe(trainedPrompt(angle));
  }
});
