// The graph builder: what it infers, what it shares, what it refuses; the model bytes against the runtime itself.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, describe, it } from 'vitest';
import { addDims, divideDims, multiplyDims } from '../../kernels/dims.js';
import { type Graph, GraphBuilder, GraphError } from '../../kernels/graph.js';
import * as ops from '../../kernels/ops.js';
import { print } from '../../kernels/print.js';
import { encodeModel, weightAlignment } from '../../kernels/proto.js';
import { createSession, Tensor } from '../../kernels/session.js';
import { violations } from '../../kernels/verify.js';
import { modelFile, weightsFile, writeGraph } from '../../kernels/write.js';

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

describe('dimensions', () => {
  it('multiplies, divides and adds symbols canonically', () => {
    expect(multiplyDims([3, 'S', 2])).toBe('6*S');
    expect(multiplyDims(['S', 'B'])).toBe(multiplyDims(['B', 'S']));
    expect(divideDims(['B', '6*S'], ['S', 2])).toBe('3*B');
    expect(divideDims(['B', 3], ['S'])).toBeNull();
    expect(divideDims([3], [2])).toBeNull();
    expect(addDims(['M', 'S', 2, 3])).toBe(addDims([5, 'S', 'M']));
    expect(addDims(['B', 'B', 'B'])).toBe('3*B');
    expect(addDims([addDims(['M', 'S']), 'M'])).toBe('(2*M+S)');
    expect(addDims([1, 2])).toBe(3);
  });
});

describe('inference', () => {
  const g = new GraphBuilder('shapes');
  const x = g.input('x', 'float32', ['B', 'S', 12]);

  it.each([
    ['Reshape with 0 and −1', () => ops.Reshape(x, [0, 0, 3, -1]), ['B', 'S', 3, 4]],
    ['Reshape merges symbols', () => ops.Reshape(x, [-1, 12]), ['B*S', 12]],
    ['Transpose', () => ops.Transpose(x, [2, 0, 1]), [12, 'B', 'S']],
    ['Concat', () => ops.Concat([x, x], 1), ['B', '2*S', 12]],
    ['Split', () => ops.Split(x, [5, 7], 2)[1]!, ['B', 'S', 7]],
    ['Slice', () => ops.Slice(x, { axis: 2, start: 2, end: -1 }), ['B', 'S', 9]],
    ['ReduceMax', () => ops.ReduceMax(x, { axes: [-1], keepdims: false }), ['B', 'S']],
    ['ArgMax keeps the axis', () => ops.ArgMax(x, { axis: 2, keepdims: true }), ['B', 'S', 1]],
    ['TopK', () => ops.TopK(x, 4).indices, ['B', 'S', 4]],
    ['Unsqueeze', () => ops.Unsqueeze(x, [0, 4]), [1, 'B', 'S', 12, 1]],
    ['Gather', () => ops.Gather(x, g.constant('int64', [2], [0, 1]), { axis: 2 }), ['B', 'S', 2]],
    ['a number takes the dtype of its partner', () => ops.Mul(2, x), ['B', 'S', 12]],
    [
      'FusedMatMul',
      () => ops.FusedMatMul(x, g.constant('float32', [2, 12], Array(24).fill(0)), { transB: true }),
      ['B', 'S', 2],
    ],
  ] as const)('%s', (_, make, shape) => {
    expect(make().shape).toEqual(shape);
  });

  it.each([
    ['Add', () => ops.Add(x, g.constant('float32', [5], [1, 2, 3, 4, 5])), /Add: cannot broadcast .*B, S, 12.*5/],
    ['Add', () => ops.Add(x, g.constant('int32', [], [1])), /Add: operands differ in dtype .*float32.*int32/],
    ['MatMul', () => ops.MatMul(x, x), /MatMul: inner dimensions differ/],
    ['Reshape', () => ops.Reshape(x, [0, 0, 5, -1]), /Reshape: .*does not hold/],
    ['Concat', () => ops.Concat([x, ops.Reshape(x, [0, -1])], 0), /Concat: shapes differ/],
    ['Split', () => ops.Split(x, [5, 5], 2), /Split: .*does not sum/],
    ['Slice', () => ops.Slice(x, { axis: 1, start: 1, end: -1 }), /Slice: .*must be named/],
    ['Squeeze', () => ops.Squeeze(x, [2]), /Squeeze: axis 2 is not 1/],
    ['ReduceMax', () => ops.ReduceMax(x, { axes: [3], keepdims: true }), /ReduceMax: axis 3 is outside rank 3/],
    ['And', () => ops.And(x, x), /And: needs bool/],
    ['Where', () => ops.Where(x, x, x), /Where: needs bool/],
  ] as const)('%s refuses', (_, make, message) => {
    expect(make).toThrow(GraphError);
    expect(make).toThrow(message);
  });

  it('refuses values of another graph and names that are taken', () => {
    const other = new GraphBuilder('other').input('y', 'float32', ['B', 'S', 12]);
    expect(() => ops.Add(x, other)).toThrow(/y belongs to another graph/);
    expect(() => g.input('x', 'float32', [1])).toThrow(/x is taken/);
    expect(() => g.constant('float32', [3], [1, 2])).toThrow(/needs 3 elements, got 2/);
  });
});

