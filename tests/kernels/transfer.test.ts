// What is read back of logits, on the CPU provider through the graph of the device: a few log-probabilities of some rows, as float64 says them.
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { Tensor } from '../../kernels/session.js';
import { Transfer } from '../../kernels/webgpu/transfer.js';

const transfer = new Transfer(undefined, 'cpu');
afterAll(() => transfer.release());

function logprobOf(row: readonly number[], id: number): number {
  const most = Math.max(...row);
  return row[id]! - most - Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
}

it('log-probabilities of tokens, without the padding behind them', async () => {
  const logit = fc.double({ min: -30, max: 30, noNaN: true }).map(Math.fround);
  const [width, vocabSize] = [1100, 1090];
  const call = fc.integer({ min: 1, max: 3 }).chain((count) =>
    fc.record({
      logits: fc.array(fc.array(logit, { minLength: width, maxLength: width }), { minLength: count, maxLength: count }),
      asked: fc.array(
        fc.record({ row: fc.nat(count - 1), ids: fc.tuple(fc.nat(vocabSize - 1), fc.nat(vocabSize - 1)) }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  );
  await fc.assert(
    fc.asyncProperty(call, async ({ logits, asked }) => {
      const tensor = new Tensor('float32', Float32Array.from(logits.flat()), [logits.length, width]);
      const rows = Int32Array.from(asked, ({ row }) => row);
      const ids = Int32Array.from(asked.flatMap((each) => each.ids));
      const told = await transfer.logprobs(tensor, { rows, ids, vocabSize }, 'test');
      const expected = asked.flatMap(({ row, ids: own }) =>
        own.map((id) => logprobOf(logits[row]!.slice(0, vocabSize), id)),
      );
      expect(told.length).toBe(expected.length);
      expected.forEach((logprob, i) => expect(Math.abs(told[i]! - logprob)).toBeLessThan(2e-5));
    }),
    { numRuns: 20 },
  );
});

it('a row that is not finite says so, and its neighbour does not notice', async () => {
  const tensor = new Tensor('float32', Float32Array.of(1, 2, 3, 1, NaN, 3), [2, 3]);
  const told = await transfer.logprobs(
    tensor,
    { rows: Int32Array.of(1, 0), ids: Int32Array.of(0, 2), vocabSize: 3 },
    'test',
  );
  expect([...told].map(Number.isNaN)).toEqual([true, false]);
});
