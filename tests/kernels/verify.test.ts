// The checker of whole graphs: legal graphs pass, and each rule catches the graph that was made to break it.
import { describe, expect, it } from 'vitest';
import { type Graph, GraphBuilder, type Node } from '../../kernels/graph.js';
import * as ops from '../../kernels/ops.js';
import { operatorOf } from '../../kernels/signatures.js';
import { verify, violations } from '../../kernels/verify.js';

function legal(): Graph {
  const g = new GraphBuilder('legal');
  const x = g.input('x', 'float32', ['N', 4]);
  const { normalised, sum } = ops.SkipSimplifiedLayerNormalization(
    x,
    ops.Mul(x, 3),
    g.weight('scale', 'float32', [4], () => new Uint8Array(16)),
    { epsilon: 1e-5 },
  );
  g.output('y', ops.Where(ops.Greater(normalised, 0), sum, normalised));
  return g.finish();
}

const withNode = (index: number, change: Partial<Node>): Graph => {
  const graph = legal();
  return { ...graph, nodes: graph.nodes.map((node, i) => (i === index ? { ...node, ...change } : node)) };
};

it('passes a legal graph', () => {
  expect(violations(legal())).toEqual([]);
  expect(() => verify(legal())).not.toThrow();
});

describe('rules', () => {
  const graph = legal();
  const [mul] = graph.nodes;
  it.each<[string, Graph]>([
    ['operator known', withNode(0, { op: 'Multiply' })],
    ['operator known', withNode(0, { domain: 'com.microsoft' })],
    ['defined before use', withNode(0, { inputs: ['x', 'nothing'] })],
    ['defined before use', { ...graph, nodes: graph.nodes.toReversed() }],
    ['defined once', { ...graph, nodes: [...graph.nodes, mul!] }],
    ['defined once', { ...graph, inputs: [...graph.inputs, graph.inputs[0]!] }],
    ['arity', withNode(0, { inputs: ['x'] })],
    ['arity', withNode(0, { inputs: ['x', 'x', 'x'] })],
    ['arity', withNode(0, { inputs: ['', 'x'] })],
    ['dtypes agree', withNode(0, { outputs: [{ ...mul!.outputs[0]!, dtype: 'int32' }] })],
    ['attributes known', withNode(0, { attributes: { axis: { int: 1 } } })],
    ['attributes known', withNode(1, { attributes: { epsilon: { int: 1 } } })],
    ['attributes finite', withNode(1, { attributes: { epsilon: { float: NaN } } })],
    ['outputs made', { ...graph, outputs: [{ ...graph.outputs[0]!, name: 'z' }] }],
    ['outputs made', { ...graph, outputs: [{ ...graph.outputs[0]!, shape: ['N', 5] }] }],
    ['nothing dead', { ...graph, inputs: [...graph.inputs, { name: 'u', dtype: 'bool', shape: [1] }] }],
    ['nothing dead', { ...graph, outputs: [{ ...mul!.outputs[0]! }] }],
    ['data sized', { ...graph, constants: graph.constants.map((c) => ({ ...c, bytes: new Uint8Array(5) })) }],
    ['data concrete', { ...graph, weights: graph.weights.map((w) => ({ ...w, shape: ['H'] })) }],
    ['dimensions legal', { ...graph, inputs: [{ ...graph.inputs[0]!, shape: ['N', -4] }] }],
    ['named', { ...graph, inputs: [...graph.inputs, { name: '', dtype: 'bool', shape: [1] }] }],
  ])('%s', (rule, broken) => {
    expect(violations(broken).join('\n')).toContain(`(${rule})`);
    expect(() => verify(broken)).toThrow(/ill-formed/);
  });
});

it('every operator function has a signature', () => {
  // Two spellings of one operator: with the shape as a value.
  const operator: Record<string, string> = { ReshapeTo: 'Reshape', SplitBy: 'Split', ExpandTo: 'Expand' };
  for (const name of Object.keys(ops)) {
    const known = operator[name] ?? name;
    expect(operatorOf('', known) ?? operatorOf('com.microsoft', known), name).toBeDefined();
  }
});
