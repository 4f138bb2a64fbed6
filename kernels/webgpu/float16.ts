// Does the device compute in half precision? The provider has the operators wherever it runs, and refuses when it makes the first shader of
// one: so one is tried.
import { GraphBuilder } from '../graph.js';
import * as ops from '../ops.js';
import { encodeModel } from '../proto.js';
import { createSession, Tensor } from '../session.js';

export async function hasFloat16(): Promise<boolean> {
  const g = new GraphBuilder('float16?');
  const x = ops.Cast(g.input('x', 'float32', ['N']), 'float16');
  g.output('y', ops.Cast(ops.Mul(x, x), 'float32'));
  const session = await createSession(encodeModel(g.finish(), null).bytes, { threads: 1, device: 'webgpu' });
  try {
    const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(3), [1]) });
    return (y?.data as Float32Array)[0] === 9;
  } catch (error) {
    if (error instanceof Error && error.message.includes('requires f16')) return false;
    throw error;
  } finally {
    await session.release();
  }
}
