// Weights of 8 and 4 bits on the device beside the same on the CPU, and both beside float32: the pocket's large model, on its own kind of text.
// The CPU rounds activations to 8 bits on the way, the device computes in floats: they differ, and the device may not be the worse one.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { WeightFormat } from '../../kernels/decoder/format.js';
import { readCheckpoint } from '../../server/models/checkpoint.js';
import { weightFormat } from '../../server/models/weight-format.js';
import { HostCache, loadCheckpoint } from '../support/decoder.js';
import { DeviceRows, loadOnDevice } from '../support/device-decoder.js';
import { meanDivergence } from '../support/divergence.js';
import { isBrief } from '../support/device.js';
import { root } from '../support/served.js';

const directory = path.join(root, 'models/pocket/large');
const { spec } = readCheckpoint(directory);
/** Any ids of real text do: bytes of the held-out file, as the byte-level tokens that the vocabulary begins with. */
const ids = [...readFileSync(path.join(root, 'models/pocket/eval/heldout.txt')).subarray(0, 24)];

async function onHost(format: WeightFormat): Promise<number[][]> {
  const model = await loadCheckpoint(directory, format);
  const [logits] = await new HostCache(model, 1).feed([ids]);
  await model.release();
  return logits!;
}

async function onDevice(format: WeightFormat): Promise<number[][]> {
  const loaded = await loadOnDevice(directory, format);
  const rows = new DeviceRows(loaded, 1);
  const [logits] = await rows.feed([ids]);
  rows.dispose();
  await loaded.release();
  return logits!;
}

// At 4 bits some matrices keep 8, so one format shows both.
const bounds = [
  ['q4', 1e-2],
  ['q8', 1e-2],
] as const;
it.each(isBrief ? bounds.slice(0, 1) : bounds)(
  '%s: the device is within %d nats of the CPU, and no further from float32',
  async (weights, bound) => {
    const format = weightFormat(weights, spec);
    const [exact, here, there] = [await onHost({ kind: 'f32' }), await onHost(format), await onDevice(format)];
    const [apart, own, theirs] = [
      meanDivergence(here, there),
      meanDivergence(exact, there),
      meanDivergence(exact, here),
    ];
    console.log(
      `${weights}: KL(CPU‖device) ${apart.toExponential(2)}, KL(f32‖device) ${own.toExponential(2)}, KL(f32‖CPU) ${theirs.toExponential(2)}`,
    );
    expect(apart).toBeLessThan(bound);
    expect(own).toBeLessThan(theirs);
  },
  200_000,
);
