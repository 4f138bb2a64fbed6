// Quantisation: against a naive twin, by its error, and by what the runtime's own operators make of the bytes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dequantizeBlocks, quantizeBlocks, quantizeChannels } from '../../kernels/decoder/quantize.js';
import { GraphBuilder, type Value } from '../../kernels/graph.js';
import { GatherBlockQuantized, MatMulIntegerToFloat, MatMulNBits } from '../../kernels/ops.js';
import { encodeModel } from '../../kernels/proto.js';
import { createSession, Tensor } from '../../kernels/session.js';
import { cutsProductsOff } from '../../server/models/processor.js';

/** Reproducible numbers with heavy tails, as weights have. */
function weights(count: number, seed = 1): Float32Array {
  let state = seed;
  const uniform = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) + 0.5) / 2 ** 32;
  return Float32Array.from({ length: count }, () => {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    return 0.02 * normal * (uniform() < 0.01 ? 6 : 1);
  });
}

const relativeError = (w: Float32Array, approximation: Float32Array) => {
  let error = 0;
  let size = 0;
  for (let i = 0; i < w.length; i += 1) {
    error += ((w[i] as number) - (approximation[i] as number)) ** 2;
    size += (w[i] as number) ** 2;
  }
  return Math.sqrt(error / size);
};

/** Bytes as numbers: a graph's weights need no file in a test. */
async function run(build: (g: GraphBuilder, a: Value) => Value, a: Tensor): Promise<Float32Array> {
  const g = new GraphBuilder('test');
  g.output('y', build(g, g.input('a', a.type as 'float32', a.dims)));
  const session = await createSession(encodeModel(g.finish(), 'none.bin').bytes, { threads: 1, device: 'cpu' });
  try {
    return (await session.run({ a }))['y']?.data as Float32Array;
  } finally {
    await session.release();
  }
}

const identity = (size: number) =>
  new Tensor(
    'float32',
    Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0)),
    [size, size],
  );

const transposed = (w: Float32Array, rows: number, cols: number) =>
  Float32Array.from({ length: w.length }, (_, i) => w[(i % rows) * cols + Math.floor(i / rows)] as number);

const largestDifference = (a: Float32Array, b: Float32Array) => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
};

describe('blocks', () => {
  const shapes = [
    [4, 16, 64],
    [4, 32, 40],
    [4, 64, 129],
    [4, 128, 200],
    [8, 32, 96],
    [8, 128, 70],
  ] as const;

  test.each(shapes)('%d bits, block %d, %d columns: MatMulNBits reads the layout', async (bits, blockSize, cols) => {
    const rows = 24;
    const w = weights(rows * cols);
    const q = quantizeBlocks(w, rows, cols, bits, blockSize);
    expect([q.blocks, q.data.length, q.scales.length]).toEqual([
      Math.ceil(cols / blockSize),
      (rows * q.blocks * blockSize * bits) / 8,
      rows * q.blocks,
    ]);
    // One-hot activations survive the operator's rounding to 8 bits exactly.
    const product = await run((g, a) => {
      const data = g.constant('uint8', [rows, q.blocks, (blockSize * bits) / 8], q.data);
      const scales = g.constant('float32', [rows * q.blocks], q.scales);
      return MatMulNBits(a, data, scales, null, { bits, blockSize, rows, columns: cols });
    }, identity(cols));
    const expected = transposed(dequantizeBlocks(q, rows, cols, bits, blockSize), rows, cols);
    expect(largestDifference(product, expected)).toBeLessThan(1e-6);
  });

  test.each([4, 8] as const)('GatherBlockQuantized reads the same %d-bit bytes as an embedding table', async (bits) => {
    const [rows, cols, blockSize] = [20, 128, 32];
    const q = quantizeBlocks(weights(rows * cols), rows, cols, bits, blockSize);
    const ids = new Tensor(
      'int64',
      BigInt64Array.from({ length: rows }, (_, i) => BigInt(rows - 1 - i)),
      [rows],
    );
    const found = await run((g, a) => {
      const data = g.constant('uint8', [rows, (cols * bits) / 8], q.data);
      const scales = g.constant('float32', [rows, q.blocks], q.scales);
      return GatherBlockQuantized(data, a, scales, { bits, blockSize, columns: cols });
    }, ids);
    const w = dequantizeBlocks(q, rows, cols, bits, blockSize);
    const reversed = Float32Array.from({ length: w.length }, (_, i) => {
      return w[(rows - 1 - Math.floor(i / cols)) * cols + (i % cols)] as number;
    });
    expect(largestDifference(found, reversed)).toBeLessThan(1e-7);
  });

  test('8 bits are the nearest of 255 steps', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: 1, maxLength: 40 }), (values) => {
        const w = Float32Array.from(values);
        const back = dequantizeBlocks(quantizeBlocks(w, 1, w.length, 8, 16), 1, w.length, 8, 16);
        for (let from = 0; from < w.length; from += 16) {
          const block = w.subarray(from, from + 16);
          const step = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
          block.forEach((value, i) => {
            expect(Math.abs(value - (back[from + i] as number))).toBeLessThanOrEqual(step / 2 + step * 1e-3 + 1e-30);
          });
        }
      }),
    );
  });

  test('4 bits: never worse than rounding with the largest weight at the edge, and zeros stay zeros', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 32 }), (values) => {
        const w = Float32Array.from(values);
        const back = dequantizeBlocks(quantizeBlocks(w, 1, w.length, 4, 32), 1, w.length, 4, 32);
        const largest = w.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
        const error = (list: ArrayLike<number>) =>
          w.reduce((sum, value, i) => sum + (value - (list[i] as number)) ** 2, 0);
        if (Math.abs(largest) < 1e-30) {
          expect([...back]).toEqual(values.map(() => 0));
          return;
        }
        // The naive twin: the middle one of the scales that are tried, without refitting.
        const step = largest / -8.3;
        const naive = Float32Array.from(w, (value) => Math.min(7, Math.max(-8, Math.round(value / step))) * step);
        expect(error(back)).toBeLessThanOrEqual(error(naive) * 1.0001 + 1e-12);
      }),
      { numRuns: 500 },
    );
  });

  test('the error on weights with heavy tails', () => {
    const [rows, cols] = [64, 1024];
    const w = weights(rows * cols);
    const error = (bits: 4 | 8, block: number) =>
      relativeError(w, dequantizeBlocks(quantizeBlocks(w, rows, cols, bits, block), rows, cols, bits, block));
    const atEdge = (block: number) => {
      const back = w.slice();
      for (let from = 0; from < w.length; from += block) {
        const part = back.subarray(from, from + block);
        const largest = part.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
        part.forEach((value, i) => (part[i] = Math.min(7, Math.round(value / (largest / -8))) * (largest / -8)));
      }
      return relativeError(w, back);
    };
    for (const block of [32, 64, 128]) expect(error(4, block)).toBeLessThan(0.99 * atEdge(block));
    expect(error(8, 64)).toBeLessThan(0.012);
  });

  test('nothing to quantise, wrong sizes', () => {
    const zeros = quantizeBlocks(new Float32Array(40), 2, 20, 4, 32);
    expect([[...zeros.scales], [...new Set(zeros.data)]]).toEqual([[0, 0], [0x88]]);
    expect(() => quantizeBlocks(new Float32Array(40), 2, 21, 4, 32)).toThrow(RangeError);
    expect(() => quantizeBlocks(new Float32Array(40), 2, 20, 4, 24)).toThrow(RangeError);
    expect(() => quantizeBlocks(new Float32Array(40), 2, 20, 4, 8)).toThrow(RangeError);
    expect(() => quantizeChannels(new Float32Array(40), 3, 20)).toThrow(RangeError);
  });
});

