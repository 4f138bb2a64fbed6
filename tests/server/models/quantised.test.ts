// How far quantised weights move the pocket models: mean Kullback-Leibler divergence of the next-token distribution from the float32
// one, over held-out text. The bounds are the project's promise: 0.01 nats for q8 and w8a8, 0.05 for q4.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DecoderModel } from '../../../kernels/decoder/model.js';
import { computeLogits } from '../../../server/cli/logits.js';
import { ensureArtifact } from '../../../server/models/artifacts.js';
import { Tokenizer } from '../../../server/models/tokenizer.js';
import type { WeightsName } from '../../../server/models/weight-format.js';
import { temporaryFolder } from './write-safetensors.js';

const pocket = new URL('../../../models/pocket', import.meta.url).pathname;
const heldOut = join(pocket, 'eval', 'heldout.txt');
const models = ['large', 'small', 'small-chat'].map((name) => join(pocket, name));
const present = existsSync(heldOut) ? models.filter((path) => existsSync(join(path, 'model.safetensors'))) : [];
if (present.length < models.length) {
  const missing = models.filter((path) => !present.includes(path)).join(', ');
  console.warn(`SKIPPED: no pocket models or held-out text at ${missing}; their quantisation is not measured.`);
}

const windowTokens = 256;
const windows = 2;
const bounds: readonly (readonly [WeightsName, number])[] = [
  ['q8', 0.01],
  ['w8a8', 0.01],
  ['q4', 0.05],
];

function logSoftmax(logits: Float32Array): Float64Array {
  let largest = -Infinity;
  for (const value of logits) if (value > largest) largest = value;
  let total = 0;
  for (const value of logits) total += Math.exp(value - largest);
  const normaliser = largest + Math.log(total);
  return Float64Array.from(logits, (value) => value - normaliser);
}

function divergence(p: Float64Array, q: Float64Array): number {
  let sum = 0;
  for (let v = 0; v < p.length; v += 1) {
    const logp = p[v] as number;
    sum += Math.exp(logp) * (logp - (q[v] as number));
  }
  return sum;
}

async function distributions(path: string, weights: WeightsName, artifactDirectory: string): Promise<Float64Array[]> {
  const ids = [...Tokenizer.load(path).encode(readFileSync(heldOut, 'utf8'), { addSpecialTokens: false })];
  const { directory } = await ensureArtifact({ path, weights, artifactDirectory });
  const model = await DecoderModel.load(directory, { threads: 1 });
  try {
    const rows: Float64Array[] = [];
    for (let from = 0; from < windows * windowTokens; from += windowTokens) {
      const { logits } = await computeLogits(model, ids.slice(from, from + windowTokens), 0);
      rows.push(...logits.map(logSoftmax));
    }
    return rows;
  } finally {
    await model.release();
  }
}

describe.skipIf(present.length === 0)('mean divergence from float32', () => {
  test.each(present)(
    '%s',
    async (path) => {
      const artifactDirectory = temporaryFolder();
      const exact = await distributions(path, 'f32', artifactDirectory);
      expect(exact.length).toBe(windows * windowTokens);
      for (const [weights, bound] of bounds) {
        const rounded = await distributions(path, weights, artifactDirectory);
        const mean = exact.reduce((sum, p, i) => sum + divergence(p, rounded[i] as Float64Array), 0) / exact.length;
        expect(mean, weights).toBeGreaterThan(0);
        expect(mean, weights).toBeLessThanOrEqual(bound);
      }
      // Twelve conversions that reach the disk: seconds on a quiet machine, more on a shared one.
    },
    120_000,
  );
});