describe('sharing', () => {
  it('makes equal nodes and constants once, and drops what no output needs', () => {
    const g = new GraphBuilder('shared');
    const x = g.input('x', 'float32', ['N', 4]);
    const twice = ops.Add(ops.Exp(ops.Mul(x, 2)), ops.Exp(ops.Mul(x, 2)));
    ops.Log(x);
    g.output('y', twice);
    g.output('again', twice);
    const graph = g.finish();
    expect(graph.nodes.map((node) => node.op)).toEqual(['Mul', 'Exp', 'Add', 'Identity']);
    expect(graph.constants).toHaveLength(1);
    expect(violations(graph)).toEqual([]);
    expect(print(graph)).toBe(
      [
        'graph shared',
        '  input x: float32[N, 4]',
        '  Mul_0: float32[N, 4] = Mul(x, 2)',
        '  Exp_0: float32[N, 4] = Exp(Mul_0)',
        '  y: float32[N, 4] = Add(Exp_0, Exp_0)',
        '  again: float32[N, 4] = Identity(y)',
        '  output y: float32[N, 4]',
        '  output again: float32[N, 4]',
        '',
      ].join('\n'),
    );
  });

  it('keeps nodes apart that differ in an attribute', () => {
    const g = new GraphBuilder('attributes');
    const x = g.input('x', 'float32', [2, 2]);
    expect(ops.Softmax(x, { axis: 0 }).name).not.toBe(ops.Softmax(x, { axis: 1 }).name);
    expect(ops.Softmax(x, { axis: -1 }).name).toBe(ops.Softmax(x, { axis: 1 }).name);
  });
});

describe('model bytes', () => {
  function twoWeights(produced: string[]): Graph {
    const g = new GraphBuilder('weights');
    const x = g.input('x', 'float32', ['N', 3]);
    const source = (name: string, bytes: Uint8Array) => () => {
      produced.push(name);
      return bytes;
    };
    const shared = source('b', floats(10, 20, 30));
    const a = g.weight('a', 'float32', [3], source('a', floats(1, 2, 3)));
    const b = g.weight('b', 'float32', [3], shared);
    const row = g.weight('row', 'float32', [1, 3], shared);
    const pair = g.input('pair', 'int64', [2]);
    g.output('y', ops.Add(ops.Mul(ops.Add(x, a), b), row));
    g.output('first', ops.Add(ops.Gather(pair, g.constant('int64', [1], [0])), 2 ** 40));
    return g.finish();
  }
  const feeds = {
    x: new Tensor('float32', Float32Array.of(1, 1, 1, 2, 2, 2), [2, 3]),
    pair: new Tensor('int64', BigInt64Array.of(-5n, 7n), [2]),
  };

  it.each(['inline', 'external'] as const)('run as written, weights %s', async (kind) => {
    const produced: string[] = [];
    const graph = twoWeights(produced);
    expect(violations(graph)).toEqual([]);
    const directory = mkdtempSync(path.join(tmpdir(), 'trimtab-graph-'));
    try {
      if (kind === 'external') {
        writeGraph(graph, directory);
        // One copy of the bytes that two weights share; the second begins at the next boundary.
        expect(produced).toEqual(['a', 'b']);
        expect(statSync(path.join(directory, weightsFile)).size).toBe(weightAlignment + 12);
        expect(readFileSync(path.join(directory, weightsFile)).readFloatLE(weightAlignment)).toBe(10);
      }
      const model = kind === 'inline' ? encodeModel(graph, null).bytes : { path: path.join(directory, modelFile) };
      const session = await createSession(model, { threads: 1, device: 'cpu' });
      const results = await session.run(feeds);
      expect([...(results['y']!.data as Float32Array)]).toEqual([30, 80, 150, 40, 100, 180]);
      expect([...(results['first']!.data as BigInt64Array)]).toEqual([2n ** 40n - 5n]);
      await session.release();
      await expect(session.run(feeds)).rejects.toThrow(/released/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('refuses a weight whose source gives another number of bytes', () => {
    const g = new GraphBuilder('short');
    g.output(
      'y',
      ops.Add(
        g.input('x', 'float32', [2]),
        g.weight('w', 'float32', [2], () => floats(1)),
      ),
    );
    const directory = mkdtempSync(path.join(tmpdir(), 'trimtab-graph-'));
    expect(() => writeGraph(g.finish(), directory)).toThrow(/weight w must have 8 bytes, its source gave 4/);
    rmSync(directory, { recursive: true });
  });
});
