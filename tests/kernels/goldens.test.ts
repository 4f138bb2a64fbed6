// Every family against an independent reference: tiny checkpoints with golden logits. All of them when the goldens' folder lies beside
// the clone; else the few that ship with the tests.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../kernels/decoder/config.js';
import { readDecoderSpec } from '../../kernels/decoder/families/index.js';
import type { DecoderModel } from '../../kernels/decoder/model.js';
import { type Golden, HostCache, loadCheckpoint, readJson } from '../support/decoder.js';

const root = path.resolve(import.meta.dirname, '../..');
const all = path.join(root, '../shared/goldens');
const shipped = path.join(root, 'tests/goldens');
const folder = existsSync(all) ? all : shipped;
if (folder === shipped) console.warn(`No ${all}: only the goldens under tests/goldens are checked.`);

const tolerance = 2e-4;
/** Below this distance between the best two logits a greedy choice may flip. */
const nearTie = 1e-3;
const checkpoints = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(path.join(folder, entry.name, 'golden.json')))
  .map((entry) => entry.name);

function worst(actual: readonly number[][], expected: readonly number[][]): number {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  actual.forEach((row, i) => {
    expect(row.length).toBe(expected[i]!.length);
    row.forEach((value, j) => {
      const difference = Math.abs(value - expected[i]![j]!);
      // NaN must not pass as "not larger".
      if (!(difference <= largest)) largest = difference;
    });
  });
  return largest;
}

const argmax = (row: readonly number[]): number => row.indexOf(Math.max(...row));

it('finds goldens', () => expect(checkpoints.length).toBeGreaterThan(2));

describe.each(checkpoints)('%s', (name) => {
  const directory = path.join(folder, name);
  const golden = readJson(path.join(directory, 'golden.json')) as Golden;
  let model: DecoderModel;
  beforeAll(async () => {
    model = await loadCheckpoint(directory, { kind: 'f32' });
  });
  afterAll(() => model.release());

  /** A sequence that crosses the rope switch is recomputed from its start, as the engine does. */
  const crosses = (from: number, to: number): boolean => {
    const { ropeSwitchLength } = model.spec;
    return ropeSwitchLength !== null && from <= ropeSwitchLength && to > ropeSwitchLength;
  };

  it.each(golden.inputs.map((ids, i) => [ids.length, i] as const))(
    'prefill of %i tokens in one piece',
    async (_, i) => {
      const [logits] = await new HostCache(model, 1).feed([golden.inputs[i]!]);
      expect(worst(logits!, golden.logits[i]!)).toBeLessThanOrEqual(tolerance);
    },
  );

  it.each([1, 5])('in chunks of %i', async (chunk) => {
    const [ids, expected] = [golden.inputs.at(-1)!, golden.logits.at(-1)!];
    const cut = model.spec.ropeSwitchLength === null ? ids.length : Math.min(ids.length, model.spec.ropeSwitchLength);
    // Up to the switch the goldens of the whole input are those of the long factors: compare with a prefill of the same length.
    const [reference] = cut === ids.length ? [expected] : await new HostCache(model, 1).feed([ids.slice(0, cut)]);
    const cache = new HostCache(model, 1);
    const logits: number[][] = [];
    for (let at = 0; at < cut; at += chunk)
      logits.push(...(await cache.feed([ids.slice(at, Math.min(cut, at + chunk))]))[0]!);
    expect(worst(logits, reference!)).toBeLessThanOrEqual(tolerance);
  });

  it('ragged rows in one batch agree with the goldens', async () => {
    const cache = new HostCache(model, golden.inputs.length);
    const logits: number[][][] = golden.inputs.map(() => []);
    const done = golden.inputs.map(() => 0);
    // Row r takes r·3 + 2 tokens per forward: lengths, pasts and chunk borders all differ; finished rows re-take nothing.
    const steps = golden.inputs.map((ids, r) => (crosses(0, ids.length) ? ids.length : r * 3 + 2));
    while (golden.inputs.some((ids, r) => done[r]! < ids.length)) {
      const fresh = golden.inputs.map((ids, r) => ids.slice(done[r], done[r]! + steps[r]!));
      const results = await cache.feed(fresh, 1 + (done[0]! % 3));
      results.forEach((rows, r) => logits[r]!.push(...rows));
      fresh.forEach((ids, r) => (done[r]! += ids.length));
    }
    golden.inputs.forEach((_, i) => expect(worst(logits[i]!, golden.logits[i]!)).toBeLessThanOrEqual(tolerance));
  });

  it('reads config.v5.json as the same decoder', () => {
    const read = (file: string): unknown => readDecoderSpec(readJson(path.join(directory, file)) as JsonObject);
    expect(read('config.v5.json')).toEqual(read('config.json'));
  });

  it.runIf(golden.greedy)('greedy continuations', async () => {
    for (const [i, expected] of golden.greedy!.entries()) {
      const ids = [...golden.inputs[i]!];
      let cache = new HostCache(model, 1);
      let [logits] = await cache.feed([ids]);
      for (const [step, id] of expected.entries()) {
        const chosen = argmax(logits!.at(-1)!);
        if (chosen !== id) expect(golden.greedy_gaps![i]![step]!).toBeLessThan(nearTie);
        ids.push(id);
        if (crosses(ids.length - 1, ids.length)) cache = new HostCache(model, 1);
        [logits] = await cache.feed([cache.isEmpty ? ids : [id]]);
      }
    }
  });

  it.runIf(golden.pooled)('pools the rightmost token that is not padding', async () => {
    for (const [i, ids] of golden.inputs.entries()) {
      const [scores] = await new HostCache(model, 1).feed([ids]);
      expect(worst([scores!.at(-1)!], [golden.pooled![i]!])).toBeLessThanOrEqual(tolerance);
    }
    const { input, pooled } = golden.padded!;
    const [scores] = await new HostCache(model, 1).feed([input]);
    const last = input.findLastIndex((id) => id !== 314);
    expect(worst([scores![last]!], [pooled as number[]])).toBeLessThanOrEqual(tolerance);
  });
});
