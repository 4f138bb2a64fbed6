// How many bytes per second the device moves between its memory and its units, as this runtime gets at it: sums over a large tensor, each of
// which reads and writes all of it. What a decode step can at best take follows from it. Used by loadtest/gpu/main.ts.
import { GraphBuilder, type Value } from '../../kernels/graph.js';
import * as ops from '../../kernels/ops.js';
import { encodeModel } from '../../kernels/proto.js';
import { createSession, Tensor } from '../../kernels/session.js';
import { Transfer } from '../../kernels/webgpu/transfer.js';

const WIDTH = 1024;
/** In a row, so that handing them over costs little beside them. */
const PASSES = 16;

/** Bytes per second; the median of `rounds`. */
export async function memoryBandwidth(bytes: number, rounds: number): Promise<number> {
  const transfer = new Transfer();
  const rows = Math.floor(bytes / 4 / WIDTH);
  const make = async (build: (g: GraphBuilder) => Value) => {
    const g = new GraphBuilder('bandwidth');
    g.output('to', build(g));
    return createSession(encodeModel(g.finish(), null).bytes, {
      threads: 1,
      device: 'webgpu',
      quickly: true,
      resident: ['to'],
    });
  };
  const filled = await make((g) =>
    ops.ExpandTo(g.constant('float32', [], [1]), g.input('shape', 'int64', [2]), ['N', WIDTH]),
  );
  // Alternating, so that no rewrite makes one of two.
  const passes = await make((g) => {
    let x: Value = g.input('from', 'float32', ['N', WIDTH]);
    for (let pass = 0; pass < PASSES; pass++) x = pass % 2 === 0 ? ops.Neg(x) : ops.Abs(x);
    return x;
  });
  const shape = new Tensor('int64', BigInt64Array.of(BigInt(rows), BigInt(WIDTH)), [2]);
  const { to: from } = await filled.run({ shape });
  if (!from) throw new Error('nothing was filled');
  const seconds: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const started = performance.now();
    const { to } = await passes.run({ from });
    if (!to) throw new Error('nothing came of it');
    await transfer.toHost(to, Int32Array.of(0), 'bandwidth');
    if (round > 0) seconds.push((performance.now() - started) / 1000);
    to.dispose();
  }
  from.dispose();
  await passes.release();
  await filled.release();
  await transfer.release();
  const median = seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)] ?? NaN;
  return (2 * PASSES * rows * WIDTH * 4) / median;
}
