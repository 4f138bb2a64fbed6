// The executable grammar of a legal graph: run it over a finished Graph, and an ill-formed one fails here, with the node's number and
// the rule's name, rather than inside the runtime. Complements the builder, which checks each call where it is made: this sees the
// whole (order, dead parts, sizes of data), and graphs that did not come from the builder.
import { bytesPerElement, type DType, type Graph, GraphError, type Info, type Node } from './graph.js';
import { shapeText } from './dims.js';
import { operatorOf, portsOf, type Ports } from './signatures.js';

type Report = (rule: string, problem: string) => void;

function checkInfo({ name, dtype, shape }: Info, report: Report): void {
  if (name === '') report('named', 'a value without name');
  if (!(dtype in bytesPerElement)) report('dtype known', `${name} is ${dtype}`);
  for (const dim of shape)
    if (typeof dim === 'number' ? !Number.isInteger(dim) || dim < 0 : dim === '')
      report('dimensions legal', `${name} is ${shapeText(shape)}`);
}

/** Does `dtype` fit the port's type, given what the letters stand for so far? */
function fits(type: string, dtype: DType, letters: Map<string, DType>): boolean {
  if (type === 'I' && dtype !== 'int32' && dtype !== 'int64') return false;
  if ((type === 'B' || type === 'C') && dtype !== 'int8' && dtype !== 'uint8') return false;
  // I is free per port: indices and axes need not agree.
  if (type === 'I') return true;
  if (!/^[A-Z]$/.test(type)) return type === dtype;
  const bound = letters.get(type);
  letters.set(type, dtype);
  return bound === undefined || bound === dtype;
}

function checkSide(
  side: 'input' | 'output',
  ports: Ports['inputs'],
  actual: readonly (Info | null)[],
  letters: Map<string, DType>,
  report: Report,
): void {
  const [first] = ports;
  const repeats = first?.repeats === true;
  if (repeats ? actual.length < 1 : actual.length > ports.length)
    report('arity', `${actual.length} ${side}s, the operator has ${repeats ? 'at least one' : ports.length}`);
  const count = repeats ? actual.length : ports.length;
  for (let i = 0; i < count; i++) {
    const port = repeats ? first : ports[i];
    const info = actual[i] ?? null;
    if (!port) continue;
    if (!info) {
      if (!port.optional) report('arity', `${side} ${i} is missing`);
    } else if (!fits(port.type, info.dtype, letters))
      report('dtypes agree', `${side} ${i} (${info.name}) is ${info.dtype}, which does not fit ${port.type}`);
  }
}

function checkNode(node: Node, defined: ReadonlyMap<string, Info>, report: Report): void {
  const operator = operatorOf(node.domain, node.op);
  if (!operator) return report('operator known', `no signature for ${node.domain}:${node.op}`);
  const inputs = node.inputs.map((name) => {
    if (name === '') return null;
    const info = defined.get(name);
    if (!info) report('defined before use', `${name} is not defined`);
    return info ?? null;
  });
  const letters = new Map<string, DType>();
  const { inputs: inputPorts, outputs: outputPorts } = portsOf(operator);
  checkSide('input', inputPorts, inputs, letters, report);
  checkSide(
    'output',
    outputPorts,
    node.outputs.map((output) => (output.name === '' ? null : output)),
    letters,
    report,
  );
  for (const [name, attribute] of Object.entries(node.attributes)) {
    const kind = operator.attributes[name];
    if (kind === undefined) report('attributes known', `${name} is no attribute of it`);
    else if (!(kind in attribute)) report('attributes known', `${name} must be ${kind}`);
    else if ('float' in attribute && !Number.isFinite(attribute.float))
      report('attributes finite', `${name} is ${attribute.float}`);
  }
}

/** All violations, as sentences; empty for a legal graph. */
export function violations(graph: Graph): readonly string[] {
  const found: string[] = [];
  const reporter =
    (where: string): Report =>
    (rule, problem) =>
      found.push(`${where}: ${problem} (${rule})`);
  const defined = new Map<string, Info>();
  const define = (info: Info, report: Report): void => {
    checkInfo(info, report);
    if (defined.has(info.name)) report('defined once', `${info.name} is defined twice`);
    defined.set(info.name, info);
  };

  for (const input of graph.inputs) define(input, reporter(`input ${input.name}`));
  for (const data of [...graph.constants, ...graph.weights]) {
    const report = reporter(`data ${data.name}`);
    define(data, report);
    let elements = 1;
    for (const dim of data.shape) {
      if (typeof dim === 'string') report('data concrete', `${data.name} has the dimension ${dim}`);
      else elements *= dim;
    }
    if ('bytes' in data && data.bytes.byteLength !== elements * bytesPerElement[data.dtype])
      report('data sized', `${data.bytes.byteLength} bytes for ${data.dtype}${shapeText(data.shape)}`);
  }
  const used = new Set<string>();
  graph.nodes.forEach((node, i) => {
    const report = reporter(`node ${i} ${node.op}`);
    checkNode(node, defined, report);
    node.inputs.forEach((name) => used.add(name));
    for (const output of node.outputs) if (output.name !== '') define(output, report);
  });
  for (const output of graph.outputs) {
    const report = reporter(`output ${output.name}`);
    const made = defined.get(output.name);
    if (!made) report('outputs made', 'nothing makes it');
    else if (made.dtype !== output.dtype || shapeText(made.shape) !== shapeText(output.shape))
      report(
        'outputs made',
        `declared ${output.dtype}${shapeText(output.shape)}, made ${made.dtype}${shapeText(made.shape)}`,
      );
    used.add(output.name);
  }
  graph.nodes.forEach((node, i) => {
    if (!node.outputs.some((output) => used.has(output.name)))
      reporter(`node ${i} ${node.op}`)('nothing dead', 'no one uses it');
  });
  for (const { name } of [...graph.inputs, ...graph.constants, ...graph.weights])
    if (!used.has(name)) reporter(`value ${name}`)('nothing dead', 'no node uses it');
  return found;
}

/** Throws a GraphError that lists what is wrong. */
export function verify(graph: Graph): void {
  const found = violations(graph);
  if (found.length > 0)
    throw new GraphError(`The graph ${graph.name} is ill-formed: ${found.slice(0, 10).join('; ')}.`);
}
