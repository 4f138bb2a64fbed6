// Families on the device against the independent reference: golden logits in one piece, in chunks, and of ragged rows in one batch.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Golden, readJson } from '../support/decoder.js';
import { DeviceRows, type LoadedOnDevice, loadOnDevice } from '../support/device-decoder.js';
import { worst } from '../support/worst.js';

const root = path.resolve(import.meta.dirname, '../..');
const all = path.join(root, '../shared/goldens');
const folder = existsSync(all) ? all : path.join(root, 'tests/goldens');
/** Biases and learned positions, the rope that switches, softcaps and windows, scores: a software driver compiles long for each. */
const names = ['gpt2_legacy', 'phi3_longrope', 'gemma2', 'llama_rm'].filter((name) =>
  existsSync(path.join(folder, name, 'golden.json')),
);
const tolerance = 2e-4;

it('finds goldens', () => expect(names.length).toBeGreaterThan(2));

describe.each(names)('%s', (name) => {
  const directory = path.join(folder, name);
  const golden = readJson(path.join(directory, 'golden.json')) as Golden;
  let loaded: LoadedOnDevice;
  beforeAll(async () => {
    loaded = await loadOnDevice(directory, { kind: 'f32' });
  });
  afterAll(() => loaded.release());

  it('prefill in one piece', async () => {
    for (const [i, ids] of golden.inputs.entries()) {
      const rows = new DeviceRows(loaded, 1);
      const [logits] = await rows.feed([ids]);
      rows.dispose();
      expect(worst(logits!, golden.logits[i]!)).toBeLessThanOrEqual(tolerance);
    }
  });

  it('in chunks, of ragged rows, while the bank grows', async () => {
    const switchLength = loaded.decoder.spec.ropeSwitchLength;
    const crosses = golden.inputs.map((ids) => switchLength !== null && ids.length > switchLength);
    const rows = new DeviceRows(loaded, golden.inputs.length);
    const logits: number[][][] = golden.inputs.map(() => []);
    const done = golden.inputs.map(() => 0);
    while (golden.inputs.some((ids, r) => done[r]! < ids.length)) {
      const fresh = golden.inputs.map((ids, r) => ids.slice(done[r], done[r]! + (crosses[r] ? ids.length : r * 3 + 2)));
      (await rows.feed(fresh)).forEach((own, r) => logits[r]!.push(...own));
      fresh.forEach((ids, r) => (done[r]! += ids.length));
    }
    rows.dispose();
    golden.inputs.forEach((_, i) => expect(worst(logits[i]!, golden.logits[i]!)).toBeLessThanOrEqual(tolerance));
  });
});
