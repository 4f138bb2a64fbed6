// Half precision where the adapter has it: the goldens on the device, within the bound that the CPU keeps when every value is rounded to 16
// bits (tests/kernels/half.test.ts). An adapter that has it not refuses such weights at the start, and doctor says so beforehand.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { hasFloat16 } from '../../kernels/webgpu/float16.js';
import { type Golden, readJson } from '../support/decoder.js';
import { DeviceRows, loadOnDevice } from '../support/device-decoder.js';
import { root, start } from '../support/served.js';
import { worst } from '../support/worst.js';

const all = path.join(root, '../shared/goldens');
const goldens = existsSync(all) ? all : path.join(root, 'tests/goldens');
const names = ['gpt2_legacy', 'phi3_longrope', 'gemma2', 'llama_bias'].filter((name) =>
  existsSync(path.join(goldens, name, 'golden.json')),
);
const isThere = await hasFloat16();
if (!isThere) console.warn('THIS ADAPTER HAS NO FLOAT16 (shader-f16): the goldens in half precision are skipped.');

describe.skipIf(!isThere).each(names)('%s', (name) => {
  it.each(['f16', 'f16, row by row'])('%s', async (way) => {
    const directory = path.join(goldens, name);
    const golden = readJson(path.join(directory, 'golden.json')) as Golden;
    const loaded = await loadOnDevice(directory, { kind: 'f16' });
    const largest = golden.logits.flat(2).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const together = new DeviceRows(loaded, golden.inputs.length);
    const logits = way === 'f16' ? await together.feed(golden.inputs) : [];
    together.dispose();
    if (way !== 'f16')
      for (const ids of golden.inputs) {
        const rows = new DeviceRows(loaded, 1);
        logits.push(...(await rows.feed([ids])));
        rows.dispose();
      }
    await loaded.release();
    golden.inputs.forEach((_, i) => expect(worst(logits[i]!, golden.logits[i]!)).toBeLessThan(0.01 * largest));
  });
});

describe.skipIf(isThere)('without the feature', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'trimtab-half-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const config = path.join(folder, 'config.json');
  const model = { path: path.join(root, 'models/pocket/small'), weights: 'q4f16', device: 'webgpu' };
  writeFileSync(config, JSON.stringify({ models: { pocket: model } }));

  it('the start ends with the remedy, before anything is converted', async () => {
    const server = await start(['--config', config]);
    expect((await server.ended).code).toBe(1);
    expect(server.output()).toMatch(/pocket: weights of the format q4f16 .*shader-f16.*Use "weights": "q4"/s);
    expect(server.output()).not.toContain('converting');
    await server.stop();
  }, 120_000);

  it('doctor says so', async () => {
    const cli = [path.join(root, 'dist/server/cli.js'), 'doctor', '--config', config];
    const env = { ...process.env, TRIMTAB_ARTIFACTS: folder };
    const told = await promisify(execFile)(process.execPath, cli, { env }).catch(
      (error: unknown) => error as { readonly stdout: string },
    );
    expect(told.stdout).toMatch(/gpu.*without float16 \(shader-f16\), which pocket wants/);
    expect(told.stdout).toContain('Set models.pocket.weights to q4.');
  }, 120_000);
});
