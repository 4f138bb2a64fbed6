// The device's banks against plain arrays (tests/support/plain-banks.ts): a bank of nothing, rows picked in any order, from several banks,
// into more slots and into fewer. What lies behind a row's end, NaN too, stays behind.
import { afterAll, expect, it } from 'vitest';
import { type Bank, Banks, disposeBank, type Picked } from '../../kernels/decoder/banks.js';
import { GraphBuilder } from '../../kernels/graph.js';
import * as ops from '../../kernels/ops.js';
import { encodeModel } from '../../kernels/proto.js';
import { createSession, type Session, Tensor } from '../../kernels/session.js';
import { Transfer } from '../../kernels/webgpu/transfer.js';
import { PlainBanks } from '../support/plain-banks.js';

const layers = [
  { kvHeads: 2, headDim: 3 },
  { kvHeads: 1, headDim: 4 },
];
const transfer = new Transfer();
const banks = new Banks(layers, 'float32', transfer);
const plain = new PlainBanks(layers);
afterAll(async () => {
  await up.release();
  await down.release();
  await banks.release();
  await transfer.release();
});

/** A graph that changes nothing, with its output here or there. Tensors do not outlive the session that made them. */
async function copying(resident: readonly string[]): Promise<Session> {
  const g = new GraphBuilder('copy');
  g.output('to', ops.Add(g.input('from', 'float32', ['A', 'B', 'C', 'D']), 0));
  return createSession(encodeModel(g.finish(), null).bytes, { threads: 1, device: 'webgpu', resident });
}
const [up, down] = [await copying(['to']), await copying([])];

/** The plain bank's numbers on the device. */
async function sent(bank: Bank): Promise<Bank> {
  const send = async (kind: 'keys' | 'values'): Promise<Tensor[]> => {
    const made: Tensor[] = [];
    for (const [layer, { kvHeads, headDim }] of layers.entries()) {
      const lines = kind === 'keys' ? [headDim, bank.capacity] : [bank.capacity, headDim];
      const data = bank[kind][layer]!.data as Float32Array;
      const { to } = await up.run({ from: new Tensor('float32', data, [bank.rows, kvHeads, ...lines]) });
      made.push(to!);
    }
    return made;
  };
  return { ...bank, keys: await send('keys'), values: await send('values') };
}

async function expectEqual(there: Bank, here: Bank): Promise<void> {
  expect([there.rows, there.capacity]).toEqual([here.rows, here.capacity]);
  for (const kind of ['keys', 'values'] as const)
    for (const layer of layers.keys()) {
      const { to } = await down.run({ from: there[kind][layer]! });
      expect(to!.data, `${kind} ${layer}`).toEqual(here[kind][layer]!.data);
    }
}

/** Every element its own number; NaN behind the rows' ends. */
function filled(rows: number, capacity: number, lengths: readonly number[], salt: number): Bank {
  const bank = plain.make(rows, capacity);
  plain.each((kind, layer, head, dim) => {
    for (let row = 0; row < rows; row++)
      for (let slot = 0; slot < capacity; slot++) {
        const place = (((row * capacity + slot) * 2 + head) * 4 + dim) * 2 + layer;
        plain.write(
          bank,
          kind,
          layer,
          [row, head, dim, slot],
          slot < (lengths[row] ?? 0) ? salt + place + (kind === 'keys' ? 0 : 0.5) : NaN,
        );
      }
  });
  return bank;
}

it('a bank of nothing is zeros', async () => {
  const bank = await banks.empty(3, 8);
  await expectEqual(bank, plain.make(3, 8));
  disposeBank(bank);
});

it('slot numbers count up, and are sent once', async () => {
  const numbers = await banks.slotNumbers(8);
  expect(await banks.slotNumbers(8)).toBe(numbers);
  expect([...numbers.dims]).toEqual([1, 1, 1, 8]);
});

it.each<[string, number, number, readonly (readonly [readonly number[], readonly number[]])[]]>([
  [
    'rows of one bank in another order, one twice',
    3,
    8,
    [
      [
        [2, 0, 2],
        [4, 8, 3],
      ],
    ],
  ],
  [
    'into more slots',
    2,
    16,
    [
      [
        [1, 0],
        [6, 8],
      ],
    ],
  ],
  [
    'into fewer slots',
    2,
    4,
    [
      [
        [0, 1],
        [4, 2],
      ],
    ],
  ],
  [
    'a row of nothing among others',
    3,
    8,
    [
      [
        [1, 0, 0],
        [6, 0, 8],
      ],
    ],
  ],
  [
    'rows of two banks',
    4,
    16,
    [
      [
        [0, 0, 2, 0],
        [8, 0, 4, 0],
      ],
      [
        [0, 1, 0, 0],
        [0, 5, 0, 7],
      ],
    ],
  ],
])('%s', async (_, rows, capacity, parts) => {
  const here = [filled(3, 8, [8, 6, 4], 1000), filled(2, 8, [7, 5], 5000)];
  const there = [await sent(here[0]!), await sent(here[1]!)];
  const picked = (from: readonly Bank[]): Picked[] =>
    parts.map(([index, lengths], p) => ({
      bank: from[p]!,
      index: Int32Array.from(index),
      lengths: Int32Array.from(lengths),
    }));
  const gathered = await banks.gather(picked(there), rows, capacity);
  await expectEqual(gathered, await plain.gather(picked(here), rows, capacity));
  // A bank never changes.
  await expectEqual(there[0]!, here[0]!);
  for (const bank of [gathered, ...there]) disposeBank(bank);
});
