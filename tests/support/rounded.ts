// The CPU provider has few kernels of half precision: it computes in float32, and what was inserted to widen and to narrow again cancels out,
// so that nothing is rounded or overflows between two of its operators. Here every float16 value passes two operators that move numbers as
// they are and that no rewrite removes: it is stored in 16 bits, as on a device, before anyone reads it.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bytesOfElements } from '../../kernels/elements.js';
import type { Constant, Graph, Info, Node } from '../../kernels/graph.js';
import { encodeModel } from '../../kernels/proto.js';
import { verify } from '../../kernels/verify.js';
import { modelFile, weightsFile } from '../../kernels/write.js';

const axis: Constant = {
  name: 'rounded.axis',
  dtype: 'int64',
  shape: [1],
  bytes: bytesOfElements('int64', [0]),
};

export function rounded(graph: Graph): Graph {
  const step = (op: string, from: Info, to: Info): Node => ({
    op,
    domain: '',
    inputs: [from.name, axis.name],
    outputs: [to],
    attributes: {},
  });
  const read = new Set([...graph.nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const halves = node.outputs.filter(({ dtype, name }) => dtype === 'float16' && read.has(name));
    const raw = (info: Info): Info => ({ ...info, name: `${info.name}.raw` });
    const outputs = node.outputs.map((info) => (halves.includes(info) ? raw(info) : info));
    const through = halves.flatMap((info) => {
      const wide: Info = { ...info, name: `${info.name}.wide`, shape: [1, ...info.shape] };
      return [step('Unsqueeze', raw(info), wide), step('Squeeze', wide, info)];
    });
    return [{ ...node, outputs }, ...through];
  });
  return { ...graph, nodes, constants: [...graph.constants, axis] };
}

/** The same for a model folder that writeDecoder has written from this graph. */
export function roundFolder(directory: string, graph: Graph): void {
  const file = path.join(directory, modelFile);
  if (!readFileSync(file).equals(Buffer.from(encodeModel(graph, weightsFile).bytes)))
    throw new Error(`${directory} was written from another graph`);
  const through = rounded(graph);
  verify(through);
  writeFileSync(file, encodeModel(through, weightsFile).bytes);
}
