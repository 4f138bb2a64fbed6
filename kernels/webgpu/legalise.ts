// A logit kernel in operators that the WebGPU provider has. The provider knows float32, int32 and bool; of int64 only what the host says
// about shapes, and what TopK answers. So float64 becomes float32, int64 becomes int32, and operators that are missing are said in others.
// Small outputs are packed into one, because each one is a wait for the device. Knows nothing of distributions; called by
// logits/compiled.ts and transfer.ts.
import type { Graph, Node, Value } from '../graph.js';
import { type Axes, LegalValues } from './legal-values.js';
import { type Outputs, pack, type PackedOutput } from './packed.js';
import { rewrites } from './rewrites/index.js';
import { topK } from './rewrites/sorting.js';
import { emit, same } from './same.js';

export interface LegalGraph {
  readonly graph: Graph;
  /** Columns of the output `packed`, [R, sum of widths] float32, in this order. */
  readonly packed: readonly PackedOutput[];
}

export interface Lengths extends Axes, Outputs {}

export function legalise(graph: Graph, lengths: Lengths): LegalGraph {
  const legal = new LegalValues(graph, lengths);
  for (const node of graph.nodes) rewrite(node, legal);
  const packed = pack(graph, legal, lengths);
  return { graph: legal.g.finish(), packed };
}

function rewrite(node: Node, legal: LegalValues): void {
  const [output] = node.outputs;
  const rewritten = rewrites[node.op];
  if (rewritten && output) legal.set(output.name, rewritten(node, legal));
  else if (node.op === 'TopK') topK(node, legal);
  else if (node.op === 'Shape' && output)
    legal.setRaw(output.name, emit(node, legal, [legal.in(node, 0)], 'int64')[0] as Value);
  else same(node, legal);
}