describe('channels', () => {
  test('nearest of 255 steps per output, transposed; a row of zeros stays zero', () => {
    const [rows, cols] = [70, 33];
    const w = weights(rows * cols);
    w.fill(0, 5 * cols, 6 * cols);
    const { data, scales } = quantizeChannels(w, rows, cols);
    for (let row = 0; row < rows; row += 1) {
      const largest = w
        .subarray(row * cols, (row + 1) * cols)
        .reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(scales[row]).toBe(Math.fround(largest / 127));
      for (let col = 0; col < cols; col += 1) {
        const q = data[col * rows + row] as number;
        expect(Math.abs(q * (largest / 127) - (w[row * cols + col] as number))).toBeLessThanOrEqual(
          (largest / 127) * 0.5001,
        );
      }
    }
  });

  test('MatMulIntegerToFloat reads the layout', async () => {
    const [rows, cols] = [12, 20];
    const w = weights(rows * cols);
    const q = quantizeChannels(w, rows, cols);
    const levels = Uint8Array.from({ length: cols * cols }, (_, i) => (i % (cols + 1) === 0 ? 129 : 128));
    const product = await run(
      (g, a) => {
        const b = g.constant('int8', [cols, rows], q.data);
        const one = g.constant('float32', [], [1]);
        return MatMulIntegerToFloat(
          a,
          b,
          one,
          g.constant('float32', [rows], q.scales),
          g.constant('uint8', [], [128]),
          null,
        );
      },
      new Tensor('uint8', levels, [cols, cols]),
    );
    const expected = Float32Array.from(product, (_, i) => (q.data[i] as number) * (q.scales[i % rows] as number));
    expect(largestDifference(product, expected)).toBeLessThan(1e-7);
  });

  // x64 without VNNI adds two products of a byte and a signed byte in 16 bits: 2·255·127 does not fit.
  test.each([1, 4, 16])(
    'the largest products of %d rows are exact in the sign that this processor takes',
    async (count) => {
      const [rows, cols] = [24, 64];
      const unsigned = cutsProductsOff();
      const data = new Uint8Array(cols * rows).fill(unsigned ? 255 : 127);
      const levels = new Uint8Array(count * cols).fill(255);
      const product = await run(
        (g, a) => {
          const b = unsigned
            ? g.constant('uint8', [cols, rows], data)
            : g.constant('int8', [cols, rows], Int8Array.from(data));
          const zero = g.constant('uint8', [], [128]);
          const scales = g.constant('float32', [rows], new Float32Array(rows).fill(1));
          return MatMulIntegerToFloat(a, b, g.constant('float32', [], [1]), scales, zero, unsigned ? zero : null);
        },
        new Tensor('uint8', levels, [count, cols]),
      );
      expect(new Set(product)).toEqual(new Set([cols * 127 * 127]));
    },
  );
});

test.each([
  ['x64', ['avx2'], true],
  ['x64', ['avx2', 'avx512f'], true],
  ['x64', ['avx2', 'avx_vnni'], false],
  ['x64', ['avx512_vnni'], false],
  ['x64', null, true],
  ['arm64', null, false],
])('%s with %j cuts products off: %s', (architecture, flags, cuts) => {
  expect(cutsProductsOff(flags && new Set(flags), architecture)).toBe(cuts);
});
