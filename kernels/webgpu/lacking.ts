// Which operators of a graph the device lacks: each kind of node is tried alone. Asked only after a session has refused a graph, to name
// what is missing in the error.
import { type Constant, type Graph, type Info, type Node } from '../graph.js';
import { encodeModel } from '../proto.js';
import { createSession } from '../session.js';

/** The device refused a graph because of these operators. */
export class OperatorsMissing extends Error {
  override readonly name = 'OperatorsMissing';
  readonly operators: readonly string[];

  constructor(operators: readonly string[], options: ErrorOptions) {
    super(`The device lacks ${operators.join(', ')}.`, options);
    this.operators = operators;
  }
}

/** Is this how the runtime refuses a graph with operators that the device lacks? It names none of them. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('fallback to CPU EP has been explicitly disabled');

/** What to throw instead of a refusal. Anything else, and a refusal that no single node accounts for, stays what it is. */
export async function namingOperators(error: unknown, graph: Graph): Promise<unknown> {
  if (!isRefusal(error)) return error;
  const lacking = await lackingOperators(graph);
  return lacking.length === 0 ? error : new OperatorsMissing(lacking, { cause: error });
}

/** Names of operators with the types of their operands, e.g. "TopK(int32, int64)". Empty where every node alone is there. */
export async function lackingOperators(graph: Graph): Promise<readonly string[]> {
  const infos = new Map<string, Info>(
    [...graph.inputs, ...graph.weights, ...graph.nodes.flatMap(({ outputs }) => outputs)].map((info) => [
      info.name,
      info,
    ]),
  );
  const constants = new Map(graph.constants.map((constant) => [constant.name, constant]));
  const known = (name: string): Info | undefined => infos.get(name) ?? constants.get(name);
  const kinds = new Map<string, Node>();
  for (const node of graph.nodes) {
    const types = node.inputs.map((name) => known(name)?.dtype ?? '–').join(', ');
    const kind = `${node.op}(${types})`;
    if (!kinds.has(kind)) kinds.set(kind, node);
  }
  const lacking: string[] = [];
  for (const [kind, node] of kinds) if (!(await runsAlone(node, infos, constants))) lacking.push(kind);
  return lacking;
}

async function runsAlone(
  node: Node,
  infos: ReadonlyMap<string, Info>,
  constants: ReadonlyMap<string, Constant>,
): Promise<boolean> {
  const names = [...new Set(node.inputs.filter((name) => name !== ''))];
  const alone: Graph = {
    name: node.op,
    inputs: names.flatMap((name) => infos.get(name) ?? []),
    outputs: node.outputs.filter(({ name }) => name !== ''),
    constants: names.flatMap((name) => constants.get(name) ?? []),
    weights: [],
    nodes: [node],
  };
  try {
    const { bytes } = encodeModel(alone, null);
    const session = await createSession(bytes, { threads: 1, device: 'webgpu', quickly: true });
    await session.release();
    return true;
  } catch {
    return false;
  }
}
